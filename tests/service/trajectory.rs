//! Trajectories: frames, and the contacts of the call that recorded them.

use serde_json::{Value, json};

use crate::harness::{Client, Instance, find_body, ground, number, sphere, triple, without};

#[tokio::test(flavor = "multi_thread")]
async fn frames_show_the_body_before_every_nth_step() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let stepped = bouncing(&client).await;
    let mut before = Vec::new();
    for _ in 0..60 {
        before.push(client.state(&stepped).await.json());
        client.step(&stepped, 1).await.expect_status(200);
    }
    let end = client.state(&stepped).await.json();

    for every in [1, 2, 7, 60, 61] {
        let sim = bouncing(&client).await;
        let flight = client
            .trajectory(&sim, "ball", &json!({"steps": 60, "every": every}))
            .await
            .expect_status(200)
            .json();

        let frames = flight["frames"].as_array().unwrap();
        assert_eq!(frames.len(), 60_usize.div_ceil(every), "every {every}");
        assert_eq!(flight["num_frames"], frames.len(), "every {every}");
        assert_eq!(flight["total_time"], 60.0 * 0.016);
        for (frame, state) in frames.iter().zip(before.iter().step_by(every)) {
            assert_eq!(frame["time"], state["time"], "every {every}");
            assert_eq!(
                without(frame, &["time"]),
                without(find_body(state, "ball"), &["id", "contacts"]),
                "every {every}"
            );
        }
        let after = client.state(&sim).await.json();
        assert_eq!(without(&after, &["sim_id"]), without(&end, &["sim_id"]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn times_go_on_from_the_clock_and_total_time_is_of_this_call() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = bouncing(&client).await;
    client.step(&sim, 100).await.expect_status(200);

    let flight = client
        .trajectory(&sim, "ball", &json!({"steps": 10, "dt": 0.05, "every": 4}))
        .await
        .expect_status(200)
        .json();
    let later = client.step(&sim, 1).await.expect_status(200).json();

    let times: Vec<_> = flight["frames"]
        .as_array()
        .unwrap()
        .iter()
        .map(|frame| number(&frame["time"]))
        .collect();
    let start = 100.0 * 0.016;
    assert_eq!(times, [start, start + 4.0 * 0.05, start + 8.0 * 0.05]);
    assert_eq!(flight["total_time"], 10.0 * 0.05);
    assert_eq!(later["time"], start + 10.0 * 0.05 + 0.016);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_records_as_many_frames_as_clients_ever_ask_for() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = bouncing(&client).await;

    let flight = client
        .trajectory(&sim, "ball", &json!({"steps": 10_000, "dt": 0.001}))
        .await
        .expect_status(200)
        .json();

    assert_eq!(flight["num_frames"], 10_000);
    assert_eq!(flight["frames"].as_array().map(Vec::len), Some(10_000));
    assert_eq!(flight["total_time"], 10.0);
    assert_eq!(flight["frames"][9_999]["time"], 9.999);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trajectory_of_no_steps_is_empty() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = bouncing(&client).await;

    let flight = client
        .trajectory(&sim, "ball", &json!({"steps": 0}))
        .await
        .expect_status(200)
        .json();

    assert_eq!(
        flight,
        json!({"body_id": "ball", "frames": [], "total_time": 0.0, "num_frames": 0,
               "contact_events": []})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn faulty_requests_move_nothing() {
    let instance = Instance::in_process(&["--max-frames-per-reply", "100"]).await;
    let client = instance.client();
    let sim = bouncing(&client).await;

    for (request, code) in [
        (json!({}), "invalid_value"),
        (json!({"steps": -1}), "invalid_value"),
        (json!({"steps": 1, "every": 0}), "invalid_value"),
        (json!({"steps": 1, "every": null}), "invalid_value"),
        (json!({"steps": 1, "dt": 0}), "invalid_value"),
        (json!({"steps": 1, "frames": 1}), "unknown_field"),
        (json!({"steps": 10_001, "every": 1000}), "limit_exceeded"),
        (json!({"steps": 101}), "limit_exceeded"),
        (json!({"steps": 202, "every": 2}), "limit_exceeded"),
    ] {
        let reply = client.trajectory(&sim, "ball", &request).await;
        assert_eq!(reply.status, 422, "{request}: {}", reply.text());
        assert_eq!(reply.problem().code(), code, "{request}");
    }
    assert_eq!(client.state(&sim).await.json()["step"], 0);
    client
        .trajectory(&sim, "ball", &json!({"steps": 200, "every": 2}))
        .await
        .expect_status(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_starts_and_ends_once_and_the_pairs_are_sorted() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client
        .simulation(&json!({"gravity": [0, 0, 0], "dt": 0.01, "bodies": [
            {"id": "zebra", "shape": "sphere", "size": [0.5], "position": [0, 0, 0],
             "velocity": [3, 0, 0], "restitution": 1, "friction": 0},
            {"id": "ant", "shape": "sphere", "size": [0.5], "position": [2, 0, 0],
             "restitution": 1, "friction": 0},
            sphere("witness", 0.5, [0.0, 50.0, 0.0]),
        ]}))
        .await;

    let flight = client
        .trajectory(&sim, "witness", &json!({"steps": 100}))
        .await
        .expect_status(200)
        .json();

    let events = flight["contact_events"].as_array().unwrap();
    let kinds: Vec<_> = events
        .iter()
        .map(|e| e["event_type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["started", "ended"], "{events:?}");
    for event in events {
        let members: Vec<_> = event
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        let mut expected = vec![
            "body_a",
            "body_b",
            "contact_point",
            "event_type",
            "impulse_magnitude",
            "normal",
            "relative_velocity",
            "time",
        ];
        expected.sort_unstable();
        let mut members = members;
        members.sort_unstable();
        assert_eq!(members, expected);
        assert_eq!(
            (&event["body_a"], &event["body_b"]),
            (&json!("ant"), &json!("zebra"))
        );
    }
    let hit = &events[0];
    // A, the ant, sits at the right: its normal towards B points left, and B comes with 3 m/s.
    assert!((number(&hit["normal"][0]) + 1.0).abs() < 1e-3, "{hit}");
    assert!(
        (number(&hit["relative_velocity"][0]) + 3.0).abs() < 0.05,
        "{hit}"
    );
    assert!(
        (number(&hit["contact_point"][0]) - 1.5).abs() < 0.05,
        "{hit}"
    );
    assert!(
        (number(&hit["impulse_magnitude"]) - 3.0).abs() < 0.15,
        "{hit}"
    );
    assert!((number(&hit["time"]) - 0.33).abs() < 0.025, "{hit}");
    for (last, first) in triple(&events[1]["contact_point"])
        .iter()
        .zip(triple(&hit["contact_point"]))
    {
        assert!((last - first).abs() < 0.1, "{events:?}");
    }
    assert!(
        (number(&events[1]["normal"][0]) + 1.0).abs() < 1e-3,
        "{events:?}"
    );
    assert!(number(&events[1]["time"]) > number(&hit["time"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pair_touching_from_the_beginning_is_reported_once_as_ongoing() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client
        .simulation(&json!({"bodies": [
            ground("floor"), sphere("ball", 0.5, [0.0, 0.5, 0.0]), sphere("far", 0.5, [9.0, 30.0, 0.0]),
        ]}))
        .await;
    client.step(&sim, 50).await.expect_status(200);

    let flights = [
        client
            .trajectory(&sim, "far", &json!({"steps": 20}))
            .await
            .json(),
        client
            .trajectory(&sim, "ball", &json!({"steps": 20}))
            .await
            .json(),
    ];

    for flight in flights {
        let events = flight["contact_events"].as_array().unwrap();
        assert_eq!(events.len(), 1, "{events:?}");
        assert_eq!(events[0]["event_type"], "ongoing");
        assert_eq!(events[0]["body_a"], "ball");
        assert_eq!(events[0]["body_b"], "floor");
        assert_eq!(events[0]["time"], flight["frames"][0]["time"]);
        let point = triple(&events[0]["contact_point"]);
        assert!(point.iter().all(|x| x.abs() < 0.03), "{point:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn passing_through_a_sensor_is_reported_without_an_impulse() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client
        .simulation(&json!({"gravity": [0, 0, 0], "dt": 0.01, "bodies": [
            {"id": "gate", "kind": "static", "shape": "box", "size": [1, 4, 4], "is_sensor": true},
            {"id": "ball", "shape": "sphere", "size": [0.25], "position": [-2, 0, 0], "velocity": [4, 0, 0]},
        ]}))
        .await;

    let flight = client
        .trajectory(&sim, "ball", &json!({"steps": 100}))
        .await
        .expect_status(200)
        .json();

    let events = flight["contact_events"].as_array().unwrap();
    let kinds: Vec<_> = events
        .iter()
        .map(|e| e["event_type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["started", "ended"], "{events:?}");
    for event in events {
        assert_eq!(event["impulse_magnitude"], 0.0, "{event}");
        assert_eq!(
            (&event["body_a"], &event["body_b"]),
            (&json!("ball"), &json!("gate"))
        );
    }
    assert_eq!(flight["frames"][99]["velocity"][0], 4.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ball_that_bounces_starts_a_contact_at_each_bounce() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let mut ball = sphere("ball", 0.5, [0.0, 3.0, 0.0]);
    ball["restitution"] = json!(1);
    let mut floor = ground("floor");
    floor["restitution"] = json!(1);
    let sim = client
        .simulation(&json!({"dt": 0.005, "bodies": [floor, ball]}))
        .await;

    let flight = client
        .trajectory(&sim, "ball", &json!({"steps": 600}))
        .await
        .expect_status(200)
        .json();

    let frames = flight["frames"].as_array().unwrap();
    let bounces: Vec<f64> = frames
        .windows(2)
        .filter(|pair| {
            number(&pair[0]["velocity"][1]) < -1.0 && number(&pair[1]["velocity"][1]) > 1.0
        })
        .map(|pair| number(&pair[0]["time"]))
        .collect();
    let started: Vec<f64> = flight["contact_events"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["event_type"] == "started")
        .map(|event| number(&event["time"]))
        .collect();
    assert!(bounces.len() >= 2, "{bounces:?}");
    assert_eq!(started.len(), bounces.len(), "{started:?} {bounces:?}");
    for (start, bounce) in started.iter().zip(&bounces) {
        assert!(
            (0.0..0.011).contains(&(bounce - start)),
            "{started:?} {bounces:?}"
        );
    }
}

/// A ball over a floor, on its way down.
async fn bouncing(client: &Client) -> String {
    let world: Value = json!({"bodies": [
        ground("floor"),
        {"id": "ball", "shape": "sphere", "size": [0.5], "position": [0, 2, 0],
         "velocity": [1, 0, 0], "angular_velocity": [0, 1, 2]},
    ]});
    client.simulation(&world).await
}
