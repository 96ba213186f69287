//! A robot as bodies and joints of a simulation.

use std::f64::consts::PI;

use indexmap::IndexMap;
use mjcf_rs::{
    Pose,
    glam::{DQuat, DVec3},
};

use super::{
    names::Names,
    notes::{Notes, shortened},
    request::{Coordinates, ImportRequest, MotorDefaults},
    robot::{Drive, Freedom, Geom, Joint, Link, Motion, Robot, Shape},
};
use crate::{
    id::{BodyId, JointId},
    physics::{
        AngularMotors, AssetId, Axis, AxisFreedom, BodyKind, BodySpec, ColliderSpec, Import,
        JointAxes, JointFrame, JointKind, JointSpec, MAX_MULTIBODY_LINKS, MassProperties, Motor,
        MotorForce, Quat, ShapeKind, ShapeSpec, Vec3,
    },
};

/// The corners of the unit sphere that an ellipsoid is made of: rings of latitude, and the poles.
const RINGS: u32 = 7;
/// How many corners a ring has.
const CORNERS: u32 = 12;

/// Makes bodies and joints of a robot. Those that reach for files take their assets from `files`,
/// which are then no longer unused.
pub(super) fn specify(
    robot: &Robot,
    request: &ImportRequest,
    unused: &mut IndexMap<String, String>,
    notes: &mut Notes,
) -> Import {
    let mut names = Names::new(&request.prefix);
    let mut import = Import::default();
    for link in &robot.links {
        let id = BodyId::parse(&names.id(&link.names[0])).expect("names are made to be ids");
        if link.is_named {
            let names = link.names.iter().cloned();
            import.links.extend(names.map(|name| (name, id.clone())));
        }
        let mut translation = Translation {
            request,
            unused,
            notes,
        };
        import.bodies.push(translation.body(link, id));
    }
    let mut names = Names::new(&request.prefix);
    let is_multibody = chooses_multibody(robot, request.joints, notes);
    for joint in &robot.joints {
        let id = JointId::parse(&names.id(&joint.name)).expect("names are made to be ids");
        if joint.is_named {
            import.names.insert(joint.name.clone(), id.clone());
        }
        let ends = [joint.parent, joint.child].map(|link| import.bodies[link].id.clone());
        let is_multibody = is_multibody && !joint.closes_loop;
        let defaults = request.motors.as_ref();
        let spec = joint_spec(
            joint,
            JointSpec::new(id, JointKind::Fixed, ends),
            is_multibody,
            defaults,
            notes,
        );
        import.joints.push(JointSpec {
            // What stands on the ground meets it all the same.
            collide: robot.links[joint.parent].motion == Motion::Static && request.collide_self,
            ..spec
        });
    }
    import
}

/// Whether the joints are those of multibodies: as asked for, or wherever these stay small.
fn chooses_multibody(robot: &Robot, asked: Option<Coordinates>, notes: &mut Notes) -> bool {
    if let Some(asked) = asked {
        return asked == Coordinates::Multibody;
    }
    // Everything that hangs on the ground is one multibody, together with the ground.
    let mut sizes = vec![1; robot.links.len()];
    let mut largest = 0;
    for joint in robot.joints.iter().rev().filter(|it| !it.closes_loop) {
        sizes[joint.parent] += sizes[joint.child];
        largest = largest.max(sizes[joint.parent]);
    }
    if largest > MAX_MULTIBODY_LINKS {
        notes.ignore(format_args!(
            "multibodies, as one would have {largest} links: joints are made by impulses"
        ));
    }
    largest <= MAX_MULTIBODY_LINKS
}

/// What stays the same while links become bodies.
struct Translation<'a> {
    request: &'a ImportRequest,
    unused: &'a mut IndexMap<String, String>,
    notes: &'a mut Notes,
}

impl Translation<'_> {
    fn body(&mut self, link: &Link, id: BodyId) -> BodySpec {
        let name = shortened(&link.names[0], 64);
        let geoms = link.geoms.iter();
        let colliders: Vec<ColliderSpec> = geoms
            .filter_map(|geom| self.collider(geom, link, &name))
            .collect();
        let kind = match link.motion {
            Motion::Static => BodyKind::Fixed,
            Motion::Dynamic => BodyKind::Dynamic,
            Motion::Posed => BodyKind::KinematicPosition,
        };
        let density = link.density.filter(|_| kind == BodyKind::Dynamic);
        let inertia = link
            .inertia
            .filter(|_| kind == BodyKind::Dynamic && density.is_none());
        let mass_properties = inertia.map(|inertia| {
            let (moments, axes, is_sound) = inertia.principal();
            if !is_sound {
                self.notes.ignore(format_args!(
                    "link {name}: that its inertia is negative about an axis"
                ));
            }
            MassProperties {
                mass: single(inertia.mass),
                center_of_mass: vector(inertia.center),
                inertia: vector(moments),
                inertia_orientation: quaternion(axes),
            }
        });
        let gravity_scale = single(link.gravity_scale);
        BodySpec {
            kind,
            colliders: Some(colliders.into()),
            translation: vector(link.pose.translation),
            rotation: quaternion(link.pose.rotation),
            mass_properties,
            density: density.map(single),
            gravity_scale: (link.gravity_scale.to_bits() != 1f64.to_bits())
                .then_some(gravity_scale),
            restitution: 0.0,
            ..BodySpec::new(id)
        }
    }

    fn collider(&mut self, geom: &Geom, link: &Link, name: &str) -> Option<ColliderSpec> {
        let shape = self.shape(&geom.shape, link, name)?;
        let is_apart =
            !self.request.collide_self && (link.motion != Motion::Static || !geom.meets_robot);
        Some(ColliderSpec {
            translation: vector(geom.pose.translation),
            rotation: quaternion(geom.pose.rotation),
            friction: geom.friction.map(single),
            collision_groups: is_apart.then_some(Import::APART),
            ..ColliderSpec::of(&shape)
        })
    }

    fn shape(&mut self, shape: &Shape, link: &Link, name: &str) -> Option<ShapeSpec> {
        let hull = |points: Vec<Vec3>| ShapeSpec {
            vertices: Some(points.into()),
            ..ShapeSpec::new(ShapeKind::ConvexHull)
        };
        let round = |kind, half_height: f64, radius: f64| ShapeSpec {
            half_height: Some(single(half_height)),
            radius: Some(single(radius)),
            axis: Some(Axis::Z),
            ..ShapeSpec::new(kind)
        };
        let ball = |radius: f64| ShapeSpec {
            radius: Some(single(radius)),
            ..ShapeSpec::new(ShapeKind::Ball)
        };
        Some(match shape {
            Shape::Box { half_extents } => ShapeSpec {
                half_extents: Some(vector(*half_extents)),
                ..ShapeSpec::new(ShapeKind::Cuboid)
            },
            Shape::Sphere { radius } => ball(*radius),
            // A capsule without a straight part is a ball, which is what the engine calls it.
            Shape::Capsule {
                half_height,
                radius,
            } if *half_height < 1e-4 => ball(*radius),
            Shape::Capsule {
                half_height,
                radius,
            } => round(ShapeKind::Capsule, *half_height, *radius),
            Shape::Cylinder {
                half_height,
                radius,
            } => round(ShapeKind::Cylinder, *half_height, *radius),
            Shape::Ellipsoid { radii } => {
                hull(unit_sphere().map(|it| vector(it * *radii)).collect())
            }
            Shape::Hull { points } => hull(points.iter().map(|it| vector(*it)).collect()),
            Shape::Plane if link.motion == Motion::Static => ShapeSpec {
                normal: Some(Vec3([0.0, 0.0, 1.0])),
                ..ShapeSpec::new(ShapeKind::Halfspace)
            },
            Shape::Plane => {
                self.notes
                    .ignore(format_args!("link {name}: a plane, as it moves"));
                return None;
            }
            Shape::Mesh { file, scale } => return self.mesh(file, *scale, link, name),
        })
    }

    fn mesh(&mut self, file: &str, scale: DVec3, link: &Link, name: &str) -> Option<ShapeSpec> {
        let shown = shortened(file, 64);
        let Some(asset) = self.request.assets.get(file) else {
            self.notes.ignore(format_args!(
                "link {name}: mesh {shown}, which is not in assets"
            ));
            return None;
        };
        self.unused.shift_remove(file);
        if (scale - DVec3::ONE).length() > 1e-6 {
            self.notes.ignore(format_args!(
                "link {name}: mesh {shown}, as it would have to be scaled"
            ));
            return None;
        }
        let kind = match link.motion {
            Motion::Static => ShapeKind::TriMesh,
            Motion::Dynamic | Motion::Posed => ShapeKind::ConvexHull,
        };
        Some(ShapeSpec {
            asset: Some(AssetId::from(asset.as_str())),
            ..ShapeSpec::new(kind)
        })
    }
}

fn joint_spec(
    joint: &Joint,
    plain: JointSpec,
    is_multibody: bool,
    defaults: Option<&MotorDefaults>,
    notes: &mut Notes,
) -> JointSpec {
    let name = shortened(&joint.name, 64);
    let limits = joint
        .limits
        .and_then(|limits| limited(joint, limits, &name, notes));
    let motor = motor(joint, limits, is_multibody, defaults, notes);
    let passive = joint.drive.damping;
    let is_resisting = joint.freedom != Freedom::Fixed && passive > 0.0 && !joint.drive.is_servo;
    let mut spec = JointSpec {
        frame_a: Some(frame(joint.frame_a)),
        frame_b: Some(frame(joint.frame_b)),
        limits: limits.map(|limits| limits.map(single).to_vec()),
        multibody: is_multibody,
        ..plain
    };
    if is_multibody {
        spec.damping = is_resisting.then(|| single(passive));
        spec.armature = (joint.armature > 0.0).then(|| single(joint.armature));
        spec.friction = (joint.friction > 0.0).then(|| single(joint.friction));
    } else if joint.armature > 0.0 || joint.friction > 0.0 {
        notes.ignore(format_args!("joint {name}: armature and dry friction"));
    }
    match joint.freedom {
        Freedom::Fixed | Freedom::Free => spec.joint_type = JointKind::Fixed,
        Freedom::Revolute => {
            spec.joint_type = JointKind::Revolute;
            spec.motor = motor;
        }
        Freedom::Prismatic => {
            spec.joint_type = JointKind::Prismatic;
            spec.motor = motor;
        }
        Freedom::Spherical => {
            spec.joint_type = JointKind::Spherical;
            let each = (is_resisting && !is_multibody).then(|| resistance(passive));
            spec.motors = each.map(|each| AngularMotors {
                rx: Some(each),
                ry: Some(each),
                rz: Some(each),
            });
        }
        Freedom::Planar => {
            spec.joint_type = JointKind::Generic;
            let free = Some(AxisFreedom::Free);
            spec.axes = Some(JointAxes {
                y: free.clone(),
                z: free.clone(),
                rx: free,
                ..JointAxes::default()
            });
        }
    }
    spec
}

/// The limits of a joint as far as joints here can have them.
fn limited(joint: &Joint, limits: [f64; 2], name: &str, notes: &mut Notes) -> Option<[f64; 2]> {
    if joint.freedom != Freedom::Revolute {
        return Some(limits);
    }
    let [least, most] = limits.map(|limit| limit.clamp(-PI, PI));
    if limits.iter().any(|limit| limit.abs() > PI) {
        notes.ignore(format_args!("joint {name}: limits beyond half a turn"));
    }
    // Both beyond the same half turn leave nothing that could be said here.
    let is_lost = limits[0] > PI || limits[1] < -PI;
    (!is_lost).then_some([least, most])
}

/// The motor of a joint of one axis: a servo or spring of the description, else one by request,
/// else whatever resists its motion.
fn motor(
    joint: &Joint,
    limits: Option<[f64; 2]>,
    is_multibody: bool,
    defaults: Option<&MotorDefaults>,
    notes: &mut Notes,
) -> Option<Motor> {
    let Drive {
        stiffness, damping, ..
    } = joint.drive;
    let within = |target: f64| match limits {
        Some([least, most]) => single(target.clamp(least, most)),
        None if joint.freedom == Freedom::Revolute => single(target.clamp(-PI, PI)),
        None => single(target),
    };
    if let Some(defaults) = defaults.filter(|_| joint.is_actuated && !joint.drive.is_servo) {
        if stiffness > 0.0 {
            let name = shortened(&joint.name, 64);
            notes.ignore(format_args!("joint {name}: its spring, as it has a motor"));
        }
        return Some(Motor {
            target_position: Some(within(0.0)),
            stiffness: Some(defaults.stiffness),
            damping: defaults.damping,
            max_force: defaults.max_force.or(joint.drive.max_force.map(single)),
            model: defaults.model,
            ..Motor::default()
        });
    }
    if stiffness > 0.0 || joint.drive.is_servo && damping > 0.0 {
        // What resists a spring does so in the coordinates of a multibody.
        let is_apart = is_multibody && !joint.drive.is_servo;
        return Some(Motor {
            target_position: (stiffness > 0.0).then(|| within(joint.drive.target)),
            target_velocity: 0.0,
            stiffness: Some(single(stiffness)),
            damping: Some(if is_apart { 0.0 } else { single(damping) }),
            max_force: joint
                .drive
                .max_force
                .filter(|_| joint.drive.is_servo)
                .map(single),
            model: MotorForce::Force,
        });
    }
    (damping > 0.0 && !is_multibody).then(|| resistance(damping))
}

/// A motor that only resists.
fn resistance(damping: f64) -> Motor {
    Motor {
        stiffness: Some(0.0),
        damping: Some(single(damping)),
        model: MotorForce::Force,
        ..Motor::default()
    }
}

fn frame(pose: Pose) -> JointFrame {
    JointFrame {
        translation: vector(pose.translation),
        rotation: quaternion(pose.rotation),
    }
}

/// Points all over the unit sphere.
fn unit_sphere() -> impl Iterator<Item = DVec3> {
    let rings = (1..RINGS).flat_map(|ring| {
        let (height, radius) = {
            let angle = PI * f64::from(ring) / f64::from(RINGS);
            (angle.cos(), angle.sin())
        };
        (0..CORNERS).map(move |corner| {
            let angle = 2.0 * PI * f64::from(corner) / f64::from(CORNERS);
            DVec3::new(radius * angle.cos(), radius * angle.sin(), height)
        })
    });
    rings.chain([DVec3::Z, DVec3::NEG_Z])
}

fn vector(vector: DVec3) -> Vec3 {
    Vec3(vector.to_array().map(single))
}

fn quaternion(rotation: DQuat) -> Quat {
    let rotation = rotation.normalize();
    Quat([rotation.x, rotation.y, rotation.z, rotation.w].map(single))
}

/// A number as the engine computes with it; negative zero is zero.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the engine computes in f32"
)]
fn single(number: f64) -> f32 {
    number as f32 + 0.0
}
