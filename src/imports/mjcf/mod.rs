//! MJCF, the models of `MuJoCo`.

mod drives;
mod geoms;
mod joints;

use std::{
    collections::{HashMap, HashSet},
    path::Path,
};

use mjcf_rs::{
    Model, Pose,
    assets::Mesh,
    body::{InertiaSpec, Inertial, JointType},
    compiler::{Compiler, InertiaFromGeom},
    glam::{DMat3, DQuat, DVec3},
};
use roxmltree::{Document, Node};

use self::geoms::{Affinity, check_points, meshes_of, others};
use super::{
    document::{Place, check_numbers, refused},
    inertia::Inertia,
    notes::{Notes, shortened},
    robot::{Link, Motion, Robot},
};
use crate::physics::PhysicsError;

/// What the file's world is called among the links.
const WORLD: &str = "world";
/// The density of geoms that state neither density nor mass, unless the file or the request says
/// otherwise, kg/m³.
const WATER: f64 = 1000.0;
/// The attributes that hold numbers.
const NUMBERS: [&str; 46] = [
    "pos",
    "quat",
    "axisangle",
    "euler",
    "xyaxes",
    "zaxis",
    "size",
    "fromto",
    "mass",
    "density",
    "diaginertia",
    "fullinertia",
    "axis",
    "range",
    "ref",
    "stiffness",
    "damping",
    "armature",
    "frictionloss",
    "springref",
    "springdamper",
    "margin",
    "gear",
    "ctrlrange",
    "forcerange",
    "kp",
    "kv",
    "gainprm",
    "biasprm",
    "friction",
    "gravcomp",
    "scale",
    "refpos",
    "refquat",
    "anchor",
    "relpose",
    "polycoef",
    "boundmass",
    "boundinertia",
    "settotalmass",
    "inertiadensity",
    "gravity",
    "timestep",
    "vertex",
    "elevation",
    "qpos",
];
/// Blocks of which nothing is carried over.
const NOT_CARRIED_OVER: [&str; 9] = [
    "option",
    "contact",
    "tendon",
    "sensor",
    "keyframe",
    "custom",
    "extension",
    "deformable",
    "skin",
];

/// Reads a model, with its world as the first link.
pub(super) fn read(
    text: &str,
    document: &Document<'_>,
    fixed_base: Option<bool>,
    density: Option<f64>,
    notes: &mut Notes,
) -> Result<Robot, PhysicsError> {
    let root = document.root_element();
    if root.tag_name().name() != "mujoco" {
        return Err(refused("the outermost element of MJCF is <mujoco>"));
    }
    check(document, notes);
    notes.check()?;
    note_blocks(root, notes);
    // The elements that would have it open a file have been refused.
    let model = Model::from_str(text, Path::new(""))
        .map_err(|error| refused(shortened(&error.to_string(), 300)))?;
    check_names(&model, notes);
    let meshes = meshes_of(&model);
    check_points(&model, &meshes)?;

    let mut robot = Robot::default();
    let density = density.unwrap_or(WATER);
    let mut converter = Converter {
        model: &model,
        meshes,
        others: others(&model),
        density,
        leaves: vec![0],
        robot: &mut robot,
        notes,
    };
    converter.add_world();
    for index in 1..model.bodies.len() {
        converter.add_body(index, fixed_base);
    }
    converter.add_closures();
    converter.bind_actuators();
    converter.settle_total_mass();
    Ok(robot)
}

/// What stays the same while the bodies of a model become links.
struct Converter<'a> {
    model: &'a Model,
    meshes: HashMap<&'a str, &'a Mesh>,
    /// For each body, what all others but the world collide as and with.
    others: Vec<Affinity>,
    density: f64,
    /// The link that each body has become.
    leaves: Vec<usize>,
    robot: &'a mut Robot,
    notes: &'a mut Notes,
}

impl Converter<'_> {
    fn add_world(&mut self) {
        let mut world = empty_link(WORLD.to_owned(), Pose::IDENTITY);
        world.motion = Motion::Static;
        world.is_named = false;
        self.add_geoms(0, &mut world);
        self.robot.links.push(world);
    }

    fn add_body(&mut self, index: usize, fixed_base: Option<bool>) {
        let entry = &self.model.bodies[index];
        let body = &entry.body;
        let parent = self.leaves[entry.parent.unwrap_or(0)];
        let name = body.name.clone();
        let name = name.unwrap_or_else(|| format!("body_{index}"));
        let pose = self.robot.links[parent].pose * body.pose;
        let is_free = body.joints.iter().any(|it| it.type_ == JointType::Free);
        let is_welded = entry.parent == Some(0) && body.joints.is_empty();

        let mut link = empty_link(name, pose);
        link.is_named = body.name.is_some();
        link.gravity_scale = 1.0 - body.gravcomp;
        link.motion = match fixed_base {
            _ if body.mocap => Motion::Posed,
            Some(true) if is_free => Motion::Static,
            Some(false) if is_welded => Motion::Dynamic,
            _ if is_welded => Motion::Static,
            _ => Motion::Dynamic,
        };
        link.inertia = self.inertia_of(index);
        self.add_geoms(index, &mut link);

        let is_tied = !is_free && !is_welded && link.motion == Motion::Dynamic;
        let leaf = if is_tied {
            self.tie(index, parent, link)
        } else {
            self.robot.links.push(link);
            self.robot.links.len() - 1
        };
        self.leaves.push(leaf);
    }

    /// Mass and inertia of a body: stated, or those of its geoms, as the compiler wants it.
    fn inertia_of(&self, index: usize) -> Option<Inertia> {
        let body = &self.model.bodies[index].body;
        let compiler = &self.model.compiler;
        let stated = body.inertial.as_ref().map(stated_inertia);
        let whole = match compiler.inertia_from_geom {
            InertiaFromGeom::True => self.inertia_of_geoms(index).or(stated),
            InertiaFromGeom::False => stated,
            InertiaFromGeom::Auto => stated.or_else(|| self.inertia_of_geoms(index)),
        }?;
        Some(bounded(whole, compiler))
    }

    fn settle_total_mass(&mut self) {
        let wanted = self.model.compiler.set_total_mass;
        let moving = || {
            let links = self.robot.links.iter();
            links.filter(|link| link.motion == Motion::Dynamic)
        };
        let total: f64 = moving().filter_map(|link| Some(link.inertia?.mass)).sum();
        if wanted <= 0.0 || total <= 0.0 {
            return;
        }
        for link in &mut self.robot.links {
            link.inertia = link.inertia.map(|it| it.times(wanted / total));
        }
    }
}

/// Notes what is wrong with the text of a model where its parser would not say where.
fn check(document: &Document<'_>, notes: &mut Notes) {
    let mut classes = HashSet::new();
    for node in document.descendants().filter(Node::is_element) {
        for attribute in NUMBERS {
            check_numbers(node, attribute, notes);
        }
        let name = node.tag_name().name();
        let sequence = node.attribute("eulerseq");
        let is_axis = |it: u8| b"xyzXYZ".contains(&it);
        if sequence.is_some_and(|it| it.len() != 3 || !it.bytes().all(is_axis)) {
            notes.refuse(format_args!("{}: eulerseq names three axes", Place(node)));
        }
        // The parser follows a class to what it is nested in by its name.
        let class = node.attribute("class").filter(|_| name == "default");
        if class.is_some_and(|class| !classes.insert(class)) {
            notes.refuse(format_args!("{}: the class stands twice", Place(node)));
        }
        if name == "model" && node.has_attribute("file") {
            notes.refuse(format_args!("{}: other files are not read", Place(node)));
        }
        if notes.is_full() {
            break;
        }
    }
}

/// Notes the blocks and elements of which nothing is carried over.
fn note_blocks(root: Node<'_, '_>, notes: &mut Notes) {
    for node in root.children().filter(Node::is_element) {
        let name = node.tag_name().name();
        if NOT_CARRIED_OVER.contains(&name) {
            notes.ignore(format_args!("<{name}>"));
        }
    }
    for node in root.descendants().filter(Node::is_element) {
        let name = node.tag_name().name();
        if matches!(name, "composite" | "flexcomp" | "replicate" | "plugin") {
            notes.ignore(format_args!("<{name}>"));
        }
    }
}

/// `MuJoCo` has every name once for each kind of thing.
fn check_names(model: &Model, notes: &mut Notes) {
    let bodies = model.bodies.iter().filter_map(|it| it.body.name.as_deref());
    refuse_twins("body", bodies, notes);
    let joints = model.bodies.iter().flat_map(|it| &it.body.joints);
    refuse_twins("joint", joints.filter_map(|it| it.name.as_deref()), notes);
}

fn refuse_twins<'a>(what: &str, names: impl Iterator<Item = &'a str>, notes: &mut Notes) {
    let mut seen = HashSet::new();
    for name in names {
        if name.len() > 256 {
            notes.refuse(format_args!(
                "{what} \"{}\": names have 256 bytes at most",
                shortened(name, 64)
            ));
        }
        if !seen.insert(name) {
            let name = shortened(name, 64);
            notes.refuse(format_args!("{what} \"{name}\": the name stands twice"));
        }
    }
}

fn stated_inertia(stated: &Inertial) -> Inertia {
    let (tensor, turn) = match stated.inertia {
        InertiaSpec::Diagonal(values) => (
            DMat3::from_diagonal(DVec3::from_array(values)),
            stated.pose.rotation,
        ),
        InertiaSpec::Full([xx, yy, zz, xy, xz, yz]) => (
            DMat3::from_cols_array(&[xx, xy, xz, xy, yy, yz, xz, yz, zz]),
            stated.pose.rotation,
        ),
    };
    let own = Inertia {
        mass: stated.mass,
        center: DVec3::ZERO,
        tensor,
    };
    own.within(Pose::from_parts(stated.pose.translation, turn))
}

/// Not less than the compiler lets it be.
fn bounded(inertia: Inertia, compiler: &Compiler) -> Inertia {
    let mut inertia = inertia;
    inertia.mass = inertia.mass.max(compiler.bound_mass);
    let least = compiler.bound_inertia;
    let diagonal = DVec3::new(
        inertia.tensor.x_axis.x,
        inertia.tensor.y_axis.y,
        inertia.tensor.z_axis.z,
    );
    let missing = (DVec3::splat(least) - diagonal).max(DVec3::ZERO);
    inertia.tensor += DMat3::from_diagonal(missing);
    inertia
}

fn empty_link(name: String, pose: Pose) -> Link {
    Link {
        names: vec![name],
        is_named: true,
        pose,
        motion: Motion::Dynamic,
        inertia: None,
        density: None,
        geoms: Vec::new(),
        gravity_scale: 1.0,
    }
}

/// The shortest turn of x into a direction.
fn turn_of_x(direction: DVec3) -> DQuat {
    let direction = direction.try_normalize().unwrap_or(DVec3::X);
    DQuat::from_rotation_arc(DVec3::X, direction)
}
