//! Queries against the engine itself, and against geometry.

use proptest::prelude::*;
use rapier3d::{
    geometry::Ray,
    math::Vector,
    prelude::{QueryFilter, RigidBodyHandle},
};
use serde_json::{Value, json};

use super::{Query, QuerySpec};
use crate::physics::{Command, Faults, Steps, Vec3, World, WorldConfig, WorldLimits};

fn world(bodies: &Value) -> World {
    let gravity = json!({"gravity": [0, 0, 0]});
    let config: WorldConfig = serde_json::from_value(gravity).unwrap();
    let mut world = World::new(config);
    apply(
        &mut world,
        &Command::AddBodies(serde_json::from_value(bodies.clone()).unwrap()),
    );
    world
}

fn apply(world: &mut World, command: &Command) {
    world.apply(command, &WorldLimits::unlimited()).unwrap();
}

fn query(spec: &Value) -> Query {
    let spec: QuerySpec = serde_json::from_value(spec.clone()).unwrap();
    let mut faults = Faults::default();
    let checked = spec.checked(&mut faults);
    assert!(faults.is_empty(), "{:?}", faults.into_vec());
    checked.unwrap()
}

fn ask(world: &World, spec: &Value) -> Vec<Value> {
    let view = world.view();
    let answer = view.answer(0, &query(spec), 1000).unwrap();
    let written = serde_json::to_value(answer).unwrap();
    written["hits"].as_array().unwrap().clone()
}

fn names(hits: &[Value]) -> Vec<&str> {
    hits.iter()
        .map(|hit| hit["body_id"].as_str().unwrap())
        .collect()
}

#[track_caller]
fn close(value: &Value, expected: f64, tolerance: f64) {
    let number = value
        .as_f64()
        .unwrap_or_else(|| panic!("no number: {value}"));
    assert!(
        (number - expected).abs() <= tolerance,
        "{number} is not {expected}"
    );
}

#[track_caller]
fn at(value: &Value, expected: [f64; 3], tolerance: f64) {
    for axis in 0..3 {
        close(&value[axis], expected[axis], tolerance);
    }
}

/// As the engine takes it.
fn single(vector: [f64; 3]) -> Vec3 {
    serde_json::from_value(json!(vector)).unwrap()
}

/// Distances are not negative, so that their bits are in their order.
fn distance_bits(hit: &Value) -> u32 {
    let distance: f32 = serde_json::from_value(hit["distance"].clone()).unwrap();
    distance.to_bits()
}

fn size() -> impl Strategy<Value = f64> {
    0.2..2.0
}

fn place() -> impl Strategy<Value = [f64; 3]> {
    [-8.0..8.0, -8.0..8.0, -8.0..8.0]
}

fn turn() -> impl Strategy<Value = [f64; 4]> {
    [-1.0..1.0f64, -1.0..1.0, -1.0..1.0, 0.1..1.0].prop_map(|parts: [f64; 4]| {
        let norm = parts.iter().map(|part| part * part).sum::<f64>().sqrt();
        parts.map(|part| part / norm)
    })
}

/// Any shape that can be asked with, somewhere.
fn body() -> impl Strategy<Value = Value> {
    let shape = prop_oneof![
        (size(), size(), size()).prop_map(|(x, y, z)| json!({"shape": "box", "size": [x, y, z]})),
        size().prop_map(|radius| json!({"shape": "sphere", "radius": radius})),
        (size(), size()).prop_map(|(h, r)| json!({"shape": "capsule", "size": [h, r]})),
        (size(), size()).prop_map(|(h, r)| json!({"shape": "cylinder", "size": [h, r]})),
        (size(), size()).prop_map(|(h, r)| json!({"shape": "cone", "size": [h, r], "axis": "x"})),
        size().prop_map(|at| json!({"shape": "triangle", "vertices": [[at, 0, 0], [0, at, 0], [0, 0, 1]]})),
        size().prop_map(|at| json!({"shape": "convex_hull", "vertices": [[at, 0, 0], [0, at, 0], [0, 0, at], [-1, -1, -1]]})),
        size().prop_map(|at| json!({"shape": "compound", "shapes": [
            {"shape": "box", "size": [1, 1, at], "position": [at, 0, 0]},
            {"shape": "sphere", "radius": at},
        ]})),
    ];
    placed(shape)
}

/// Any shape, somewhere.
fn any_body() -> impl Strategy<Value = Value> {
    let shape = prop_oneof![
        size().prop_map(|at| json!({"shape": "mesh", "vertices": [[at, 0, 0], [0, 0, -1], [0, at, 0], [0, 0, 1]], "indices": [[0, 1, 2], [0, 2, 3], [1, 3, 2]]})),
        size().prop_map(|at| json!({"shape": "heightfield", "heights": [[0, at, 0], [at, 0, 1], [0.5, 0, at]], "scale": [3, 1, 4]})),
        size().prop_map(|at| json!({"shape": "polyline", "vertices": [[at, 0, 0], [0, at, 0], [0, 0, 1]]})),
        size().prop_map(|at| json!({"shape": "voxels", "voxel_size": [at, at, at], "voxels": [[0, 0, 0], [1, 0, 0], [1, 1, 0]]})),
        size().prop_map(|at| json!({"colliders": [
            {"shape": "box", "size": [at, 1, 1], "position": [2, 0, 0]},
            {"shape": "sphere", "radius": at},
        ]})),
    ];
    prop_oneof![body(), placed(shape)]
}

fn placed(shape: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    (shape, place(), turn()).prop_map(|(mut body, position, orientation)| {
        body["position"] = json!(position);
        body["orientation"] = json!(orientation);
        body["kind"] = json!("static");
        body
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// The engine's own queries see what they saw in the last step; these must see the same then.
    #[test]
    fn rays_hit_what_the_engine_says_they_hit(
        mut bodies in proptest::collection::vec(any_body(), 1..30),
        rays in proptest::collection::vec((place(), place()), 1..20),
        solid: bool,
    ) {
        for (index, body) in bodies.iter_mut().enumerate() {
            body["id"] = json!(format!("b{index}"));
        }
        let mut world = world(&json!(bodies));
        apply(&mut world, &Command::Step(Steps { count: 1, dt: None }));
        let name_of = |handle: RigidBodyHandle| {
            let mut bodies = world.roster.bodies.iter();
            bodies.find(|(_, body)| body.handle == handle).unwrap().0.to_string()
        };
        for (origin, direction) in rays {
            let asked = json!({"type": "ray", "origin": origin, "direction": direction, "max_distance": 12, "solid": solid});
            if single(direction).length() < 1e-3 {
                continue;
            }
            let hits = ask(&world, &asked);
            let origin = Vector::from(single(origin));
            let direction = single(direction).normalized();
            let ray = Ray::new(origin, direction.into());
            let engine = world.engine.broad_phase.as_query_pipeline(
                world.engine.narrow_phase.query_dispatcher(),
                &world.engine.bodies,
                &world.engine.colliders,
                QueryFilter::default(),
            );
            let expected = engine.cast_ray_and_get_normal(&ray, 12.0, solid);
            match expected {
                None => prop_assert!(hits.is_empty(), "{hits:?}"),
                Some((_, expected)) => {
                    prop_assert_eq!(hits.len(), 1);
                    prop_assert_eq!(distance_bits(&hits[0]), expected.time_of_impact.to_bits());
                }
            }
            let mut asked = asked;
            asked["all"] = json!(true);
            let mut found: Vec<_> = ask(&world, &asked)
                .iter()
                .map(|hit| (hit["body_id"].as_str().unwrap().to_owned(), distance_bits(hit)))
                .collect();
            prop_assert!(found.is_sorted_by(|one, other| one.1 <= other.1));
            let mut expected: Vec<_> = engine
                .intersect_ray(ray, 12.0, solid)
                .map(|(_, collider, hit)| (name_of(collider.parent().unwrap()), hit.time_of_impact.to_bits()))
                .collect();
            found.sort();
            expected.sort();
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn nothing_that_is_asked_changes_the_world_or_is_answered_with_what_is_no_number(
        mut bodies in proptest::collection::vec(any_body(), 0..12),
        shape in body(),
        (one, other) in (place(), place()),
        end in turn(),
        reach in prop_oneof![Just(0.0), 1e-3..30.0, Just(1e7)],
        flags in any::<(bool, bool, bool)>(),
    ) {
        for (index, body) in bodies.iter_mut().enumerate() {
            body["id"] = json!(format!("b{index}"));
            body["is_sensor"] = json!(index % 3 == 2);
        }
        bodies.push(json!({"id": "floor", "shape": "plane"}));
        let mut world = world(&json!(bodies));
        let (all, solid, steps) = flags;
        apply(&mut world, &Command::Step(Steps { count: steps.into(), dt: None }));
        let before = world.state_hash();
        let filter = json!({"sensors": all, "kinds": ["dynamic", "static"]});
        let mut moved = shape.clone();
        moved.as_object_mut().unwrap().remove("kind");
        for (name, value) in [("type", json!("shape_cast")), ("direction", json!([0, -1, 0.25])), ("max_distance", json!(reach)), ("all", json!(all)), ("filter", filter.clone())] {
            moved[name] = value;
        }
        let mut turned = moved.clone();
        turned["end_orientation"] = json!(end);
        let mut overlap = moved.clone();
        overlap["type"] = json!("overlap");
        for gone in ["direction", "max_distance", "all"] {
            overlap.as_object_mut().unwrap().remove(gone);
        }
        let (min, max) = ([0, 1, 2].map(|at| one[at].min(other[at])), [0, 1, 2].map(|at| one[at].max(other[at])));
        let asked = [
            json!({"type": "ray", "origin": one, "direction": [1, -2, 0.5], "max_distance": reach, "all": all, "solid": solid}),
            json!({"type": "point", "point": one, "max_distance": reach, "all": all, "solid": solid, "filter": filter}),
            json!({"type": "overlap", "point": other}),
            json!({"type": "aabb", "min": min, "max": max}),
            moved,
            turned,
            overlap,
        ];
        for asked in asked {
            let text = serde_json::to_string(&ask(&world, &asked)).unwrap();
            prop_assert!(!text.contains("null"), "{asked}: {text}");
        }
        prop_assert_eq!(world.state_hash(), before);
    }
}

#[test]
fn bodies_are_seen_as_soon_as_they_are_added_moved_or_gone() {
    let ball = |id: &str, x: f64| json!({"id": id, "shape": "sphere", "radius": 0.5, "position": [x, 0, 0]});
    let mut world = world(&json!([ball("far", 8.0)]));
    let ray = json!({"type": "ray", "origin": [0, 0, 0], "direction": [3, 0, 0], "all": true});
    let mut seen = |command: Option<Command>| {
        if let Some(command) = command {
            apply(&mut world, &command);
        }
        let hits = ask(&world, &ray);
        let distances: Vec<_> = hits
            .iter()
            .map(|hit| hit["distance"].as_f64().unwrap())
            .collect();
        (names(&hits).join(" "), distances)
    };
    let id = |text: &str| crate::id::BodyId::parse(text).unwrap();
    let patch = |text| Box::new(serde_json::from_str(text).unwrap());

    assert_eq!(seen(None), ("far".into(), vec![7.5]));
    let near = serde_json::from_value(ball("near", 4.0)).unwrap();
    let added = Command::AddBody(Box::new(near));
    assert_eq!(seen(Some(added)), ("near far".into(), vec![3.5, 7.5]));
    let moved = Command::PatchBody(id("near"), patch(r#"{"position": [10, 0, 0]}"#));
    assert_eq!(seen(Some(moved)), ("far near".into(), vec![7.5, 9.5]));
    let sensor = Command::PatchBody(id("far"), patch(r#"{"is_sensor": true}"#));
    assert_eq!(seen(Some(sensor)), ("near".into(), vec![9.5]));
    let removed = Command::RemoveBody(id("near"));
    assert_eq!(seen(Some(removed)), (String::new(), vec![]));
}

#[test]
fn a_shape_that_turns_meets_what_its_corner_reaches() {
    // A bar of half a length 1 that turns about z to 90 degrees: its end comes down on a floor at
    // 0.5 below when it has turned by 30.
    let world = world(&json!([
        {"id": "floor", "shape": "box", "size": [4, 1, 4], "position": [0, -1, 0], "kind": "static"},
        {"id": "aside", "shape": "sphere", "radius": 0.1, "position": [0, 0, 3]},
    ]));
    let quarter = std::f64::consts::FRAC_1_SQRT_2;
    let hits = ask(
        &world,
        &json!({"type": "shape_cast", "shape": "capsule", "size": [0.999, 0.001], "position": [0, 0, 0],
            "orientation": [0, 0, quarter, quarter], "end_orientation": [0, 0, 0, 1],
            "direction": [1, 0, 0], "max_distance": 0}),
    );

    assert_eq!(names(&hits), ["floor"]);
    close(&hits[0]["fraction"], 1.0 / 3.0, 2e-3);
    close(&hits[0]["distance"], 0.0, 0.0);
    at(&hits[0]["normal"], [0.0, 1.0, 0.0], 1e-3);
    close(&hits[0]["point"][1], -0.5, 1e-3);

    // A ball that turns is met where one that does not is.
    let ball = |end: Option<[f64; 4]>| {
        let mut asked = json!({"type": "shape_cast", "shape": "sphere", "radius": 0.25,
            "position": [0.3, 4, 0.2], "direction": [0, -2, 0], "max_distance": 10});
        if let Some(end) = end {
            asked["end_orientation"] = json!(end);
        }
        ask(&world, &asked)
    };
    for hits in [ball(None), ball(Some([0.0, 1.0, 0.0, 0.0]))] {
        assert_eq!(names(&hits), ["floor"]);
        close(&hits[0]["distance"], 4.25, 2e-4);
        at(&hits[0]["point"], [0.3, -0.5, 0.2], 2e-3);
        at(&hits[0]["normal"], [0.0, 1.0, 0.0], 1e-3);
    }
}

#[test]
fn hits_beyond_the_most_are_left_out_and_said_to_be() {
    let balls: Vec<_> = (0..10)
        .map(|n| json!({"id": format!("b{n}"), "shape": "sphere", "radius": 0.4, "position": [10 - n, 0, 0]}))
        .collect();
    let world = world(&json!(balls));
    let ray =
        query(&json!({"type": "ray", "origin": [0, 0, 0], "direction": [1, 0, 0], "all": true}));
    let view = world.view();

    let all = serde_json::to_value(view.answer(0, &ray, 10).unwrap()).unwrap();
    assert!(all.get("truncated").is_none(), "{all}");
    let some = serde_json::to_value(view.answer(0, &ray, 3).unwrap()).unwrap();
    assert_eq!(some["truncated"], true);
    assert_eq!(names(some["hits"].as_array().unwrap()), ["b9", "b8", "b7"]);
}
