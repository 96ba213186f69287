//! A robot as both formats describe it: rigid links with shapes, and joints with drives, in SI units
//! and double precision.

use mjcf_rs::{Pose, glam::DVec3};

use super::inertia::Inertia;

/// A robot, parents before their children.
#[derive(Default)]
pub(super) struct Robot {
    pub(super) links: Vec<Link>,
    pub(super) joints: Vec<Joint>,
}

/// A rigid part.
pub(super) struct Link {
    /// What it is called, and all that is rigidly part of it.
    pub(super) names: Vec<String>,
    /// Whether the file speaks of it; it does not of what stands between two joints of one body.
    pub(super) is_named: bool,
    /// Where it stands while all joints are at 0.
    pub(super) pose: Pose,
    pub(super) motion: Motion,
    /// Nothing where the file states none.
    pub(super) inertia: Option<Inertia>,
    /// kg/m³, of a link that is to weigh what meshes do that are only seen later.
    pub(super) density: Option<f64>,
    pub(super) geoms: Vec<Geom>,
    pub(super) gravity_scale: f64,
}

impl Link {
    /// Whether nothing is known that it weighs.
    pub(super) fn is_weightless(&self) -> bool {
        self.density.is_none() && self.inertia.is_none_or(|inertia| inertia.mass <= 0.0)
    }
}

/// What moves a link.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Motion {
    Static,
    Dynamic,
    /// Whoever sets its pose.
    Posed,
}

/// A shape of a link that collides.
pub(super) struct Geom {
    pub(super) shape: Shape,
    /// In the link's frame.
    pub(super) pose: Pose,
    pub(super) friction: Option<f64>,
    /// Whether it collides with the robot's other links, if the file has a say in that.
    pub(super) meets_robot: bool,
}

/// A shape, with its axis along z where it has one.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    Box {
        half_extents: DVec3,
    },
    Sphere {
        radius: f64,
    },
    Capsule {
        half_height: f64,
        radius: f64,
    },
    Cylinder {
        half_height: f64,
        radius: f64,
    },
    Ellipsoid {
        radii: DVec3,
    },
    /// All that lies below z = 0.
    Plane,
    Mesh {
        file: String,
        scale: DVec3,
    },
    /// The convex hull of some points.
    Hull {
        points: Vec<DVec3>,
    },
}

/// A joint between two links.
pub(super) struct Joint {
    pub(super) name: String,
    /// Whether the file calls it so.
    pub(super) is_named: bool,
    pub(super) parent: usize,
    pub(super) child: usize,
    /// Its frame in the parent; x is its axis.
    pub(super) frame_a: Pose,
    /// Its frame in the child.
    pub(super) frame_b: Pose,
    pub(super) freedom: Freedom,
    /// rad or m.
    pub(super) limits: Option<[f64; 2]>,
    pub(super) drive: Drive,
    /// What its rotor adds to the inertia, kg·m² or kg.
    pub(super) armature: f64,
    /// Dry friction, N·m or N.
    pub(super) friction: f64,
    /// Whether a motor is meant to move it.
    pub(super) is_actuated: bool,
    /// Whether it ties two links that are tied otherwise already.
    pub(super) closes_loop: bool,
}

/// What a joint leaves free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Freedom {
    Fixed,
    Revolute,
    Prismatic,
    Spherical,
    /// Along y and z, and about x.
    Planar,
    /// Everything: it only says where its child stands.
    Free,
}

/// What a joint does by itself.
#[derive(Clone, Copy, Default)]
pub(super) struct Drive {
    /// Towards `target`, N·m/rad or N/m.
    pub(super) stiffness: f64,
    /// N·m·s/rad or N·s/m.
    pub(super) damping: f64,
    /// rad or m.
    pub(super) target: f64,
    /// rad/s or m/s.
    pub(super) target_velocity: f64,
    /// The most its motor can do, N·m or N.
    pub(super) max_force: Option<f64>,
    /// Whether the file gives its motor gains.
    pub(super) is_servo: bool,
}

impl Robot {
    /// The joint that a link hangs on.
    pub(super) fn joint_of(&self, link: usize) -> Option<&Joint> {
        let joints = self.joints.iter();
        joints
            .filter(|joint| !joint.closes_loop)
            .find(|joint| joint.child == link)
    }

    /// Makes every length `scale` times as long. Masses stay, and so inertias grow with the square.
    pub(super) fn scale(&mut self, scale: f64) {
        for link in &mut self.links {
            link.pose.translation *= scale;
            if let Some(inertia) = &mut link.inertia {
                inertia.scale(scale);
            }
            for geom in &mut link.geoms {
                geom.pose.translation *= scale;
                geom.shape.scale(scale);
            }
        }
        for joint in &mut self.joints {
            joint.frame_a.translation *= scale;
            joint.frame_b.translation *= scale;
            if joint.freedom == Freedom::Prismatic {
                joint.limits = joint.limits.map(|limits| limits.map(|limit| limit * scale));
                joint.drive.target *= scale;
                joint.drive.target_velocity *= scale;
            }
        }
    }

    /// Stands the robot somewhere else.
    pub(super) fn place(&mut self, pose: Pose) {
        for link in &mut self.links {
            link.pose = pose * link.pose;
        }
    }
}

impl Shape {
    fn scale(&mut self, scale: f64) {
        match self {
            Self::Box {
                half_extents: lengths,
            }
            | Self::Ellipsoid { radii: lengths }
            | Self::Mesh { scale: lengths, .. } => *lengths *= scale,
            Self::Sphere { radius } => *radius *= scale,
            Self::Capsule {
                half_height,
                radius,
            }
            | Self::Cylinder {
                half_height,
                radius,
            } => {
                *half_height *= scale;
                *radius *= scale;
            }
            Self::Hull { points } => points.iter_mut().for_each(|point| *point *= scale),
            Self::Plane => {}
        }
    }
}
