//! Questions about where bodies are, against geometry.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    harness::{
        Instance, busy_world, eventually_true, ground, number, sphere, steps_lasting, triple,
        until_stepping, zero_gravity,
    },
    physics::{World, all_close, close, fixed_box, loose_box, turned, with},
};

const NEAR: f64 = 1e-4;

impl World {
    /// The results of these queries.
    async fn ask(&self, queries: &Value) -> Vec<Value> {
        let path = format!("/simulations/{}/queries", self.sim);
        let reply = self.client.post(path, &json!({"queries": queries})).await;
        let results = reply.expect_status(200).json()["results"].clone();
        results.as_array().expect("results are a list").clone()
    }

    /// The hits of one query.
    async fn hits(&self, query: Value) -> Vec<Value> {
        let results = self.ask(&json!([query])).await;
        results[0]["hits"]
            .as_array()
            .unwrap_or_else(|| panic!("{query}: {results:?}"))
            .clone()
    }
}

fn names(hits: &[Value]) -> Vec<&str> {
    hits.iter()
        .map(|hit| hit["body_id"].as_str().expect("a hit has a name"))
        .collect()
}

async fn still(bodies: Value) -> World {
    World::new(&with(zero_gravity(), &json!({"bodies": bodies}))).await
}

/// A ray from above hits each shape where geometry says it does, and its normal is the surface's.
#[tokio::test]
async fn a_ray_hits_every_shape_where_its_surface_is() {
    let tip = json!({"shape": "cone", "size": [1, 1]});
    let shapes = [
        // shape, how far beside its middle the ray comes down, height of the surface, normal
        (
            json!({"shape": "box", "size": [2, 3, 2]}),
            0.5,
            1.5,
            [0.0, 1.0, 0.0],
        ),
        (
            json!({"shape": "sphere", "radius": 1}),
            0.6,
            0.8,
            [0.6, 0.8, 0.0],
        ),
        (
            json!({"shape": "capsule", "size": [1, 0.5]}),
            0.3,
            1.4,
            [0.6, 0.8, 0.0],
        ),
        (
            json!({"shape": "cylinder", "size": [1, 0.5]}),
            0.4,
            1.0,
            [0.0, 1.0, 0.0],
        ),
        (tip, 0.5, 0.0, [2.0 / 5f64.sqrt(), 1.0 / 5f64.sqrt(), 0.0]),
        (
            json!({"shape": "plane", "normal": [-1, 2, 0]}),
            0.5,
            0.25,
            [-1.0 / 5f64.sqrt(), 2.0 / 5f64.sqrt(), 0.0],
        ),
        (
            json!({"shape": "mesh", "kind": "static", "vertices": [[-1, 0, -1], [-1, 0, 1], [1, 1, -1], [1, 1, 1]], "indices": [[0, 1, 2], [1, 3, 2]]}),
            0.5,
            0.75,
            [-1.0 / 5f64.sqrt(), 2.0 / 5f64.sqrt(), 0.0],
        ),
    ];
    for (index, (shape, beside, height, normal)) in shapes.into_iter().enumerate() {
        let body = with(shape, &json!({"id": "it", "position": [7, 2, -1]}));
        let world = still(json!([body])).await;

        let ray = json!({"type": "ray", "origin": [7.0 + beside, 10, -1], "direction": [0, -0.5, 0], "max_distance": 50});
        let hits = world.hits(ray).await;

        let what = format!("shape {index}: {hits:?}");
        assert_eq!(names(&hits), ["it"], "{what}");
        close(number(&hits[0]["distance"]), 8.0 - height, NEAR, &what);
        all_close(
            triple(&hits[0]["point"]),
            [7.0 + beside, 2.0 + height, -1.0],
            NEAR,
            &what,
        );
        all_close(triple(&hits[0]["normal"]), normal, 1e-3, &what);
    }
}

#[tokio::test]
async fn a_ray_hits_the_nearest_or_all_and_only_what_the_filter_leaves() {
    let world = still(json!([
        with(
            sphere("last", 0.5, [9.0, 0.0, 0.0]),
            &json!({"collision_groups": {"memberships": 2, "filter": 3}})
        ),
        fixed_box("wall", [1.0, 4.0, 4.0], [3.0, 0.0, 0.0]),
        with(
            sphere("ghost", 0.5, [5.0, 0.0, 0.0]),
            &json!({"is_sensor": true})
        ),
        with(
            loose_box("cart", [1.0, 1.0, 1.0], [7.0, 0.0, 0.0]),
            &json!({"kind": "kinematic"})
        ),
        sphere("twin-b", 0.5, [0.0, 9.0, 0.0]),
        sphere("twin-a", 0.5, [0.0, 9.0, 0.0]),
    ]))
    .await;
    let ray = |more: Value| {
        let ray = json!({"type": "ray", "origin": [0, 0, 0], "direction": [1, 0, 0], "all": true});
        with(ray, &more)
    };

    let cases = [
        (json!({}), vec!["wall", "cart", "last"]),
        (json!({"all": false}), vec!["wall"]),
        (json!({"max_distance": 7}), vec!["wall", "cart"]),
        (json!({"max_distance": 2.4}), vec![]),
        (
            json!({"filter": {"sensors": true}}),
            vec!["wall", "ghost", "cart", "last"],
        ),
        (
            json!({"filter": {"exclude": ["wall"]}, "all": false}),
            vec!["cart"],
        ),
        (
            json!({"filter": {"bodies": ["last", "ghost"]}}),
            vec!["last"],
        ),
        (
            json!({"filter": {"kinds": ["kinematic", "static"]}}),
            vec!["wall", "cart"],
        ),
        (json!({"filter": {"kinds": []}}), vec![]),
        (
            json!({"filter": {"groups": {"memberships": 1, "filter": 1}}}),
            vec!["wall", "cart"],
        ),
        (
            json!({"filter": {"groups": {"memberships": 4}}}),
            vec!["wall", "cart"],
        ),
        (json!({"direction": [0, 2, 0]}), vec!["twin-b", "twin-a"]),
        (
            json!({"direction": [0, 2, 0], "all": false}),
            vec!["twin-b"],
        ),
        (json!({"direction": [0, 0, 1]}), vec![]),
        // From inside a solid, at once; otherwise where it is left.
        (
            json!({"origin": [3, 0, 0], "max_distance": 0.1, "all": false}),
            vec!["wall"],
        ),
        (
            json!({"origin": [3, 0, 0], "max_distance": 0.1, "solid": false}),
            vec![],
        ),
    ];
    for (more, expected) in cases {
        let hits = world.hits(ray(more.clone())).await;
        assert_eq!(names(&hits), expected, "{more}: {hits:?}");
    }

    let inside = ray(json!({"origin": [3, 0, 0], "all": false}));
    let hits = world.hits(inside.clone()).await;
    assert_eq!(hits[0]["distance"], 0.0);
    assert!(hits[0].get("normal").is_none(), "{hits:?}");
    let hits = world.hits(with(inside, &json!({"solid": false}))).await;
    close(
        number(&hits[0]["distance"]),
        0.5,
        NEAR,
        "where the wall is left",
    );
}

#[tokio::test]
async fn a_moving_shape_meets_a_wall_after_the_gap_between_them() {
    let slope = turned([0.0, 0.0, 1.0], std::f64::consts::FRAC_PI_4);
    let world = still(json!([
        fixed_box("wall", [1.0, 10.0, 10.0], [5.5, 0.0, 0.0]),
        with(
            fixed_box("ramp", [40.0, 2.0, 10.0], [0.0, -10.0, 0.0]),
            &json!({"orientation": slope})
        ),
    ]))
    .await;
    let ball = json!({"type": "shape_cast", "shape": "sphere", "radius": 0.75, "position": [0, 1, 2], "direction": [3, 0, 0]});

    let hits = world.hits(ball.clone()).await;
    assert_eq!(names(&hits), ["wall"]);
    close(number(&hits[0]["distance"]), 5.0 - 0.75, 1e-3, "the gap");
    all_close(
        triple(&hits[0]["point"]),
        [5.0, 1.0, 2.0],
        1e-3,
        "where they meet",
    );
    all_close(
        triple(&hits[0]["normal"]),
        [-1.0, 0.0, 0.0],
        1e-3,
        "the wall's face",
    );

    // Down onto a slope of 45 degrees whose face is 1 away from its middle.
    let down = with(
        ball.clone(),
        &json!({"direction": [0, -1, 0], "position": [0, 0, 0]}),
    );
    let hits = world.hits(down).await;
    assert_eq!(names(&hits), ["ramp"]);
    let along = 10.0 - (1.0 + 0.75) * 2f64.sqrt();
    close(number(&hits[0]["distance"]), along, 1e-3, "onto the slope");

    let short = with(ball.clone(), &json!({"max_distance": 4.2}));
    assert!(world.hits(short).await.is_empty());
    let inside = with(ball, &json!({"position": [5.5, 0, 0]}));
    assert_eq!(world.hits(inside).await[0]["distance"], 0.0);
}

#[tokio::test]
async fn the_nearest_point_of_a_box_lies_on_its_face_edge_or_corner() {
    let world = still(json!([fixed_box("box", [2.0, 2.0, 2.0], [0.0; 3])])).await;
    let cases = [
        ([0.5, 3.0, 0.2], [0.5, 1.0, 0.2]),
        ([3.0, 3.0, 0.2], [1.0, 1.0, 0.2]),
        ([-3.0, 2.0, 4.0], [-1.0, 1.0, 1.0]),
    ];
    for (point, expected) in cases {
        let hits = world.hits(json!({"type": "point", "point": point})).await;
        let apart = [0, 1, 2]
            .map(|at| f64::powi(point[at] - expected[at], 2))
            .iter()
            .sum::<f64>()
            .sqrt();
        all_close(
            triple(&hits[0]["point"]),
            expected,
            NEAR,
            "the nearest point",
        );
        close(number(&hits[0]["distance"]), apart, NEAR, "its distance");
        assert_eq!(hits[0]["inside"], false);
        let near = json!({"type": "point", "point": point, "max_distance": apart - 0.01});
        assert!(world.hits(near).await.is_empty());
    }

    let inside = json!({"type": "point", "point": [0.1, 0.75, 0]});
    let hits = world.hits(inside.clone()).await;
    assert_eq!(
        (&hits[0]["distance"], &hits[0]["inside"]),
        (&json!(0.0), &json!(true))
    );
    let hits = world.hits(with(inside, &json!({"solid": false}))).await;
    all_close(
        triple(&hits[0]["point"]),
        [0.1, 1.0, 0.0],
        NEAR,
        "on the surface",
    );
    close(number(&hits[0]["distance"]), 0.25, NEAR, "to the surface");
}

#[tokio::test]
async fn overlaps_are_those_that_counting_finds() {
    let mut grid = Vec::new();
    for x in 0..7 {
        for z in 0..7 {
            grid.push(fixed_box(
                &format!("b{x}-{z}"),
                [0.5, 0.5, 0.5],
                [f64::from(x), 0.0, f64::from(z)],
            ));
        }
    }
    let world = still(json!(grid)).await;
    let (center, radius) = ([3.2, 0.3, 2.9], 1.75);
    let reach = |x: i32, z: i32, y: f64| {
        let gap = |from: f64, to: f64| ((from - to).abs() - 0.25).max(0.0);
        [
            gap(center[0], x.into()),
            gap(center[1], y),
            gap(center[2], z.into()),
        ]
    };
    let within = |gaps: [f64; 3]| gaps.iter().map(|gap| gap * gap).sum::<f64>() < radius * radius;
    let mut expected = Vec::new();
    for x in 0..7 {
        for z in 0..7 {
            if within(reach(x, z, 0.0)) {
                expected.push(format!("b{x}-{z}"));
            }
        }
    }

    let ball = json!({"type": "overlap", "shape": "sphere", "radius": radius, "position": center});
    assert_eq!(names(&world.hits(ball).await), expected);
    assert!((10..40).contains(&expected.len()), "{expected:?}");
    let point = json!({"type": "overlap", "point": [4.2, 0.2, 5.1]});
    assert_eq!(names(&world.hits(point).await), ["b4-5"]);
    let between = json!({"type": "overlap", "point": [4.5, 0.2, 5.1]});
    assert!(world.hits(between).await.is_empty());
    let boxes = json!({"type": "aabb", "min": [0.5, -1, 0.5], "max": [2.5, 1, 1.5]});
    assert_eq!(names(&world.hits(boxes).await), ["b1-1", "b2-1"]);
    let deep =
        json!({"type": "overlap", "shape": "box", "size": [1, 1, 1], "position": [0, 0.7, 0]});
    let hits = world.hits(deep).await;
    close(number(&hits[0]["depth"]), 0.05, 1e-3, "how deep");
}

#[tokio::test]
async fn two_bodies_are_as_far_apart_as_their_closest_points() {
    let world = still(json!([
        fixed_box("box", [2.0, 2.0, 2.0], [0.0; 3]),
        sphere("ball", 0.5, [4.0, 0.0, 3.0]),
        with(
            fixed_box("turned", [2.0, 2.0, 2.0], [0.0, 0.0, -5.0]),
            &json!({"orientation": turned([1.0, 0.0, 0.0], std::f64::consts::FRAC_PI_4)})
        ),
        sphere("deep", 0.5, [0.0, 1.2, 0.0]),
        ground("floor"),
        with(ground("wall"), &json!({"normal": [1, 0, 0]})),
    ]))
    .await;
    let apart = |a: &str, b: &str| json!({"type": "distance", "body_a": a, "body_b": b});
    let results = world
        .ask(&json!([
            apart("box", "ball"),
            apart("box", "turned"),
            apart("box", "deep"),
            apart("floor", "wall"),
            apart("box", "nobody")
        ]))
        .await;

    let hit = &results[0]["hits"][0];
    assert_eq!(hit["body_id"], "ball");
    let between = (3f64 * 3.0 + 2.0 * 2.0).sqrt();
    close(
        number(&hit["distance"]),
        between - 0.5,
        1e-3,
        "box and ball",
    );
    all_close(triple(&hit["point_a"]), [1.0, 0.0, 1.0], 1e-3, "on the box");
    all_close(
        triple(&hit["point_b"]),
        [4.0 - 1.5 / between, 0.0, 3.0 - 1.0 / between],
        1e-3,
        "on the ball",
    );
    all_close(
        triple(&hit["normal"]),
        [3.0 / between, 0.0, 2.0 / between],
        1e-3,
        "from A to B",
    );
    let hit = &results[1]["hits"][0];
    close(
        number(&hit["distance"]),
        5.0 - 1.0 - 2f64.sqrt(),
        1e-3,
        "face and edge",
    );
    let hit = &results[2]["hits"][0];
    assert_eq!(hit["distance"], 0.0);
    close(number(&hit["depth"]), 0.3, 1e-3, "box and ball in it");
    assert_eq!(results[3]["error"]["errors"][0]["pointer"], "/queries/3");
    assert_eq!(results[3]["error"]["status"], 422);
    assert_eq!(results[4]["error"]["error"], "body_not_found");
    assert_eq!(results[4]["error"]["status"], 404);
    assert_eq!(results[4]["error"]["sim_id"], world.sim.as_str());
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_with_its_place() {
    let world = World::with_flags(
        &["--max-queries-per-request", "20", "--max-hits-per-query", "2"],
        &json!({"bodies": [sphere("a", 0.5, [0.0; 3]), sphere("b", 0.5, [0.1, 0.0, 0.0]), sphere("c", 0.5, [0.2, 0.0, 0.0])]}),
    )
    .await;
    let path = format!("/simulations/{}/queries", world.sim);
    let good = json!({"type": "ray", "origin": [0, 0, 0], "direction": [1, 0, 0]});
    let cases = [
        (
            json!({"type": "ray", "origin": [0, 0, 0], "direction": [0, 0, 0]}),
            "/direction",
        ),
        (
            json!({"type": "ray", "origin": [1e30, 0, 0], "direction": [1, 0, 0]}),
            "/origin",
        ),
        (
            json!({"type": "ray", "origin": [1e300, 0, 0], "direction": [1, 0, 0]}),
            "/origin",
        ),
        (json!({"type": "ray", "origin": [0, 0, 0]}), "/direction"),
        (with(good.clone(), &json!({"point": [0, 0, 0]})), "/point"),
        (with(good.clone(), &json!({"radius": 1})), "/radius"),
        (
            with(good.clone(), &json!({"max_distance": -1})),
            "/max_distance",
        ),
        (
            with(good.clone(), &json!({"max_distance": null})),
            "/max_distance",
        ),
        (with(good.clone(), &json!({"all": 1})), "/all"),
        (
            with(good.clone(), &json!({"filter": {"kinds": ["soft"]}})),
            "/filter/kinds/0",
        ),
        (with(good.clone(), &json!({"filter": []})), "/filter"),
        (
            with(good.clone(), &json!({"filter": {"exclude": ["a b"]}})),
            "/filter/exclude/0",
        ),
        (json!({"type": "beam"}), "/type"),
        (json!({}), "/type"),
        (json!({"type": "overlap"}), "/shape"),
        (
            json!({"type": "overlap", "shape": "sphere", "radius": 1}),
            "/position",
        ),
        (
            json!({"type": "overlap", "shape": "plane", "position": [0, 0, 0]}),
            "/shape",
        ),
        (
            json!({"type": "overlap", "shape": "sphere", "radius": 0, "position": [0, 0, 0]}),
            "/radius",
        ),
        (
            json!({"type": "overlap", "shape": "convex_hull", "vertices": [[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]], "position": [0, 0, 0]}),
            "/vertices",
        ),
        (
            json!({"type": "shape_cast", "shape": "sphere", "radius": 1, "position": [0, 0, 0], "direction": [1, 0, 0], "end_orientation": [0, 0, 0, 1]}),
            "/max_distance",
        ),
        (
            json!({"type": "shape_cast", "shape": "sphere", "radius": 1, "position": [0, 0, 0], "direction": [1, 0, 0], "orientation": [0, 0, 0, 0]}),
            "/orientation",
        ),
        (
            json!({"type": "aabb", "min": [0, 0, 0], "max": [1, -1, 1]}),
            "/max",
        ),
        (
            json!({"type": "distance", "body_a": "a", "body_b": "a"}),
            "/body_b",
        ),
    ];
    for (query, place) in cases {
        let reply = world
            .client
            .post(path.clone(), &json!({"queries": [good, query]}))
            .await;
        let problem = reply.expect_problem(422, "invalid_value");
        problem.expect_pointers(&[&format!("/queries/1{place}")]);
    }
    let all_at_once =
        json!([{"type": "ray", "origin": [1e9, 0, 0], "direction": [0, 0, 0]}, {"type": "point"}]);
    let reply = world
        .client
        .post(path.clone(), &json!({"queries": all_at_once}))
        .await;
    let places = [
        "/queries/0/origin",
        "/queries/0/direction",
        "/queries/1/point",
    ];
    reply
        .expect_problem(422, "invalid_value")
        .expect_pointers(&places);
    let unknown = with(good.clone(), &json!({"colour": "red"}));
    let reply = world
        .client
        .post(path.clone(), &json!({"queries": [unknown]}))
        .await;
    reply
        .expect_problem(422, "unknown_field")
        .expect_pointers(&["/queries/0/colour"]);
    let reply = world
        .client
        .post(path.clone(), &json!({"queries": vec![&good; 21]}))
        .await;
    let problem = reply.expect_problem(422, "limit_exceeded");
    assert_eq!(problem.body["limit"], "MAX_QUERIES_PER_REQUEST");
    assert_eq!(
        (&problem.body["maximum"], &problem.body["used"]),
        (&json!(20), &json!(21))
    );

    let results = world.ask(&json!([with(good, &json!({"all": true}))])).await;
    assert_eq!(
        results[0]["hits"].as_array().map(Vec::len),
        Some(2),
        "{results:?}"
    );
    assert_eq!(results[0]["truncated"], true);
}

/// What only looks is no command: nothing is counted, and a world on its way is seen as it was.
#[tokio::test(flavor = "multi_thread")]
async fn queries_are_answered_at_once_while_the_world_is_stepped_and_while_it_is_frozen() {
    let instance =
        Instance::in_process(&["--freeze-after-seconds", "1", "--state-hash", "true"]).await;
    let client = instance.client();
    let sim = busy_world(&client, 64, json!({})).await;
    let path = format!("/simulations/{sim}/queries");
    let asked = json!({"queries": [{"type": "ray", "origin": [1.5, 50, 1.5], "direction": [0, -1, 0]}, {"type": "point", "point": [0, 9, 0]}]});
    let (steps, end) = steps_lasting(&client, &sim, Duration::from_secs(3)).await;
    let before = client.post(path.clone(), &asked).await.expect_status(200);
    let contacts = client
        .get(format!("/simulations/{sim}/contacts"))
        .await
        .expect_status(200);
    let energy = client
        .get(format!("/simulations/{sim}/energy"))
        .await
        .expect_status(200);

    let step = client.step(&sim, steps);
    let looks = async {
        until_stepping(&client, &sim).await;
        let during = client.post(path.clone(), &asked).await.expect_status(200);
        let contacts = client
            .get(format!("/simulations/{sim}/contacts"))
            .await
            .expect_status(200);
        let energy = client
            .get(format!("/simulations/{sim}/energy"))
            .await
            .expect_status(200);
        let status = client.describe(&sim).await.json()["status"].clone();
        assert_eq!(status, "stepping", "they did not wait for the step");
        (during, contacts, energy)
    };
    let (stepped, (during, contacts_during, energy_during)) = tokio::join!(step, looks);
    let stepped = stepped.expect_status(200);

    for (one, other) in [
        (&before, &during),
        (&contacts, &contacts_during),
        (&energy, &energy_during),
    ] {
        assert_eq!(one.body, other.body, "{}", one.request);
        for header in ["etag", "sim-seq", "sim-step", "sim-state-hash"] {
            assert!(one.header(header).is_some(), "{header}");
            assert_eq!(one.header(header), other.header(header), "{header}");
        }
    }
    assert_eq!(stepped.header_number("sim-step"), u64::from(end));
    let awake = client.post(path.clone(), &asked).await.expect_status(200);
    let touching = client
        .get(format!("/simulations/{sim}/contacts"))
        .await
        .expect_status(200);
    eventually_true(
        Duration::from_secs(30),
        "the world is frozen",
        |status| status == "frozen",
        async || {
            let listed = client.list("").await.json();
            listed["simulations"][0]["status"].clone()
        },
    )
    .await;
    let thawed = client
        .get(format!("/simulations/{sim}/contacts"))
        .await
        .expect_status(200);
    assert_eq!(thawed.body, touching.body);
    let thawed = client.post(path, &asked).await.expect_status(200);
    assert_eq!(thawed.body, awake.body);
    for header in ["etag", "sim-seq", "sim-state-hash"] {
        assert_eq!(thawed.header(header), stepped.header(header), "{header}");
    }
}
