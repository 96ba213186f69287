//! Looking at a simulation: parts of its state, contacts, energy, and what the service can do.

use serde_json::{Value, json};

use crate::{
    harness::{Instance, Reply, find, ground, number, sphere, triple, zero_gravity},
    physics::{G, World, all_close, close, length, loose_box, turned, with},
};

impl World {
    async fn look(&self, what: &str) -> Reply {
        self.client
            .get(format!("/simulations/{}/{what}", self.sim))
            .await
    }

    async fn seen(&self, what: &str) -> Value {
        self.look(what).await.expect_status(200).json()
    }
}

#[tokio::test]
async fn a_resting_box_stands_on_four_points_that_bear_its_weight() {
    let (mass, dt) = (3.0, 0.01);
    let crate_ = with(
        loose_box("crate", [1.0, 1.0, 2.0], [0.0, 0.5, 0.0]),
        &json!({"mass": mass, "can_sleep": false}),
    );
    let world = World::new(&json!({"dt": dt, "bodies": [ground("a-floor"), crate_, sphere("far", 0.5, [50.0, 50.0, 0.0])]})).await;
    assert_eq!(world.seen("contacts").await, json!({"contacts": []}));
    world.step(300).await;

    let seen = world.seen("contacts").await;

    let pairs = seen["contacts"].as_array().unwrap();
    assert_eq!(pairs.len(), 1, "{seen}");
    assert_eq!(
        (&pairs[0]["body_a"], &pairs[0]["body_b"]),
        (&json!("a-floor"), &json!("crate"))
    );
    all_close(
        triple(&pairs[0]["normal"]),
        [0.0, 1.0, 0.0],
        1e-4,
        "from the floor to the box",
    );
    let points = pairs[0]["points"].as_array().unwrap();
    assert_eq!(points.len(), 4, "{seen}");
    let mut corners: Vec<_> = points
        .iter()
        .map(|point| triple(&point["position"]))
        .collect();
    corners.sort_by(|one, other| one.partial_cmp(other).expect("numbers"));
    for (corner, (x, z)) in corners
        .iter()
        .zip([(-0.5, -1.0), (-0.5, 1.0), (0.5, -1.0), (0.5, 1.0)])
    {
        all_close(*corner, [x, 0.0, z], 0.01, "a corner");
    }
    let sum: f64 = points.iter().map(|point| number(&point["impulse"])).sum();
    close(
        sum,
        mass * G * dt,
        mass * G * dt * 0.01,
        "the impulse of a step",
    );
    for point in points {
        assert!(number(&point["depth"]).abs() < 0.005, "{point}");
    }

    let none = world.seen("contacts?bodies=far").await;
    assert_eq!(none, json!({"contacts": []}));
    let all = world.seen("contacts?bodies=far,crate").await;
    assert_eq!(all, seen);
    let unknown = world.look("contacts?bodies=nobody").await;
    unknown
        .expect_problem(422, "invalid_value")
        .expect_pointers(&["/bodies"]);
}

#[tokio::test]
async fn contacts_beyond_the_limit_are_left_out_and_said_to_be() {
    let crates: Vec<_> = (0..5)
        .map(|n| {
            loose_box(
                &format!("c{n}"),
                [1.0, 1.0, 1.0],
                [f64::from(n) * 3.0, 0.5, 0.0],
            )
        })
        .collect();
    let flags = ["--max-contacts-per-reply", "3"];
    let world = World::with_flags(&flags, &json!({"bodies": crates})).await;
    world
        .client
        .add_body(&world.sim, &ground("floor"))
        .await
        .expect_status(201);
    world.step(5).await;

    let seen = world.seen("contacts").await;

    let pairs = seen["contacts"].as_array().unwrap();
    let names: Vec<_> = pairs
        .iter()
        .map(|pair| pair["body_a"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["c0", "c1", "c2"]);
    assert_eq!(seen["truncated"], true);
}

#[tokio::test]
async fn energy_and_momentum_are_those_of_the_textbook() {
    // A bar of 2 kg turns about an axis that is none of its own, and flies past the origin.
    let quarter = turned([0.0, 0.0, 1.0], std::f64::consts::FRAC_PI_2);
    let bar = json!({"id": "bar", "shape": "box", "size": [1, 2, 3], "mass": 2, "position": [0, 3, 1],
        "orientation": quarter, "velocity": [4, 0, 0], "angular_velocity": [1, 2, 3]});
    let ball = with(
        sphere("ball", 0.5, [5.0, 0.0, 0.0]),
        &json!({"mass": 6.0, "velocity": [0, 0, -1]}),
    );
    let world = World::new(&json!({"bodies": [ground("floor"), bar, ball]})).await;
    // Principal moments m/12 (b² + c²); a quarter turn about z exchanges x and y.
    let [ix, iy, iz] = [13.0, 10.0, 5.0].map(|sum| 2.0 / 12.0 * sum);
    let spin = [iy * 1.0, ix * 2.0, iz * 3.0];
    let kinetic_bar = 0.5 * 2.0 * 16.0 + 0.5 * (spin[0] + spin[1] * 2.0 + spin[2] * 3.0);

    let seen = world.seen("energy?bodies=ball,bar").await;

    let tolerance = 1e-4;
    let bar = find(&seen["bodies"], "id", "bar");
    close(number(&bar["kinetic"]), kinetic_bar, tolerance, "kinetic");
    close(
        number(&bar["potential"]),
        2.0 * G * 3.0,
        tolerance,
        "potential",
    );
    all_close(
        triple(&bar["linear_momentum"]),
        [8.0, 0.0, 0.0],
        tolerance,
        "momentum",
    );
    // r × p = (0, 3, 1) × (8, 0, 0) = (0, 8, -24).
    let about_origin = [spin[0], spin[1] + 8.0, spin[2] - 24.0];
    all_close(
        triple(&bar["angular_momentum"]),
        about_origin,
        tolerance,
        "angular momentum",
    );
    all_close(
        triple(&bar["center_of_mass"]),
        [0.0, 3.0, 1.0],
        tolerance,
        "centre",
    );
    assert_eq!(
        seen["bodies"][0]["id"], "bar",
        "in the order they were added"
    );
    close(number(&seen["mass"]), 8.0, tolerance, "mass");
    close(
        number(&seen["kinetic"]),
        kinetic_bar + 3.0,
        tolerance,
        "of both",
    );
    close(
        number(&seen["total"]),
        number(&seen["kinetic"]) + number(&seen["potential"]),
        tolerance,
        "in total",
    );
    all_close(
        triple(&seen["center_of_mass"]),
        [3.75, 0.75, 0.25],
        tolerance,
        "of both",
    );
    all_close(
        triple(&seen["linear_momentum"]),
        [8.0, 0.0, -6.0],
        tolerance,
        "of both",
    );

    for (query, place) in [
        ("bodies=floor", "/bodies"),
        ("bodies=nobody", "/bodies"),
        ("bodies=a%20b", "/bodies"),
        ("bodies=bar&bodies=ball", "/bodies"),
    ] {
        let refused = world.look(&format!("energy?{query}")).await;
        refused
            .expect_problem(422, "invalid_value")
            .expect_pointers(&[place]);
    }
    world
        .look("energy?fields=mass")
        .await
        .expect_problem(422, "unknown_field");
}

#[tokio::test]
async fn what_is_left_alone_keeps_its_energy_and_momentum() {
    let bodies: Vec<_> = (0..6)
        .map(|n| {
            let at = f64::from(n);
            with(loose_box(&format!("b{n}"), [0.3, 0.7, 1.1], [at * 4.0, at, -at]), &json!({
                "velocity": [at - 2.0, 0.5, 1.0], "angular_velocity": [1.0, at * 0.3, -0.5], "restitution": 1.0, "can_sleep": false,
            }))
        })
        .collect();
    let world = World::new(&with(
        zero_gravity(),
        &json!({"dt": 0.001, "bodies": bodies}),
    ))
    .await;
    let before = world.seen("energy").await;
    world.step(1000).await;
    let after = world.seen("energy").await;

    let tolerance = |value: f64| value.abs() * 2e-3;
    for field in ["kinetic", "total"] {
        let expected = number(&before[field]);
        close(number(&after[field]), expected, tolerance(expected), field);
    }
    for field in ["linear_momentum", "angular_momentum"] {
        let expected = triple(&before[field]);
        all_close(
            triple(&after[field]),
            expected,
            tolerance(length(expected)),
            field,
        );
    }

    // A thrown ball trades one kind for the other.
    let ball = with(
        sphere("ball", 0.5, [0.0, 100.0, 0.0]),
        &json!({"velocity": [3, 20, 0]}),
    );
    let world = World::new(&json!({"dt": 0.001, "bodies": [ball]})).await;
    let before = world.seen("energy").await;
    world.step(3000).await;
    let after = world.seen("energy").await;
    let total = number(&before["total"]);
    close(total, 0.5 * 409.0 + G * 100.0, 1e-2, "at the start");
    close(number(&after["total"]), total, total * 1e-3, "in flight");
    assert!(
        (number(&after["kinetic"]) - number(&before["kinetic"])).abs() > 50.0,
        "{after}"
    );
}

#[tokio::test]
async fn without_anything_that_moves_there_is_no_mass_and_no_center() {
    let world = World::new(&json!({"bodies": [ground("floor")]})).await;
    let seen = world.seen("energy").await;
    let nothing = json!({"kinetic": 0.0, "potential": 0.0, "total": 0.0, "linear_momentum": [0.0, 0.0, 0.0], "angular_momentum": [0.0, 0.0, 0.0], "mass": 0.0});
    assert_eq!(seen, nothing);
}

#[tokio::test]
async fn a_part_of_a_state_says_what_the_whole_says() {
    let fast = with(
        sphere("fast", 0.5, [0.0, 5.0, 0.0]),
        &json!({"velocity": [3, 0, 4]}),
    );
    let world = World::new(&with(
        zero_gravity(),
        &json!({"bodies": [ground("floor"), fast, sphere("calm", 0.5, [9.0, 5.0, 0.0])]}),
    ))
    .await;
    let whole = world.seen("state").await;

    let part = world
        .seen("state?fields=speed,position&bodies=calm,fast")
        .await;
    let named = world.seen("state?bodies=fast").await;

    let expected = json!({"sim_id": world.sim, "time": 0.0, "step": 0, "bodies": [
        {"id": "fast", "position": [0.0, 5.0, 0.0], "speed": 5.0},
        {"id": "calm", "position": [9.0, 5.0, 0.0], "speed": 0.0},
    ]});
    assert_eq!(part, expected);
    assert_eq!(named["bodies"], json!([whole["bodies"][1]]));
    for (query, place) in [
        ("bodies=fast,nobody", "/bodies"),
        ("bodies=", "/bodies"),
        ("fields=mass", "/fields"),
        ("fields=", "/fields"),
        ("fields=speed&fields=speed", "/fields"),
    ] {
        let refused = world.look(&format!("state?{query}")).await;
        refused
            .expect_problem(422, "invalid_value")
            .expect_pointers(&[place]);
    }
    world
        .look("state?every=2")
        .await
        .expect_problem(422, "unknown_field");
    for path in ["state?bodies=fast", "contacts", "energy"] {
        let head = world
            .client
            .call("HEAD", format!("/simulations/{}/{path}", world.sim))
            .send()
            .await;
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
    }
}

#[tokio::test]
async fn capabilities_say_what_is_built_in_and_what_is_set() {
    let instance =
        Instance::in_process(&["--max-steps-per-request", "77", "--state-hash", "true"]).await;
    let client = instance.client();

    let seen = client.get("/capabilities").await.expect_status(200).json();

    assert_eq!(seen["engine"]["name"], "rapier3d");
    assert_eq!(seen["limits"]["MAX_STEPS_PER_REQUEST"], 77);
    assert_eq!(seen["limits"]["MAX_BODIES_PER_SIMULATION"], 10_000);
    assert_eq!(
        seen["features"],
        json!({"journal": false, "state_hash": true, "api_keys": false})
    );
    let sphere = find(&seen["shapes"], "name", "sphere");
    assert_eq!(sphere["fields"], json!(["size", "radius"]));
    let ray = find(&seen["queries"], "name", "ray");
    assert_eq!(ray["needs"], json!(["origin", "direction"]));
    // Every shape that is listed is taken, or refused for anything but its name.
    let sim = client.simulation(&json!({})).await;
    for shape in seen["shapes"].as_array().unwrap() {
        let body = json!({"id": "it", "kind": "static", "shape": shape["name"], "bogus": 1});
        client
            .add_body(&sim, &body)
            .await
            .expect_problem(422, "unknown_field");
    }
    let head = client.call("HEAD", "/capabilities").send().await;
    assert_eq!((head.status, head.body.len()), (200, 0));
}
