//! Robots of others, translated: what comes out, and that nothing that comes in does harm.

mod damage;

use std::collections::HashSet;

use serde_json::json;

use super::*;
use crate::physics::{
    BodyKind, Command, JointKind, NO_ASSETS, Snapshot, Steps, Vec3, World, WorldConfig, WorldLimits,
};

macro_rules! robot {
    ($file:literal) => {
        include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/service/robots/",
            $file
        ))
    };
}

const CARTPOLE: &str = robot!("cartpole.urdf");
const TWO_JOINT_ARM: &str = robot!("two_joint_arm.urdf");
const SPIRIT: &str = robot!("spirit40.urdf");
const IIWA: &str = robot!("iiwa.urdf");
const ANT: &str = robot!("ant.xml");
const HUMANOID: &str = robot!("humanoid.xml");
const HOPPER: &str = robot!("hopper.xml");

const FIXTURES: [(&str, &str); 7] = [
    ("urdf", CARTPOLE),
    ("urdf", TWO_JOINT_ARM),
    ("urdf", SPIRIT),
    ("urdf", IIWA),
    ("mjcf", ANT),
    ("mjcf", HUMANOID),
    ("mjcf", HOPPER),
];

const LIMITS: ImportLimits = ImportLimits {
    max_bytes: 1 << 20,
    max_bodies: 1000,
};

fn request(format: &str, content: &str, more: &serde_json::Value) -> ImportRequest {
    let mut request = json!({"format": format, "content": content});
    let fields = more.as_object().into_iter().flatten();
    for (field, value) in fields {
        request[field] = value.clone();
    }
    serde_json::from_value(request).unwrap()
}

fn import(format: &str, content: &str) -> Import {
    translate(&request(format, content, &json!(null)), LIMITS).unwrap()
}

fn refusal(format: &str, content: &str) -> String {
    match translate(&request(format, content, &json!(null)), LIMITS) {
        Err(PhysicsError::Invalid(faults)) => {
            assert!(
                faults.iter().all(|it| it.pointer == "/content"),
                "{faults:?}"
            );
            faults
                .iter()
                .map(|it| it.detail.as_str())
                .collect::<Vec<_>>()
                .join("\n")
        }
        other => panic!("{other:?}"),
    }
}

fn mass(import: &Import) -> f64 {
    let moving = import
        .bodies
        .iter()
        .filter(|it| it.kind() == BodyKind::Dynamic);
    moving
        .map(|it| f64::from(it.mass_properties.unwrap().mass))
        .sum()
}

#[test]
fn points_of_meshes_are_counted_for_every_geom_before_any_is_made() {
    let points = "0 0 0 1 0 0 0 1 0 0 0 1 ".repeat(250);
    let model = |geoms: usize| {
        let geoms = "<geom/>".repeat(geoms);
        format!(
            "<mujoco><default><geom type='mesh' mesh='m'/></default><asset><mesh name='m' \
             vertex='{points}'/></asset><worldbody>{geoms}</worldbody></mujoco>"
        )
    };
    assert_eq!(import("mjcf", &model(200)).bodies.len(), 1);
    let refused = translate(&request("mjcf", &model(201), &json!(null)), LIMITS);
    let is_limit = |error| {
        matches!(
            error,
            PhysicsError::LimitExceeded {
                limit: "MAX_IMPORT_POINTS",
                ..
            }
        )
    };
    assert!(refused.is_err_and(is_limit));
}

#[test]
fn a_class_of_defaults_stands_once() {
    let nested = "<default class='a'><default class='b'/></default>";
    let twice = "<default class='b'><default class='a'/></default>";
    let model = |inside: &str| {
        format!(
            "<mujoco><default>{inside}</default><worldbody><body name='x'><geom size='1'/></body></worldbody></mujoco>"
        )
    };
    assert_eq!(import("mjcf", &model(nested)).bodies.len(), 1);
    let both = format!("{nested}{twice}");
    assert!(refusal("mjcf", &model(&both)).contains("the class stands twice"));
}

#[test]
fn a_mesh_that_would_have_to_be_moved_is_left_out_and_told() {
    let model = "<mujoco><asset><mesh name='m' refpos='0 0 1' vertex='0 0 0 1 0 0 0 1 0 0 0 1'/></asset>\
        <worldbody><body name='x'><geom size='1'/><geom name='g' type='mesh' mesh='m'/></body></worldbody></mujoco>";
    let import = import("mjcf", model);
    assert_eq!(import.bodies[0].colliders().len(), 1);
    assert!(
        import.ignored.iter().any(|it| it.contains("geom g")),
        "{:?}",
        import.ignored
    );
}

#[test]
fn links_joints_and_masses_are_those_of_the_file() {
    for ((format, content), links, joints, bodies, total) in [
        (FIXTURES[0], 3, 2, 3, 1.1),
        (FIXTURES[1], 7, 6, 7, 2.0),
        (FIXTURES[2], 17, 16, 17, 11.51),
        (FIXTURES[3], 8, 7, 8, 17.5),
        // Masses of geoms, as MuJoCo computes them.
        (FIXTURES[4], 9, 8, 14, 0.910_880_082_7),
        (FIXTURES[5], 13, 17, 21, 42.116_030_492_1),
        (FIXTURES[6], 4, 6, 7, 15.820_013_405_9),
    ] {
        let import = import(format, content);
        let found = (import.links.len(), import.names.len(), import.bodies.len());

        assert_eq!(found, (links, joints, bodies));
        assert!(
            (mass(&import) - total).abs() < 1e-5 * total,
            "{}",
            mass(&import)
        );
    }
}

#[test]
fn inertias_of_geoms_are_those_of_mujoco() {
    let import = import("mjcf", HUMANOID);
    for (name, inertia, center) in [
        (
            "torso",
            [0.173_241_53, 0.154_010_14, 0.041_119_15],
            [-0.002_539_38, 0.0, 0.034_662_59],
        ),
        (
            "pelvis",
            [0.052_318, 0.052_318, 0.024_322_1],
            [-0.02, 0.0, 0.0],
        ),
        (
            "left_shin",
            [0.032_608_02, 0.032_608_02, 0.003_189_89],
            [0.0, 0.0, -0.15],
        ),
    ] {
        let body = import
            .bodies
            .iter()
            .find(|it| it.id.as_str() == name)
            .unwrap();
        let found = body.mass_properties.unwrap();
        let mut moments = found.inertia.0;
        moments.sort_by(|a, b| b.total_cmp(a));
        // Some of a pelvis and a torso stand between their joints.
        let share = f64::from(moments[0]) / inertia[0];
        for (found, truth) in moments.iter().zip(inertia) {
            assert!(
                (f64::from(*found) / (truth * share) - 1.0).abs() < 1e-4,
                "{name} {moments:?}"
            );
        }
        for (found, truth) in found.center_of_mass.0.iter().zip(center) {
            assert!((f64::from(*found) - truth).abs() < 1e-6, "{name}");
        }
    }
}

fn world(import: &Import) -> World {
    let config: WorldConfig = serde_json::from_value(json!({"gravity": [0, 0, -9.81]})).unwrap();
    let mut world = World::new(config);
    let floor = json!({"id": "the_floor", "shape": "plane", "normal": [0, 0, 1]});
    let floor = Command::AddBody(serde_json::from_value(floor).unwrap());
    world.apply(&floor, &WorldLimits::unlimited()).unwrap();
    let command = Command::Import(Box::new(import.clone()));
    world.apply(&command, &WorldLimits::unlimited()).unwrap();
    world
}

fn step(world: &mut World, count: u32) {
    let steps = Steps {
        count,
        dt: Some(1.0 / 60.0),
    };
    world
        .apply(&Command::Step(steps), &WorldLimits::unlimited())
        .unwrap();
}

#[test]
fn robots_stay_where_physics_can_follow() {
    for (format, content) in FIXTURES {
        for joints in ["multibody", "impulse"] {
            for stiffness in [None, Some(400.0)] {
                let mut more = json!({"joints": joints, "position": [0, 0, 1]});
                if let Some(stiffness) = stiffness {
                    more["motors"] = json!({"stiffness": stiffness});
                }
                let import = translate(&request(format, content, &more), LIMITS).unwrap();
                let mut world = world(&import);
                step(&mut world, 600);
                let view = serde_json::to_value(world.view().bodies()).unwrap();
                for body in view.as_array().unwrap() {
                    let place: [f64; 3] = serde_json::from_value(body["position"].clone()).unwrap();
                    assert!(place.iter().all(|it| it.abs() < 20.0), "{more} {body}");
                    assert!(body.get("quarantined").is_none(), "{more} {body}");
                }
            }
        }
    }
}

#[test]
fn a_robot_goes_on_from_a_snapshot_bit_for_bit() {
    for (format, content) in [FIXTURES[2], FIXTURES[5]] {
        let more = json!({"position": [0, 0, 0.5], "motors": {"stiffness": 200.0}});
        let import = translate(&request(format, content, &more), LIMITS).unwrap();
        let mut world = world(&import);
        step(&mut world, 100);
        let mut restored = Snapshot::take(&world).restore(&NO_ASSETS).unwrap();
        for world in [&mut world, &mut restored] {
            step(world, 500);
        }
        let [kept, restored] =
            [&world, &restored].map(|it| serde_json::to_string(&it.view().bodies()));
        assert_eq!(kept.unwrap(), restored.unwrap());
    }
}

#[test]
fn several_robots_meet_each_other_and_not_themselves() {
    let more = json!({"prefix": "a_", "position": [0, 0, 2]});
    let first = translate(&request("urdf", SPIRIT, &more), LIMITS).unwrap();
    let mut world = world(&first);
    for (prefix, height) in [("b_", 4.0), ("c_", 6.0)] {
        let more = json!({"prefix": prefix, "position": [0, 0, height]});
        let next = translate(&request("urdf", SPIRIT, &more), LIMITS).unwrap();
        let command = Command::Import(Box::new(next));
        world.apply(&command, &WorldLimits::unlimited()).unwrap();
    }
    let groups: HashSet<u32> = world
        .view()
        .bodies()
        .iter()
        .filter_map(|body| {
            serde_json::to_value(body).ok()?["colliders"][0]["collision_groups"]["memberships"]
                .as_u64()
        })
        .map(|it| u32::try_from(it).unwrap())
        .collect();
    assert_eq!(groups, HashSet::from([1 << 31, 1 << 30, 1 << 29]));
}

#[test]
fn names_that_cannot_be_ids_are_told_apart() {
    let text = r#"<robot name="r"><link name="a b"><inertial><mass value="1"/></inertial></link>
        <link name="a/b"><inertial><mass value="1"/></inertial></link>
        <joint name="j" type="continuous"><parent link="a b"/><child link="a/b"/></joint></robot>"#;
    let more = json!({"prefix": "r-"});
    let import = translate(&request("urdf", text, &more), LIMITS).unwrap();
    let links: Vec<_> = import
        .links
        .iter()
        .map(|(name, id)| (name.as_str(), id.as_str()))
        .collect();
    assert_eq!(links, [("a b", "r-a_b"), ("a/b", "r-a_b-2")]);
    assert_eq!(import.joints[0].id.as_str(), "r-j");
    assert_eq!(import.root.unwrap().as_str(), "r-a_b");
}

#[test]
fn a_frame_without_mass_is_part_of_what_it_is_fixed_to() {
    let text = r#"<robot name="r"><link name="footprint"/>
        <link name="base"><inertial><origin xyz="1 0 0"/><mass value="3"/></inertial></link>
        <link name="tool"><collision><geometry><sphere radius="0.1"/></geometry></collision></link>
        <joint name="up" type="fixed"><origin xyz="0 0 2"/><parent link="footprint"/><child link="base"/></joint>
        <joint name="out" type="fixed"><origin xyz="0 1 0"/><parent link="base"/><child link="tool"/></joint></robot>"#;
    let import = import("urdf", text);
    assert_eq!(import.bodies.len(), 1);
    assert!(import.links.values().all(|it| it.as_str() == "footprint"));
    assert_eq!(import.links.len(), 3);
    assert!(import.joints.is_empty() && import.names.is_empty());
    let body = &import.bodies[0];
    assert_eq!(
        body.mass_properties.unwrap().center_of_mass,
        Vec3([1.0, 0.0, 2.0])
    );
    assert_eq!(
        body.colliders.as_ref().unwrap()[0].translation,
        Vec3([0.0, 1.0, 2.0])
    );
}

#[test]
fn drives_are_carried_over_or_told_of() {
    let text = r#"<mujoco><worldbody><body name="a"><geom type="box" size=".1 .1 .1"/>
        <joint name="j" type="hinge" range="-90 90" damping="2" armature=".1" frictionloss=".3" springref="10"/>
        </body></worldbody>
        <actuator><position joint="j" kp="50" kv="5" gear="2" forcerange="-7 7"/></actuator></mujoco>"#;
    let joint = &import("mjcf", text).joints[0];
    let motor = joint.motor.unwrap();
    assert_eq!(joint.joint_type, JointKind::Revolute);
    assert_eq!((motor.stiffness, motor.damping), (Some(200.0), Some(22.0)));
    assert_eq!(motor.max_force, Some(14.0));
    assert_eq!((joint.armature, joint.friction), (Some(0.1), Some(0.3)));
    let quarter = std::f32::consts::FRAC_PI_2;
    assert_eq!(
        joint.limits.as_deref(),
        Some([-quarter, quarter].as_slice())
    );

    let request = request("mjcf", text, &json!({"joints": "impulse"}));
    let ignored = translate(&request, LIMITS).unwrap().ignored;
    assert_eq!(ignored, ["joint j: armature and dry friction"]);
}

#[test]
fn meshes_come_from_assets_and_from_nowhere_else() {
    let text = r#"<robot name="r"><link name="a"><inertial><mass value="1"/></inertial>
        <collision><geometry><mesh filename="package://r/a.stl"/></geometry></collision>
        <collision><geometry><mesh filename="../../etc/passwd"/></geometry></collision></link></robot>"#;
    let asset = "ab".repeat(32);
    let more = json!({"assets": {"package://r/a.stl": asset}});
    let import = translate(&request("urdf", text, &more), LIMITS).unwrap();
    let colliders = import.bodies[0].colliders.as_ref().unwrap();
    assert_eq!(colliders.len(), 1);
    assert_eq!(colliders[0].asset.as_ref().unwrap().as_str(), asset);
    assert_eq!(
        import.ignored,
        ["link a: mesh ../../etc/passwd, which is not in assets"]
    );

    let more = json!({"assets": {"b/~.stl": asset}});
    let refused = translate(&request("urdf", text, &more), LIMITS);
    let Err(PhysicsError::Invalid(faults)) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(faults[0].pointer, "/assets/b~1~0.stl");
}

#[test]
fn what_no_robot_is_is_refused_and_named() {
    let link = r#"<link name="a"><inertial><mass value="1"/></inertial></link>"#;
    let urdf = |inside: &str| format!("<robot name='r'>\n{inside}</robot>");
    let mass = |mass: &str| {
        urdf(&format!(
            "<link name='a'><inertial><mass value='{mass}'/></inertial></link>"
        ))
    };
    let joint = |inside: &str| {
        urdf(&format!(
            "{link}<link name='b'/><joint name='j' {inside}</joint>"
        ))
    };
    for (format, text, told) in [
        ("urdf", String::new(), "XML"),
        ("urdf", "<robot>".into(), "XML"),
        ("urdf", "<mujoco/>".into(), "<robot>"),
        ("mjcf", "<robot/>".into(), "<mujoco>"),
        ("urdf", urdf(""), "no link"),
        ("urdf", mass("nan"), "line 2, <mass> of link \"a\": value"),
        ("urdf", mass("1e400"), "value"),
        ("urdf", mass("-1"), "negative"),
        ("urdf", mass("1 2"), "1 finite number"),
        ("urdf", urdf(&format!("{link}{link}")), "stands twice"),
        (
            "urdf",
            urdf(&format!("{link}<link name='b'/>")),
            "hang on nothing",
        ),
        (
            "urdf",
            joint("type='fixed'><parent link='a'/><child link='c'/>"),
            "child is no link: \"c\"",
        ),
        (
            "urdf",
            joint("type='warp'><parent link='a'/><child link='b'/>"),
            "\"warp\"",
        ),
        (
            "urdf",
            joint("type='revolute'><parent link='a'/><child link='a'/>"),
            "is its parent",
        ),
        (
            "urdf",
            joint("type='revolute'><parent link='a'/><child link='b'/><axis xyz='0 0 0'/>"),
            "axis",
        ),
        (
            "urdf",
            joint(
                "type='revolute'><parent link='a'/><child link='b'/><limit lower='1' upper='-1'/>",
            ),
            "reversed",
        ),
        ("urdf", urdf("<include file='/etc/passwd'/>"), "other files"),
        (
            "urdf",
            urdf("<x:if xmlns:x='http://ros.org/wiki/xacro'/>"),
            "xacro",
        ),
        (
            "mjcf",
            "<mujoco><include file='/etc/passwd'/></mujoco>".into(),
            "other files",
        ),
        (
            "mjcf",
            "<mujoco><asset><model name='m' file='x.xml'/></asset></mujoco>".into(),
            "other files",
        ),
        (
            "mjcf",
            "<mujoco><worldbody><geom size='nan'/></worldbody></mujoco>".into(),
            "size",
        ),
        (
            "mjcf",
            "<mujoco><worldbody><geom pos='1 2'/></worldbody></mujoco>".into(),
            "pos",
        ),
        (
            "mjcf",
            "<mujoco><compiler eulerseq='xyzx'/></mujoco>".into(),
            "eulerseq",
        ),
        (
            "mjcf",
            "<mujoco><worldbody><body name='a'/><body name='a'/></worldbody></mujoco>".into(),
            "twice",
        ),
        (
            "mjcf",
            format!(
                "<mujoco><default><general gainprm='{}'/></default></mujoco>",
                "1 ".repeat(600)
            ),
            "longer",
        ),
    ] {
        let refused = refusal(format, &text);
        assert!(refused.contains(told), "{text}: {refused}");
    }
}

#[test]
fn large_descriptions_are_refused_by_the_name_of_their_limit() {
    for (text, limit) in [
        (" ".repeat(LIMITS.max_bytes + 1), "MAX_IMPORT_BYTES"),
        (
            format!("<robot>{}</robot>", "<a/>".repeat(60_000)),
            "MAX_IMPORT_NODES",
        ),
        (format!("<robot>{}", "<a>".repeat(100)), "MAX_IMPORT_DEPTH"),
    ] {
        let refused = translate(&request("urdf", &text, &json!(null)), LIMITS);
        let Err(PhysicsError::LimitExceeded { limit: found, .. }) = refused else {
            panic!("{limit}");
        };
        assert_eq!(found, limit);
    }
}
