//! Entries of journals as bytes: what is written is read again, and nothing else is believed.

use proptest::{
    array, collection, num, option,
    prelude::*,
    sample::select,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use rapier_physics_service::{
    id::{BodyId, ControllerId, JointId},
    journal::{Entry, EntryError, Event, KeyUsed},
    physics::{
        AngularMotors, Autostep, Axis, AxisFreedom, AxisName, AxisSettings, Batch, BodyKind,
        BodyPatch, BodySpec, Cell, ColliderSpec, Command, Condition, ControllerKind,
        ControllerPatch, ControllerSpec, Force, Groups, Heights, Import, Impulse, Indices,
        InverseKinematics, Item, JointAxes, JointFrame, JointKind, JointPatch, JointSpec,
        LockedAxes, LockedAxis, MassProperties, Measure, Motor, MotorForce, Observe, PartSpec,
        PidAxis, Quat, Recording, ShapeKind, Softness, StateField, Steps, Vec3, WheelPatch,
        WheelSpec, WorldLimits, WorldPatch,
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
    let recording = (steps(), any::<u32>());
    let recording = recording.prop_map(|(steps, every)| Recording { steps, every });
    prop_oneof![
        20 => part(),
        1 => (body_id(), recording).prop_map(|(id, recording)| Command::Record(id, recording)),
        2 => import().prop_map(|import| Command::Import(Box::new(import))),
        3 => batch().prop_map(Command::from),
    ]
    .boxed()
}

/// What may be part of a batch.
fn part() -> impl Strategy<Value = Command> {
    let impulse = (
        option::of(vector()),
        option::of(vector()),
        option::of(vector()),
    );
    let impulse = impulse.prop_map(|(impulse, torque_impulse, point)| Impulse {
        impulse,
        torque_impulse,
        point,
    });
    let force = (vector(), vector(), option::of(vector()));
    let force = force.prop_map(|(force, torque, point)| Force {
        force,
        torque,
        point,
    });
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
        (joint_id(), joint_patch())
            .prop_map(|(id, patch)| Command::PatchJoint(id, Box::new(patch))),
        reach().prop_map(|request| Command::InverseKinematics(Box::new(request))),
        joint_id().prop_map(Command::RemoveJoint),
        steps().prop_map(Command::Step),
        controller().prop_map(|spec| Command::AddController(Box::new(spec))),
        collection::vec(controller(), 0..3).prop_map(Command::AddControllers),
        (controller_id(), controller_patch())
            .prop_map(|(id, patch)| Command::PatchController(id, Box::new(patch))),
        controller_id().prop_map(Command::RemoveController),
    ]
    .boxed()
}

fn import() -> impl Strategy<Value = Import> {
    let links = collection::vec(("\\PC{0,20}", body_id()), 0..4);
    let names = collection::vec(("\\PC{0,20}", joint_id()), 0..4);
    let import = (
        collection::vec(body(), 0..3),
        collection::vec(joint(), 0..3),
        links,
        names,
        option::of(body_id()),
        collection::vec("\\PC{0,20}", 0..3),
    );
    import
        .prop_map(|(bodies, joints, links, names, root, ignored)| Import {
            bodies,
            joints,
            links: links.into_iter().collect(),
            names: names.into_iter().collect(),
            root,
            ignored,
        })
        .boxed()
}

fn batch() -> impl Strategy<Value = Batch> {
    let item = (option::of(any::<u32>()), part());
    let item = item.prop_map(|(at_step, command)| Item { at_step, command });
    let limits = any::<[u32; 7]>().prop_map(
        |[
            bodies,
            colliders,
            joints,
            controllers,
            steps,
            frames,
            commands,
        ]| WorldLimits {
            max_bodies: bodies as usize,
            max_colliders: colliders as usize,
            max_joints: joints as usize,
            max_controllers: controllers as usize,
            max_steps: steps,
            max_frames: frames,
            max_commands: commands as usize,
        },
    );
    let batch = (
        any::<bool>(),
        collection::vec(item, 0..4),
        steps(),
        collection::vec(condition(), 0..3),
        option::of(observe()),
        option::of(limits),
    );
    batch
        .prop_map(|(atomic, items, steps, until, observe, limits)| Batch {
            atomic,
            items,
            steps,
            until,
            observe,
            limits,
        })
        .boxed()
}

fn condition() -> impl Strategy<Value = Condition> {
    let measure = select(vec![
        Measure::X,
        Measure::Y,
        Measure::Z,
        Measure::VelocityX,
        Measure::VelocityY,
        Measure::VelocityZ,
        Measure::Speed,
        Measure::AngularVelocityX,
        Measure::AngularVelocityY,
        Measure::AngularVelocityZ,
        Measure::AngularSpeed,
    ]);
    let threshold = || (body_id(), measure.clone(), num::f64::NORMAL);
    prop_oneof![
        num::f64::NORMAL.prop_map(Condition::Time),
        (body_id(), body_id()).prop_map(|(a, b)| Condition::Contact(a, b)),
        option::of(collection::vec(body_id(), 0..3)).prop_map(Condition::Asleep),
        threshold().prop_map(|(id, measure, value)| Condition::Above(id, measure, value)),
        threshold().prop_map(|(id, measure, value)| Condition::Below(id, measure, value)),
    ]
    .boxed()
}

fn observe() -> impl Strategy<Value = Observe> {
    let field = select(vec![
        StateField::Position,
        StateField::Orientation,
        StateField::Velocity,
        StateField::AngularVelocity,
        StateField::Contacts,
        StateField::Sleeping,
        StateField::Speed,
    ]);
    let bodies = option::of(collection::vec(body_id(), 0..3));
    let observe = (bodies, collection::vec(field, 0..4), any::<u32>());
    observe.prop_map(|(bodies, fields, every)| Observe {
        bodies,
        fields,
        every,
    })
}

fn controller() -> impl Strategy<Value = ControllerSpec> {
    let kind = select(vec![
        ControllerKind::Character,
        ControllerKind::Vehicle,
        ControllerKind::Pid,
    ]);
    let wheels = option::of(collection::vec(wheel(), 0..3));
    let controller = (controller_id(), kind, body_id(), wheels, controller_patch());
    controller
        .prop_map(|(id, kind, body_id, wheels, all)| ControllerSpec {
            id,
            kind,
            body_id,
            wheels,
            velocity: all.velocity,
            up: all.up,
            offset: all.offset,
            slide: all.slide,
            autostep: all.autostep,
            max_slope_climb_angle: all.max_slope_climb_angle,
            min_slope_slide_angle: all.min_slope_slide_angle,
            snap_to_ground: all.snap_to_ground,
            apply_gravity: all.apply_gravity,
            push_dynamic_bodies: all.push_dynamic_bodies,
            mass: all.mass,
            up_axis: all.up_axis,
            forward_axis: all.forward_axis,
            drive_wheels: all.drive_wheels,
            steered_wheels: all.steered_wheels,
            target_position: all.target_position,
            target_orientation: all.target_orientation,
            target_velocity: all.target_velocity,
            target_angular_velocity: all.target_angular_velocity,
            kp: all.kp,
            ki: all.ki,
            kd: all.kd,
            angular_kp: all.angular_kp,
            angular_ki: all.angular_ki,
            angular_kd: all.angular_kd,
            axes: all.axes,
        })
        .boxed()
}

/// Changes of some of what a controller has, whatever its kind.
fn controller_patch() -> impl Strategy<Value = ControllerPatch> {
    let axis = || option::of(select(vec![Axis::X, Axis::Y, Axis::Z]));
    let pid_axes = select(vec![
        PidAxis::X,
        PidAxis::Y,
        PidAxis::Z,
        PidAxis::AngularX,
        PidAxis::AngularY,
        PidAxis::AngularZ,
    ]);
    let wheels = || option::of(collection::vec(any::<u32>(), 0..3));
    let autostep = (number(), number(), any::<bool>());
    let autostep = autostep.prop_map(|(max_height, min_width, include_dynamic_bodies)| Autostep {
        max_height,
        min_width,
        include_dynamic_bodies,
    });
    let patch = (
        collection::vec(option::of(number()), 14),
        collection::vec(option::of(vector()), 5),
        collection::vec(any::<Option<bool>>(), 3),
        option::of(autostep),
        option::of(rotation()),
        (axis(), axis()),
        (wheels(), wheels()),
        option::of(collection::vec(pid_axes, 0..4)),
        option::of(collection::vec(wheel_patch(), 0..3)),
    );
    patch
        .prop_map(
            |(
                numbers,
                vectors,
                flags,
                autostep,
                target_orientation,
                axes_of,
                wheels_of,
                axes,
                wheels,
            )| {
                let (mut numbers, mut vectors) = (numbers.into_iter(), vectors.into_iter());
                let mut flags = flags.into_iter();
                let mut number = || numbers.next().flatten();
                let mut vector = || vectors.next().flatten();
                let mut flag = || flags.next().flatten();
                ControllerPatch {
                    wheels,
                    engine_force: number(),
                    brake: number(),
                    steering: number(),
                    velocity: vector(),
                    up: vector(),
                    offset: number(),
                    slide: flag(),
                    autostep,
                    max_slope_climb_angle: number(),
                    min_slope_slide_angle: number(),
                    snap_to_ground: number(),
                    apply_gravity: flag(),
                    push_dynamic_bodies: flag(),
                    mass: number(),
                    up_axis: axes_of.0,
                    forward_axis: axes_of.1,
                    drive_wheels: wheels_of.0,
                    steered_wheels: wheels_of.1,
                    target_position: vector(),
                    target_orientation,
                    target_velocity: vector(),
                    target_angular_velocity: vector(),
                    kp: number(),
                    ki: number(),
                    kd: number(),
                    angular_kp: number(),
                    angular_ki: number(),
                    angular_kd: number(),
                    axes,
                }
            },
        )
        .boxed()
}

fn wheel() -> impl Strategy<Value = WheelSpec> {
    let wheel = (
        vector(),
        option::of(vector()),
        option::of(vector()),
        collection::vec(number(), 12),
    );
    wheel
        .prop_map(|(position, direction, axle, numbers)| {
            let mut numbers = numbers.into_iter();
            let mut number = || numbers.next().unwrap_or_default();
            WheelSpec {
                position,
                direction,
                axle,
                radius: number(),
                suspension_rest_length: number(),
                stiffness: number(),
                compression: number(),
                damping: number(),
                max_travel: number(),
                friction_slip: number(),
                side_friction_stiffness: number(),
                max_suspension_force: number(),
                steering: number(),
                engine_force: number(),
                brake: number(),
            }
        })
        .boxed()
}

fn wheel_patch() -> impl Strategy<Value = WheelPatch> {
    let patch = array::uniform4(option::of(number()));
    patch.prop_map(
        |[steering, engine_force, brake, friction_slip]| WheelPatch {
            steering,
            engine_force,
            brake,
            friction_slip,
        },
    )
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
        option::of(collection::vec(collider(), 0..3)),
        dynamics(),
    );
    body.prop_map(
        |(what, sizes, place, material, damping, air, colliders, dynamics)| {
            let (id, kind, shape) = what;
            let (size, half_extents, half_height, radius, normal, offset) = sizes;
            let (translation, rotation, linvel, angvel) = place;
            let (mass, restitution, friction, is_sensor) = material;
            let (linear_damping, angular_damping, can_sleep) = damping;
            let (drag_coefficient, drag_area, drag_axis_ratios, fluid_density) = air;
            let (mass_properties, locked_axes, dominance, flags) = dynamics;
            BodySpec {
                kind,
                shape: Some(shape),
                colliders: colliders.map(Into::into),
                mass_properties,
                locked_axes,
                dominance,
                ccd: flags.then_some(true),
                size,
                half_extents,
                half_height,
                radius,
                normal,
                offset,
                mass: Some(mass),
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
                ..BodySpec::new(id)
            }
        },
    )
}

/// A collider with every kind of list.
fn collider() -> impl Strategy<Value = ColliderSpec> {
    let points = || option::of(collection::vec(vector(), 0..4));
    let edges = collection::vec(any::<[u32; 2]>(), 1..4);
    let triangles = collection::vec(any::<[u32; 3]>(), 0..4);
    let indices = prop_oneof![
        edges.prop_map(|edges| Indices::Edges(edges.into())),
        triangles.prop_map(|triangles| Indices::Triangles(triangles.into())),
    ];
    let heights = collection::vec(collection::vec(number(), 0..4), 0..4);
    let cells = collection::vec(any::<[i32; 3]>().prop_map(Cell), 0..4);
    let groups = any::<[u32; 2]>().prop_map(|[memberships, filter]| Groups {
        memberships,
        filter,
    });
    let lists = (
        points(),
        option::of(indices),
        option::of(heights),
        option::of(cells),
        points(),
    );
    let collider = (shape(), vector(), rotation(), lists, option::of(groups));
    collider
        .prop_map(|(shape, translation, rotation, lists, collision_groups)| {
            let (vertices, indices, heights, voxels, points) = lists;
            let part = |points: Vec<Vec3>| PartSpec {
                vertices: Some(points.into()),
                axis: Some(Axis::Z),
                ..PartSpec::default()
            };
            ColliderSpec {
                translation,
                rotation,
                vertices: vertices.map(Into::into),
                indices,
                heights: heights.map(|rows| Heights(rows.into())),
                voxels: voxels.map(Into::into),
                shapes: points.map(|points| [part(points)].into()),
                collision_groups,
                ..ColliderSpec::new(shape)
            }
        })
        .boxed()
}

fn dynamics()
-> impl Strategy<Value = (Option<MassProperties>, Option<LockedAxes>, Option<i8>, bool)> {
    let properties = (number(), vector(), vector(), rotation());
    let properties = properties.prop_map(|(mass, center_of_mass, inertia, turn)| MassProperties {
        mass,
        center_of_mass,
        inertia,
        inertia_orientation: turn,
    });
    let axes = select(vec![
        LockedAxis::TranslationX,
        LockedAxis::RotationY,
        LockedAxis::RotationZ,
    ]);
    let axes = collection::vec(axes, 0..4).prop_map(|axes| axes.into_iter().collect());
    let flags = (option::of(properties), option::of(axes));
    (flags, option::of(any::<i8>()), any::<bool>())
        .prop_map(|((properties, axes), dominance, flag)| (properties, axes, dominance, flag))
}

/// Changes of some of what a body has.
fn body_patch() -> impl Strategy<Value = BodyPatch> {
    let given = any::<[bool; 16]>();
    (body(), given)
        .prop_map(|(body, given)| {
            let mut given = given.into_iter();
            let mut is_given = || given.next() == Some(true);
            BodyPatch {
                translation: is_given().then_some(body.translation),
                rotation: is_given().then_some(body.rotation),
                linvel: is_given().then_some(body.linvel),
                angvel: is_given().then_some(body.angvel),
                kind: is_given().then_some(body.kind),
                mass: body.mass.filter(|_| is_given()),
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
                colliders: body.colliders,
                mass_properties: body.mass_properties,
                locked_axes: body.locked_axes,
                ..BodyPatch::default()
            }
        })
        .boxed()
}

fn joint() -> impl Strategy<Value = JointSpec> {
    let settings = (any::<bool>(), joint_patch());
    let frames = (option::of(frame()), option::of(frame()));
    let joint = (
        (joint_id(), joint_kind(), body_id(), body_id()),
        array::uniform3(vector()),
        frames,
        collection::vec(axis_name(), 0..4),
        settings,
    );
    joint
        .prop_map(|(what, vectors, frames, coupled_axes, settings)| {
            let (id, joint_type, body_a, body_b) = what;
            let [anchor_a, anchor_b, axis] = vectors;
            let (frame_a, frame_b) = frames;
            let (multibody, patch) = settings;
            JointSpec {
                id,
                joint_type,
                body_a,
                body_b,
                anchor_a,
                anchor_b,
                axis,
                frame_a,
                frame_b,
                limits: patch.limits,
                cone_limit: patch.cone_limit,
                twist_limits: patch.twist_limits,
                length: patch.length,
                rest_length: patch.rest_length,
                stiffness: patch.stiffness,
                damping: patch.damping,
                motor: patch.motor.flatten(),
                motors: patch.motors.flatten(),
                axes: patch.axes,
                coupled_axes,
                multibody,
                armature: patch.armature,
                friction: patch.friction,
                break_force: patch.break_force,
                break_torque: patch.break_torque,
                softness: patch.softness,
                enabled: patch.enabled.unwrap_or(true),
                collide: patch.collide.unwrap_or_default(),
            }
        })
        .boxed()
}

/// Changes of some of what a joint has. Boxed, as a stack is too small for all of it at once.
fn joint_patch() -> impl Strategy<Value = JointPatch> {
    let numbers = collection::vec(option::of(number()), 9);
    let limits = (option::of(limits()), option::of(limits()));
    let motors = (
        option::of(option::of(motor())),
        option::of(option::of(array::uniform3(option::of(motor())))),
        option::of(joint_axes()),
    );
    let rest = (
        option::of((number(), number())),
        any::<Option<bool>>(),
        any::<Option<bool>>(),
    );
    (numbers, limits, motors, rest)
        .prop_map(|(numbers, limits, motors, rest)| {
            let mut numbers = numbers.into_iter().flatten();
            let mut next = || numbers.next();
            let (limits, twist_limits) = limits;
            let (motor, motors, axes) = motors;
            let (softness, enabled, collide) = rest;
            let motors =
                motors.map(|motors| motors.map(|[rx, ry, rz]| AngularMotors { rx, ry, rz }));
            JointPatch {
                limits,
                cone_limit: next(),
                twist_limits,
                length: next(),
                rest_length: next(),
                stiffness: next(),
                damping: next(),
                motor,
                motors,
                axes,
                armature: next(),
                friction: next(),
                break_force: next(),
                break_torque: next(),
                softness: softness.map(|(natural_frequency, damping_ratio)| Softness {
                    natural_frequency,
                    damping_ratio,
                }),
                enabled,
                collide,
            }
        })
        .boxed()
}

fn motor() -> impl Strategy<Value = Motor> {
    let motor = (
        option::of(number()),
        number(),
        array::uniform3(option::of(number())),
        select(vec![MotorForce::Acceleration, MotorForce::Force]),
    );
    motor
        .prop_map(|(target_position, target_velocity, rest, model)| {
            let [stiffness, damping, max_force] = rest;
            Motor {
                target_position,
                target_velocity,
                stiffness,
                damping,
                max_force,
                model,
            }
        })
        .boxed()
}

fn joint_axes() -> impl Strategy<Value = JointAxes> {
    let settings = (option::of(limits()), option::of(motor()))
        .prop_map(|(limits, motor)| AxisFreedom::Settings(AxisSettings { limits, motor }));
    let freedom = prop_oneof![
        select(vec![AxisFreedom::Locked, AxisFreedom::Free]),
        settings
    ];
    let axes = array::uniform6(option::of(freedom));
    axes.prop_map(|[x, y, z, rx, ry, rz]| JointAxes {
        x,
        y,
        z,
        rx,
        ry,
        rz,
    })
    .boxed()
}

fn frame() -> impl Strategy<Value = JointFrame> {
    (vector(), rotation()).prop_map(|(translation, rotation)| JointFrame {
        translation,
        rotation,
    })
}

fn reach() -> impl Strategy<Value = InverseKinematics> {
    let wanted = (option::of(vector()), option::of(rotation()), vector());
    let axes = collection::vec(axis_name(), 0..4);
    let how = (any::<u32>(), array::uniform3(number()));
    (body_id(), wanted, axes, how)
        .prop_map(|(body_id, wanted, axes, how)| {
            let (position, orientation, point) = wanted;
            let (max_iterations, [damping, tolerance_position, tolerance_orientation]) = how;
            InverseKinematics {
                body_id,
                position,
                orientation,
                point,
                axes,
                max_iterations,
                damping,
                tolerance_position,
                tolerance_orientation,
            }
        })
        .boxed()
}

fn axis_name() -> impl Strategy<Value = AxisName> {
    select(vec![
        AxisName::X,
        AxisName::Y,
        AxisName::Z,
        AxisName::Rx,
        AxisName::Ry,
        AxisName::Rz,
    ])
}

fn kind() -> impl Strategy<Value = BodyKind> {
    select(vec![
        BodyKind::Fixed,
        BodyKind::Dynamic,
        BodyKind::Kinematic,
        BodyKind::KinematicPosition,
    ])
}

fn shape() -> impl Strategy<Value = ShapeKind> {
    select(vec![
        ShapeKind::Cuboid,
        ShapeKind::Ball,
        ShapeKind::Capsule,
        ShapeKind::Cylinder,
        ShapeKind::Halfspace,
        ShapeKind::TriMesh,
        ShapeKind::HeightField,
    ])
}

fn joint_kind() -> impl Strategy<Value = JointKind> {
    select(vec![
        JointKind::Fixed,
        JointKind::Revolute,
        JointKind::Spherical,
        JointKind::Prismatic,
        JointKind::Rope,
        JointKind::Spring,
        JointKind::Generic,
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

fn controller_id() -> impl Strategy<Value = ControllerId> {
    let id = "[A-Za-z0-9_-]{1,64}";
    id.prop_map(|id| ControllerId::parse(&id).expect("the id is well-formed"))
}

fn joint_id() -> impl Strategy<Value = JointId> {
    "[A-Za-z0-9_-]{1,64}".prop_map(|id| JointId::parse(&id).expect("the id is well-formed"))
}
