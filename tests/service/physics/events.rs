//! The contact events of a recording.

use serde_json::{Value, json};

use crate::{
    harness::{find_body, ground, number, sphere, triple, zero_gravity},
    physics::{
        G, World, all_close, close, distance, events, fixed_box, frames, loose_box, near, with,
    },
};

async fn falling_ball(floor: &str, height: f64) -> World {
    World::new(&json!({"dt": 0.01, "bodies": [ground(floor), sphere("ball", 0.5, [0.0, 0.5 + height, 0.0])]})).await
}

fn kinds(recorded: &Value) -> Vec<String> {
    let all = recorded["contact_events"]
        .as_array()
        .expect("a recording has contact events");
    all.iter()
        .map(|event| {
            event["event_type"]
                .as_str()
                .expect("an event has a type")
                .to_owned()
        })
        .collect()
}

#[tokio::test]
async fn a_body_that_rests_all_the_time_is_one_ongoing_contact() {
    let world = falling_ball("floor", 0.0).await;
    world.step(200).await;

    let recorded = world.record("ball", &json!({"steps": 100})).await;

    assert_eq!(kinds(&recorded), ["ongoing"]);
    let event = events(&recorded, "ongoing")[0];
    assert_eq!(event["time"], json!(2.0));
    assert_eq!(
        (&event["body_a"], &event["body_b"]),
        (&json!("ball"), &json!("floor"))
    );
    all_close(
        triple(&event["contact_point"]),
        [0.0, 0.0, 0.0],
        0.01,
        "under the ball",
    );
    all_close(
        triple(&event["normal"]),
        [0.0, -1.0, 0.0],
        1e-3,
        "from the ball to the floor",
    );
    all_close(
        triple(&event["relative_velocity"]),
        [0.0, 0.0, 0.0],
        0.05,
        "at rest",
    );
}

#[tokio::test]
async fn a_bounce_is_one_started_and_one_ended() {
    let world = World::new(&json!({
        "dt": 0.01,
        "bodies": [with(ground("floor"), &json!({"restitution": 0.8})), with(sphere("ball", 0.5, [0.0, 2.5, 0.0]), &json!({"restitution": 0.8}))],
    }))
    .await;

    let recorded = world.record("ball", &json!({"steps": 120})).await;

    assert_eq!(kinds(&recorded), ["started", "ended"]);
    let (started, ended) = (
        events(&recorded, "started")[0],
        events(&recorded, "ended")[0],
    );
    let (met, parted) = (number(&started["time"]), number(&ended["time"]));
    close(
        met,
        (2.0_f64 * 2.0 / G).sqrt(),
        0.016,
        "time of the landing",
    );
    assert!(
        parted > met && parted - met < 0.06,
        "parted at {parted}, met at {met}"
    );
    all_close(
        triple(&ended["contact_point"]),
        [0.0, 0.0, 0.0],
        0.03,
        "the last known point",
    );
    all_close(
        triple(&ended["normal"]),
        [0.0, -1.0, 0.0],
        1e-3,
        "the last known normal",
    );
}

#[tokio::test]
async fn a_contact_that_ends_carries_its_last_known_point_and_normal() {
    let world = falling_ball("floor", 0.0).await;
    world.step(200).await;
    world
        .push("ball", &json!({"impulse": [0.0, 5.0, 0.0]}))
        .await;

    let recorded = world.record("ball", &json!({"steps": 20})).await;

    assert_eq!(kinds(&recorded), ["ongoing", "ended"]);
    let ended = events(&recorded, "ended")[0];
    all_close(
        triple(&ended["contact_point"]),
        [0.0, 0.0, 0.0],
        0.03,
        "under where the ball was",
    );
    all_close(
        triple(&ended["normal"]),
        [0.0, -1.0, 0.0],
        1e-3,
        "from the ball to the floor",
    );
}

#[tokio::test]
async fn the_name_that_sorts_first_is_body_a_and_the_normal_points_away_from_it() {
    for (floor, sign) in [("a-floor", 1.0), ("z-floor", -1.0)] {
        let world = falling_ball(floor, 2.0).await;

        let recorded = world.record("ball", &json!({"steps": 80})).await;

        let started = events(&recorded, "started")[0];
        let names = if sign > 0.0 {
            [floor, "ball"]
        } else {
            ["ball", floor]
        };
        assert_eq!(
            [&started["body_a"], &started["body_b"]],
            [&json!(names[0]), &json!(names[1])]
        );
        all_close(
            triple(&started["normal"]),
            [0.0, sign, 0.0],
            1e-3,
            "from A to B",
        );
        let speed = (2.0 * G * 2.0_f64).sqrt();
        near(
            triple(&started["relative_velocity"])[1],
            sign * speed,
            0.05,
            "A relative to B, just before",
        );
    }
}

#[tokio::test]
async fn spin_counts_in_the_relative_velocity() {
    let ball = with(
        sphere("ball", 0.5, [0.0, 2.5, 0.0]),
        &json!({"angular_velocity": [0.0, 0.0, 4.0]}),
    );
    let world = World::new(&json!({"dt": 0.01, "bodies": [ground("floor"), ball]})).await;

    let recorded = world.record("ball", &json!({"steps": 80})).await;

    // The lowest point of a ball that turns about z at 4 rad/s moves along x at ω·r.
    let started = events(&recorded, "started")[0];
    close(
        triple(&started["relative_velocity"])[0],
        2.0,
        0.1,
        "along x",
    );
}

#[tokio::test]
async fn events_of_all_pairs_are_reported_whoever_is_recorded() {
    let bodies = json!([
        ground("floor"),
        sphere("watched", 0.5, [50.0, 300.0, 0.0]),
        sphere("early", 0.5, [0.0, 1.5, 0.0]),
        sphere("late", 0.5, [10.0, 3.5, 0.0]),
    ]);
    let world = World::new(&json!({"dt": 0.01, "bodies": bodies})).await;

    let recorded = world.record("watched", &json!({"steps": 100})).await;

    let started = events(&recorded, "started");
    let first = started
        .iter()
        .find(|event| event["body_a"] == "early")
        .expect("the early one lands");
    let second = started
        .iter()
        .find(|event| event["body_b"] == "late")
        .expect("the late one lands");
    assert_eq!(
        (&first["body_b"], &second["body_a"]),
        (&json!("floor"), &json!("floor"))
    );
    close(
        number(&first["time"]),
        (2.0 / G).sqrt(),
        0.016,
        "the early one",
    );
    close(
        number(&second["time"]),
        (6.0 / G).sqrt(),
        0.016,
        "the late one",
    );
    let times: Vec<f64> = recorded["contact_events"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|event| number(&event["time"]))
        .collect();
    assert!(times.is_sorted(), "{times:?}");
}

#[tokio::test]
async fn events_are_of_this_call_only() {
    let world = falling_ball("floor", 1.0).await;
    world.step(600).await;

    let recorded = world.record("ball", &json!({"steps": 10})).await;
    let again = world.record("ball", &json!({"steps": 10})).await;

    assert_eq!(kinds(&recorded), ["ongoing"]);
    assert_eq!(kinds(&again), ["ongoing"]);
}

#[tokio::test]
async fn thinning_the_frames_does_not_thin_the_events() {
    let (dense, sparse) = (
        falling_ball("floor", 3.0).await,
        falling_ball("floor", 3.0).await,
    );

    let all = dense.record("ball", &json!({"steps": 100})).await;
    let some = sparse
        .record("ball", &json!({"steps": 100, "every": 7}))
        .await;

    assert_eq!(
        (&all["num_frames"], &some["num_frames"]),
        (&json!(100), &json!(15))
    );
    assert_eq!(all["contact_events"], some["contact_events"]);
    let picked: Vec<&Value> = frames(&all).iter().step_by(7).collect();
    assert_eq!(picked, frames(&some).iter().collect::<Vec<_>>());
    assert_eq!(
        (&all["total_time"], &some["total_time"]),
        (&json!(1.0), &json!(1.0))
    );
    assert_eq!(
        dense.state().await["bodies"],
        sparse.state().await["bodies"]
    );
}

#[tokio::test]
async fn frames_show_the_body_before_each_step() {
    let world = falling_ball("floor", 100.0).await;
    world.step(50).await;
    let before = world.state().await;

    let recorded = world.record("ball", &json!({"steps": 3})).await;

    let first = &frames(&recorded)[0];
    assert_eq!(first["time"], before["time"]);
    assert_eq!(first["position"], find_body(&before, "ball")["position"]);
    let times: Vec<f64> = frames(&recorded)
        .iter()
        .map(|frame| number(&frame["time"]))
        .collect();
    for (n, time) in (0_u8..).zip(times) {
        close(time, 0.5 + 0.01 * f64::from(n), 1e-9, "time of a frame");
    }
}

#[tokio::test]
async fn the_deepest_of_several_points_is_reported() {
    // A long box lands on one edge, tilted by 0.2 rad: its lowest edge is left of its middle.
    let tilted = with(
        loose_box("plank", [4.0, 0.2, 1.0], [0.0, 3.0, 0.0]),
        &json!({"orientation": crate::physics::turned([0.0, 0.0, 1.0], 0.2), "restitution": 0.0}),
    );
    let world = World::new(&json!({"dt": 0.005, "bodies": [fixed_box("floor", [20.0, 1.0, 20.0], [0.0, -0.5, 0.0]), tilted]})).await;

    let recorded = world.record("plank", &json!({"steps": 160})).await;

    let started = events(&recorded, "started")[0];
    assert_eq!(
        [&started["body_a"], &started["body_b"]],
        [&json!("floor"), &json!("plank")]
    );
    let point = triple(&started["contact_point"]);
    // In body axes the lowest edge is at (-2, -0.1).
    let lowest_x = -2.0 * 0.2_f64.cos() + 0.1 * 0.2_f64.sin();
    close(point[0], lowest_x, 0.05, "x of the edge");
    close(point[1], 0.0, 0.03, "on the floor");
    assert!(point[2].abs() <= 0.55, "on the edge: {point:?}");
    all_close(
        triple(&started["normal"]),
        [0.0, 1.0, 0.0],
        1e-2,
        "from the floor to the plank",
    );
}

#[tokio::test]
async fn two_balls_report_the_point_between_them() {
    let left = with(
        sphere("left", 0.5, [-3.0, 0.2, 0.0]),
        &json!({"velocity": [4.0, 0.0, 0.0]}),
    );
    let right = with(
        sphere("right", 1.0, [3.0, 0.2, 0.0]),
        &json!({"velocity": [-2.0, 0.0, 0.0], "mass": 5.0}),
    );
    let world = World::new(&with(zero_gravity(), &json!({"bodies": [left, right]}))).await;

    let recorded = world.record("left", &json!({"steps": 120})).await;

    // They close a gap of 4.5 m at 6 m/s: they meet after 0.75 s at x = 0.5.
    let started = events(&recorded, "started")[0];
    assert!(
        distance(triple(&started["contact_point"]), [0.5, 0.2, 0.0]) <= 0.03,
        "{started}"
    );
    all_close(
        triple(&started["normal"]),
        [1.0, 0.0, 0.0],
        1e-3,
        "from left to right",
    );
    all_close(
        triple(&started["relative_velocity"]),
        [6.0, 0.0, 0.0],
        0.01,
        "left relative to right",
    );
    // J = (1 + e)·v·m₁m₂/(m₁ + m₂) with e = 0.3.
    near(
        number(&started["impulse_magnitude"]),
        1.3 * 6.0 * 5.0 / 6.0,
        0.05,
        "impulse",
    );
}

#[tokio::test]
async fn a_recording_without_steps_is_empty() {
    let world = falling_ball("floor", 0.0).await;
    world.step(100).await;

    let recorded = world.record("ball", &json!({"steps": 0})).await;

    assert_eq!(
        (
            &recorded["frames"],
            &recorded["num_frames"],
            &recorded["total_time"]
        ),
        (&json!([]), &json!(0), &json!(0.0))
    );
    assert!(events(&recorded, "started").is_empty(), "{recorded}");
}
