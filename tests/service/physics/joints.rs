//! What joints hold and what they let go.

use std::f64::consts::PI;

use serde_json::{Value, json};

use crate::{
    harness::{ground, number, sphere, triple, zero_gravity},
    physics::{
        World, all_close, angle_between, close, compose, contacts, difference, distance, events,
        fixed_box, frames, inverse, length, loose_box, orientation, position, rotate, steps_for,
        turned, velocity, with,
    },
};

#[tokio::test]
async fn a_pendulum_of_two_metres_swings_in_2_837_seconds() {
    for joint_type in ["spherical", "revolute"] {
        for dt in [0.01, 0.005] {
            let world = pendulum(joint_type, dt).await;

            let swing = world
                .record("bob", &json!({"steps": steps_for(15.0, dt)}))
                .await;

            let crossings = upward_crossings(&swing);
            let periods = u32::try_from(crossings.len() - 1).expect("a few periods");
            let period = (crossings[crossings.len() - 1] - crossings[0]) / f64::from(periods);
            close(period, 2.837, 0.028, &format!("{joint_type} at dt {dt}"));
            for frame in frames(&swing) {
                let reach = distance(triple(&frame["position"]), [0.0, 5.0, 0.0]);
                close(reach, 2.0, 5e-3, "length of the pendulum");
            }
        }
    }
}

async fn pendulum(joint_type: &str, dt: f64) -> World {
    let (sin, cos) = 0.1_f64.sin_cos();
    let bodies = json!([
        with(
            sphere("pivot", 0.05, [0.0, 5.0, 0.0]),
            &json!({"kind": "static"})
        ),
        sphere("bob", 0.05, [2.0 * sin, 5.0 - 2.0 * cos, 0.0]),
    ]);
    let joint = json!({
        "id": "hinge", "joint_type": joint_type, "body_a": "pivot", "body_b": "bob",
        "anchor_b": [-2.0 * sin, 2.0 * cos, 0.0], "axis": [0.0, 0.0, 1.0],
    });
    World::new(&json!({"dt": dt, "bodies": bodies, "joints": [joint]})).await
}

/// The times at which a body passes x = 0 towards positive x.
fn upward_crossings(swing: &Value) -> Vec<f64> {
    let at: Vec<(f64, f64)> = frames(swing)
        .iter()
        .map(|frame| (number(&frame["time"]), triple(&frame["position"])[0]))
        .collect();
    at.windows(2)
        .filter(|pair| pair[0].1 < 0.0 && pair[1].1 >= 0.0)
        .map(|pair| pair[0].0 + (pair[1].0 - pair[0].0) * pair[0].1 / (pair[0].1 - pair[1].1))
        .collect()
}

/// Two boxes turned against each other whose anchors coincide.
fn tilted_pair() -> (Value, Value, [f64; 3], [f64; 3]) {
    let (of_a, of_b) = (turned([0.6, 0.8, 0.0], 0.7), turned([0.0, 0.6, 0.8], 1.3));
    let (anchor_a, anchor_b) = ([0.5, 0.0, 0.0], [-0.4, 0.1, 0.0]);
    let (there, back) = (rotate(of_a, anchor_a), rotate(of_b, anchor_b));
    let a = with(
        loose_box("a", [0.4, 0.4, 0.4], [0.0, 0.0, 0.0]),
        &json!({"orientation": of_a, "can_sleep": false}),
    );
    let b = with(
        loose_box("b", [0.4, 0.4, 0.4], difference(there, back)),
        &json!({"orientation": of_b, "can_sleep": false}),
    );
    (a, b, anchor_a, anchor_b)
}

#[tokio::test]
async fn no_joint_turns_or_moves_bodies_when_it_is_made() {
    for joint_type in ["fixed", "revolute", "spherical", "prismatic"] {
        let (a, b, anchor_a, anchor_b) = tilted_pair();
        let joint = json!({
            "id": "joint", "joint_type": joint_type, "body_a": "a", "body_b": "b",
            "anchor_a": anchor_a, "anchor_b": anchor_b, "axis": [0.3, 1.0, -0.2],
        });
        let world = World::new(&with(
            zero_gravity(),
            &json!({"bodies": [a, b], "joints": [joint]}),
        ))
        .await;

        let before = world.state().await;
        let after = world.step(100).await;

        for body in ["a", "b"] {
            all_close(
                position(&after, body),
                position(&before, body),
                1e-3,
                &format!("{joint_type}: position of {body}"),
            );
            close(
                angle_between(orientation(&before, body), orientation(&after, body)),
                0.0,
                2e-3,
                &format!("{joint_type}: turn of {body}"),
            );
        }
    }
}

#[tokio::test]
async fn a_fixed_joint_keeps_the_relative_pose() {
    let (a, b, anchor_a, anchor_b) = tilted_pair();
    let joint = json!({"id": "weld", "joint_type": "fixed", "body_a": "a", "body_b": "b", "anchor_a": anchor_a, "anchor_b": anchor_b});
    let world = World::new(&with(
        zero_gravity(),
        &json!({"bodies": [a, b], "joints": [joint]}),
    ))
    .await;
    let before = relative_pose(&world.state().await);

    world
        .push(
            "a",
            &json!({"impulse": [1.0, 2.0, -0.5], "point": [0.2, 0.0, 0.2]}),
        )
        .await;
    world.push("b", &json!({"impulse": [0.0, -1.0, 1.5]})).await;
    let state = world.step(200).await;

    let after = relative_pose(&state);
    assert!(length(velocity(&state, "a")) > 0.2, "it moves: {state}");
    all_close(after.0, before.0, 5e-3, "b seen from a");
    close(
        angle_between(before.1, after.1),
        0.0,
        5e-3,
        "b turned against a",
    );
}

/// Where and how `b` is in the frame of `a`.
fn relative_pose(state: &Value) -> ([f64; 3], [f64; 4]) {
    let back = inverse(orientation(state, "a"));
    let apart = difference(position(state, "b"), position(state, "a"));
    (rotate(back, apart), compose(back, orientation(state, "b")))
}

#[tokio::test]
async fn a_spherical_joint_holds_the_anchors_together_and_lets_bodies_turn() {
    let (a, b, anchor_a, anchor_b) = tilted_pair();
    let joint = json!({"id": "ball", "joint_type": "spherical", "body_a": "a", "body_b": "b", "anchor_a": anchor_a, "anchor_b": anchor_b});
    let world = World::new(&with(
        zero_gravity(),
        &json!({"bodies": [a, b], "joints": [joint]}),
    ))
    .await;
    let before = relative_pose(&world.state().await);

    world.push("b", &json!({"impulse": [1.0, 1.5, -0.5]})).await;
    let state = world.step(100).await;

    let ends = [("a", anchor_a), ("b", anchor_b)].map(|(body, anchor)| {
        let arm = rotate(orientation(&state, body), anchor);
        let at = position(&state, body);
        [at[0] + arm[0], at[1] + arm[1], at[2] + arm[2]]
    });
    all_close(ends[0], ends[1], 5e-3, "the anchors");
    assert!(
        angle_between(before.1, relative_pose(&state).1) > 0.2,
        "b turns against a: {state}"
    );
}

#[tokio::test]
async fn a_revolute_joint_turns_about_its_axis_only() {
    let axis = [0.0, 0.6, 0.8];
    let (a, b, anchor_a, anchor_b) = tilted_pair();
    let a = with(a, &json!({"kind": "static"}));
    let joint = json!({
        "id": "hinge", "joint_type": "revolute", "body_a": "a", "body_b": "b",
        "anchor_a": anchor_a, "anchor_b": anchor_b, "axis": axis.map(|x| x * 7.0),
    });
    let world = World::new(&with(
        zero_gravity(),
        &json!({"bodies": [a, b], "joints": [joint]}),
    ))
    .await;
    let start = world.state().await;
    let world_axis = rotate(orientation(&start, "a"), axis);

    world
        .force("b", &json!({"torque": [0.05, 0.1, 0.05]}))
        .await;
    let state = world.step(100).await;

    let turn = compose(orientation(&state, "b"), inverse(orientation(&start, "b")));
    let turned_by = 2.0 * length([turn[0], turn[1], turn[2]]).asin();
    assert!(turned_by.abs() > 0.1, "it turns: {turned_by}");
    let before = rotate(inverse(orientation(&start, "b")), world_axis);
    let after = rotate(orientation(&state, "b"), before);
    all_close(
        after,
        world_axis,
        5e-3,
        "the axis stays where it was in both bodies",
    );
}

#[tokio::test]
async fn limits_hold_a_hinge() {
    for (torque, held_at) in [(0.05, 0.5), (-0.05, -0.2)] {
        let joint = json!({
            "id": "hinge", "joint_type": "revolute", "body_a": "base", "body_b": "door",
            "axis": [0.0, 0.0, 1.0], "limits": [-0.2, 0.5],
        });
        let world = held("door", &joint).await;

        world
            .force("door", &json!({"torque": [0.0, 0.0, torque]}))
            .await;
        let state = world.step(600).await;

        let [_, _, z, w] = orientation(&state, "door");
        close(
            2.0 * z.atan2(w),
            held_at,
            0.01,
            &format!("angle under {torque} N·m"),
        );
    }
}

#[tokio::test]
async fn limits_hold_a_slider() {
    for (force, held_at) in [(2.0, 0.5), (-2.0, -0.2)] {
        let joint = json!({
            "id": "rail", "joint_type": "prismatic", "body_a": "base", "body_b": "sled",
            "axis": [0.0, 0.0, 2.0], "limits": [-0.2, 0.5],
        });
        let world = held("sled", &joint).await;

        world
            .force(
                "sled",
                &json!({"force": [1.0, 1.0, force], "torque": [0.1, 0.1, 0.1]}),
            )
            .await;
        let state = world.step(600).await;

        all_close(
            position(&state, "sled"),
            [0.0, 0.0, held_at],
            0.01,
            &format!("place under {force} N"),
        );
        close(
            angle_between(orientation(&state, "sled"), [0.0, 0.0, 0.0, 1.0]),
            0.0,
            0.01,
            "it does not turn",
        );
    }
}

/// A body at the origin that is joined to a static one in the same place.
async fn held(body: &str, joint: &Value) -> World {
    let bodies = json!([
        fixed_box("base", [0.1, 0.1, 0.1], [0.0, 0.0, 0.0]),
        loose_box(body, [0.4, 0.4, 0.4], [0.0, 0.0, 0.0])
    ]);
    World::new(&with(
        zero_gravity(),
        &json!({"bodies": bodies, "joints": [joint]}),
    ))
    .await
}

#[tokio::test]
async fn patched_limits_count_from_then_on() {
    let joint = json!({
        "id": "rail", "joint_type": "prismatic", "body_a": "base", "body_b": "sled",
        "axis": [1.0, 0.0, 0.0], "limits": [-0.2, 0.5],
    });
    let world = held("sled", &joint).await;
    world
        .force("sled", &json!({"force": [2.0, 0.0, 0.0]}))
        .await;
    world.step(300).await;

    world
        .client
        .patch_joint(&world.sim, "rail", &json!({"limits": [-0.2, 0.9]}))
        .await
        .expect_status(200);
    let state = world.step(300).await;

    close(
        position(&state, "sled")[0],
        0.9,
        0.01,
        "the new upper limit",
    );
}

#[tokio::test]
async fn a_removed_joint_lets_go() {
    let bodies = json!([
        with(
            sphere("hook", 0.1, [0.0, 10.0, 0.0]),
            &json!({"kind": "static"})
        ),
        sphere("load", 0.5, [0.0, 8.0, 0.0])
    ]);
    let joint = json!({"id": "rope", "joint_type": "fixed", "body_a": "hook", "body_b": "load", "anchor_b": [0.0, 2.0, 0.0]});
    let world = World::new(&json!({"dt": 0.01, "bodies": bodies, "joints": [joint]})).await;

    let hanging = world.step(300).await;
    world
        .client
        .remove_joint(&world.sim, "rope")
        .await
        .expect_status(204);
    let falling = world.step(100).await;

    all_close(position(&hanging, "load"), [0.0, 8.0, 0.0], 5e-3, "held");
    assert!(position(&falling, "load")[1] < 4.0, "{falling}");
}

#[tokio::test]
async fn removing_a_body_frees_what_was_joined_to_it() {
    let bodies = json!([
        with(
            sphere("hook", 0.1, [0.0, 10.0, 0.0]),
            &json!({"kind": "static"})
        ),
        sphere("load", 0.5, [0.0, 8.0, 0.0])
    ]);
    let joint = json!({"id": "rope", "joint_type": "fixed", "body_a": "hook", "body_b": "load", "anchor_b": [0.0, 2.0, 0.0]});
    let world = World::new(&json!({"dt": 0.01, "bodies": bodies, "joints": [joint]})).await;
    world.step(300).await;

    world
        .client
        .remove_body(&world.sim, "hook")
        .await
        .expect_status(204);
    let state = world.step(100).await;

    assert!(position(&state, "load")[1] < 4.0, "{state}");
    assert_eq!(
        world
            .client
            .joints(&world.sim)
            .await
            .expect_status(200)
            .json()["joints"],
        json!([])
    );
}

#[tokio::test]
async fn joined_bodies_collide_only_when_asked_to() {
    for (collide, passes) in [
        (json!({}), true),
        (json!({"collide": false}), true),
        (json!({"collide": true}), false),
    ] {
        let bodies = json!([
            fixed_box("stop", [1.0, 1.0, 1.0], [0.0, 0.0, 0.0]),
            with(
                loose_box("sled", [1.0, 1.0, 1.0], [3.0, 0.0, 0.0]),
                &json!({"velocity": [-2.0, 0.0, 0.0]})
            ),
        ]);
        let rail = with(
            json!({"id": "rail", "joint_type": "prismatic", "body_a": "stop", "body_b": "sled", "anchor_a": [3.0, 0.0, 0.0], "axis": [1.0, 0.0, 0.0]}),
            &collide,
        );
        let world = World::new(&with(
            zero_gravity(),
            &json!({"bodies": bodies, "joints": [rail]}),
        ))
        .await;

        let recorded = world.record("sled", &json!({"steps": 300})).await;

        let x = position(&world.state().await, "sled")[0];
        assert_eq!(x < -1.0, passes, "with {collide} the sled is at {x}");
        assert_eq!(
            events(&recorded, "started").is_empty(),
            passes,
            "with {collide}: {}",
            recorded["contact_events"]
        );
    }
}

#[tokio::test]
async fn joining_touching_bodies_ends_their_contact() {
    let bodies = json!([
        ground("floor"),
        loose_box("below", [1.0, 1.0, 1.0], [0.0, 0.5, 0.0]),
        loose_box("above", [1.0, 1.0, 1.0], [0.0, 1.5, 0.0])
    ]);
    let world = World::new(&json!({"dt": 0.01, "bodies": bodies})).await;
    let before = world.step(200).await;

    world.join(&json!({"id": "weld", "joint_type": "fixed", "body_a": "below", "body_b": "above", "anchor_a": [0.0, 0.5, 0.0], "anchor_b": [0.0, -0.5, 0.0]})).await;
    let joined = world.step(5).await;
    world
        .client
        .remove_joint(&world.sim, "weld")
        .await
        .expect_status(204);
    let free = world.step(5).await;

    assert_eq!(contacts(&before, "above"), ["below"]);
    assert!(contacts(&joined, "above").is_empty(), "{joined}");
    assert_eq!(contacts(&free, "above"), ["below"]);
    close(
        position(&free, "above")[1],
        1.5,
        0.01,
        "it stays where it is",
    );
}

#[tokio::test]
async fn whether_joined_bodies_collide_can_be_patched() {
    let bodies = json!([
        ground("floor"),
        loose_box("below", [1.0, 1.0, 1.0], [0.0, 0.5, 0.0]),
        loose_box("above", [1.0, 1.0, 1.0], [0.0, 1.5, 0.0]),
    ]);
    let weld = json!({
        "id": "weld", "joint_type": "fixed", "body_a": "below", "body_b": "above", "collide": true,
        "anchor_a": [0.0, 0.5, 0.0], "anchor_b": [0.0, -0.5, 0.0],
    });
    let world = World::new(&json!({"dt": 0.01, "bodies": bodies, "joints": [weld]})).await;

    for (collide, expected) in [
        (true, vec!["below"]),
        (false, vec![]),
        (true, vec!["below"]),
    ] {
        world
            .client
            .patch_joint(&world.sim, "weld", &json!({"collide": collide}))
            .await
            .expect_status(200);
        let state = world.step(100).await;

        assert_eq!(contacts(&state, "above"), expected, "collide {collide}");
    }
}

#[tokio::test]
async fn a_chain_hangs_without_stretching() {
    let mut bodies = vec![with(
        sphere("link-0", 0.1, [0.0, 0.0, 0.0]),
        &json!({"kind": "static"}),
    )];
    let mut joints = Vec::new();
    for n in 1_u8..=10 {
        bodies.push(sphere(
            &format!("link-{n}"),
            0.1,
            [0.5 * f64::from(n), 0.0, 0.0],
        ));
        joints.push(json!({
            "id": format!("joint-{n}"), "joint_type": "spherical", "body_a": format!("link-{}", n - 1), "body_b": format!("link-{n}"),
            "anchor_a": [0.25, 0.0, 0.0], "anchor_b": [-0.25, 0.0, 0.0],
        }));
    }
    let world = World::new(&json!({"dt": 0.01, "bodies": bodies, "joints": joints})).await;

    let state = world.step(500).await;

    for n in 1_u8..=10 {
        let (upper, lower) = (format!("link-{}", n - 1), format!("link-{n}"));
        let ends = [(&upper, 0.25), (&lower, -0.25)].map(|(body, along)| {
            let arm = rotate(orientation(&state, body), [along, 0.0, 0.0]);
            let at = position(&state, body);
            [at[0] + arm[0], at[1] + arm[1], at[2] + arm[2]]
        });
        close(
            distance(ends[0], ends[1]),
            0.0,
            0.01,
            &format!("the anchors between {upper} and {lower}"),
        );
    }
}

#[tokio::test]
async fn the_axis_of_a_joint_is_in_the_frame_of_body_a() {
    // Body A is turned a quarter about z: its x axis is the world's y axis.
    let base = with(
        fixed_box("base", [0.1, 0.1, 0.1], [0.0, 0.0, 0.0]),
        &json!({"orientation": turned([0.0, 0.0, 1.0], PI / 2.0)}),
    );
    let joint = json!({"id": "rail", "joint_type": "prismatic", "body_a": "base", "body_b": "sled", "axis": [1.0, 0.0, 0.0]});
    let bodies = json!([base, loose_box("sled", [0.4, 0.4, 0.4], [0.0, 0.0, 0.0])]);
    let world = World::new(&with(
        zero_gravity(),
        &json!({"bodies": bodies, "joints": [joint]}),
    ))
    .await;

    world
        .push("sled", &json!({"impulse": [1.0, 1.0, 1.0]}))
        .await;
    let state = world.step(100).await;

    all_close(
        position(&state, "sled"),
        [0.0, 1.0, 0.0],
        0.02,
        "it slides along the world's y",
    );
}
