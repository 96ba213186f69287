//! Entries of journals as bytes: what is written is read again, and nothing else is believed.

use proptest::{
    array, collection, num, option,
    prelude::*,
    sample::select,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use rapier_physics_service::{
    id::{BodyId, JointId},
    journal::{Entry, EntryError, Event, KeyUsed},
    physics::{
        BodyKind, BodyPatch, BodySpec, Command, Force, Impulse, JointKind, JointPatch, JointSpec,
        Quat, Recording, ShapeKind, Steps, Vec3, WorldPatch,
    },
};

const CASES: u32 = 10_000;

#[test]
fn every_entry_is_read_as_it_was_written() {
    let read = runner().run(&entry(), |entry| {
        let bytes = entry.encode();
        let read = Entry::<Command>::decode(&bytes);
        prop_assert_eq!(read.as_ref(), Ok(&entry));
        prop_assert_eq!(read.map(|entry| entry.encode()), Ok(bytes));
        Ok(())
    });
    read.unwrap();
}

#[test]
fn a_damaged_entry_is_refused_or_read_as_another_one() {
    let damage = collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4);
    let shorter = option::of(any::<prop::sample::Index>());
    let longer = collection::vec(any::<u8>(), 0..8);
    let read = runner().run(
        &(entry(), damage, shorter, longer),
        |(entry, damage, shorter, longer)| {
            let mut bytes = entry.encode();
            if let Some(length) = shorter {
                bytes.truncate(length.index(bytes.len()));
            }
            bytes.extend(longer);
            for (place, byte) in damage {
                if !bytes.is_empty() {
                    let place = place.index(bytes.len());
                    bytes[place] = byte;
                }
            }
            check_that_what_is_read_can_be_written(&bytes)
        },
    );
    read.unwrap();
}

#[test]
fn random_bytes_are_refused_or_read_as_an_entry() {
    let bytes = collection::vec(any::<u8>(), 0..200);
    let read = runner().run(&bytes, |bytes| {
        check_that_what_is_read_can_be_written(&bytes)?;
        // With the mark of the format they come as far as they can.
        check_that_what_is_read_can_be_written(&[&[1], &bytes[..]].concat())
    });
    read.unwrap();
}

#[test]
fn entries_of_another_layout_are_told_from_damaged_ones() {
    assert_eq!(Entry::<Command>::decode(&[]), Err(EntryError::Damaged));
    assert_eq!(Entry::<Command>::decode(&[1]), Err(EntryError::Damaged));
    assert_eq!(
        Entry::<Command>::decode(&[200, 1, 2]),
        Err(EntryError::OtherFormat)
    );
}

fn check_that_what_is_read_can_be_written(bytes: &[u8]) -> Result<(), TestCaseError> {
    if let Ok(entry) = Entry::<Command>::decode(bytes) {
        let written = entry.encode();
        let again = Entry::<Command>::decode(&written);
        // Numbers that are none differ from themselves, their bytes do not.
        prop_assert_eq!(again.map(|entry| entry.encode()), Ok(written));
    }
    Ok(())
}

/// The same cases in every run, and no files of those that failed.
fn runner() -> TestRunner {
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

fn entry() -> impl Strategy<Value = Entry> {
    let key = ("\\PC{0,40}", any::<(u64, u64)>());
    let key = key.prop_map(|(key, fingerprint)| KeyUsed { key, fingerprint });
    let event = prop_oneof![
        20 => command().prop_map(Event::Command),
        1 => any::<u64>().prop_map(Event::Voided),
        1 => "\\PC{0,40}".prop_map(Event::Takeover),
    ];
    let entry = (any::<u64>(), any::<u64>(), option::of(key), event);
    entry.prop_map(|(at, state_hash, key, event)| Entry {
        at,
        state_hash,
        key,
        event,
    })
}

fn command() -> impl Strategy<Value = Command> {
    let impulse = (vector(), option::of(vector()));
    let impulse = impulse.prop_map(|(impulse, point)| Impulse { impulse, point });
    let force = (vector(), vector(), option::of(vector()));
    let force = force.prop_map(|(force, torque, point)| Force {
        force,
        torque,
        point,
    });
    let recording = (steps(), any::<u32>());
    let recording = recording.prop_map(|(steps, every)| Recording { steps, every });
    prop_oneof![
        world_patch().prop_map(Command::Configure),
        body().prop_map(|body| Command::AddBody(Box::new(body))),
        collection::vec(body(), 0..4).prop_map(Command::AddBodies),
        (body_id(), body_patch()).prop_map(|(id, patch)| Command::PatchBody(id, Box::new(patch))),
        body_id().prop_map(Command::RemoveBody),
        (body_id(), impulse).prop_map(|(id, impulse)| Command::ApplyImpulse(id, impulse)),
        (body_id(), force).prop_map(|(id, force)| Command::SetForce(id, force)),
        body_id().prop_map(Command::ClearForce),
        joint().prop_map(|joint| Command::AddJoint(Box::new(joint))),
        collection::vec(joint(), 0..4).prop_map(Command::AddJoints),
        (joint_id(), option::of(limits()), any::<Option<bool>>()).prop_map(
            |(id, limits, collide)| Command::PatchJoint(id, JointPatch { limits, collide })
        ),
        joint_id().prop_map(Command::RemoveJoint),
        steps().prop_map(Command::Step),
        (body_id(), recording).prop_map(|(id, recording)| Command::Record(id, recording)),
    ]
}

fn world_patch() -> impl Strategy<Value = WorldPatch> {
    let patch = (option::of(vector()), option::of(num::f64::NORMAL));
    patch.prop_map(|(gravity, dt)| WorldPatch { gravity, dt })
}

fn body() -> impl Strategy<Value = BodySpec> {
    let sizes = (
        option::of(collection::vec(number(), 0..4)),
        option::of(vector()),
        option::of(number()),
        option::of(number()),
        option::of(vector()),
        option::of(number()),
    );
    let place = (vector(), rotation(), vector(), vector());
    let material = (number(), number(), number(), any::<bool>());
    let damping = (number(), number(), any::<bool>());
    let air = (
        option::of(number()),
        option::of(number()),
        vector(),
        number(),
    );
    let body = (
        (body_id(), kind(), shape()),
        sizes,
        place,
        material,
        damping,
        air,
    );
    body.prop_map(|(what, sizes, place, material, damping, air)| {
        let (id, kind, shape) = what;
        let (size, half_extents, half_height, radius, normal, offset) = sizes;
        let (translation, rotation, linvel, angvel) = place;
        let (mass, restitution, friction, is_sensor) = material;
        let (linear_damping, angular_damping, can_sleep) = damping;
        let (drag_coefficient, drag_area, drag_axis_ratios, fluid_density) = air;
        BodySpec {
            id,
            kind,
            shape,
            size,
            half_extents,
            half_height,
            radius,
            normal,
            offset,
            mass,
            translation,
            rotation,
            linvel,
            angvel,
            restitution,
            friction,
            is_sensor,
            linear_damping,
            angular_damping,
            can_sleep,
            drag_coefficient,
            drag_area,
            drag_axis_ratios,
            fluid_density,
        }
    })
}

/// Changes of some of what a body has.
fn body_patch() -> impl Strategy<Value = BodyPatch> {
    let given = any::<[bool; 16]>();
    (body(), given).prop_map(|(body, given)| {
        let mut given = given.into_iter();
        let mut is_given = || given.next() == Some(true);
        BodyPatch {
            translation: is_given().then_some(body.translation),
            rotation: is_given().then_some(body.rotation),
            linvel: is_given().then_some(body.linvel),
            angvel: is_given().then_some(body.angvel),
            kind: is_given().then_some(body.kind),
            mass: is_given().then_some(body.mass),
            restitution: is_given().then_some(body.restitution),
            friction: is_given().then_some(body.friction),
            is_sensor: is_given().then_some(body.is_sensor),
            linear_damping: is_given().then_some(body.linear_damping),
            angular_damping: is_given().then_some(body.angular_damping),
            can_sleep: is_given().then_some(body.can_sleep),
            drag_coefficient: body.drag_coefficient.filter(|_| is_given()),
            drag_area: body.drag_area.filter(|_| is_given()),
            drag_axis_ratios: is_given().then_some(body.drag_axis_ratios),
            fluid_density: is_given().then_some(body.fluid_density),
        }
    })
}

fn joint() -> impl Strategy<Value = JointSpec> {
    let bodies = (body_id(), body_id());
    let settings = (option::of(limits()), any::<bool>());
    let joint = (
        joint_id(),
        joint_kind(),
        bodies,
        array::uniform3(vector()),
        settings,
    );
    joint.prop_map(|(id, joint_type, bodies, vectors, settings)| {
        let (body_a, body_b) = bodies;
        let [anchor_a, anchor_b, axis] = vectors;
        let (limits, collide) = settings;
        JointSpec {
            id,
            joint_type,
            body_a,
            body_b,
            anchor_a,
            anchor_b,
            axis,
            limits,
            collide,
        }
    })
}

fn kind() -> impl Strategy<Value = BodyKind> {
    select(vec![
        BodyKind::Fixed,
        BodyKind::Dynamic,
        BodyKind::Kinematic,
    ])
}

fn shape() -> impl Strategy<Value = ShapeKind> {
    select(vec![
        ShapeKind::Cuboid,
        ShapeKind::Ball,
        ShapeKind::Capsule,
        ShapeKind::Cylinder,
        ShapeKind::Halfspace,
    ])
}

fn joint_kind() -> impl Strategy<Value = JointKind> {
    select(vec![
        JointKind::Fixed,
        JointKind::Revolute,
        JointKind::Spherical,
        JointKind::Prismatic,
    ])
}

fn steps() -> impl Strategy<Value = Steps> {
    let steps = (any::<u32>(), option::of(num::f64::NORMAL));
    steps.prop_map(|(count, dt)| Steps { count, dt })
}

fn limits() -> impl Strategy<Value = Vec<f32>> {
    collection::vec(number(), 2)
}

fn vector() -> impl Strategy<Value = Vec3> {
    array::uniform3(number()).prop_map(Vec3)
}

fn rotation() -> impl Strategy<Value = Quat> {
    array::uniform4(number()).prop_map(Quat)
}

/// Any number that a request can hold; zeros have no sign there.
fn number() -> impl Strategy<Value = f32> {
    num::f32::NORMAL | num::f32::SUBNORMAL | num::f32::POSITIVE | num::f32::ZERO
}

fn body_id() -> impl Strategy<Value = BodyId> {
    "[A-Za-z0-9_-]{1,64}".prop_map(|id| BodyId::parse(&id).expect("the id is well-formed"))
}

fn joint_id() -> impl Strategy<Value = JointId> {
    "[A-Za-z0-9_-]{1,64}".prop_map(|id| JointId::parse(&id).expect("the id is well-formed"))
}
