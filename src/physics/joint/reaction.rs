//! How hard a joint held in the last step.
//!
//! The engine solves a joint row by row, each of them made independent of those before in the
//! metric of the masses. What it keeps are the impulses along these rows, which are no forces and
//! torques before the rows are known again.

use rapier3d::{
    math::Vector,
    prelude::{GenericJoint, ImpulseJoint, RigidBody},
};

use super::axes::AxisName;

/// What one row of a joint does to its bodies for each unit of impulse.
#[derive(Clone, Copy)]
struct Row {
    linear: Vector,
    /// About the centres of mass of the first and the second body.
    angular: [Vector; 2],
    impulse: f32,
}

/// The two bodies of a joint, and where it holds them.
struct Ends<'a> {
    bodies: [&'a RigidBody; 2],
    axes: [Vector; 3],
    levers: [Vector; 2],
    /// How the frames are turned against each other: the vector and the scalar of a quaternion.
    turn: (Vector, f32),
    apart: Vector,
}

/// The linear and the angular impulse that a joint had on its second body in the last of a step's
/// equal parts, where it holds it.
pub(in crate::physics) fn reaction(joint: &ImpulseJoint, bodies: [&RigidBody; 2]) -> [f32; 2] {
    let ends = Ends::of(&joint.data, bodies);
    let mut linear = Vector::ZERO;
    let mut angular = Vector::ZERO;
    for row in ends.rows(joint) {
        linear += row.linear * row.impulse;
        angular += row.angular[1] * row.impulse;
    }
    angular -= ends.levers[1].cross(linear);
    [linear.length(), angular.length()].map(|size| if size.is_finite() { size } else { 0.0 })
}

impl<'a> Ends<'a> {
    fn of(joint: &GenericJoint, bodies: [&'a RigidBody; 2]) -> Self {
        let frame_a = *bodies[0].position() * joint.local_frame1;
        let frame_b = *bodies[1].position() * joint.local_frame2;
        let axes = [Vector::X, Vector::Y, Vector::Z].map(|axis| frame_a.rotation * axis);
        let apart = frame_b.translation - frame_a.translation;
        let locked = AxisName::ALL.into_iter().take(3);
        let locked = locked.filter(|axis| joint.locked_axes.contains(axis.mask()));
        // Along free axes the first body is held where the second one is.
        let held = locked.fold(frame_b.translation, |held, axis| {
            let axis = axes[axis.index()];
            held - axis * apart.dot(axis)
        });
        let turn = frame_a.rotation.inverse() * frame_b.rotation;
        let turn = if turn.w < 0.0 { -turn } else { turn };
        Self {
            bodies,
            axes,
            levers: [
                held - bodies[0].center_of_mass(),
                frame_b.translation - bodies[1].center_of_mass(),
            ],
            turn: (Vector::new(turn.x, turn.y, turn.z), turn.w),
            apart,
        }
    }

    /// All rows in the engine's order: motors; locks, angular ones first; limits.
    fn rows(&self, joint: &ImpulseJoint) -> Vec<Row> {
        let data = &joint.data;
        let coupled = data.coupled_axes;
        let in_order = || AxisName::ALL.into_iter().cycle().skip(3).take(6);
        let mut rows = Vec::new();
        for axis in in_order() {
            if data.motor_axes.contains(axis.mask()) {
                let impulse = data.motors[axis.index()].impulse;
                rows.push(self.along(axis, coupled.contains(axis.mask()), impulse));
            }
        }
        let locks = rows.len();
        for axis in in_order().filter(|axis| data.locked_axes.contains(axis.mask())) {
            rows.push(self.lock(axis, joint.impulses[axis.index()]));
        }
        let limits = rows.len();
        for axis in in_order().filter(|axis| data.limit_axes.contains(axis.mask())) {
            let impulse = data.limits[axis.index()].impulse;
            rows.push(self.along(axis, coupled.contains(axis.mask()), impulse));
        }
        for lock in locks..limits {
            let (done, rest) = rows.split_at_mut(lock + 1);
            let lock = done[lock];
            let size = self.product(&lock, &lock);
            if size > 0.0 {
                for row in rest {
                    row.subtract(&lock, self.product(row, &lock) / size);
                }
            }
        }
        rows
    }

    /// The row that pushes or turns along one axis, or straight apart where it is a coupled one.
    fn along(&self, axis: AxisName, is_coupled: bool, impulse: f32) -> Row {
        let index = axis.index() % 3;
        if axis.is_angular() {
            return Row {
                linear: Vector::ZERO,
                angular: [self.axes[index]; 2],
                impulse,
            };
        }
        let linear = if is_coupled {
            self.apart.normalize_or_zero()
        } else {
            self.axes[index]
        };
        Row {
            linear,
            angular: self.levers.map(|lever| lever.cross(linear)),
            impulse,
        }
    }

    /// The row that locks one axis; that of an angle is about a component of the quaternion.
    fn lock(&self, axis: AxisName, impulse: f32) -> Row {
        if !axis.is_angular() {
            return self.along(axis, false, impulse);
        }
        let unit = [Vector::X, Vector::Y, Vector::Z][axis.index() - 3];
        let (vector, scalar) = self.turn;
        let local = (unit * scalar + vector.cross(unit)) * 0.5;
        let [x, y, z] = self.axes;
        Row {
            linear: Vector::ZERO,
            angular: [x * local.x + y * local.y + z * local.z; 2],
            impulse,
        }
    }

    /// How much one row moves what another one measures.
    fn product(&self, one: &Row, other: &Row) -> f32 {
        let [a, b] = self.bodies.map(RigidBody::mass_properties);
        let masses = a.effective_inv_mass + b.effective_inv_mass;
        let [turn_a, turn_b] = one.angular;
        one.linear.dot(masses * other.linear)
            + (a.effective_world_inv_inertia * turn_a).dot(other.angular[0])
            + (b.effective_world_inv_inertia * turn_b).dot(other.angular[1])
    }
}

impl Row {
    fn subtract(&mut self, other: &Self, share: f32) {
        self.linear -= other.linear * share;
        for (angular, other) in self.angular.iter_mut().zip(other.angular) {
            *angular -= other * share;
        }
    }
}
