//! Descriptions of robots and scenes, translated into bodies and joints. Pure: text in,
//! specifications out; no file is opened, and what a world replays is what came out.

mod assembly;
mod document;
mod inertia;
mod mjcf;
mod names;
mod notes;
mod request;
mod robot;
mod specs;
mod urdf;

#[cfg(test)]
mod tests;

use mjcf_rs::{
    Pose,
    glam::{DQuat, DVec3},
};
use roxmltree::Document;

pub use request::{Coordinates, ImportFormat, ImportRequest, MotorDefaults};

use self::{
    document::refused,
    notes::Notes,
    robot::{Motion, Robot},
};
use crate::physics::{Faults, Import, PhysicsError};

/// How much may be imported at once.
#[derive(Clone, Copy, Debug)]
pub struct ImportLimits {
    /// Bytes of the description.
    pub max_bytes: usize,
    /// Links, joints.
    pub max_bodies: usize,
}

/// Translates a description. What it brings is checked as what a world takes by whoever adds it.
pub fn translate(request: &ImportRequest, limits: ImportLimits) -> Result<Import, PhysicsError> {
    let mut faults = Faults::default();
    request.check(&mut faults);
    faults.into_result()?;
    check_limit("MAX_IMPORT_BYTES", limits.max_bytes, request.content.len())?;

    let document = document::read(&request.content)?;
    let mut notes = Notes::default();
    let mut robot = match request.format {
        ImportFormat::Urdf => read_urdf(&document, request, &mut notes)?,
        ImportFormat::Mjcf => mjcf::read(
            &request.content,
            &document,
            request.fixed_base,
            request.density.map(f64::from),
            &mut notes,
        )?,
    };
    notes.check()?;
    robot.weigh_meshes(request);
    if let (ImportFormat::Urdf, Some(density)) = (request.format, request.density) {
        robot.weigh_shapes(f64::from(density));
    }
    let maximum = limits.max_bodies;
    check_limit("MAX_BODIES_PER_SIMULATION", maximum, robot.links.len())?;
    assemble(&mut robot, request, &mut notes)?;

    let mut unused = request.assets.clone();
    let mut import = specs::specify(&robot, request, &mut unused, &mut notes);
    import.root = root_of(&robot).map(|link| import.bodies[link].id.clone());
    import.ignored = notes.into_result()?;
    check_used(unused.keys().map(String::as_str))?;
    Ok(import)
}

fn read_urdf(
    document: &Document<'_>,
    request: &ImportRequest,
    notes: &mut Notes,
) -> Result<Robot, PhysicsError> {
    let mut robot = urdf::read(document, notes)?;
    notes.check()?;
    arrange(&mut robot)?;
    urdf::settle_roots(&mut robot, request.fixed_base, notes);
    Ok(robot)
}

/// Makes what was read fit to be simulated, where the request wants it.
fn assemble(
    robot: &mut Robot,
    request: &ImportRequest,
    notes: &mut Notes,
) -> Result<(), PhysicsError> {
    robot.merge_frames();
    robot.drop_bare_ground();
    arrange(robot)?;
    if robot.links.is_empty() {
        return Err(refused("describes no link"));
    }
    ground_weightless_roots(robot, request.fixed_base)?;
    robot.weigh_spacers(notes);
    robot.scale(f64::from(request.scale));
    let [x, y, z] = request.position.0.map(f64::from);
    let [qx, qy, qz, qw] = request.orientation.0.map(f64::from);
    let turn = DQuat::from_xyzw(qx, qy, qz, qw).normalize();
    robot.place(Pose::from_parts(DVec3::new(x, y, z), turn));
    Ok(())
}

fn arrange(robot: &mut Robot) -> Result<(), PhysicsError> {
    let arranged = robot.arrange();
    arranged.map_err(|name| refused(format_args!("link \"{name}\" hangs on itself")))
}

/// A root of no mass that moving joints alone hang on is the ground.
fn ground_weightless_roots(
    robot: &mut Robot,
    fixed_base: Option<bool>,
) -> Result<(), PhysicsError> {
    for index in 0..robot.links.len() {
        let is_root = robot.joint_of(index).is_none();
        let holds = robot.joints.iter().any(|joint| joint.parent == index);
        let link = &mut robot.links[index];
        if !is_root || !link.is_weightless() || !holds || link.motion != Motion::Dynamic {
            continue;
        }
        if fixed_base == Some(false) {
            let mut faults = Faults::default();
            let name = notes::shortened(&link.names[0], 64);
            faults.add(
                "fixed_base",
                format_args!("link \"{name}\", the base, has no mass to move with"),
            );
            faults.into_result()?;
        }
        link.motion = Motion::Static;
    }
    Ok(())
}

/// The link that the others hang on: the first that is none of a file's world.
fn root_of(robot: &Robot) -> Option<usize> {
    let named = robot.links.iter().position(|link| link.is_named);
    named.or_else(|| (!robot.links.is_empty()).then_some(0))
}

fn check_limit(limit: &'static str, maximum: usize, used: usize) -> Result<(), PhysicsError> {
    if used <= maximum {
        return Ok(());
    }
    Err(PhysicsError::LimitExceeded {
        limit,
        maximum,
        used,
    })
}

/// Refuses assets for files that the description does not name.
fn check_used<'a>(unused: impl Iterator<Item = &'a str>) -> Result<(), PhysicsError> {
    let mut faults = Faults::default();
    faults.within("assets", |faults| {
        for file in unused {
            let file = notes::shortened(file, 64);
            let part = file.replace('~', "~0").replace('/', "~1");
            faults.add(&part, "the description names no such file that collides");
        }
    });
    faults.into_result()
}
