//! URDF, the robot descriptions of ROS.

use std::collections::{HashMap, HashSet};

use mjcf_rs::{
    Pose,
    glam::{DMat3, DQuat, DVec3, EulerRot},
};
use roxmltree::{Document, Node};

use super::{
    document::{Place, child, children, number, refused, vector},
    inertia::Inertia,
    notes::{Notes, shortened},
    robot::{Drive, Freedom, Geom, Joint, Link, Motion, Robot, Shape},
};
use crate::physics::PhysicsError;

/// A root of this name stands for the world.
const WORLD: &str = "world";
/// A hinge that may turn this far in all is not limited, rad.
const FULL_TURN: f64 = 2.0 * std::f64::consts::PI - 1e-3;

/// Reads a robot. The poses of its links are relative to their parents as yet.
pub(super) fn read(document: &Document<'_>, notes: &mut Notes) -> Result<Robot, PhysicsError> {
    let root = document.root_element();
    if root.tag_name().name() != "robot" {
        return Err(refused("the outermost element of URDF is <robot>"));
    }
    let mut robot = Robot::default();
    let mut indices = HashMap::new();
    for node in children(root, "link") {
        let name = name_of(node, notes);
        if indices.insert(name, robot.links.len()).is_some() {
            notes.refuse(format_args!("{}: the name stands twice", Place(node)));
        }
        robot.links.push(link(node, name, notes));
    }
    let mut names = HashSet::new();
    for node in children(root, "joint") {
        let name = name_of(node, notes);
        if !names.insert(name) {
            notes.refuse(format_args!("{}: the name stands twice", Place(node)));
        }
        let ends = ["parent", "child"].map(|end| end_of(node, end, &indices, notes));
        if let [Some(parent), Some(child)] = ends {
            add_joint(node, name, [parent, child], &mut robot, notes);
        }
    }
    for node in root.children().filter(Node::is_element) {
        let name = node.tag_name().name();
        if !matches!(name, "link" | "joint" | "material") {
            notes.ignore(format_args!("<{}>", shortened(name, 64)));
        }
    }
    Ok(robot)
}

/// Decides what the link that hangs on nothing is, and lets go of those that float.
pub(super) fn settle_roots(robot: &mut Robot, fixed_base: Option<bool>, notes: &mut Notes) {
    let is_root = |index: &usize| robot.joint_of(*index).is_none();
    let roots: Vec<usize> = (0..robot.links.len()).filter(is_root).collect();
    if let Some(other) = roots.get(1) {
        let names = [roots[0], *other].map(|link| shortened(&robot.links[link].names[0], 64));
        let [one, other] = names;
        notes.refuse(format_args!(
            "links \"{one}\" and \"{other}\" both hang on nothing"
        ));
    }
    for root in roots {
        let link = &mut robot.links[root];
        if fixed_base.unwrap_or_else(|| is_ground(link)) {
            link.motion = Motion::Static;
        }
    }
    robot.joints.retain(|joint| joint.freedom != Freedom::Free);
}

/// Whether a link is part of the ground: it is called the world, or is said to weigh nothing.
fn is_ground(link: &Link) -> bool {
    link.names[0] == WORLD || link.inertia.is_some_and(|inertia| inertia.mass == 0.0)
}

fn name_of<'a>(node: Node<'a, '_>, notes: &mut Notes) -> &'a str {
    let name = node.attribute("name").unwrap_or_default();
    if name.is_empty() || name.len() > 256 {
        notes.refuse(format_args!(
            "{}: must have a name of 1 to 256 bytes",
            Place(node)
        ));
    }
    name
}

fn end_of(
    node: Node<'_, '_>,
    end: &str,
    indices: &HashMap<&str, usize>,
    notes: &mut Notes,
) -> Option<usize> {
    let name = child(node, end).and_then(|it| it.attribute("link"));
    let found = name.and_then(|name| indices.get(name).copied());
    if found.is_none() {
        let name = shortened(name.unwrap_or_default(), 64);
        notes.refuse(format_args!(
            "{}: {end} is no link: \"{name}\"",
            Place(node)
        ));
    }
    found
}

fn link(node: Node<'_, '_>, name: &str, notes: &mut Notes) -> Link {
    let geoms = children(node, "collision").filter_map(|it| geom(it, notes));
    let geoms = geoms.collect();
    Link {
        names: vec![name.to_owned()],
        is_named: true,
        pose: Pose::IDENTITY,
        motion: Motion::Dynamic,
        inertia: child(node, "inertial").map(|it| inertia(it, notes)),
        density: None,
        geoms,
        gravity_scale: 1.0,
    }
}

fn inertia(node: Node<'_, '_>, notes: &mut Notes) -> Inertia {
    let mass = child(node, "mass");
    let mass = mass
        .and_then(|it| number(it, "value", notes))
        .unwrap_or(0.0);
    if mass < 0.0 {
        notes.refuse(format_args!("{}: mass must not be negative", Place(node)));
    }
    let tensor = child(node, "inertia");
    let mut entry = |name| tensor.and_then(|it| number(it, name, notes)).unwrap_or(0.0);
    let [xx, yy, zz] = ["ixx", "iyy", "izz"].map(&mut entry);
    let [xy, xz, yz] = ["ixy", "ixz", "iyz"].map(&mut entry);
    let own = Inertia {
        mass,
        center: DVec3::ZERO,
        tensor: DMat3::from_cols_array(&[xx, xy, xz, xy, yy, yz, xz, yz, zz]),
    };
    own.within(origin(node, notes))
}

fn geom(node: Node<'_, '_>, notes: &mut Notes) -> Option<Geom> {
    let geometry = child(node, "geometry")?;
    let shape = geometry.children().find(Node::is_element)?;
    let mut length = |name| number(shape, name, notes).unwrap_or(0.0);
    let shape = match shape.tag_name().name() {
        "box" => Shape::Box {
            half_extents: vector(shape, "size", notes).unwrap_or_default() / 2.0,
        },
        "sphere" => Shape::Sphere {
            radius: length("radius"),
        },
        "cylinder" => Shape::Cylinder {
            half_height: length("length") / 2.0,
            radius: length("radius"),
        },
        "capsule" => Shape::Capsule {
            half_height: length("length") / 2.0,
            radius: length("radius"),
        },
        "mesh" => Shape::Mesh {
            file: shape.attribute("filename").unwrap_or_default().to_owned(),
            scale: vector(shape, "scale", notes).unwrap_or(DVec3::ONE),
        },
        _ => {
            notes.ignore(format_args!("the shape of {}", Place(shape)));
            return None;
        }
    };
    Some(Geom {
        shape,
        pose: origin(node, notes),
        friction: None,
        meets_robot: false,
    })
}

fn add_joint(
    node: Node<'_, '_>,
    name: &str,
    [parent, child_link]: [usize; 2],
    robot: &mut Robot,
    notes: &mut Notes,
) {
    if parent == child_link || robot.joint_of(child_link).is_some() {
        notes.refuse(format_args!(
            "{}: its child has another parent already, or is its parent",
            Place(node)
        ));
        return;
    }
    let freedom = match node.attribute("type").unwrap_or_default() {
        "fixed" => Freedom::Fixed,
        "revolute" | "continuous" => Freedom::Revolute,
        "prismatic" => Freedom::Prismatic,
        "spherical" => Freedom::Spherical,
        "planar" => Freedom::Planar,
        "floating" => Freedom::Free,
        other => {
            let other = shortened(other, 32);
            notes.refuse(format_args!("{}: no joint type \"{other}\"", Place(node)));
            return;
        }
    };
    let axis = child(node, "axis").and_then(|it| vector(it, "xyz", notes));
    let axis = axis.unwrap_or(DVec3::X);
    let has_axis = !matches!(freedom, Freedom::Fixed | Freedom::Spherical | Freedom::Free);
    if has_axis && axis.length() < 1e-6 {
        notes.refuse(format_args!("{}: its axis has no length", Place(node)));
        return;
    }
    let turn = DQuat::from_rotation_arc(DVec3::X, axis.try_normalize().unwrap_or(DVec3::X));
    let turn = Pose::from_rotation(turn);
    let is_moving = !matches!(freedom, Freedom::Fixed | Freedom::Free);
    for what in ["mimic", "safety_controller", "calibration"] {
        if is_moving && child(node, what).is_some() {
            let name = shortened(name, 64);
            notes.ignore(format_args!("joint {name}: <{what}>"));
        }
    }
    robot.joints.push(Joint {
        name: name.to_owned(),
        is_named: true,
        parent,
        child: child_link,
        frame_a: origin(node, notes) * turn,
        frame_b: turn,
        freedom,
        limits: limits(node, freedom, notes),
        drive: drive(node, notes),
        armature: 0.0,
        friction: friction(node, notes),
        is_actuated: matches!(freedom, Freedom::Revolute | Freedom::Prismatic),
        closes_loop: false,
    });
}

fn limits(node: Node<'_, '_>, freedom: Freedom, notes: &mut Notes) -> Option<[f64; 2]> {
    let is_limited = matches!(freedom, Freedom::Revolute | Freedom::Prismatic)
        && node.attribute("type") != Some("continuous");
    let limit = child(node, "limit").filter(|_| is_limited)?;
    let [lower, upper] = ["lower", "upper"].map(|name| number(limit, name, notes));
    if lower.is_none() && upper.is_none() {
        return None;
    }
    let [lower, upper] = [lower, upper].map(Option::unwrap_or_default);
    if lower > upper {
        notes.refuse(format_args!("{}: its limits are reversed", Place(node)));
    }
    let turns = freedom == Freedom::Revolute && upper - lower >= FULL_TURN;
    (!turns).then_some([lower, upper])
}

fn drive(node: Node<'_, '_>, notes: &mut Notes) -> Drive {
    let dynamics = child(node, "dynamics");
    let damping = dynamics.and_then(|it| number(it, "damping", notes));
    let damping = damping.unwrap_or(0.0);
    let effort = child(node, "limit").and_then(|it| number(it, "effort", notes));
    if damping < 0.0 || effort.is_some_and(|it| it < 0.0) {
        notes.refuse(format_args!(
            "{}: damping and effort must not be negative",
            Place(node)
        ));
    }
    Drive {
        damping,
        // Files that leave it open write 0.
        max_force: effort.filter(|effort| *effort > 0.0),
        ..Drive::default()
    }
}

fn friction(node: Node<'_, '_>, notes: &mut Notes) -> f64 {
    let dynamics = child(node, "dynamics");
    let friction = dynamics.and_then(|it| number(it, "friction", notes));
    let friction = friction.unwrap_or(0.0);
    if friction < 0.0 {
        notes.refuse(format_args!(
            "{}: friction must not be negative",
            Place(node)
        ));
    }
    friction
}

/// The pose in `<origin>`: a shift, and angles about the fixed axes x, y and z.
fn origin(node: Node<'_, '_>, notes: &mut Notes) -> Pose {
    let Some(origin) = child(node, "origin") else {
        return Pose::IDENTITY;
    };
    let shift = vector(origin, "xyz", notes).unwrap_or_default();
    let angles = vector(origin, "rpy", notes).unwrap_or_default();
    let turn = DQuat::from_euler(EulerRot::ZYX, angles.z, angles.y, angles.x);
    Pose::from_parts(shift, turn)
}
