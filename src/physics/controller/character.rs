//! Characters: kinematic bodies that walk.

use rapier3d::{
    control::{
        CharacterAutostep, CharacterCollision, CharacterLength, EffectiveCharacterMovement,
        KinematicCharacterController,
    },
    math::{Pose, Vector},
    prelude::{
        InteractionGroups, PhysicsWorld, QueryFilter, RigidBodyHandle, RigidBodyType, SharedShape,
    },
};
use serde::{Deserialize, Serialize};

use super::spec::ControllerSpec;
use crate::physics::{config::Dimensions, edit::limited, vector::Vec3};

/// No character falls faster, m/s: nothing else in the engine is either.
const FASTEST_FALL: f32 = 400.0;
/// What is slower, m/s, stands still and may sleep: the numbers waver that much.
const STANDSTILL: f32 = 1e-3;
/// What goes up faster than it wants to by this, m/s, has something to stand on.
const CLIMBING: f32 = 0.05;
/// What is steeper against `up` than this cosine says is a wall, not ground.
const WALL: f32 = 1e-3;

/// What a character keeps from step to step.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Character {
    /// What gravity has added up to since it last stood, m/s.
    pub(super) falling: Vec3,
    pub(super) grounded: bool,
    pub(super) sliding: bool,
    pub(super) effective_velocity: Vec3,
    /// What it met in the last step, each once.
    pub(super) collisions: Vec<RigidBodyHandle>,
}

/// What the ground is like that a character met.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ground {
    /// None was met.
    None,
    /// It holds.
    Footing,
    /// It is too steep to stand on.
    Slope,
}

impl Character {
    /// Takes its body along for one step, as far as the world lets it.
    pub(super) fn drive(
        &mut self,
        spec: &ControllerSpec,
        engine: &mut PhysicsWorld,
        body: RigidBodyHandle,
        mass: f32,
        dt: f32,
        dimensions: Dimensions,
    ) {
        let controller = controller(spec);
        let wanted = spec.wanted_velocity(dimensions);
        let mut falling: Vector = self.falling.into();
        if spec.apply_gravity == Some(true) {
            falling = limited(falling + engine.gravity * dt, FASTEST_FALL);
        } else {
            falling = Vector::ZERO;
        }
        let Some((shape, pose)) = shape_of(engine, body) else {
            return;
        };
        let filter = QueryFilter::default()
            .exclude_rigid_body(body)
            .exclude_sensors()
            .groups(groups_of(engine, body));
        let mut met = Vec::new();
        let movement = controller.move_shape(
            dt,
            &engine.query_pipeline_with_filter(filter),
            &*shape,
            &pose,
            (wanted + falling) * dt,
            |collision| met.push(collision),
        );
        if spec.push_dynamic_bodies == Some(true) && !met.is_empty() {
            let mut queries = engine.broad_phase.as_query_pipeline_mut(
                engine.narrow_phase.query_dispatcher(),
                &mut engine.bodies,
                &mut engine.colliders,
                filter,
            );
            controller.solve_character_collision_impulses(dt, &mut queries, &*shape, mass, &met);
        }

        let mut velocity = movement.translation / dt;
        if dimensions == Dimensions::Two {
            velocity.z = 0.0;
        }
        if velocity.length_squared() < STANDSTILL * STANDSTILL {
            velocity = Vector::ZERO;
        }
        self.falling = fallen(&controller, &movement, &met, [wanted, falling, velocity]).into();
        self.grounded = movement.grounded;
        self.sliding = movement.grounded && ground_of(&controller, &met) == Ground::Slope;
        self.effective_velocity = velocity.into();
        self.note(engine, &met);
        move_body(engine, body, velocity, dt);
    }

    fn note(&mut self, engine: &PhysicsWorld, met: &[CharacterCollision]) {
        self.collisions.clear();
        let owners = met
            .iter()
            .filter_map(|collision| engine.colliders.get(collision.handle)?.parent());
        for owner in owners {
            if !self.collisions.contains(&owner) {
                self.collisions.push(owner);
            }
        }
    }
}

fn controller(spec: &ControllerSpec) -> KinematicCharacterController {
    let length = |length: f32| (length > 0.0).then_some(CharacterLength::Absolute(length));
    let autostep = spec.autostep.and_then(|autostep| {
        Some(CharacterAutostep {
            max_height: length(autostep.max_height)?,
            min_width: CharacterLength::Absolute(autostep.min_width),
            include_dynamic_bodies: autostep.include_dynamic_bodies,
        })
    });
    KinematicCharacterController {
        up: spec.up.unwrap_or_default().into(),
        offset: CharacterLength::Absolute(spec.offset.unwrap_or_default()),
        slide: spec.slide.unwrap_or_default(),
        autostep,
        max_slope_climb_angle: spec.max_slope_climb_angle.unwrap_or_default(),
        min_slope_slide_angle: spec.min_slope_slide_angle.unwrap_or_default(),
        snap_to_ground: spec.snap_to_ground.and_then(length),
        ..KinematicCharacterController::default()
    }
}

/// The shape that walks, and where it is.
fn shape_of(engine: &PhysicsWorld, body: RigidBodyHandle) -> Option<(SharedShape, Pose)> {
    let body = &engine.bodies[body];
    let collider = engine.colliders.get(*body.colliders().first()?)?;
    let local = collider.position_wrt_parent().copied();
    let pose = *body.position() * local.unwrap_or(Pose::IDENTITY);
    Some((collider.shared_shape().clone(), pose))
}

/// What a body meets with the first of its colliders; everything where it has none.
pub(super) fn groups_of(engine: &PhysicsWorld, body: RigidBodyHandle) -> InteractionGroups {
    let first = engine.bodies[body].colliders().first();
    let groups =
        first.and_then(|&collider| Some(engine.colliders.get(collider)?.collision_groups()));
    groups.unwrap_or(InteractionGroups::all())
}

/// The normals of all that was met from above.
fn grounds<'a>(
    controller: &'a KinematicCharacterController,
    met: &'a [CharacterCollision],
) -> impl Iterator<Item = Vector> + 'a {
    let normals = met.iter().map(|collision| collision.hit.normal1);
    normals.filter(|normal| normal.dot(controller.up) > WALL)
}

fn ground_of(controller: &KinematicCharacterController, met: &[CharacterCollision]) -> Ground {
    let steepest = controller.min_slope_slide_angle.cos() - WALL;
    grounds(controller, met).fold(Ground::None, |ground, normal| {
        if normal.dot(controller.up) >= steepest || ground == Ground::Footing {
            Ground::Footing
        } else {
            Ground::Slope
        }
    })
}

/// What of a fall goes on after a step: nothing on ground that holds; on slopes what leads along
/// them, as if nothing else was wanted.
fn fallen(
    controller: &KinematicCharacterController,
    movement: &EffectiveCharacterMovement,
    met: &[CharacterCollision],
    [wanted, falling, velocity]: [Vector; 3],
) -> Vector {
    let up = controller.up;
    let is_snapped = controller.snap_to_ground.is_some() && velocity.dot(up) <= 0.0;
    // Onto a step: what holds it there is beyond the edge that was met.
    let climbs = velocity.dot(up) > wanted.dot(up).max(0.0) + CLIMBING;
    match ground_of(controller, met) {
        _ if climbs => Vector::ZERO,
        _ if !movement.grounded => falling,
        Ground::Footing => Vector::ZERO,
        Ground::None if is_snapped => Vector::ZERO,
        Ground::None => falling,
        Ground::Slope => {
            let along = grounds(controller, met).fold(falling, |falling, normal| {
                falling - normal * falling.dot(normal).min(0.0)
            });
            // Where it is stuck nothing adds up but what holds against where it wants to go.
            limited(along, (velocity.length() + wanted.length()).max(STANDSTILL))
        }
    }
}

/// Gives a kinematic body the motion that ends where it is to be after one step.
fn move_body(engine: &mut PhysicsWorld, body: RigidBodyHandle, velocity: Vector, dt: f32) {
    let body = &mut engine.bodies[body];
    if body.body_type() == RigidBodyType::KinematicPositionBased {
        let next = body.translation() + velocity * dt;
        body.set_next_kinematic_translation(next);
    } else {
        body.set_linvel(velocity, true);
    }
}
