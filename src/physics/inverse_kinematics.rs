//! Inverse kinematics: what the joints of a multibody must be at for a link to be somewhere.

use rapier3d::{
    dynamics::{Multibody, RigidBodySet},
    math::{Jacobian, Pose, Rotation, Vector},
    na::{DVector, Vector6},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    articulation::{show_motion, show_poses},
    fault::{Faults, MAX_DISTANCE},
    joint::{AxisName, axis_names},
    vector::{Quat, Vec3, number, present},
    world::World,
};
use crate::id::{BodyId, JointId};

/// How often the coordinates may be improved in one request.
pub const MAX_IK_ITERATIONS: u32 = 1000;
/// The farthest a link is asked to move at once, m and rad: the method is about small steps.
const LONGEST_STEP: f32 = 0.5;
/// Damped more than this, nothing moves.
const MAX_DAMPING: f32 = 1e6;

/// Where a link of a multibody is wanted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InverseKinematics {
    /// The link, which hangs on another one by a joint of a multibody.
    pub body_id: BodyId,
    /// Where its `point` is wanted, world coordinates, m.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false)]
    pub position: Option<Vec3>,
    /// How it is wanted to be turned, a unit quaternion.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false)]
    pub orientation: Option<Quat>,
    /// The point of the link that `position` is about, in its frame, m.
    #[serde(default)]
    pub point: Vec3,
    /// The world axes along and about which it matters; all of what is given unless said.
    #[serde(
        default,
        deserialize_with = "axis_names",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schema(max_items = 6)]
    pub axes: Vec<AxisName>,
    /// How often the coordinates are improved at most.
    #[serde(default = "default_iterations")]
    #[schema(minimum = 1, maximum = 1000, default = 100)]
    pub max_iterations: u32,
    /// Small is fast, large is steady near what cannot be reached.
    #[serde(default = "default_damping", deserialize_with = "number")]
    #[schema(minimum = 1e-3, maximum = 1e3, default = 0.1)]
    pub damping: f32,
    /// m.
    #[serde(default = "default_tolerance", deserialize_with = "number")]
    #[schema(minimum = 1e-6, maximum = 1e3, default = 1e-3)]
    pub tolerance_position: f32,
    /// rad.
    #[serde(default = "default_tolerance", deserialize_with = "number")]
    #[schema(minimum = 1e-6, maximum = 1e3, default = 1e-3)]
    pub tolerance_orientation: f32,
}

/// How near a link has come to where it is wanted.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Reached {
    /// Whether both errors are within their tolerances.
    pub converged: bool,
    /// m.
    pub position_error: f32,
    /// rad.
    pub orientation_error: f32,
    /// The joints from the base of the multibody to the link, nearest to the base first.
    pub joints: Vec<JointPositions>,
}

/// Where a joint is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct JointPositions {
    /// Its name.
    #[schema(value_type = String)]
    pub joint_id: JointId,
    /// On each axis that it leaves free, in the order x, y, z, rx, ry, rz; m or rad.
    pub positions: Vec<f32>,
}

impl InverseKinematics {
    /// Notes everything that is wrong with it.
    pub(super) fn check(&self, faults: &mut Faults) {
        if self.position.is_none() && self.orientation.is_none() {
            faults.add("position", "position or orientation must be given");
        }
        if let Some(position) = self.position {
            faults.check_vector("position", position, MAX_DISTANCE);
        }
        if let Some(orientation) = self.orientation {
            faults.check_rotation("orientation", orientation);
        }
        faults.check_vector("point", self.point, 1e5);
        for (index, axis) in self.axes.iter().enumerate() {
            let place = format!("axes/{index}");
            if self.axes[..index].contains(axis) {
                faults.add(&place, "stands twice in the list");
            } else if axis.is_angular() && self.orientation.is_none() {
                faults.add(&place, "needs an orientation");
            } else if !axis.is_angular() && self.position.is_none() {
                faults.add(&place, "needs a position");
            }
        }
        if !(1..=MAX_IK_ITERATIONS).contains(&self.max_iterations) {
            let detail = format_args!("must be between 1 and {MAX_IK_ITERATIONS}");
            faults.add("max_iterations", detail);
        }
        faults.check_range("damping", self.damping, 1e-3..=1e3);
        faults.check_range("tolerance_position", self.tolerance_position, 1e-6..=1e3);
        faults.check_range(
            "tolerance_orientation",
            self.tolerance_orientation,
            1e-6..=1e3,
        );
    }

    /// Whether it may take more than a moment.
    pub(super) fn takes_long(&self) -> bool {
        self.max_iterations > 20
    }

    /// How far a link is from where it is wanted, along and about each world axis.
    fn error(&self, pose: &Pose) -> Vector6<f32> {
        let mut error = Vector6::zeros();
        if let Some(wanted) = self.position {
            let point = pose.transform_point(self.point.into());
            let apart = Vector::from(wanted) - point;
            error
                .fixed_rows_mut::<3>(0)
                .copy_from_slice(&apart.to_array());
        }
        if let Some(wanted) = self.orientation {
            let turn = Rotation::from(wanted.normalized()) * pose.rotation.inverse();
            // The shorter way round.
            let turn = if turn.w < 0.0 { -turn } else { turn };
            let turn = turn.to_scaled_axis();
            error
                .fixed_rows_mut::<3>(3)
                .copy_from_slice(&turn.to_array());
        }
        for axis in AxisName::ALL {
            if !self.matters(axis) {
                error[axis.index()] = 0.0;
            }
        }
        error
    }

    fn matters(&self, axis: AxisName) -> bool {
        if axis.is_angular() && self.orientation.is_none()
            || !axis.is_angular() && self.position.is_none()
        {
            return false;
        }
        self.axes.is_empty() || self.axes.contains(&axis)
    }

    /// Moves a link towards where it is wanted; only joints move, and within their limits.
    fn solve(&self, multibody: &mut Multibody, link: usize, bodies: &mut RigidBodySet) -> [f32; 2] {
        multibody.forward_kinematics(bodies, true);
        let branch = multibody.kinematic_branch(link);
        let mut jacobian = Jacobian::zeros(0);
        let mut moved = DVector::zeros(multibody.ndofs());
        let mut error = self.look(multibody, link, bodies, &branch, &moved, &mut jacobian);
        let mut damping = self.damping;
        for _ in 0..self.max_iterations {
            if self.is_met(lengths(&error)) {
                break;
            }
            let mut tried = moved.clone();
            Multibody::inverse_kinematics_delta_with_jacobian(
                &jacobian,
                &within_step(error),
                damping,
                &mut tried,
            );
            keep_limits(multibody, &mut tried);
            let mut seen = Jacobian::zeros(0);
            let left = self.look(multibody, link, bodies, &branch, &tried, &mut seen);
            if left.norm() < error.norm() {
                (moved, error, jacobian) = (tried, left, seen);
                damping = (damping * 0.5).max(self.damping);
            } else {
                // It overshot, as it does near what cannot be reached.
                damping = (damping * 2.0).min(MAX_DAMPING);
            }
        }
        if moved.iter().all(|value| value.is_finite()) {
            multibody.apply_displacements(moved.as_slice());
        }
        multibody.forward_kinematics(bodies, false);
        show_poses(multibody, bodies);
        show_motion(multibody, bodies);
        lengths(&error)
    }

    /// How far a link would be from where it is wanted with its joints moved like this, and what
    /// moving them further would do.
    fn look(
        &self,
        multibody: &Multibody,
        link: usize,
        bodies: &RigidBodySet,
        branch: &[usize],
        moved: &DVector<f32>,
        jacobian: &mut Jacobian<f32>,
    ) -> Vector6<f32> {
        let pose = multibody.forward_kinematics_single_branch(
            bodies,
            branch,
            Some(moved.as_slice()),
            Some(jacobian),
        );
        let link = multibody.link(link).expect("the branch leads to it");
        let body = &bodies[link.rigid_body_handle()];
        let centre = pose.transform_point(body.mass_properties().local_mprops.local_com);
        let lever = pose.transform_point(self.point.into()) - centre;
        self.concern(multibody, jacobian, lever);
        self.error(&pose)
    }

    /// Makes the jacobian of a link's centre that of its point, and leaves out of it the base, which
    /// stays, and the axes that do not matter.
    fn concern(&self, multibody: &Multibody, jacobian: &mut Jacobian<f32>, lever: Vector) {
        let base = multibody.root().joint.ndofs();
        for (index, mut column) in jacobian.column_iter_mut().enumerate() {
            if index < base {
                column.fill(0.0);
                continue;
            }
            let along = Vector::new(column[3], column[4], column[5]).cross(lever);
            for axis in AxisName::ALL {
                let row = axis.index();
                if !self.matters(axis) {
                    column[row] = 0.0;
                } else if row < 3 {
                    column[row] += along[row];
                }
            }
        }
    }

    fn is_met(&self, [position_error, orientation_error]: [f32; 2]) -> bool {
        position_error <= self.tolerance_position && orientation_error <= self.tolerance_orientation
    }
}

impl World {
    /// Moves the joints of a multibody so that a link comes to where it is wanted.
    pub(super) fn reach(&mut self, request: &InverseKinematics) -> Reached {
        let body = self.roster.bodies[&request.body_id].handle;
        // What hung in a multibody that is broken stays where it is.
        let mut errors = lengths(&request.error(self.engine.bodies[body].position()));
        self.with_multibody(body, |multibody, link, bodies| {
            errors = request.solve(multibody, link, bodies);
        });
        let [position_error, orientation_error] = errors;
        Reached {
            converged: request.is_met(errors),
            position_error,
            orientation_error,
            joints: self.positions_towards(&request.body_id),
        }
    }

    /// The joints by which a body hangs on the base of its multibody.
    fn positions_towards(&self, body: &BodyId) -> Vec<JointPositions> {
        let mut joints = Vec::new();
        let mut end = body;
        while let Some((id, joint)) = self
            .roster
            .joints
            .iter()
            .find(|(_, joint)| joint.hangs() && joint.spec.body_b == *end)
        {
            joints.push(JointPositions {
                joint_id: id.clone(),
                positions: self.positions_of(joint),
            });
            end = &joint.spec.body_a;
        }
        joints.reverse();
        joints
    }
}

/// The lengths of the linear and the angular part.
fn lengths(error: &Vector6<f32>) -> [f32; 2] {
    [0, 3].map(|first| error.fixed_rows::<3>(first).norm())
}

fn within_step(error: Vector6<f32>) -> Vector6<f32> {
    let mut step = error;
    for first in [0, 3] {
        let mut part = step.fixed_rows_mut::<3>(first);
        let length = part.norm();
        if length > LONGEST_STEP {
            part *= LONGEST_STEP / length;
        }
    }
    step
}

/// Takes back what would move a joint beyond its limits.
fn keep_limits(multibody: &Multibody, moved: &mut DVector<f32>) {
    for link in multibody.links().skip(1) {
        let joint = &link.joint;
        let free = AxisName::ALL
            .into_iter()
            .filter(|axis| !joint.data.locked_axes.contains(axis.mask()));
        for (axis, row) in free.zip(link.assembly_id()..) {
            if joint.data.limit_axes.contains(axis.mask()) {
                let (now, limits) = (
                    joint.coords()[axis.index()],
                    joint.data.limits[axis.index()],
                );
                let least = (limits.min - now).min(0.0);
                let most = (limits.max - now).max(0.0);
                moved[row] = moved[row].clamp(least, most);
            }
        }
    }
}

fn default_iterations() -> u32 {
    100
}

fn default_damping() -> f32 {
    0.1
}

fn default_tolerance() -> f32 {
    1e-3
}
