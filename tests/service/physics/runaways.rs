//! Multibodies that go beyond all bounds: they go alone.

use serde_json::{Value, json};

use crate::{
    harness::{find_body, sphere, triple, zero_gravity},
    physics::{World, close, distance, position, velocity, with},
};

/// Three balls that hang on each other, three others that do, and what is by itself.
fn two_chains() -> Value {
    let mut bodies = vec![
        with(
            sphere("ball", 0.2, [0.0, 9.0, 0.0]),
            &json!({"angular_velocity": [0, 1, 0]}),
        ),
        with(
            sphere("belt", 0.2, [0.0, 7.0, 0.0]),
            &json!({"kind": "kinematic", "velocity": [0, 0, 1]}),
        ),
    ];
    let mut joints = Vec::new();
    for (chain, y) in [("struck", 0.0), ("spared", 4.0)] {
        for n in 0..3 {
            let id = format!("{chain}-{n}");
            bodies.push(with(
                sphere(&id, 0.2, [f64::from(n), y, 0.0]),
                &json!({"mass": 0.01}),
            ));
        }
        for n in 1..3 {
            joints.push(json!({"id": format!("{chain}-joint-{n}"), "joint_type": "spherical", "multibody": true,
                "body_a": format!("{chain}-{}", n - 1), "body_b": format!("{chain}-{n}"), "anchor_a": [1, 0, 0]}));
        }
    }
    with(
        json!({"dt": 0.01, "bodies": bodies, "joints": joints}),
        &zero_gravity(),
    )
}

/// Fails when the bodies that were spared did anything but go on as before.
#[track_caller]
fn spared(state: &Value, time: f64) {
    let text = state.to_string();
    assert!(!text.contains("null"), "{text}");
    let struck = state["quarantined"].as_array().into_iter().flatten();
    let struck: Vec<_> = struck.filter_map(Value::as_str).collect();
    assert!(
        struck.iter().all(|id| id.starts_with("struck")),
        "{struck:?}"
    );
    close(
        distance(position(state, "ball"), [0.0, 9.0, 0.0]),
        0.0,
        1e-6,
        "the ball",
    );
    close(position(state, "belt")[2], time, 1e-3, "the belt");
    for n in 0..3 {
        let at = position(state, &format!("spared-{n}"));
        close(
            distance(at, [f64::from(n), 4.0, 0.0]),
            0.0,
            1e-3,
            "the other chain",
        );
    }
}

#[tokio::test]
async fn a_push_beyond_all_bounds_costs_a_multibody_and_nobody_else() {
    let mut world = World::new(&two_chains()).await;
    for link in ["struck-0", "struck-1", "struck-2"] {
        for push in [
            json!({"force": [3e38, 0, 0]}),
            json!({"force": [0, -1e30, 1e30], "point": [0, 1e6, 0]}),
            json!({"torque": [3e38, 3e38, 3e38]}),
            json!({"force": [1e20, 0, 0], "torque": [0, 1e20, 0]}),
        ] {
            world.again(&two_chains()).await;
            world.step(1).await;
            world.force(link, &push).await;
            let state = world.step(50).await;
            spared(&state, 0.51);
            assert_eq!(
                state["quarantined"].as_array().map(Vec::len),
                Some(3),
                "{link} {push}"
            );

            let later = world.step(50).await;
            spared(&later, 1.01);
            for n in 0..3 {
                let id = format!("struck-{n}");
                let [now, then] =
                    [&later, &state].map(|state| triple(&find_body(state, &id)["position"]));
                assert_eq!(json!(now), json!(then), "{id} stays where it was last");
                close(distance(velocity(&later, &id), [0.0; 3]), 0.0, 1e-9, &id);
            }
            let joint = world.client.joint(&world.sim, "struck-joint-1").await;
            let joint = joint.expect_status(200).json();
            assert_eq!(joint["broken"], true, "{joint}");
            let spared_joint = world.client.joint(&world.sim, "spared-joint-1").await;
            assert_eq!(spared_joint.expect_status(200).json()["broken"], false);
        }
    }
}

#[tokio::test]
async fn an_impulse_beyond_all_bounds_never_shows_in_a_multibody() {
    let world = World::new(&two_chains()).await;
    for impulse in [
        json!({"impulse": [1e15, 0, 0]}),
        json!({"impulse": [0, 1e14, 0], "point": [0, 0, 1e6]}),
        json!({"torque_impulse": [0, 0, 1e15]}),
    ] {
        world.push("struck-1", &impulse).await;
        let at_once = world.state().await;
        assert!(!at_once.to_string().contains("null"), "{at_once}");
    }
    spared(&world.step(100).await, 1.0);
}

#[tokio::test]
async fn a_broken_multibody_can_be_looked_at_asked_changed_and_removed() {
    let world = World::new(&two_chains()).await;
    world
        .force("struck-1", &json!({"force": [3e38, 0, 0]}))
        .await;
    world.step(20).await;

    let joints = world.client.joints(&world.sim).await.expect_status(200);
    assert!(!joints.text().contains("null"), "{}", joints.text());
    let events = world
        .client
        .get(format!("/simulations/{}/events", world.sim))
        .await;
    let events = events.expect_status(200).json();
    let of_type = |kind: &str| {
        let all = events["events"].as_array().into_iter().flatten();
        all.filter(|event| event["type"] == kind).count()
    };
    assert_eq!(
        [of_type("quarantined"), of_type("joint_broken")],
        [3, 2],
        "{events}"
    );
    let reach = json!({"body_id": "struck-2", "position": [0, 0, 0]});
    let reached = world
        .client
        .post(
            format!("/simulations/{}/inverse_kinematics", world.sim),
            &reach,
        )
        .await;
    assert_eq!(reached.expect_status(200).json()["converged"], false);
    let patch = json!({"friction": 1});
    let patched = world
        .client
        .patch_joint(&world.sim, "struck-joint-2", &patch)
        .await;
    patched.expect_status(200);

    // A joint to what is in quarantine holds nothing from the beginning.
    let joint = json!({"id": "late", "joint_type": "fixed", "body_a": "spared-2", "body_b": "struck-0", "multibody": true});
    world.join(&joint).await;
    spared(&world.step(20).await, 0.4);
    for joint in ["late", "struck-joint-1", "struck-joint-2"] {
        world
            .client
            .remove_joint(&world.sim, joint)
            .await
            .expect_status(204);
    }
    world
        .patch(
            "struck-2",
            &json!({"enabled": true, "position": [0, -5, 0], "velocity": [1, 0, 0]}),
        )
        .await;
    let state = world.step(100).await;
    spared(&state, 1.4);
    close(position(&state, "struck-2")[0], 1.0, 1e-2, "it is free");
    world
        .client
        .remove_body(&world.sim, "struck-0")
        .await
        .expect_status(204);
    spared(&world.step(20).await, 1.6);
}

#[tokio::test]
async fn a_contact_that_no_joint_gives_way_to_harms_nobody_outside_of_the_multibody() {
    let model = r#"<mujoco><worldbody><body name="l1" pos="0.2 0 0.3"><joint name="j1" type="hinge" axis="0 1 0"/>
        <geom type="sphere" size="0.9003"/><body name="l2" pos="0.2 0 0.3"><joint name="j2" type="slide" axis="0 1 0"/>
        <geom type="capsule" size="0.28 0.2"/><body name="l3" pos="0.2 0 0.3"><joint name="j3" type="ball"/>
        <geom type="cylinder" size="0.29 0.2"/></body></body></body></worldbody></mujoco>"#;
    for kind in ["kinematic_position", "kinematic", "static"] {
        let blade = json!({"id": "blade", "kind": kind, "shape": "segment", "point_a": [1.67, 0.996, 1.279],
                           "point_b": [1.248, -0.206, -1.686]});
        let far = sphere("far", 0.2, [0.0, 90.0, 0.0]);
        let world = World::new(&json!({"dt": 0.01, "bodies": [blade, far]})).await;
        let import = json!({"format": "mjcf", "content": model, "position": [1.375, 0, -0.826],
                            "orientation": [-0.629_732_85, -0.607_497_8, -0.027_580_827, -0.483_344_82]});
        let imported = world
            .client
            .post(format!("/simulations/{}/imports", world.sim), &import)
            .await;
        imported.expect_status(201);
        for _ in 0..10 {
            let state = world.step(5).await;
            let text = state.to_string();
            assert!(!text.contains("null"), "{kind}: {text}");
            let struck = state["quarantined"].as_array().into_iter().flatten();
            let is_link = |id: &Value| id.as_str().is_some_and(|id| id.starts_with('l'));
            assert!(struck.into_iter().all(is_link), "{kind}: {text}");
            close(
                distance(position(&state, "blade"), [0.0; 3]),
                0.0,
                1e-9,
                kind,
            );
        }
    }
}

#[tokio::test]
async fn bodies_in_multibodies_are_there() {
    let world = World::new(&two_chains()).await;
    let patch = json!({"enabled": false});
    for link in ["struck-0", "struck-1"] {
        let reply = world.client.patch_body(&world.sim, link, &patch).await;
        reply
            .expect_problem(422, "invalid_value")
            .expect_pointers(&["/enabled"]);
    }
    world.patch("ball", &patch).await;
    for (ends, pointer) in [
        (["ball", "struck-0"], "/body_a"),
        (["struck-2", "ball"], "/body_b"),
    ] {
        let joint = json!({"id": "bad", "joint_type": "fixed", "body_a": ends[0], "body_b": ends[1], "multibody": true});
        let reply = world.client.add_joint(&world.sim, &joint).await;
        reply
            .expect_problem(422, "invalid_value")
            .expect_pointers(&[pointer]);
    }
}

#[tokio::test]
async fn a_joint_holds_while_both_of_its_bodies_are_there() {
    let hook = |kind: &str| with(sphere("hook", 0.1, [0.0, 9.0, 0.0]), &json!({"kind": kind}));
    let bob = |enabled: bool| {
        with(
            sphere("bob", 0.1, [0.0, 7.0, 0.0]),
            &json!({"enabled": enabled, "can_sleep": false}),
        )
    };
    let tie = json!({"id": "tie", "joint_type": "fixed", "body_a": "hook", "body_b": "bob", "anchor_b": [0, 2, 0]});
    for kind in ["static", "kinematic", "kinematic_position"] {
        for is_there in [true, false] {
            let world =
                World::new(&json!({"dt": 0.01, "bodies": [hook(kind), bob(is_there)]})).await;
            world.join(&tie).await;
            let state = world.step(50).await;
            close(position(&state, "bob")[1], 7.0, 1e-2, "held, or not there");

            for enabled in [false, true] {
                world.patch("bob", &json!({"enabled": enabled})).await;
                world.patch("hook", &json!({"enabled": enabled})).await;
                let state = world.step(20).await;
                close(position(&state, "bob")[1], 7.0, 1e-2, "nothing has moved");
            }
            world.patch("hook", &json!({"enabled": false})).await;
            let state = world.step(100).await;
            close(
                position(&state, "bob")[1],
                7.0 - 4.95,
                0.1,
                "nothing holds it",
            );
        }
    }
}
