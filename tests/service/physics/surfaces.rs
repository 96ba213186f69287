//! Shapes that hold others up, and how colliders meet.

use serde_json::{Value, json};

use crate::{
    harness::{sphere, zero_gravity},
    physics::{World, close, contacts, loose_box, position, velocity, with},
};

#[tokio::test]
async fn a_ball_rests_at_its_radius_on_every_shape() {
    let half = std::f64::consts::FRAC_1_SQRT_2;
    // Each has its top at y = 0 beneath the ball.
    let grounds = [
        json!({"shape": "plane"}),
        json!({"shape": "segment", "point_a": [-5, 0, 0], "point_b": [5, 0, 0]}),
        json!({"shape": "polyline", "vertices": [[-5, 0, 0], [5, 0, 0], [5, 0, 9]]}),
        json!({"shape": "polyline", "vertices": [[-5, 0, 0], [0, -9, 0], [5, 0, 0]], "indices": [[0, 2]]}),
        json!({"shape": "triangle", "vertices": [[-5, 0, -5], [0, 0, 9], [5, 0, -5]]}),
        json!({"shape": "triangle", "vertices": [[-5, -1, -5], [0, -1, 9], [5, -1, -5]], "border_radius": 1.0}),
        json!({"shape": "mesh", "vertices": [[-5, 0, -5], [-5, 0, 5], [5, 0, 5], [5, 0, -5]], "indices": [[0, 1, 2], [0, 2, 3]]}),
        json!({"shape": "heightfield", "heights": [[2, 2, 2], [2, 2, 2]], "scale": [8, 0.5, 8], "position": [0, -1, 0]}),
        json!({"shape": "box", "size": [8, 2, 8], "position": [0, -1, 0]}),
        json!({"shape": "box", "size": [8, 1, 8], "position": [0, -1, 0], "border_radius": 0.5}),
        json!({"shape": "cylinder", "size": [1, 4], "position": [0, -1, 0]}),
        json!({"shape": "cylinder", "size": [1, 4], "position": [0, -1.5, 0], "border_radius": 0.5}),
        json!({"shape": "cylinder", "size": [4, 1], "axis": "z", "position": [0, -1, 0]}),
        json!({"shape": "capsule", "size": [4, 1], "axis": "x", "position": [0, -1, 0]}),
        json!({"shape": "cone", "size": [4, 4], "position": [0, -4, 0], "orientation": [1, 0, 0, 0], "kind": "kinematic"}),
        json!({"shape": "convex_hull", "vertices": [[-5, 0, -5], [-5, 0, 5], [5, 0, 5], [5, 0, -5], [0, -3, 0]]}),
        json!({"shape": "voxels", "voxel_size": [1, 1, 1], "voxels": [[-1, -1, -1], [0, -1, 0], [-1, -1, 0], [0, -1, -1]]}),
        json!({"shape": "compound", "shapes": [{"shape": "box", "size": [9, 1, 9], "position": [0, -0.5, 0]}, {"shape": "sphere", "radius": 0.5, "position": [4, 0, 4]}]}),
        json!({"colliders": [{"shape": "box", "size": [9, 9, 1], "position": [0, -0.5, 0], "orientation": [half, 0, 0, half]}]}),
    ];
    let mut world = World::new(&json!({})).await;
    for ground in grounds {
        let what = ground.to_string();
        let ground = with(
            json!({"id": "ground", "kind": "static", "friction": 1.0}),
            &ground,
        );
        let ball = with(
            sphere("ball", 0.5, [0.0, 0.6, 0.0]),
            &json!({"restitution": 0.0}),
        );
        world
            .again(&json!({"dt": 0.01, "bodies": [ground, ball]}))
            .await;

        let state = world.step(300).await;

        close(position(&state, "ball")[1], 0.5, 5e-3, &what);
        assert_eq!(contacts(&state, "ball"), ["ground"], "{what}");
    }
}

#[tokio::test]
async fn rows_of_a_heightfield_follow_z_and_their_numbers_x() {
    let mut world = World::new(&json!({})).await;
    // High at the last row, then at the last number of each row: the ball rolls the other way.
    for (heights, axis) in [(json!([[0, 0], [1, 1]]), 2), (json!([[0, 1], [0, 1]]), 0)] {
        let slope = json!({"id": "slope", "kind": "static", "shape": "heightfield", "heights": heights, "scale": [8, 2, 8]});
        let ball = sphere("ball", 0.25, [0.0, 1.3, 0.0]);
        world.again(&json!({"bodies": [slope, ball]})).await;

        let state = world.step(60).await;

        let at = position(&state, "ball");
        assert!(at[axis] < -0.1, "{heights}: {at:?}");
        close(at[2 - axis], 0.0, 0.2, "nothing pushes it sideways");
        // The surface is at 1 m in the middle and falls a quarter.
        let height = 1.0 + 0.25 * at[axis];
        let above = (at[1] - height) / (1.0f64 + 1.0 / 16.0).sqrt();
        close(above, 0.25, 1e-2, "on the surface");
    }
}

/// How fast a box is that slid for a while on a floor, the two with these rules.
async fn slid(world: &mut World, floor: &Value, slider: &Value) -> f64 {
    let floor = with(
        json!({"id": "floor", "kind": "static", "shape": "box", "size": [90, 1, 9], "position": [0, -0.5, 0], "friction": 0.2}),
        floor,
    );
    let slider = with(
        with(
            loose_box("box", [1.0, 0.2, 1.0], [0.0, 0.1, 0.0]),
            &json!({"velocity": [4, 0, 0], "friction": 0.05, "restitution": 0}),
        ),
        slider,
    );
    world
        .again(&json!({"dt": 0.005, "bodies": [floor, slider]}))
        .await;
    velocity(&world.step(200).await, "box")[0]
}

#[tokio::test]
async fn each_combine_rule_makes_its_own_friction_of_two() {
    let mut world = World::new(&json!({})).await;
    let (a, b) = (0.2f64, 0.05f64);
    let rules = [
        ("average", f64::midpoint(a, b)),
        ("min", b),
        ("multiply", a * b),
        ("max", a),
        ("clamped_sum", a + b),
        ("geometric_mean", (a * b).sqrt()),
    ];
    for (at, (rule, friction)) in rules.into_iter().enumerate() {
        let told = json!({"friction_combine_rule": rule});
        let speed = slid(&mut world, &told, &json!({})).await;
        close(speed, 4.0 - friction * 9.81, 0.03, rule);
        // Of two rules the later one is taken, whoever has it.
        let (weaker, _) = rules[at.saturating_sub(1)];
        let weaker = json!({"friction_combine_rule": weaker});
        let speed = slid(&mut world, &weaker, &told).await;
        close(
            speed,
            4.0 - friction * 9.81,
            0.03,
            &format!("{weaker} against {rule}"),
        );
    }
}

#[tokio::test]
async fn bounciness_is_combined_as_told() {
    let mut world = World::new(&json!({})).await;
    for (rule, bounce) in [("min", 0.2), ("max", 0.8), ("multiply", 0.16)] {
        let wall = json!({"id": "wall", "kind": "static", "shape": "box", "size": [1, 9, 9], "position": [5, 0, 0], "restitution": 0.2, "restitution_combine_rule": rule});
        let ball = with(
            sphere("ball", 0.5, [0.0; 3]),
            &json!({"velocity": [6, 0, 0], "restitution": 0.8}),
        );
        world
            .again(&with(
                zero_gravity(),
                &json!({"dt": 0.005, "bodies": [wall, ball]}),
            ))
            .await;
        let state = world.step(300).await;
        close(-velocity(&state, "ball")[0], 6.0 * bounce, 0.1, rule);
    }
}

#[tokio::test]
async fn groups_say_who_meets_and_who_is_pushed() {
    let mut world = World::new(&json!({})).await;
    let groups =
        |memberships: u32, filter: u32| json!({"memberships": memberships, "filter": filter});
    let of = |name: &str, memberships, filter| json!({name: groups(memberships, filter)});
    let cases = [
        (
            of("collision_groups", 1, 1),
            of("collision_groups", 1, 1),
            true,
        ),
        (
            of("collision_groups", 1, 2),
            of("collision_groups", 2, 1),
            true,
        ),
        (
            of("collision_groups", 1, 2),
            of("collision_groups", 2, 4),
            false,
        ),
        (
            of("collision_groups", 1, 1),
            of("collision_groups", 2, 2),
            false,
        ),
        (of("solver_groups", 1, 1), of("solver_groups", 2, 2), false),
        (of("solver_groups", 1, 2), of("solver_groups", 2, 1), true),
        (
            json!({"collision_groups": {"memberships": 0}}),
            json!({}),
            false,
        ),
    ];
    for (floor, ball, is_held) in cases {
        let what = format!("{floor} {ball}");
        let floor = with(json!({"id": "floor", "shape": "plane"}), &floor);
        let ball = with(sphere("ball", 0.5, [0.0, 0.5, 0.0]), &ball);
        world.again(&json!({"bodies": [floor, ball]})).await;
        let flight = world.record("ball", &json!({"steps": 60})).await;
        let state = world.state().await;
        assert_eq!(position(&state, "ball")[1] > 0.4, is_held, "{what}");
        if is_held {
            assert_eq!(contacts(&state, "ball"), ["floor"], "{what}: {flight}");
        }
    }
}

#[tokio::test]
async fn groups_can_be_changed_under_what_rests() {
    let bodies = json!([{"id": "floor", "shape": "plane"}, sphere("ball", 0.5, [0.0, 0.5, 0.0])]);
    let world = World::new(&json!({"bodies": bodies})).await;
    let state = world.step(200).await;
    close(position(&state, "ball")[1], 0.5, 5e-3, "it rests");

    let alone = json!({"collision_groups": {"memberships": 2, "filter": 2}});
    world
        .patch(
            "floor",
            &json!({"collision_groups": {"memberships": 1, "filter": 1}}),
        )
        .await;
    world.patch("ball", &alone).await;

    let state = world.step(60).await;
    assert!(position(&state, "ball")[1] < -1.0, "{state}");
}

#[tokio::test]
async fn a_contact_skin_holds_others_off() {
    let bodies = json!([
        {"id": "floor", "shape": "plane", "contact_skin": 0.05},
        with(sphere("ball", 0.5, [0.0, 0.7, 0.0]), &json!({"contact_skin": 0.02, "restitution": 0})),
    ]);
    let world = World::new(&json!({"dt": 0.01, "bodies": bodies})).await;
    let state = world.step(300).await;
    close(position(&state, "ball")[1], 0.57, 5e-3, "both skins");
}

#[tokio::test]
async fn a_body_can_have_a_sensor_beside_what_is_solid() {
    // A box with a feeler before it, which the wall does not stop.
    let cart = json!({"id": "cart", "velocity": [1, 0, 0], "restitution": 0, "colliders": [
        {"shape": "box", "size": [1, 1, 1]},
        {"shape": "sphere", "radius": 0.2, "position": [1, 0, 0], "is_sensor": true},
    ]});
    let wall = json!({"id": "wall", "kind": "static", "shape": "box", "size": [1, 4, 4], "position": [3, 0, 0], "restitution": 0});
    let world = World::new(&with(
        zero_gravity(),
        &json!({"dt": 0.01, "bodies": [cart, wall]}),
    ))
    .await;

    let before = world.step(120).await;
    let felt = world.step(40).await;
    let stopped = world.step(200).await;

    assert!(contacts(&before, "cart").is_empty(), "{before}");
    assert_eq!(
        contacts(&felt, "cart"),
        ["wall"],
        "the feeler, at {:?}",
        position(&felt, "cart")
    );
    close(
        velocity(&felt, "cart")[0],
        1.0,
        1e-6,
        "and nothing pushes back",
    );
    close(
        position(&stopped, "cart")[0],
        2.0,
        0.3,
        "until the box is there",
    );
    assert!(velocity(&stopped, "cart")[0] < 0.5, "{stopped}");
}

#[tokio::test]
async fn a_disabled_collider_is_not_there() {
    let floor = json!({"id": "floor", "kind": "static", "colliders": [
        {"shape": "box", "size": [9, 1, 9], "position": [0, -0.5, 0], "enabled": false},
        {"shape": "box", "size": [9, 1, 9], "position": [0, -3.5, 0]},
    ]});
    let ball = with(
        sphere("ball", 0.5, [0.0, 1.0, 0.0]),
        &json!({"restitution": 0}),
    );
    let world = World::new(&json!({"dt": 0.01, "bodies": [floor, ball]})).await;
    let state = world.step(300).await;
    close(position(&state, "ball")[1], -2.5, 5e-3, "on the lower one");
}
