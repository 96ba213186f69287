//! Collisions: how high, how hard, where.

use serde_json::{Value, json};

use crate::{
    harness::{ground, number, sphere, triple},
    physics::{
        G, World, all_close, distance, events, fixed_box, frames, near, position, steps_for,
        velocity, with,
    },
};

fn floors() -> [Value; 2] {
    [
        ground("floor"),
        fixed_box("floor", [60.0, 2.0, 60.0], [0.0, -1.0, 0.0]),
    ]
}

#[tokio::test]
async fn a_ball_of_restitution_0_8_rises_to_0_64_of_its_height() {
    let mut world = World::new(&json!({})).await;
    for dt in [0.01, 0.008, 0.005, 0.002] {
        for height in [1.0, 1.37, 2.0, 5.0] {
            for floor in floors() {
                let ball = with(
                    sphere("ball", 0.5, [0.0, 0.5 + height, 0.0]),
                    &json!({"restitution": 0.8}),
                );
                let floor = with(floor, &json!({"restitution": 0.8}));
                world
                    .again(&json!({"dt": dt, "bodies": [floor, ball]}))
                    .await;

                let flight = world.record("ball", &json!({"steps": 2000})).await;

                let rise = highest_after_first_bounce(&flight) - 0.5;
                near(
                    rise,
                    0.64 * height,
                    0.03,
                    &format!("dropped from {height} m at dt {dt} on {}", floor["shape"]),
                );
            }
        }
    }
}

fn highest_after_first_bounce(flight: &Value) -> f64 {
    let mut rising = false;
    let mut top = 0.0_f64;
    for frame in frames(flight) {
        let (height, speed) = (triple(&frame["position"])[1], triple(&frame["velocity"])[1]);
        if speed > 0.0 {
            rising = true;
        } else if rising {
            return top.max(height);
        }
        if rising {
            top = top.max(height);
        }
    }
    panic!("the ball never came down again");
}

#[tokio::test]
async fn an_elastic_head_on_collision_keeps_momentum_and_energy() {
    for (m, n, u, v) in [
        (1.0, 1.0, 5.0, -5.0),
        (1.0, 1.0, 4.0, 0.0),
        (1.0, 3.0, 5.0, -2.0),
        (2.0, 0.5, 8.0, -10.0),
    ] {
        let elastic = json!({"restitution": 1.0, "friction": 0.0, "can_sleep": false});
        let left = with(
            with(sphere("left", 0.5, [-3.0, 0.0, 0.0]), &elastic),
            &json!({"mass": m, "velocity": [u, 0.0, 0.0]}),
        );
        let right = with(
            with(sphere("right", 0.5, [3.0, 0.0, 0.0]), &elastic),
            &json!({"mass": n, "velocity": [v, 0.0, 0.0]}),
        );
        let world =
            World::new(&json!({"gravity": [0, 0, 0], "dt": 0.01, "bodies": [left, right]})).await;

        let state = world.step(300).await;

        let (after_left, after_right) = (velocity(&state, "left"), velocity(&state, "right"));
        let (a, b) = (after_left[0], after_right[0]);
        near(
            m * a + n * b + 100.0,
            m * u + n * v + 100.0,
            1e-5,
            "momentum",
        );
        near(m * a * a + n * b * b, m * u * u + n * v * v, 1e-3, "energy");
        all_close(
            after_left,
            [((m - n) * u + 2.0 * n * v) / (m + n), 0.0, 0.0],
            1e-3,
            "left after it",
        );
        all_close(
            after_right,
            [((n - m) * v + 2.0 * m * u) / (m + n), 0.0, 0.0],
            1e-3,
            "right after it",
        );
    }
}

#[tokio::test]
async fn an_inelastic_collision_keeps_momentum() {
    let soft = json!({"restitution": 0.0, "friction": 0.0});
    let left = with(
        with(sphere("left", 0.5, [-3.0, 0.0, 0.0]), &soft),
        &json!({"velocity": [6.0, 0.0, 0.0]}),
    );
    let right = with(
        with(sphere("right", 0.5, [3.0, 0.0, 0.0]), &soft),
        &json!({"mass": 2.0}),
    );
    let world =
        World::new(&json!({"gravity": [0, 0, 0], "dt": 0.01, "bodies": [left, right]})).await;

    let state = world.step(200).await;

    let (a, b) = (velocity(&state, "left")[0], velocity(&state, "right")[0]);
    near(a + 2.0 * b, 6.0, 1e-4, "momentum");
    near(a, 2.0, 0.03, "they go on together: left");
    near(b, 2.0, 0.03, "they go on together: right");
}

/// A throw that comes down at (4, 0, -2) after `flight` seconds, at `impact` m/s downwards.
fn throw(radius: f64, mass: f64, impact: f64, across: [f64; 2], flight: f64) -> Value {
    let up = G * flight - impact;
    let start = [
        4.0 - across[0] * flight,
        radius - up * flight + 0.5 * G * flight * flight,
        -2.0 - across[1] * flight,
    ];
    with(
        sphere("ball", radius, start),
        &json!({"mass": mass, "velocity": [across[0], up, across[1]]}),
    )
}

#[tokio::test]
async fn a_landing_reports_where_and_how_hard() {
    let mut world = World::new(&json!({})).await;
    for dt in [0.01, 0.005, 0.002] {
        for restitution in [0.0, 0.3, 0.8] {
            for (radius, mass, impact, across) in [
                (0.5, 1.0, 6.0, [2.0, -1.0]),
                (0.2, 2.0, 4.0, [1.0, 0.5]),
                (0.3, 1.0, 9.0, [0.0, 0.0]),
                (0.1, 0.5, 12.0, [4.0, -2.0]),
            ] {
                for (phase, floor) in (0_u8..4).flat_map(|n| floors().map(move |floor| (n, floor)))
                {
                    let flight = impact / G * 0.9 + f64::from(phase) * dt * 0.23;
                    let bouncy = json!({"restitution": restitution});
                    let ball = with(throw(radius, mass, impact, across, flight), &bouncy);
                    world
                        .again(&json!({"dt": dt, "bodies": [with(floor, &bouncy), ball]}))
                        .await;

                    let recorded = world
                        .record("ball", &json!({"steps": steps_for(flight + 0.15, dt)}))
                        .await;

                    let case = format!(
                        "dt {dt}, restitution {restitution}, radius {radius}, {impact} m/s, phase {phase}"
                    );
                    check_landing(&recorded, mass, flight, dt, &case);
                }
            }
        }
    }
}

#[track_caller]
fn check_landing(recorded: &Value, mass: f64, flight: f64, dt: f64, case: &str) {
    let started = events(recorded, "started");
    let first = started
        .first()
        .unwrap_or_else(|| panic!("{case}: no contact in {recorded}"));
    assert_eq!(
        (&first["body_a"], &first["body_b"]),
        (&json!("ball"), &json!("floor")),
        "{case}"
    );

    let point = triple(&first["contact_point"]);
    assert!(
        distance(point, [4.0, 0.0, -2.0]) <= 0.03,
        "{case}: landed at {point:?}"
    );
    all_close(
        triple(&first["normal"]),
        [0.0, -1.0, 0.0],
        1e-3,
        &format!("{case}: normal from the ball to the floor"),
    );
    let time = number(&first["time"]);
    assert!(
        (time - flight).abs() <= 1.5 * dt + 1e-6,
        "{case}: found at {time}, landed at {flight}"
    );

    let frames = frames(recorded);
    let at = frames
        .iter()
        .position(|frame| number(&frame["time"]) >= time - dt * 0.5)
        .expect("the frame of the event");
    let before = triple(&frames[at]["velocity"])[1];
    let after = settled_speed(&frames[at..]);
    near(
        number(&first["impulse_magnitude"]),
        mass * (after - before),
        0.05,
        &format!("{case}: impulse"),
    );
    near(
        triple(&first["relative_velocity"])[1],
        before,
        0.05,
        &format!("{case}: relative velocity of the ball"),
    );
}

/// The vertical speed a bounce ends with: the first that is no longer an approach.
fn settled_speed(frames: &[Value]) -> f64 {
    let speeds: Vec<f64> = frames
        .iter()
        .map(|frame| triple(&frame["velocity"])[1])
        .collect();
    let before = speeds[0];
    *speeds[1..]
        .iter()
        .find(|&&speed| speed > 0.05 * before)
        .expect("the bounce ends")
}

#[tokio::test]
async fn an_impact_that_takes_the_solver_two_steps_is_reported_whole() {
    let (dt, speed) = (0.002, 0.5);
    let mut world = World::new(&json!({})).await;
    for phase in 0_u8..32 {
        let start = -0.5 - 0.3 - f64::from(phase) * speed * dt / 32.0;
        let soft = json!({"restitution": 0.0, "friction": 0.0});
        let wall = with(fixed_box("wall", [1.0, 4.0, 4.0], [0.5, 0.0, 0.0]), &soft);
        let ball = with(
            with(sphere("ball", 0.5, [start, 0.0, 0.0]), &soft),
            &json!({"mass": 3.0, "velocity": [speed, 0.0, 0.0]}),
        );
        world
            .again(&json!({"gravity": [0, 0, 0], "dt": dt, "bodies": [wall, ball]}))
            .await;

        let recorded = world.record("ball", &json!({"steps": 400})).await;

        let started = events(&recorded, "started");
        assert_eq!(started.len(), 1, "phase {phase}: {recorded}");
        let impulse = number(&started[0]["impulse_magnitude"]);
        near(impulse, 1.5, 0.05, &format!("phase {phase}: impulse"));
        let at = triple(&started[0]["contact_point"]);
        all_close(at, [0.0; 3], 0.01, &format!("phase {phase}: point"));
    }
}

#[tokio::test]
async fn a_bullet_does_not_pass_a_thin_wall() {
    let mut world = World::new(&json!({})).await;
    for dt in [0.016, 0.01, 0.001] {
        for speed in [400.0, 100.0, 40.0] {
            for (shape, radius) in [("sphere", 0.01), ("sphere", 0.05), ("box", 0.03)] {
                for restitution in [0.0, 0.3] {
                    let wall = with(
                        fixed_box("wall", [0.05, 4.0, 40.0], [0.0, 0.0, 0.0]),
                        &json!({"restitution": restitution}),
                    );
                    let mut bodies = vec![wall];
                    bodies.extend(volley(shape, radius, restitution, speed, dt));
                    world
                        .again(&json!({"gravity": [0, 0, 0], "dt": dt, "bodies": bodies}))
                        .await;

                    let state = world.step(100).await;

                    let case = format!(
                        "dt {dt}, {speed} m/s, {shape} of {radius} m, restitution {restitution}"
                    );
                    for bullet in bodies[1..].iter().filter_map(|body| body["id"].as_str()) {
                        let x = position(&state, bullet)[0];
                        assert!(x < 0.0, "{case}: {bullet} is at {x}");
                    }
                }
            }
        }
    }
}

/// Bullets side by side, each as far from the wall at the start of its last step as its name says.
fn volley(shape: &str, radius: f64, restitution: f64, speed: f64, dt: f64) -> Vec<Value> {
    let size = if shape == "box" {
        json!([2.0 * radius, 2.0 * radius, 2.0 * radius])
    } else {
        json!([radius])
    };
    let even = (0_u8..12).map(|n| f64::from(n) * speed * dt / 12.0);
    let near = [0.005, 0.02, 0.022, 0.025].into_iter();
    (0_u8..)
        .zip(even.chain(near))
        .map(|(lane, gap)| {
            let start = -(0.025 + radius + gap + 3.0 * speed * dt);
            json!({
                "id": format!("lane-{lane}-from-{:.0}-mm", gap * 1000.0),
                "shape": shape, "size": size, "mass": 0.01, "restitution": restitution,
                "position": [start, 0.0, f64::from(lane) * 2.0 - 16.0], "velocity": [speed, 0.0, 0.0],
            })
        })
        .collect()
}

#[tokio::test]
async fn a_bullet_hits_a_thin_wall_that_can_move() {
    for phase in 0_u8..8 {
        let start = -10.0 - f64::from(phase) * 0.5;
        let bullet = with(
            sphere("bullet", 0.05, [start, 0.0, 0.0]),
            &json!({"mass": 0.01, "velocity": [400.0, 0.0, 0.0]}),
        );
        let wall = with(
            fixed_box("wall", [0.05, 4.0, 4.0], [0.0, 0.0, 0.0]),
            &json!({"kind": "dynamic", "mass": 100.0}),
        );
        let world =
            World::new(&json!({"gravity": [0, 0, 0], "dt": 0.01, "bodies": [wall, bullet]})).await;

        let state = world.step(20).await;

        let (bullet, wall) = (position(&state, "bullet")[0], position(&state, "wall")[0]);
        assert!(
            bullet < wall,
            "phase {phase}: the bullet is at {bullet}, the wall at {wall}"
        );
    }
}

#[tokio::test]
async fn the_engine_limits_speeds_to_400_metres_per_second() {
    let ball = with(
        sphere("ball", 0.1, [0.0, 0.0, 0.0]),
        &json!({"velocity": [3e4, 4e4, 0.0]}),
    );
    let world = World::new(&json!({"gravity": [0, 0, 0], "dt": 0.01, "bodies": [ball]})).await;

    let state = world.step(1).await;

    all_close(
        velocity(&state, "ball"),
        [240.0, 320.0, 0.0],
        0.1,
        "the direction stays",
    );
}
