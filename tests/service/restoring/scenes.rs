//! Worlds worth restoring: each holds something that is easily lost.

use std::f64::consts::FRAC_1_SQRT_2;

use rapier_physics_service::{
    id::{BodyId, ControllerId, JointId},
    physics::{
        BodySpec, Command, Force, Impulse, JointSpec, PhysicsError, Snapshot, Steps, Vec3, World,
        WorldConfig, WorldLimits,
    },
};
use serde_json::{Value, json};
use xxhash_rust::xxh3::xxh3_64;

use super::{shapes, whole};

/// How long a scene goes on after its snapshot, in steps.
pub(super) const AFTERMATH: u32 = 500;

/// A world and what happens to it.
pub(super) struct Scene {
    pub(super) name: &'static str,
    /// After how many steps it is written down.
    pub(super) moment: u32,
    pub(super) config: Value,
    pub(super) bodies: Vec<Value>,
    pub(super) joints: Vec<Value>,
    /// What is done after so many steps, before the next one.
    pub(super) script: fn(u32) -> Vec<Command>,
}

impl Scene {
    /// The world as it begins.
    pub(super) fn begin(&self) -> World {
        let config: WorldConfig = read(self.config.clone());
        let mut world = World::new(config);
        world.provide(&whole::assets());
        let bodies = self.bodies.iter().cloned().map(read::<BodySpec>).collect();
        let joints = self.joints.iter().cloned().map(read::<JointSpec>).collect();
        apply(&mut world, &Command::AddBodies(bodies)).expect("the bodies are sound");
        apply(&mut world, &Command::AddJoints(joints)).expect("the joints are sound");
        world
    }

    /// The world when it is written down.
    pub(super) fn until_the_moment(&self) -> World {
        let mut world = self.begin();
        for _ in 0..self.moment {
            self.go_on(&mut world);
        }
        world
    }

    /// Does what the script says, and takes one step.
    pub(super) fn go_on(&self, world: &mut World) {
        let steps = u32::try_from(world.steps()).expect("scenes are short");
        for command in (self.script)(steps) {
            if let Err(refused) = apply(world, &command) {
                panic!("{}, step {steps}: {command:?}: {refused}", self.name);
            }
        }
        apply(world, &step(1)).expect("a step is never refused");
    }
}

/// A world from the bytes of its snapshot.
pub(super) fn restored(bytes: &[u8]) -> World {
    let restored = Snapshot::from_bytes(bytes.to_vec()).restore(&whole::assets());
    restored.expect("the bytes are those that were written")
}

fn apply(world: &mut World, command: &Command) -> Result<(), PhysicsError> {
    world.apply(command, &WorldLimits::unlimited()).map(drop)
}

pub(super) fn all() -> Vec<Scene> {
    vec![
        pile("a pile that is collapsing", 25, |_| Vec::new()),
        pile("a pile asleep that is hit", 700, |steps| match steps {
            750 => vec![push("box-9", [6.0, 0.0, 1.0])],
            _ => Vec::new(),
        }),
        chain(),
        slider(),
        sensors(),
        drag(),
        carrier(),
        removals(),
        bounce(),
        pending(),
        plane(),
        forces(),
        bullets(),
        weather(),
        everything(),
        shapes::scene(),
        driven(),
        joints(),
        whole::robots(),
        whole::scripted(),
        whole::beyond(),
    ]
}

/// A tower of boxes that are turned a little, so that it does not stand for long.
fn pile(name: &'static str, moment: u32, script: fn(u32) -> Vec<Command>) -> Scene {
    Scene {
        name,
        moment,
        config: json!({"dt": 0.016}),
        bodies: tower(),
        joints: Vec::new(),
        script,
    }
}

fn tower() -> Vec<Value> {
    let mut bodies = vec![floor()];
    bodies.extend((0..18).map(|n| {
        let place = [
            0.55 * f64::from(n % 3),
            0.3 + 0.6 * f64::from(n / 3),
            0.02 * f64::from(n),
        ];
        with(
            ball_or_box(n),
            &json!({"position": place, "angular_velocity": [0.1, 0, 0.2]}),
        )
    }));
    bodies
}

/// Links with limits, one of which is given others in flight.
fn chain() -> Scene {
    let links = (0..8).map(|n| {
        json!({"id": format!("link-{n}"), "shape": "capsule", "size": [0.2, 0.1], "position": [0.5 * f64::from(n), 5, 0],
            "orientation": [0, 0, FRAC_1_SQRT_2, FRAC_1_SQRT_2], "kind": if n == 0 { "static" } else { "dynamic" }})
    });
    let joints = (0..7).map(|n| {
        json!({"id": format!("pin-{n}"), "joint_type": if n % 2 == 0 { "revolute" } else { "spherical" },
            "body_a": format!("link-{n}"), "body_b": format!("link-{}", n + 1), "axis": [0, 0, 1],
            "anchor_a": [0, -0.25, 0], "anchor_b": [0, 0.25, 0]})
    });
    Scene {
        name: "a chain of joints with limits",
        moment: 111,
        config: json!({}),
        bodies: links.chain([floor()]).collect(),
        joints: joints
            .map(|joint| {
                if joint["joint_type"] == "revolute" {
                    with(joint, &json!({"limits": [-0.6, 0.4]}))
                } else {
                    joint
                }
            })
            .collect(),
        script: |steps| match steps {
            90 => vec![limits("pin-2", [-0.1, 0.05])],
            130 => vec![
                push("link-7", [0.0, 0.0, 2.0]),
                limits("pin-2", [-1.0, 1.0]),
            ],
            300 => vec![Command::RemoveJoint(joint_id("pin-4"))],
            _ => Vec::new(),
        },
    }
}

/// A joint of every type, driven, limited and coupled; one that breaks, and a multibody that is
/// struck, moved and cut.
fn joints() -> Scene {
    let hung = |n: u32, kind: &str, joint: Value| {
        let hook = json!({"id": format!("hook-{n}"), "shape": "sphere", "radius": 0.1, "kind": "static", "position": [3 * n, 6, 0]});
        let bob = json!({"id": format!("bob-{n}"), "shape": "box", "size": [0.4, 0.6, 0.3], "position": [f64::from(3 * n) + 0.8, 5.6, 0.1]});
        let base = json!({"id": format!("{kind}-{n}"), "joint_type": kind, "body_a": format!("hook-{n}"), "body_b": format!("bob-{n}"), "axis": [0, 0, 1]});
        ([hook, bob], with(base, &joint))
    };
    let anchored = json!({"anchor_b": [-0.8, 0.4, -0.1]});
    let drive = json!({"motor": {"target_position": 0.7, "max_force": 30}});
    let pairs = vec![
        hung(0, "rope", json!({"length": 1.2, "break_force": 1e4})),
        hung(
            1,
            "spring",
            json!({"rest_length": 0.5, "stiffness": 90, "damping": 0.4}),
        ),
        hung(
            2,
            "spherical",
            with(
                anchored.clone(),
                &json!({"cone_limit": 0.6, "twist_limits": [-0.2, 0.3]}),
            ),
        ),
        hung(
            3,
            "generic",
            with(
                anchored.clone(),
                &json!({"axes": {"x": {"limits": [-0.3, 0.3]}, "rz": {"motor": {"target_velocity": 2}}, "ry": "free"}}),
            ),
        ),
        hung(
            4,
            "generic",
            with(
                anchored.clone(),
                &json!({"axes": {"x": {"limits": [0, 0.5]}, "y": "free", "rz": "free"}, "coupled_axes": ["x", "y"]}),
            ),
        ),
        hung(5, "revolute", with(anchored.clone(), &drive)),
        hung(
            6,
            "fixed",
            with(
                anchored.clone(),
                &json!({"break_force": 5, "softness": {"natural_frequency": 20}}),
            ),
        ),
        hung(
            7,
            "prismatic",
            with(
                anchored,
                &json!({"motor": {"target_velocity": -0.5}, "limits": [-0.8, 0.8]}),
            ),
        ),
    ];
    let (bodies, mut joints): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
    let mut bodies: Vec<_> = bodies.into_iter().flatten().collect();
    for n in 0..5 {
        bodies.push(json!({"id": format!("part-{n}"), "shape": "capsule", "size": [0.3, 0.1], "position": [0, 6, f64::from(n) + 3.0], "velocity": [0, 0.2 * f64::from(n), 0]}));
    }
    for n in 1..5 {
        let kind = ["fixed", "revolute", "spherical", "prismatic"][n - 1];
        joints.push(json!({"id": format!("link-{n}"), "joint_type": kind, "body_a": format!("part-{}", n - 1), "body_b": format!("part-{n}"), "axis": [1, 0, 0.2], "anchor_b": [0, 0, -1], "multibody": true}));
    }
    joints.push(json!({"id": "weld", "joint_type": "revolute", "body_a": "bob-5", "body_b": "part-4", "anchor_b": [0, 0, 9], "enabled": false}));
    Scene {
        name: "joints of every type",
        moment: 120,
        config: json!({}),
        bodies: bodies.into_iter().chain([floor()]).collect(),
        joints,
        script: |steps| match steps {
            30 => vec![push("part-2", [0.3, 1.0, 0.0])],
            60 => vec![patched(
                "link-2",
                json!({"limits": [-0.4, 0.4], "motor": {"target_velocity": 1, "damping": 5}}),
            )],
            140 => vec![patched("revolute-5", json!({"motor": null}))],
            180 => vec![Command::InverseKinematics(Box::new(read(
                json!({"body_id": "part-3", "position": [0.3, 2, 5]}),
            )))],
            220 => vec![Command::RemoveJoint(joint_id("link-2"))],
            260 => vec![patched("rope-0", json!({"break_force": 0.5}))],
            _ => Vec::new(),
        },
    }
}

pub(super) fn patched(joint: &str, patch: Value) -> Command {
    Command::PatchJoint(joint_id(joint), Box::new(read(patch)))
}

/// Weights on rails that are driven against their ends.
fn slider() -> Scene {
    let weights = (0..4).map(|n| {
        let body = json!({"id": format!("weight-{n}"), "shape": "box", "size": [0.4, 0.4, 0.4], "position": [0, n, 0]});
        with(body, &json!({"velocity": [n, 0, 0], "can_sleep": n % 2 == 0}))
    });
    let rails = (0..4).map(|n| {
        json!({"id": format!("rail-{n}"), "joint_type": "prismatic", "body_a": "wall", "body_b": format!("weight-{n}"),
            "anchor_a": [0, n, 0], "axis": [1, 0.2, 0], "limits": [-0.5, 0.5], "collide": n == 3})
    });
    Scene {
        name: "weights on rails",
        moment: 77,
        config: json!({"dt": 0.01}),
        bodies: [json!({"id": "wall", "kind": "static", "shape": "box", "size": [0.1, 9, 9], "position": [-3, 0, 0]})]
            .into_iter()
            .chain(weights)
            .collect(),
        joints: rails.collect(),
        script: |steps| match steps % 60 {
            0 => vec![push("weight-1", [-4.0, 0.0, 0.0]), push("weight-3", [3.0, 0.0, 0.0])],
            _ => Vec::new(),
        },
    }
}

/// Balls that fall through sensors of every kind.
fn sensors() -> Scene {
    let kinds = ["static", "kinematic", "dynamic"];
    let gates = kinds.iter().zip(0..).map(|(kind, n)| {
        json!({"id": format!("gate-{kind}"), "kind": kind, "is_sensor": true, "shape": "box", "size": [2, 0.5, 2],
            "position": [0, 2 + n, 0], "angular_velocity": [0, 1, 0]})
    });
    let balls = (0..5).map(|n| {
        let body = json!({"id": format!("ball-{n}"), "shape": "sphere", "radius": 0.2, "restitution": 0.9});
        with(body, &json!({"position": [0.3 * f64::from(n) - 0.6, 4 + n, 0.1]}))
    });
    Scene {
        name: "sensors that are crossed",
        moment: 64,
        config: json!({}),
        bodies: [floor()].into_iter().chain(gates).chain(balls).collect(),
        joints: Vec::new(),
        script: |steps| match steps {
            100 => vec![patch("ball-1", &json!({"is_sensor": true}))],
            140 => vec![patch("gate-static", &json!({"is_sensor": false}))],
            150 => vec![patch(
                "ball-1",
                &json!({"is_sensor": false, "position": [0, 6, 0]}),
            )],
            _ => Vec::new(),
        },
    }
}

/// Darts that the air slows and turns.
fn drag() -> Scene {
    let darts = (0..6).map(|n| {
        let body = json!({"id": format!("dart-{n}"), "shape": "capsule", "size": [0.3, 0.1], "position": [0, 2 * n + 1, 0]});
        let air = json!({"drag_coefficient": 0.4 + 0.1 * f64::from(n), "drag_area": 0.3, "drag_axis_ratios": [2, 0.5, 1]});
        with(with(body, &air), &json!({"velocity": [20 - 2 * n, 5, n], "angular_velocity": [0, n, 3]}))
    });
    Scene {
        name: "darts in the air",
        moment: 50,
        config: json!({"dt": 0.008}),
        bodies: [floor()].into_iter().chain(darts).collect(),
        joints: Vec::new(),
        script: |steps| match steps {
            80 => vec![patch("dart-3", &json!({"fluid_density": 40.0}))],
            200 => vec![patch(
                "dart-4",
                &json!({"drag_area": 0.0, "velocity": [0, 20, 0]}),
            )],
            _ => Vec::new(),
        },
    }
}

/// A lift and a turntable that carry what lies on them.
fn carrier() -> Scene {
    let carriers = [
        json!({"id": "lift", "kind": "kinematic", "shape": "box", "size": [3, 0.2, 3], "position": [0, 1, 0]}),
        json!({"id": "table", "kind": "kinematic", "shape": "cylinder", "size": [0.1, 2], "position": [5, 0.5, 0],
            "angular_velocity": [0, 1.5, 0]}),
    ];
    let load = (0..10).map(|n| {
        let place = [
            f64::from(n % 2) * 5.0 + 0.1 * f64::from(n),
            1.5 + 0.5 * f64::from(n),
            0.0,
        ];
        with(ball_or_box(n), &json!({"position": place}))
    });
    Scene {
        name: "a lift and a turntable",
        moment: 95,
        config: json!({}),
        bodies: carriers.into_iter().chain(load).collect(),
        joints: Vec::new(),
        script: |steps| match steps % 80 {
            0 => vec![patch("lift", &json!({"velocity": [0, 0.8, 0.2]}))],
            40 => vec![patch("lift", &json!({"velocity": [0, -0.8, -0.2]}))],
            _ => Vec::new(),
        },
    }
}

/// Bodies that come and go, so that the engine uses their places again.
fn removals() -> Scene {
    Scene {
        name: "bodies that come and go",
        moment: 123,
        config: json!({}),
        bodies: tower(),
        joints: vec![hinge("hinge", "box-1", "box-3")],
        script: |steps| {
            let n = steps / 10;
            match steps % 10 {
                3 if n < 15 => vec![Command::RemoveBody(body_id(&format!("box-{n}")))],
                5 => vec![add(&with(
                    ball_or_box(100 + n),
                    &json!({"position": [0.5, 4, 0.3], "velocity": [0, -5, 0]}),
                ))],
                6 if n % 3 == 1 => vec![add_joint(&hinge(
                    &format!("hinge-{n}"),
                    &format!("box-{}", 100 + n),
                    &format!("box-{}", 99 + n),
                ))],
                8 if n > 4 => vec![Command::RemoveBody(body_id(&format!("box-{}", 98 + n)))],
                _ => Vec::new(),
            }
        },
    }
}

/// A ball written down in the middle of a bounce.
fn bounce() -> Scene {
    let ball = json!({"id": "ball", "shape": "sphere", "radius": 0.5, "position": [0, 3, 0], "restitution": 1.0,
        "velocity": [1, 0, 0.5], "angular_velocity": [4, 0, 0]});
    Scene {
        name: "a ball in the middle of a bounce",
        moment: 46,
        config: json!({}),
        bodies: vec![with(floor(), &json!({"restitution": 1.0})), ball],
        joints: Vec::new(),
        script: |_| Vec::new(),
    }
}

/// Everything that can be left unfinished by a command, right after the moment and again later,
/// among bodies that have fallen asleep.
fn pending() -> Scene {
    Scene {
        name: "edits that no step has seen",
        moment: 300,
        config: json!({}),
        bodies: [floor()]
            .into_iter()
            .chain((0..16).map(|n| {
                let place = [f64::from(n % 4), 0.3, f64::from(n / 4)];
                with(ball_or_box(2 * n + 1), &json!({"position": place}))
            }))
            .collect(),
        joints: Vec::new(),
        script: |steps| match steps {
            300 | 600 => {
                let box_of = |n: u32| format!("box-{}", 2 * n + 1);
                let joints = (0..12)
                    .map(|n| hinge(&format!("hinge-{steps}-{n}"), &box_of(n), &box_of(n + 4)));
                vec![
                    Command::AddJoints(joints.map(read).collect()),
                    patch("box-1", &json!({"position": [0, 0.9, 0], "mass": 3.0})),
                    push("box-1", [0.3, 0.0, 0.1]),
                    patch(
                        "box-7",
                        &json!({"kind": if steps == 300 { "kinematic" } else { "dynamic" }}),
                    ),
                    add(&with(ball_or_box(steps), &json!({"position": [1, 2, 1]}))),
                ]
            }
            400 => vec![push("box-31", [8.0, 5.0, 0.0])],
            _ => Vec::new(),
        },
    }
}

/// A pile in the plane of x and y.
fn plane() -> Scene {
    Scene {
        name: "a pile in two dimensions",
        moment: 60,
        config: json!({"dimensions": 2}),
        bodies: tower()
            .into_iter()
            .map(|body| with(body, &json!({"angular_velocity": [0, 0, 0.5]})))
            .collect(),
        joints: vec![hinge("hinge", "box-5", "box-7")],
        script: |steps| match steps {
            200 => vec![push("box-9", [3.0, 6.0, 4.0])],
            _ => Vec::new(),
        },
    }
}

/// Boxes under forces, some of which hold on to a spot of the body.
fn forces() -> Scene {
    Scene {
        name: "forces that are held",
        moment: 70,
        config: json!({}),
        bodies: tower(),
        joints: Vec::new(),
        script: |steps| match steps {
            10 => vec![
                hold("box-1", [0.0, 12.0, 0.0], None),
                hold("box-3", [4.0, 9.0, 0.0], Some([1.0, 0.5, 0.0])),
                hold("box-5", [0.0, 0.0, 0.0], None),
            ],
            150 => vec![
                Command::ClearForce(body_id("box-1")),
                hold("box-3", [-3.0, 8.0, 0.0], None),
            ],
            _ => Vec::new(),
        },
    }
}

/// Bodies so fast that their paths are swept.
fn bullets() -> Scene {
    let bullets = (0..4).map(|n| {
        let body = json!({"id": format!("bullet-{n}"), "shape": "sphere", "radius": 0.05, "mass": 0.1});
        with(body, &json!({"position": [-8 - 3 * n, 0.4 + 0.5 * f64::from(n), 0.2], "velocity": [120, 3, 0]}))
    });
    Scene {
        name: "bullets and thin walls",
        moment: 6,
        config: json!({"dt": 0.016}),
        bodies: tower()
            .into_iter()
            .chain(bullets)
            .chain([json!({"id": "wall", "kind": "static", "shape": "box", "size": [0.05, 8, 8], "position": [4, 4, 0]})])
            .collect(),
        joints: Vec::new(),
        script: |steps| match steps {
            250 => vec![patch("bullet-2", &json!({"position": [-5, 1, 0], "velocity": [300, 0, 0]}))],
            _ => Vec::new(),
        },
    }
}

/// Gravity and the time step change, steps of other lengths lie in between.
fn weather() -> Scene {
    Scene {
        name: "gravity and time that change",
        moment: 155,
        config: json!({"gravity": [0, -9.81, 0]}),
        bodies: tower(),
        joints: vec![hinge("hinge", "box-3", "box-5")],
        script: |steps| match steps % 100 {
            20 => vec![configure(&json!({"gravity": [2, -8, 0], "dt": 0.005}))],
            50 => vec![configure(&json!({"gravity": [0, 0, 0]})), step(2)],
            70 => vec![Command::Step(Steps {
                count: 1,
                dt: Some(0.03),
            })],
            90 => vec![configure(&json!({"gravity": [0, -9.81, 0], "dt": 0.016}))],
            _ => Vec::new(),
        },
    }
}

/// Blows and turns at random, on bodies of every shape.
fn everything() -> Scene {
    let shapes = ["sphere", "box", "capsule", "cylinder"];
    let bodies = (0..24).map(|n: u32| {
        let size: &[f64] = [&[0.3][..], &[0.5, 0.4, 0.6], &[0.2, 0.2], &[0.3, 0.2]][n as usize % 4];
        json!({"id": format!("body-{n}"), "shape": shapes[n as usize % 4], "size": size, "mass": 1 + n % 3,
            "position": [2.0 * noise(n, 0), 1.0 + f64::from(n) / 3.0, 2.0 * noise(n, 1)],
            "restitution": 0.2 + 0.6 * noise(n, 2).abs(), "friction": noise(n, 3).abs()})
    });
    let walls = [[4, 0], [-4, 0], [0, 4], [0, -4]].map(|[x, z]| {
        json!({"id": format!("wall{x}{z}"), "shape": "plane", "position": [x, 0, z], "normal": [-x, 0, -z]})
    });
    Scene {
        name: "random blows",
        moment: 210,
        config: json!({}),
        bodies: [floor()].into_iter().chain(walls).chain(bodies).collect(),
        joints: vec![
            hinge("hinge", "body-1", "body-2"),
            hinge("other", "body-2", "body-3"),
        ],
        script: |steps| {
            let body = format!("body-{}", steps % 24);
            let blow = [0, 1, 2].map(|axis| 4.0 * noise(steps, axis));
            match steps % 7 {
                0 | 3 => vec![push(&body, blow)],
                1 => vec![patch(&body, &json!({"angular_velocity": blow}))],
                4 if steps % 3 == 0 => vec![patch(&body, &json!({"position": [0, 5, 0]}))],
                5 if steps % 4 == 0 => vec![hold(&body, blow, Some([0.0, 1.0, 0.0]))],
                6 => vec![Command::ClearForce(body_id(&body))],
                _ => Vec::new(),
            }
        },
    }
}

/// A character, a vehicle and a hovering ball, steered while they are under way.
fn driven() -> Scene {
    let cart = json!({"id": "cart", "shape": "box", "size": [2, 0.3, 1], "position": [0, 0.9, 6],
                      "mass": 100});
    let walker = json!({"id": "walker", "kind": "kinematic", "shape": "capsule", "size": [0.6, 0.3],
                        "position": [-2, 1.2, 0]});
    let ball = json!({"id": "ball", "shape": "sphere", "radius": 0.3, "position": [0, 4, 0]});
    Scene {
        name: "controllers under way",
        moment: 77,
        config: json!({}),
        bodies: [tower(), vec![cart, walker, ball]].concat(),
        joints: Vec::new(),
        script: |steps| match steps {
            1 => vec![Command::AddControllers(read(json!([
                {"id": "drive", "type": "vehicle", "body_id": "cart", "wheels": wheels(), "steered_wheels": [0, 1]},
                {"id": "walk", "type": "character", "body_id": "walker", "velocity": [1, 0, 0.1], "snap_to_ground": 0.1,
                 "autostep": {"max_height": 0.3, "min_width": 0.1}},
                {"id": "hover", "type": "pid", "body_id": "ball", "target_position": [1, 5, 1], "kp": 3, "ki": 1},
            ])))],
            _ if steps % 40 == 5 => vec![
                steer(
                    "drive",
                    &json!({"engine_force": steps % 90, "steering": noise(steps, 0) / 3.0}),
                ),
                steer(
                    "walk",
                    &json!({"velocity": [noise(steps, 1), 0, noise(steps, 2)]}),
                ),
                steer(
                    "hover",
                    &json!({"target_position": [0, 3.0 + noise(steps, 3), 0]}),
                ),
            ],
            _ => Vec::new(),
        },
    }
}

fn wheels() -> Value {
    let wheel = |x: f64, z: f64| json!({"position": [x, 0, z], "radius": 0.3});
    json!([
        wheel(0.8, -0.4),
        wheel(0.8, 0.4),
        wheel(-0.8, -0.4),
        wheel(-0.8, 0.4)
    ])
}

fn steer(controller: &str, patch: &Value) -> Command {
    let id = ControllerId::parse(controller).expect("it is well formed");
    Command::PatchController(id, read(patch.clone()))
}

pub(super) fn floor() -> Value {
    json!({"id": "floor", "shape": "plane", "friction": 0.7})
}

/// A box if `n` is odd, a ball otherwise; both are called boxes, and neither has a place yet.
fn ball_or_box(n: u32) -> Value {
    if n % 2 == 1 {
        json!({"id": format!("box-{n}"), "shape": "box", "size": [0.5, 0.55, 0.5], "mass": 1.5})
    } else {
        json!({"id": format!("box-{n}"), "shape": "sphere", "radius": 0.28, "friction": 0.9, "angular_damping": 3})
    }
}

fn hinge(id: &str, body_a: &str, body_b: &str) -> Value {
    json!({"id": id, "joint_type": "revolute", "body_a": body_a, "body_b": body_b, "axis": [0, 0, 1],
        "anchor_a": [0.4, 0.1, 0], "anchor_b": [-0.4, 0, 0]})
}

pub(super) fn step(count: u32) -> Command {
    Command::Step(Steps { count, dt: None })
}

fn configure(patch: &Value) -> Command {
    Command::Configure(read(patch.clone()))
}

pub(super) fn add(body: &Value) -> Command {
    Command::AddBody(Box::new(read(body.clone())))
}

fn add_joint(joint: &Value) -> Command {
    Command::AddJoint(Box::new(read(joint.clone())))
}

pub(super) fn patch(body: &str, patch: &Value) -> Command {
    Command::PatchBody(body_id(body), Box::new(read(patch.clone())))
}

fn limits(joint: &str, limits: [f64; 2]) -> Command {
    Command::PatchJoint(joint_id(joint), Box::new(read(json!({"limits": limits}))))
}

pub(super) fn push(body: &str, impulse: [f64; 3]) -> Command {
    let impulse = Impulse {
        impulse: Some(read(json!(impulse))),
        torque_impulse: None,
        point: None,
    };
    Command::ApplyImpulse(body_id(body), impulse)
}

fn hold(body: &str, force: [f64; 3], point: Option<[f64; 3]>) -> Command {
    let force = Force {
        force: read(json!(force)),
        torque: Vec3([0.0, 0.1, 0.0]),
        point: point.map(|point| read(json!(point))),
    };
    Command::SetForce(body_id(body), force)
}

pub(super) fn body_id(id: &str) -> BodyId {
    BodyId::parse(id).expect("the id is well-formed")
}

pub(super) fn joint_id(id: &str) -> JointId {
    JointId::parse(id).expect("the id is well-formed")
}

pub(super) fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("the value is well-formed")
}

/// `value` with the fields of `more`.
fn with(mut value: Value, more: &Value) -> Value {
    for (field, setting) in more.as_object().into_iter().flatten() {
        value[field] = setting.clone();
    }
    value
}

/// A number between -1 and 1 that is the same everywhere.
fn noise(step: u32, axis: u32) -> f64 {
    let bits = xxh3_64(&[step.to_le_bytes(), axis.to_le_bytes()].concat()) >> 32;
    let bits = u32::try_from(bits).expect("half of the bits are left");
    f64::from(bits) / f64::from(u32::MAX) * 2.0 - 1.0
}
