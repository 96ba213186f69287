//! What shapes weigh, and how hard they are to turn.

use serde_json::{Value, json};

use crate::{
    harness::{number, triple, zero_gravity},
    physics::{World, all_close, close, near, spin, with},
};

/// A body of one kg, its centre of mass and its principal moments.
struct Truth {
    body: Value,
    volume: f64,
    center: [f64; 3],
    moments: [f64; 3],
}

fn truth(body: Value, volume: f64, center: [f64; 3], moments: [f64; 3]) -> Truth {
    Truth {
        body,
        volume,
        center,
        moments,
    }
}

/// The corners of the box from the origin to these coordinates.
fn corners([x, y, z]: [f64; 3]) -> Value {
    let corners = (0..8).map(|n| {
        let pick = |bit: u32, length: f64| if n >> bit & 1 == 1 { length } else { 0.0 };
        json!([pick(0, x), pick(1, y), pick(2, z)])
    });
    corners.collect()
}

/// The triangles of a closed box of [`corners`], seen from outside.
fn faces() -> Value {
    json!([
        [0, 2, 1],
        [1, 2, 3],
        [4, 5, 6],
        [5, 7, 6],
        [0, 1, 4],
        [1, 5, 4],
        [2, 6, 3],
        [3, 6, 7],
        [0, 4, 2],
        [2, 4, 6],
        [1, 3, 5],
        [3, 7, 5],
    ])
}

fn box_moments([x, y, z]: [f64; 3]) -> [f64; 3] {
    [y * y + z * z, x * x + z * z, x * x + y * y].map(|sum| sum / 12.0)
}

fn truths() -> Vec<Truth> {
    let pi = std::f64::consts::PI;
    let origin = [0.0; 3];
    let (r, h) = (0.4, 1.2);
    let cylinder = [
        (3.0 * r * r + h * h) / 12.0,
        r * r / 2.0,
        (3.0 * r * r + h * h) / 12.0,
    ];
    let cone_side = 3.0 / 80.0 * (4.0 * r * r + h * h);
    // A capsule is a cylinder and two half balls.
    let (straight, balls) = (pi * r * r * h, 4.0 / 3.0 * pi * r.powi(3));
    let all = straight + balls;
    let along = (straight * r * r / 2.0 + balls * 0.4 * r * r) / all;
    let across = (straight * (h * h / 12.0 + r * r / 4.0)
        + balls * (0.4 * r * r + h * h / 4.0 + 3.0 / 8.0 * h * r))
        / all;
    let sides = [0.5, 1.0, 1.5];
    let middle = sides.map(|side| side / 2.0);
    let brick = box_moments(sides);
    let sides_volume = 0.75;
    vec![
        truth(
            json!({"shape": "sphere", "radius": r}),
            balls,
            origin,
            [0.4 * r * r; 3],
        ),
        truth(
            json!({"shape": "box", "size": sides}),
            sides_volume,
            origin,
            brick,
        ),
        truth(
            json!({"shape": "cylinder", "size": [h / 2.0, r]}),
            straight,
            origin,
            cylinder,
        ),
        truth(
            json!({"shape": "cone", "size": [h / 2.0, r]}),
            straight / 3.0,
            [0.0, -h / 4.0, 0.0],
            [cone_side, 0.3 * r * r, cone_side],
        ),
        truth(
            json!({"shape": "cone", "axis": "x", "size": [h / 2.0, r]}),
            straight / 3.0,
            [-h / 4.0, 0.0, 0.0],
            [0.3 * r * r, cone_side, cone_side],
        ),
        truth(
            json!({"shape": "capsule", "size": [h / 2.0, r]}),
            all,
            origin,
            [across, along, across],
        ),
        truth(
            json!({"shape": "capsule", "point_a": [0, 0, 0], "point_b": [0, 0, h], "radius": r}),
            all,
            [0.0, 0.0, h / 2.0],
            [across, across, along],
        ),
        truth(
            json!({"shape": "convex_hull", "vertices": corners(sides)}),
            sides_volume,
            middle,
            brick,
        ),
        truth(
            json!({"shape": "convex_decomposition", "vertices": corners(sides), "indices": faces()}),
            sides_volume,
            middle,
            brick,
        ),
        truth(
            json!({"shape": "voxels", "voxel_size": [0.5, 0.5, 0.5],
                "voxels": [[0, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 1], [0, 0, 2], [0, 1, 2], [0, 1, 2]]}),
            sides_volume,
            middle,
            brick,
        ),
        truth(
            json!({"shape": "compound", "shapes": [
                {"shape": "box", "size": [0.5, 0.5, 1.5], "position": [0, 0.25, 0]},
                {"shape": "box", "size": [1.5, 0.5, 0.5], "position": [0, -0.25, 0],
                 "orientation": [0, std::f64::consts::FRAC_1_SQRT_2, 0, std::f64::consts::FRAC_1_SQRT_2]}]}),
            sides_volume,
            origin,
            brick,
        ),
        truth(
            json!({"colliders": [
                {"shape": "box", "size": [0.5, 0.25, 1.5], "position": [0, 0.375, 0]},
                {"shape": "box", "size": [0.5, 0.75, 1.5], "position": [0, -0.125, 0]}]}),
            sides_volume,
            origin,
            brick,
        ),
    ]
}

fn sorted(mut moments: [f64; 3]) -> [f64; 3] {
    moments.sort_by(f64::total_cmp);
    moments
}

async fn shown(world: &World, body: &str) -> Value {
    let reply = world.client.body(&world.sim, body).await;
    reply.expect_status(200).json()
}

#[tokio::test]
async fn every_solid_weighs_and_turns_as_geometry_says() {
    let place = [3.0, -2.0, 7.0];
    let world = World::new(&zero_gravity()).await;
    for (n, truth) in truths().into_iter().enumerate() {
        let weights = [
            (json!({"mass": 2.5}), 2.5),
            (json!({"density": 8.0}), 8.0 * truth.volume),
        ];
        for (by, (weight, mass)) in weights.into_iter().enumerate() {
            let id = format!("body-{n}-{by}");
            let what = truth.body.to_string();
            let body = with(
                with(truth.body.clone(), &weight),
                &json!({"id": id, "position": place}),
            );
            let added = world.client.add_body(&world.sim, &body).await;
            added.expect_status(201);
            let found = shown(&world, &id).await;

            near(number(&found["mass"]), mass, 1e-3, &what);
            let center = [0, 1, 2].map(|axis| place[axis] + truth.center[axis]);
            all_close(triple(&found["center_of_mass"]), center, 2e-3, &what);
            let moments = sorted(triple(&found["inertia"]));
            let expected = sorted(truth.moments.map(|moment| mass * moment));
            for axis in 0..3 {
                near(moments[axis], expected[axis], 5e-3, &what);
            }
        }
    }
}

#[tokio::test]
async fn a_decomposition_keeps_the_notch_that_a_hull_fills() {
    // An L of three unit cubes, 1 m deep.
    let outline = [
        [0.0, 0.0],
        [2.0, 0.0],
        [2.0, 1.0],
        [1.0, 1.0],
        [1.0, 2.0],
        [0.0, 2.0],
    ];
    let at = |z: f64| outline.map(|[x, y]| json!([x, y, z]));
    let vertices: Vec<Value> = at(0.0).into_iter().chain(at(1.0)).collect();
    let caps = [[0, 1, 3], [1, 2, 3], [0, 3, 5], [3, 4, 5]];
    let back = caps.map(|[a, b, c]| json!([a, c, b]));
    let front = caps.map(|corners| json!(corners.map(|corner| corner + 6)));
    let sides = (0..6).flat_map(|n| {
        let m = (n + 1) % 6;
        [json!([n, m, m + 6]), json!([n, m + 6, n + 6])]
    });
    let indices: Vec<Value> = back.into_iter().chain(front).chain(sides).collect();
    let world = World::new(&zero_gravity()).await;
    let members = json!({"density": 1.0, "vertices": vertices});
    let mut masses = Vec::new();
    for (id, shape) in [
        ("hull", json!({"shape": "convex_hull"})),
        (
            "parts",
            json!({"shape": "convex_decomposition", "indices": indices, "resolution": 64}),
        ),
    ] {
        let body = with(with(shape, &members), &json!({"id": id}));
        world
            .client
            .add_body(&world.sim, &body)
            .await
            .expect_status(201);
        masses.push(number(&shown(&world, id).await["mass"]));
    }
    close(masses[0], 3.5, 1e-3, "the hull");
    close(masses[1], 3.0, 0.12, "its parts");
}

#[tokio::test]
async fn colliders_share_the_mass_that_is_left_by_their_volumes() {
    // 1 m³ and 3 m³ share 8 kg less the 2 kg of the sphere's own; a sensor has no part in it.
    let body = json!({"id": "body", "mass": 8.0, "colliders": [
        {"shape": "box", "size": [1, 1, 1], "position": [1, 0, 0]},
        {"shape": "box", "size": [3, 1, 1], "position": [-1, 0, 0]},
        {"shape": "sphere", "radius": 0.5, "position": [0, 4, 0], "mass": 2.0},
        {"shape": "box", "size": [9, 9, 9], "position": [50, 0, 0], "is_sensor": true},
    ]});
    let world = World::new(&with(zero_gravity(), &json!({"bodies": [body]}))).await;

    let found = shown(&world, "body").await;

    close(number(&found["mass"]), 8.0, 0.0, "the whole");
    let center = [(1.5 - 4.5) / 8.0, 8.0 / 8.0, 0.0];
    all_close(triple(&found["center_of_mass"]), center, 1e-5, "the middle");
    let sum = json!({"id": "sum", "colliders": [
        {"shape": "box", "size": [1, 1, 1], "density": 2.0}, {"shape": "sphere", "radius": 1, "mass": 3.0}]});
    let sum = world.client.add_body(&world.sim, &sum);
    sum.await.expect_status(201);
    close(
        number(&shown(&world, "sum").await["mass"]),
        5.0,
        1e-5,
        "a sum",
    );
}

#[tokio::test]
async fn mass_properties_given_outright_replace_those_of_the_shape() {
    let body = json!({"id": "body", "shape": "box", "size": [1, 1, 1], "mass_properties": {
        "mass": 4.0, "center_of_mass": [0, 1, 0], "inertia": [1.0, 2.0, 3.0]}});
    let frame = json!({"id": "frame", "colliders": [], "mass": 2.0, "position": [9, 0, 0]});
    let world = World::new(&with(zero_gravity(), &json!({"bodies": [body, frame]}))).await;

    let body = shown(&world, "body").await;
    assert_eq!(
        (&body["mass"], &body["center_of_mass"]),
        (&json!(4.0), &json!([0.0, 1.0, 0.0]))
    );
    all_close(
        sorted(triple(&body["inertia"])),
        [1.0, 2.0, 3.0],
        1e-5,
        "inertia",
    );
    // Without a shape it turns as a ball of 10 cm does.
    let frame = shown(&world, "frame").await;
    all_close(
        triple(&frame["inertia"]),
        [0.4 * 2.0 * 0.01; 3],
        1e-7,
        "of a frame",
    );
    world
        .push("frame", &json!({"impulse": [6.0, 0.0, 0.0]}))
        .await;
    let state = world.step(100).await;
    close(
        crate::physics::velocity(&state, "frame")[0],
        3.0,
        1e-5,
        "p / m",
    );
}

#[tokio::test]
async fn a_torque_impulse_turns_a_body_by_its_share_of_the_inertia() {
    let body = json!({"id": "body", "mass": 3.0, "shape": "box", "size": [1.0, 2.0, 3.0]});
    let world = World::new(&with(zero_gravity(), &json!({"bodies": [body]}))).await;
    let push = json!({"torque_impulse": [0.0, 5.0, 0.0]});
    world.push("body", &push).await;

    let state = world.step(1).await;

    let omega = 5.0 / (3.0 / 12.0 * (1.0 + 9.0));
    all_close(spin(&state, "body"), [0.0, omega, 0.0], 1e-4, "L / I");
    let nothing = world.client.impulse(&world.sim, "body", &json!({})).await;
    nothing
        .expect_problem(422, "invalid_value")
        .expect_pointers(&["/impulse"]);
}

#[tokio::test]
async fn a_new_shape_or_mass_is_felt_by_the_next_push() {
    let body = json!({"id": "body", "shape": "sphere", "radius": 1.0, "mass": 2.0});
    let world = World::new(&with(zero_gravity(), &json!({"bodies": [body]}))).await;
    let steps = [
        (json!({"shape": "box", "size": [1, 1, 1]}), 2.0),
        (json!({"density": 6.0}), 6.0),
        (
            json!({"colliders": [{"shape": "box", "size": [1, 2, 1]}]}),
            12.0,
        ),
        (
            json!({"mass_properties": {"mass": 5.0, "inertia": [1, 1, 1]}}),
            5.0,
        ),
        (json!({"mass": 4.0}), 4.0),
        (json!({"colliders": []}), 4.0),
    ];
    for (patch, mass) in steps {
        world
            .patch(
                "body",
                &with(patch.clone(), &json!({"velocity": [0, 0, 0]})),
            )
            .await;
        world
            .push("body", &json!({"impulse": [0.0, 0.0, 12.0]}))
            .await;
        let state = world.state().await;
        near(
            crate::physics::velocity(&state, "body")[2],
            12.0 / mass,
            1e-5,
            &patch.to_string(),
        );
        close(
            number(&shown(&world, "body").await["mass"]),
            mass,
            1e-5,
            "shown",
        );
    }
}
