//! Shapes and bodies that make no sense are refused, whatever they are made of.

use proptest::{
    prelude::*,
    sample::select,
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use serde_json::{Map, Value, json};

use crate::{
    harness::{Reply, zero_gravity},
    physics::{World, with},
};

/// How many random bodies are tried.
const CASES: usize = 1000;

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_the_place_it_stands_at() {
    let world = World::new(&zero_gravity()).await;
    let triangle = json!([[0, 0, 0], [1, 0, 0], [0, 1, 0]]);
    let flat = json!([[0, 0, 0], [1, 0, 0], [0, 0, 1], [1, 0, 1], [0.5, 0, 0.5]]);
    // Turned out of the planes of the axes.
    let slant = json!([[0, 0, 0], [1, 1, 0], [0, 1, 1], [1, 2, 1], [0.5, 1, 0.5]]);
    let line = json!([[0, 0, 0], [1, 1, 1], [2, 2, 2], [3, 3, 3]]);
    let spot = json!([[1, 1, 1], [1, 1, 1], [1, 1, 1], [1, 1, 1]]);
    let digest = "0123456789abcdef".repeat(4);
    let cases = [
        (json!({}), "/shape"),
        (json!({"shape": "blob"}), "/shape"),
        (
            json!({"shape": "sphere", "radius": 1, "colliders": []}),
            "/colliders",
        ),
        (json!({"colliders": [], "radius": 1}), "/radius"),
        (
            json!({"colliders": [{"shape": "sphere"}]}),
            "/colliders/0/size",
        ),
        (json!({"colliders": [{"radius": 1}]}), "/colliders/0/shape"),
        (json!({"colliders": [["sphere"]]}), "/colliders/0"),
        (json!({"colliders": null}), "/colliders"),
        (
            json!({"colliders": [{"shape": "sphere", "radius": 1, "orientation": [0, 0, 0, 2]}]}),
            "/colliders/0/orientation",
        ),
        (
            json!({"colliders": [{"shape": "sphere", "radius": 1, "friction": -1}]}),
            "/colliders/0/friction",
        ),
        (
            json!({"colliders": [{"shape": "sphere", "radius": 1, "mass": 1, "density": 1}]}),
            "/colliders/0/density",
        ),
        (
            json!({"colliders": [{"shape": "mesh", "vertices": triangle, "indices": [[0, 1, 2]]}]}),
            "/colliders/0/shape",
        ),
        (
            json!({"mass": 1, "colliders": [{"shape": "sphere", "radius": 1, "mass": 1}]}),
            "/mass",
        ),
        (
            json!({"mass": 1, "colliders": [{"shape": "sphere", "radius": 1, "mass": 1}, {"shape": "sphere", "radius": 1}]}),
            "/mass",
        ),
        (
            json!({"colliders": [{"shape": "sphere", "radius": 1, "mass": 1}, {"shape": "sphere", "radius": 1}]}),
            "/colliders/1/mass",
        ),
        (
            json!({"shape": "sphere", "radius": 1, "mass": 1, "density": 1}),
            "/density",
        ),
        (
            json!({"shape": "sphere", "radius": 1e4, "density": 1e9}),
            "/density",
        ),
        (json!({"colliders": [], "density": 1}), "/density"),
        (
            json!({"shape": "sphere", "radius": 1, "density": 0}),
            "/density",
        ),
        (
            json!({"shape": "sphere", "radius": 1, "mass": 1, "mass_properties": {"mass": 1, "inertia": [1, 1, 1]}}),
            "/mass_properties",
        ),
        (
            json!({"shape": "sphere", "radius": 1, "mass_properties": {"mass": 1, "inertia": [1, 0, 1]}}),
            "/mass_properties/inertia/1",
        ),
        (
            json!({"shape": "sphere", "radius": 1, "mass_properties": {"inertia": [1, 1, 1]}}),
            "/mass_properties/mass",
        ),
        (
            json!({"shape": "sphere", "radius": 1, "mass_properties": [1, [0, 0, 0], [1, 1, 1], [0, 0, 0, 1]]}),
            "/mass_properties",
        ),
        (
            json!({"shape": "sphere", "radius": 1, "axis": "y"}),
            "/axis",
        ),
        (
            json!({"shape": "cylinder", "size": [1, 1], "axis": "w"}),
            "/axis",
        ),
        (
            json!({"shape": "box", "size": [1, 1, 1], "border_radius": -1}),
            "/border_radius",
        ),
        (json!({"shape": "cone", "size": [1]}), "/size"),
        (
            json!({"shape": "capsule", "point_a": [0, 0, 0], "radius": 1}),
            "/point_b",
        ),
        (
            json!({"shape": "capsule", "point_a": [0, 0, 0], "point_b": [0, 0, 0], "radius": 1}),
            "/point_b",
        ),
        (
            json!({"shape": "segment", "kind": "static", "point_a": [1, 0, 0], "point_b": [1, 0, 0]}),
            "/point_b",
        ),
        (
            json!({"shape": "segment", "point_a": [1, 0, 0], "point_b": [2, 0, 0]}),
            "/kind",
        ),
        (
            json!({"shape": "triangle", "kind": "static", "vertices": line}),
            "/vertices",
        ),
        (
            json!({"shape": "triangle", "kind": "static", "vertices": [[0, 0, 0], [1, 1, 1], [2, 2, 2]]}),
            "/vertices",
        ),
        (
            json!({"shape": "polyline", "kind": "static", "vertices": []}),
            "/vertices",
        ),
        (
            json!({"shape": "polyline", "kind": "static", "vertices": triangle, "indices": [[0, 3]]}),
            "/indices/0",
        ),
        (
            json!({"shape": "polyline", "kind": "static", "vertices": triangle, "indices": [[0, 1, 2]]}),
            "/indices",
        ),
        (
            json!({"shape": "polyline", "kind": "static", "vertices": triangle, "indices": []}),
            "/indices",
        ),
        (json!({"shape": "convex_hull", "vertices": []}), "/vertices"),
        (
            json!({"shape": "convex_hull", "vertices": [[0, 0, 0], [1, 0, 0]]}),
            "/vertices",
        ),
        (
            json!({"shape": "convex_hull", "vertices": triangle}),
            "/vertices",
        ),
        (
            json!({"shape": "convex_hull", "vertices": flat}),
            "/vertices",
        ),
        (
            json!({"shape": "convex_hull", "vertices": slant}),
            "/vertices",
        ),
        (
            json!({"shape": "convex_hull", "vertices": line}),
            "/vertices",
        ),
        (
            json!({"shape": "convex_hull", "vertices": spot}),
            "/vertices",
        ),
        (
            json!({"shape": "convex_hull", "vertices": [[0, 0, 0], [1e30, 0, 0], [0, 1, 0], [0, 0, 1]]}),
            "/vertices/1",
        ),
        (
            json!({"shape": "convex_decomposition", "vertices": [], "indices": []}),
            "/vertices",
        ),
        (
            json!({"shape": "convex_decomposition", "vertices": triangle, "indices": [[0, 1, 9]]}),
            "/indices/0",
        ),
        (
            json!({"shape": "convex_decomposition", "vertices": slant, "indices": [[0, 1, 2], [1, 2, 3]]}),
            "/vertices",
        ),
        (
            json!({"shape": "convex_decomposition", "vertices": slant, "indices": [[0, 1, 2]], "resolution": 1000}),
            "/resolution",
        ),
        (
            json!({"shape": "mesh", "kind": "static", "vertices": triangle}),
            "/indices",
        ),
        (
            json!({"shape": "mesh", "kind": "static", "vertices": triangle, "indices": []}),
            "/indices",
        ),
        (
            json!({"shape": "mesh", "kind": "static", "vertices": triangle, "indices": [[0, 1, 3]]}),
            "/indices/0",
        ),
        (
            json!({"shape": "mesh", "kind": "static", "vertices": triangle, "indices": [[0, 1, -1]]}),
            "/indices/0/2",
        ),
        (
            json!({"shape": "mesh", "kind": "static", "vertices": triangle, "indices": [[0, 1]]}),
            "/indices",
        ),
        (
            json!({"shape": "mesh", "kind": "static", "vertices": triangle, "indices": [[0, 1, 2], [0, 1]]}),
            "/indices",
        ),
        (
            json!({"shape": "mesh", "vertices": triangle, "indices": [[0, 1, 2]]}),
            "/kind",
        ),
        (
            json!({"shape": "mesh", "kind": "static", "asset": "abc"}),
            "/asset",
        ),
        (
            json!({"shape": "mesh", "kind": "static", "asset": digest}),
            "/asset",
        ),
        (
            json!({"shape": "mesh", "kind": "static", "asset": digest, "vertices": triangle}),
            "/vertices",
        ),
        (
            json!({"shape": "heightfield", "kind": "static", "heights": [[0, 0]], "scale": [1, 1, 1]}),
            "/heights",
        ),
        (
            json!({"shape": "heightfield", "kind": "static", "heights": [], "scale": [1, 1, 1]}),
            "/heights",
        ),
        (
            json!({"shape": "heightfield", "kind": "static", "heights": [[0, 0], [0]], "scale": [1, 1, 1]}),
            "/heights/1",
        ),
        (
            json!({"shape": "heightfield", "kind": "static", "heights": [[0, 0], [0, 1e39]], "scale": [1, 1, 1]}),
            "/heights/1",
        ),
        (
            json!({"shape": "heightfield", "kind": "static", "heights": [[0, 0], [0, 0]], "scale": [1, 1, 0]}),
            "/scale/2",
        ),
        (
            json!({"shape": "heightfield", "heights": [[0, 0], [0, 0]], "scale": [1, 1, 1]}),
            "/kind",
        ),
        (json!({"shape": "compound", "shapes": []}), "/shapes"),
        (json!({"shape": "compound"}), "/shapes"),
        (
            json!({"shape": "compound", "shapes": [{"shape": "compound"}]}),
            "/shapes/0/shape",
        ),
        (
            json!({"shape": "compound", "shapes": [{"shape": "plane"}]}),
            "/shapes/0/shape",
        ),
        (
            json!({"shape": "compound", "shapes": [{"shape": "convex_hull", "vertices": slant}]}),
            "/shapes/0/vertices",
        ),
        (
            json!({"shape": "voxels", "voxel_size": [1, 1, 1], "voxels": []}),
            "/voxels",
        ),
        (
            json!({"shape": "voxels", "voxel_size": [1, 0, 1], "voxels": [[0, 0, 0]]}),
            "/voxel_size/1",
        ),
        (
            json!({"shape": "voxels", "voxel_size": [1, 1, 1], "voxels": [[0, 0, 2e9]]}),
            "/voxels/0/2",
        ),
        (
            json!({"shape": "voxels", "voxel_size": [1, 1, 1], "voxels": [[0, 0, 2_000_000_000]]}),
            "/voxels/0",
        ),
        (
            json!({"shape": "voxels", "voxel_size": [1, 1, 1], "voxels": [[0, 0]]}),
            "/voxels/0",
        ),
        (
            json!({"shape": "sphere", "radius": 1, "gravity_scale": 1e4}),
            "/gravity_scale",
        ),
        (
            json!({"shape": "sphere", "radius": 1, "dominance": 128}),
            "/dominance",
        ),
        (
            json!({"shape": "sphere", "radius": 1, "dominance": -128}),
            "/dominance",
        ),
        (
            json!({"shape": "sphere", "radius": 1, "locked_axes": ["x"]}),
            "/locked_axes/0",
        ),
        (
            json!({"shape": "sphere", "radius": 1, "soft_ccd_prediction": -1}),
            "/soft_ccd_prediction",
        ),
        (
            json!({"shape": "sphere", "radius": 1, "contact_skin": -1}),
            "/contact_skin",
        ),
        (
            json!({"shape": "sphere", "radius": 1, "contact_force_threshold": -1}),
            "/contact_force_threshold",
        ),
        (
            json!({"shape": "sphere", "radius": 1, "friction_combine_rule": "sum"}),
            "/friction_combine_rule",
        ),
        (
            json!({"shape": "sphere", "radius": 1, "collision_groups": {"memberships": 4_294_967_296_u64}}),
            "/collision_groups/memberships",
        ),
        (
            json!({"shape": "sphere", "radius": 1, "collision_groups": [1, 1]}),
            "/collision_groups",
        ),
        (
            json!({"shape": "sphere", "radius": 1, "additional_solver_iterations": 17}),
            "/additional_solver_iterations",
        ),
        (
            json!({"shape": "sphere", "radius": 1, "kind": "static", "sleeping": true}),
            "/sleeping",
        ),
    ];
    for (body, pointer) in cases {
        let body = with(body, &json!({"id": "body"}));
        let reply = world.client.add_body(&world.sim, &body).await;
        let problem = reply.expect_problem(422, "invalid_value");
        let pointers = problem.pointers();
        let named = pointers.iter().filter(|found| *found == pointer).count();
        assert_eq!(named, 1, "{body}: {pointers:?}");
    }
    let unknown =
        json!({"id": "body", "colliders": [{"shape": "sphere", "radius": 1, "colour": "red"}]});
    let reply = world.client.add_body(&world.sim, &unknown).await;
    reply
        .expect_problem(422, "unknown_field")
        .expect_pointers(&["/colliders/0/colour"]);
    let bodies = world
        .client
        .bodies(&world.sim)
        .await
        .expect_status(200)
        .json();
    assert_eq!(bodies, json!({"bodies": []}));
}

#[tokio::test]
async fn first_bodies_are_refused_with_the_place_of_the_shape_that_cannot_be_made() {
    let world = World::new(&zero_gravity()).await;
    let slant = json!([[0, 0, 0], [1, 1, 0], [0, 1, 1], [1, 2, 1]]);
    let bodies = json!([
        {"id": "ball", "shape": "sphere", "radius": 1},
        {"id": "hull", "shape": "convex_hull", "vertices": slant},
    ]);
    let reply = world
        .client
        .create_simulation(&json!({"bodies": bodies}))
        .await;
    reply
        .expect_problem(422, "invalid_value")
        .expect_pointers(&["/bodies/1/vertices"]);
}

#[tokio::test]
async fn what_is_too_much_is_refused_by_the_name_of_its_limit() {
    let world = World::new(&zero_gravity()).await;
    let points = |count: usize| -> Value { (0..count).map(|n| json!([n, 0, n % 7])).collect() };
    let spread = |count: usize| -> Value { (0..count).map(|n| json!([n, n % 3, 2 * n])).collect() };
    let cases = [
        (
            json!({"colliders": vec![json!({"shape": "sphere", "radius": 1}); 65]}),
            "MAX_COLLIDERS_PER_BODY",
            65,
        ),
        (
            json!({"shape": "compound", "shapes": vec![json!({"shape": "sphere", "radius": 1}); 65]}),
            "MAX_SHAPES_PER_COMPOUND",
            65,
        ),
        (
            json!({"shape": "convex_hull", "vertices": points(10_001)}),
            "MAX_HULL_POINTS",
            10_001,
        ),
        (
            json!({"shape": "polyline", "kind": "static", "vertices": points(100_001)}),
            "MAX_VERTICES_PER_SHAPE",
            100_001,
        ),
        (
            json!({"shape": "voxels", "voxel_size": [1, 1, 1], "voxels": points(100_001)}),
            "MAX_VOXELS_PER_SHAPE",
            100_001,
        ),
        (
            json!({"shape": "voxels", "voxel_size": [1, 1, 1], "voxels": spread(10_001)}),
            "MAX_VOXEL_BOXES_PER_SHAPE",
            10_001,
        ),
    ];
    for (body, limit, used) in cases {
        let body = with(body, &json!({"id": "body"}));
        let reply = world.client.add_body(&world.sim, &body).await;
        let problem = reply.expect_status(422).json();
        assert_eq!(
            (&problem["limit"], &problem["used"]),
            (&json!(limit), &json!(used)),
            "{limit}"
        );
    }
}

#[tokio::test]
async fn a_simulation_has_so_many_colliders_and_no_more() {
    let world = World::with_flags(&["--max-colliders-per-simulation", "4"], &json!({})).await;
    let (client, sim) = (&world.client, &world.sim);
    let body = |id: &str, count: usize| json!({"id": id, "colliders": vec![json!({"shape": "sphere", "radius": 1}); count]});
    let refused = |reply: Reply, used: usize| {
        let problem = reply.expect_problem(422, "limit_exceeded").body;
        let told = (&problem["limit"], &problem["maximum"], &problem["used"]);
        let limit = "MAX_COLLIDERS_PER_SIMULATION";
        assert_eq!(told, (&json!(limit), &json!(4), &json!(used)));
    };
    let many = json!([body("a", 3), body("b", 2)]);
    refused(client.add_body(sim, &many).await, 5);
    refused(client.create_simulation(&json!({"bodies": many})).await, 5);
    let both = json!([body("a", 2), body("b", 2)]);
    client.add_body(sim, &both).await.expect_status(201);

    refused(client.add_body(sim, &body("c", 1)).await, 5);
    let three = json!({"colliders": body("", 3)["colliders"]});
    refused(client.patch_body(sim, "a", &three).await, 5);
    // In a batch each command is judged by what those before it leave.
    let one = json!({"op": "patch_body", "body_id": "a", "colliders": body("", 1)["colliders"]});
    let with = |op: &str, body: Value| with(body, &json!({"op": op}));
    let batch = json!({"commands": [
        {"op": "remove_body", "body_id": "b"}, one, with("add_body", body("c", 3)),
    ]});
    let path = format!("/simulations/{sim}/commands");
    client.post(&path, &batch).await.expect_status(200);
    refused(client.add_body(sim, &body("d", 2)).await, 6);
    let batch = json!({"commands": [one, with("add_body", body("d", 1))]});
    refused(client.post(&path, &batch).await, 5);
}

#[tokio::test]
async fn no_body_whatever_it_is_made_of_breaks_a_world() {
    let grounds = json!([
        {"id": "floor", "shape": "plane"},
        {"id": "blocks", "kind": "static", "shape": "voxels", "voxel_size": [0.5, 0.5, 0.5],
         "voxels": [[0, 3, 0], [1, 3, 0], [1, 4, 0]]},
        {"id": "land", "kind": "static", "shape": "heightfield", "heights": [[1, 2], [0, 1]], "scale": [3, 1, 3]},
        {"id": "sheet", "kind": "static", "shape": "mesh", "vertices": [[-3, 1, -3], [3, 1.5, 0], [-3, 1, 3]],
         "indices": [[0, 1, 2]]},
        {"id": "wire", "kind": "static", "shape": "polyline", "vertices": [[-3, 2, 0], [0, 1.5, 1], [3, 2, 0]]},
        {"id": "blade", "kind": "static", "shape": "segment", "point_a": [0, 1, -3], "point_b": [0, 2, 3]},
        {"id": "sail", "kind": "static", "shape": "triangle", "vertices": [[-1, 1, 1], [1, 2, 1], [0, 3, 2]]},
        {"id": "gate", "kind": "static", "shape": "box", "size": [2, 2, 2], "is_sensor": true},
        {"id": "heap", "kind": "static", "shape": "compound", "shapes": [
            {"shape": "cone", "size": [0.5, 1], "position": [-1, 1, 0]}, {"shape": "sphere", "radius": 0.5}]},
    ]);
    let world = World::new(&json!({"dt": 0.01, "bodies": grounds})).await;
    let config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner =
        TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let mut taken = 0;
    for _ in 0..CASES {
        let body = body()
            .new_tree(&mut runner)
            .expect("there are bodies")
            .current();
        let reply = world.client.add_body(&world.sim, &body).await;
        if reply.status == 422 {
            continue;
        }
        assert_eq!(reply.status, 201, "{body}: {}", reply.text());
        taken += 1;
        let patch = patch()
            .new_tree(&mut runner)
            .expect("there are patches")
            .current();
        let patched = world.client.patch_body(&world.sim, "body", &patch).await;
        assert!(
            [200, 422].contains(&patched.status),
            "{body} {patch}: {}",
            patched.text()
        );
        let state = world.client.step(&world.sim, 5).await;
        assert_eq!(state.status, 200, "{body} {patch}: {}", state.text());
        let bodies = world
            .client
            .bodies(&world.sim)
            .await
            .expect_status(200)
            .text();
        let one = world
            .client
            .body(&world.sim, "body")
            .await
            .expect_status(200)
            .text();
        for text in [state.text(), bodies, one] {
            assert!(!text.contains("null"), "{body} {patch}: {text}");
            assert!(!text.contains("quarantined"), "{body} {patch}: {text}");
        }
        world
            .client
            .remove_body(&world.sim, "body")
            .await
            .expect_status(204);
    }
    assert!(
        (CASES / 10..CASES).contains(&taken),
        "{taken} of {CASES} were taken"
    );
}

fn length() -> impl Strategy<Value = Value> {
    prop_oneof![
        12 => (0.05f32..3.0).prop_map(|length| json!(length)),
        1 => select(vec![json!(1e-4), json!(1e5), json!(0), json!(-1), json!(1e30), json!(1e300), json!(1e-30)]),
    ]
}

fn point() -> impl Strategy<Value = Value> {
    prop_oneof![
        12 => prop::array::uniform3(-2i32..3).prop_map(|point| json!(point)),
        8 => prop::array::uniform3(-2.0f32..2.0).prop_map(|point| json!(point)),
        1 => select(vec![json!([1e5, 0, 0]), json!([1e-6, 1e-6, 0]), json!([1e39, 0, 0]), json!([0, 0])]),
    ]
}

fn points() -> impl Strategy<Value = Value> {
    prop::collection::vec(point(), 0..9).prop_map(Value::from)
}

fn triangles() -> impl Strategy<Value = Value> {
    prop::collection::vec(prop::array::uniform3(0u32..7), 0..9).prop_map(|list| json!(list))
}

/// A shape with what belongs to it, more or less.
fn shape() -> impl Strategy<Value = Value> {
    let cells = prop::collection::vec(prop::array::uniform3(-2i32..3), 0..6);
    let heights = prop::collection::vec(prop::collection::vec(-1.0f32..1.0, 2..4), 1..4);
    prop_oneof![
        prop::collection::vec(length(), 3).prop_map(|size| json!({"shape": "box", "size": size})),
        (length(), length()).prop_map(|(radius, border)| json!({"shape": "box", "size": [radius, 1, 1], "border_radius": border})),
        length().prop_map(|radius| json!({"shape": "sphere", "radius": radius})),
        (length(), length(), select(vec!["capsule", "cylinder", "cone"]), select(vec!["x", "y", "z"]))
            .prop_map(|(h, r, shape, axis)| json!({"shape": shape, "size": [h, r], "axis": axis})),
        (point(), point(), length()).prop_map(|(a, b, r)| json!({"shape": "capsule", "point_a": a, "point_b": b, "radius": r})),
        (point(), point()).prop_map(|(a, b)| json!({"shape": "segment", "point_a": a, "point_b": b})),
        points().prop_map(|points| json!({"shape": "triangle", "vertices": points})),
        points().prop_map(|points| json!({"shape": "polyline", "vertices": points})),
        points().prop_map(|points| json!({"shape": "convex_hull", "vertices": points})),
        (points(), length()).prop_map(|(points, r)| json!({"shape": "convex_hull", "vertices": points, "border_radius": r})),
        (points(), triangles()).prop_map(|(points, triangles)| json!({"shape": "convex_decomposition", "vertices": points, "indices": triangles, "resolution": 16})),
        (points(), triangles()).prop_map(|(points, triangles)| json!({"shape": "mesh", "vertices": points, "indices": triangles})),
        (heights, length()).prop_map(|(heights, scale)| json!({"shape": "heightfield", "heights": heights, "scale": [scale, 1, 1]})),
        (cells, length()).prop_map(|(cells, side)| json!({"shape": "voxels", "voxels": cells, "voxel_size": [side, 1, 1]})),
        (points(), length(), point()).prop_map(|(points, r, at)| json!({"shape": "compound", "shapes": [
            {"shape": "convex_hull", "vertices": points}, {"shape": "sphere", "radius": r, "position": at}]})),
        Just(json!({"shape": "plane"})),
    ]
}

/// Some of what a body can have besides.
fn settings() -> impl Strategy<Value = Value> {
    let number = || {
        select(vec![
            json!(0),
            json!(1),
            json!(0.5),
            json!(2),
            json!(-1),
            json!(1e30),
            json!(1e-6),
        ])
    };
    let groups = prop::array::uniform2(0u32..4)
        .prop_map(|[memberships, filter]| json!({"memberships": memberships, "filter": filter}));
    let setting = prop_oneof![
        (
            select(vec![
                "mass",
                "density",
                "gravity_scale",
                "restitution",
                "friction",
                "contact_skin",
                "soft_ccd_prediction",
                "linear_damping",
                "contact_force_threshold",
                "dominance",
                "additional_solver_iterations"
            ]),
            number()
        ),
        (
            select(vec!["is_sensor", "enabled", "sleeping", "ccd", "can_sleep"]),
            any::<bool>().prop_map(Value::from)
        ),
        (
            Just("kind"),
            select(vec!["static", "dynamic", "kinematic", "kinematic_position"])
                .prop_map(Value::from)
        ),
        (select(vec!["collision_groups", "solver_groups"]), groups),
        (
            select(vec!["position", "velocity", "angular_velocity"]),
            point()
        ),
        (
            Just("locked_axes"),
            select(vec![
                json!([]),
                json!(["rotation_x"]),
                json!(["translation_y", "rotation_z"])
            ])
        ),
        (
            Just("friction_combine_rule"),
            select(vec![json!("max"), json!("geometric_mean"), json!("none")])
        ),
        (
            Just("mass_properties"),
            (number(), number())
                .prop_map(|(mass, moment)| json!({"mass": mass, "inertia": [moment, 1, 1]}))
        ),
    ];
    prop::collection::vec(setting, 0..3).prop_map(|settings| {
        Value::from(
            settings
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect::<Map<_, _>>(),
        )
    })
}

fn body() -> impl Strategy<Value = Value> {
    let listed = prop::collection::vec((shape(), point()), 0..4).prop_map(|shapes| {
        let colliders: Vec<_> = shapes
            .into_iter()
            .map(|(shape, at)| with(shape, &json!({"position": at})))
            .collect();
        json!({"colliders": colliders})
    });
    let kind = select(vec!["static", "dynamic", "dynamic"]);
    (prop_oneof![2 => shape(), 1 => listed], settings(), kind).prop_map(
        |(shape, settings, kind)| {
            with(
                with(
                    json!({"id": "body", "kind": kind, "position": [0, 2, 0]}),
                    &shape,
                ),
                &settings,
            )
        },
    )
}

fn patch() -> impl Strategy<Value = Value> {
    prop_oneof![3 => settings(), 1 => (shape(), settings()).prop_map(|(shape, settings)| with(shape, &settings))]
}
