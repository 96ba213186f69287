//! Too much of everything: queues, quotas, limits, timeouts and clients that leave.

use std::{
    io::Write,
    net::TcpStream,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::{
    Client, Instance, busy_world, eventually, eventually_true, ground, number, sphere,
    steps_lasting, until_stepping,
};

const SOON: Duration = Duration::from_secs(90);

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_refuses_at_once_and_names_itself() {
    let instance = Instance::spawn_with(&["--max-queue-per-simulation", "2"], &[]).await;
    let client = instance.client();
    let sim = busy_world(&client, 400, json!({})).await;
    let neighbour = client.simulation(&json!({})).await;
    let mut long_step = JoinSet::new();
    let (asker, id) = (client.clone(), sim.clone());
    long_step.spawn(async move { asker.step(&id, 10_000).await });
    until_stepping(&client, &sim).await;

    let mut askers = JoinSet::new();
    for _ in 0..10 {
        let (client, sim) = (client.clone(), sim.clone());
        askers.spawn(async move { client.step(&sim, 1).await });
    }
    let mut refused = Vec::new();
    while refused.len() < 8 {
        let answered = tokio::time::timeout(SOON, askers.join_next()).await;
        let Ok(Some(Ok(reply))) = answered else {
            panic!("only {} of 10 were refused: {answered:?}", refused.len());
        };
        refused.push(reply);
    }
    let read = client.state(&sim).await;
    let next_door = client.step(&neighbour, 1).await;

    assert!(long_step.try_join_next().is_none(), "the step was not long");
    assert!(
        askers.try_join_next().is_none(),
        "as many wait as the queue holds"
    );
    for reply in refused {
        let problem = reply.expect_problem(429, "simulation_busy");
        assert_eq!(problem.body["sim_id"], sim.as_str());
        assert_eq!(problem.body["limit"], "MAX_QUEUE_PER_SIMULATION");
        assert_eq!(problem.body["maximum"], 2);
    }
    read.expect_status(200);
    next_door.expect_status(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_waits_for_each_reply_never_meets_a_full_queue() {
    let instance = Instance::in_process(&["--max-queue-per-simulation", "1"]).await;
    let client = instance.client();
    let mut askers = JoinSet::new();

    for _ in 0..8 {
        let client = client.clone();
        askers.spawn(async move {
            let sim = client.simulation(&json!({})).await;
            for n in 0..60 {
                let reply = client.step(&sim, 1).await;
                assert_eq!(reply.status, 200, "step {n}: {}", reply.text());
                let reply = client.keepalive(&sim).await;
                assert_eq!(reply.status, 200, "keepalive {n}: {}", reply.text());
            }
        });
    }

    askers.join_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_is_free_as_soon_as_the_delete_is_answered() {
    let instance = Instance::in_process(&["--max-simulations", "1"]).await;
    let client = instance.client();

    for _ in 0..100 {
        client
            .create_simulation(&json!({"id": "only"}))
            .await
            .expect_status(201);
        client.destroy("only").await.expect_status(204);
    }

    assert_eq!(client.health().await.json()["simulations"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn simulations_are_counted_and_freed_places_can_be_taken() {
    let instance = Instance::in_process(&["--max-simulations", "2"]).await;
    let client = instance.client();
    let first = client.simulation(&json!({})).await;
    client.simulation(&json!({})).await;

    let refused = client
        .create_simulation(&json!({}))
        .await
        .expect_problem(429, "quota_exceeded");
    client.destroy(&first).await.expect_status(204);
    client
        .create_simulation(&json!({}))
        .await
        .expect_status(201);
    client
        .create_simulation(&json!({}))
        .await
        .expect_problem(429, "quota_exceeded");

    assert_eq!(refused.body["limit"], "MAX_SIMULATIONS");
    assert_eq!(refused.body["maximum"], 2);
    assert!(refused.body["used"].is_u64(), "{}", refused.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_race_for_the_last_place_has_one_winner() {
    let instance = Instance::in_process(&["--max-simulations", "5"]).await;
    let client = instance.client();
    let mut askers = JoinSet::new();

    for n in 0..40 {
        let client = client.clone();
        // Half of them want the same id.
        let request = if n % 2 == 0 {
            json!({})
        } else {
            json!({"id": "same"})
        };
        askers.spawn(async move { client.create_simulation(&request).await });
    }
    let replies = askers.join_all().await;

    let created = replies.iter().filter(|reply| reply.status == 201).count();
    assert_eq!(created, 5);
    assert_eq!(client.health().await.json()["simulations"], 5);
    let same = replies
        .iter()
        .filter(|reply| reply.status == 201 && reply.json()["sim_id"] == "same");
    assert!(same.count() <= 1);
    for reply in replies.iter().filter(|reply| reply.status != 201) {
        let code = reply.problem().code().to_owned();
        assert!(
            ["quota_exceeded", "simulation_exists"].contains(&code.as_str()),
            "{code}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_inside_a_simulation_name_themselves() {
    let instance = Instance::in_process(&[
        "--max-bodies-per-simulation",
        "3",
        "--max-joints-per-simulation",
        "1",
        "--max-steps-per-request",
        "50",
        "--max-frames-per-reply",
        "20",
    ])
    .await;
    let client = instance.client();
    let bodies = [
        ground("floor"),
        sphere("a", 0.5, [0.0, 2.0, 0.0]),
        sphere("b", 0.5, [3.0, 2.0, 0.0]),
    ];
    let joint = |id: &str| json!({"id": id, "joint_type": "fixed", "body_a": "a", "body_b": "b"});
    let sim = client
        .simulation(&json!({"bodies": bodies, "joints": [joint("j")]}))
        .await;
    let many: Vec<_> = (0..4)
        .map(|n| sphere(&format!("x{n}"), 0.5, [0.0; 3]))
        .collect();

    for (what, reply, limit, maximum) in [
        (
            "a body more",
            client.add_body(&sim, &sphere("c", 0.5, [0.0; 3])).await,
            "MAX_BODIES_PER_SIMULATION",
            3,
        ),
        (
            "a world too big",
            client.create_simulation(&json!({"bodies": many})).await,
            "MAX_BODIES_PER_SIMULATION",
            3,
        ),
        (
            "a joint more",
            client.add_joint(&sim, &joint("k")).await,
            "MAX_JOINTS_PER_SIMULATION",
            1,
        ),
        (
            "steps",
            client.step(&sim, 51).await,
            "MAX_STEPS_PER_REQUEST",
            50,
        ),
        (
            "steps of a trajectory",
            client
                .trajectory(&sim, "a", &json!({"steps": 51, "every": 10}))
                .await,
            "MAX_STEPS_PER_REQUEST",
            50,
        ),
        (
            "frames",
            client.trajectory(&sim, "a", &json!({"steps": 21})).await,
            "MAX_FRAMES_PER_REPLY",
            20,
        ),
    ] {
        assert_eq!(reply.status, 422, "{what}: {}", reply.text());
        let problem = reply.problem();
        assert_eq!(problem.code(), "limit_exceeded", "{what}");
        assert_eq!(problem.body["limit"], limit, "{what}");
        assert_eq!(problem.body["maximum"], maximum, "{what}");
        assert!(problem.body["used"].is_u64(), "{what}: {}", problem.body);
    }
    client.step(&sim, 50).await.expect_status(200);
    client
        .trajectory(&sim, "a", &json!({"steps": 20}))
        .await
        .expect_status(200);
    client.remove_body(&sim, "b").await.expect_status(204);
    client
        .add_body(&sim, &sphere("c", 0.5, [9.0, 0.0, 0.0]))
        .await
        .expect_status(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeout_ends_the_waiting_and_never_the_command() {
    let instance = Instance::spawn_with(&["--request-timeout-ms", "1000"], &[]).await;
    let client = instance.client();
    let sim = busy_world(&client, 200, json!({})).await;
    let (steps, end) = steps_lasting(&client, &sim, Duration::from_secs(4)).await;
    let step = || {
        client
            .call("POST", format!("/simulations/{sim}/step"))
            .json(&json!({"steps": steps}))
            .header("idempotency-key", "patience")
    };
    let asked = Instant::now();

    let problem = step().send().await.expect_problem(503, "outcome_unknown");
    let waited = asked.elapsed();
    let while_it_runs = client.state(&sim).await.expect_status(200).json();
    let reply = eventually(SOON, "the key fetches the reply", async || {
        let reply = step().send().await;
        if reply.status == 200 {
            Ok(reply)
        } else {
            Err(reply.text())
        }
    })
    .await;

    assert!(
        (Duration::from_millis(990)..Duration::from_secs(3)).contains(&waited),
        "{waited:?}"
    );
    assert_eq!(problem.body["outcome"], "unknown");
    assert_eq!(problem.body["retryable"], true);
    assert_eq!(problem.body["sim_id"], sim.as_str());
    assert_eq!(while_it_runs["step"], end - steps);
    assert_eq!(reply.header("idempotency-replayed"), Some("true"));
    assert_eq!(reply.json()["step"], end);
    assert_eq!(client.state(&sim).await.json()["step"], end);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_never_began_says_that_nothing_was_applied() {
    let instance = Instance::spawn_with(&["--request-timeout-ms", "1000"], &[]).await;
    let client = instance.client();
    let sim = busy_world(&client, 200, json!({})).await;
    let (steps, end) = steps_lasting(&client, &sim, Duration::from_secs(4)).await;
    let mut long_step = JoinSet::new();
    let (asker, id) = (client.clone(), sim.clone());
    long_step.spawn(async move { asker.step(&id, steps).await });
    until_stepping(&client, &sim).await;

    let queued = client.step(&sim, 7).await;
    let long = long_step.join_next().await.unwrap().unwrap();
    let last = eventually(SOON, "the long step ends", async || {
        let record = client.describe(&sim).await.json();
        if record["status"] == "stepping" || record["step"] == end - steps {
            Err(record)
        } else {
            Ok(record)
        }
    })
    .await;

    long.expect_problem(503, "outcome_unknown");
    let problem = queued.expect_problem(503, "overloaded");
    assert_eq!(problem.body["outcome"], Value::Null);
    assert_eq!(problem.body["retryable"], true);
    assert_eq!(
        last["step"], end,
        "what was refused as not begun was applied"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_whose_client_left_in_the_queue_is_dropped() {
    let instance = Instance::spawn(&[]).await;
    let client = instance.client();
    let sim = busy_world(&client, 200, json!({})).await;
    let (steps, end) = steps_lasting(&client, &sim, Duration::from_secs(3)).await;
    client
        .add_body(&sim, &sphere("marker", 0.1, [0.0, 900.0, 0.0]))
        .await
        .expect_status(201);
    let mut long_step = JoinSet::new();
    let (asker, id) = (client.clone(), sim.clone());
    long_step.spawn(async move { asker.step(&id, steps).await });
    until_stepping(&client, &sim).await;

    for n in 0..5 {
        let body = format!(r#"{{"position": [0, {n}, 0]}}"#);
        drop(send_and_keep_open(
            &client,
            &format!("PATCH /simulations/{sim}/bodies/marker"),
            &body,
            "",
        ));
    }
    assert!(long_step.try_join_next().is_none(), "the step was not long");
    let long = long_step.join_next().await.unwrap().unwrap();
    let last = client.step(&sim, 1).await.expect_status(200);

    assert_eq!(long.status, 200, "{}", long.text());
    assert_eq!(
        last.header_number("sim-seq"),
        long.header_number("sim-seq") + 1,
        "commands of clients that had left were applied"
    );
    assert_eq!(last.json()["step"], end + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_whose_client_left_while_it_ran_is_finished() {
    let instance = Instance::spawn(&[]).await;
    let client = instance.client();
    let sim = busy_world(&client, 200, json!({})).await;
    let (steps, end) = steps_lasting(&client, &sim, Duration::from_secs(3)).await;
    let request = json!({"steps": steps});
    let connection = send_and_keep_open(
        &client,
        &format!("POST /simulations/{sim}/step"),
        &request.to_string(),
        "Idempotency-Key: gone\r\n",
    );
    until_stepping(&client, &sim).await;

    drop(connection);

    let state = eventually_true(
        SOON,
        "the step is finished",
        |state: &Value| state["step"] != end - steps,
        async || client.state(&sim).await.json(),
    )
    .await;
    assert_eq!(state["step"], end);
    let replayed = client
        .call("POST", format!("/simulations/{sim}/step"))
        .json(&request)
        .header("idempotency-key", "gone")
        .send()
        .await
        .expect_status(200);
    assert_eq!(replayed.json(), state);
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_worlds_step_side_by_side_without_a_mistake() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let mut askers = JoinSet::new();

    for n in 0..200_u32 {
        let client = client.clone();
        askers.spawn(async move {
            let sim = client
                .simulation(&json!({"gravity": [0, 0, 0], "dt": 0.01, "bodies": [
                    {"id": "ball", "shape": "sphere", "size": [0.5], "velocity": [n, 0, 0]}]}))
                .await;
            for _ in 0..5 {
                client.step(&sim, 20).await.expect_status(200);
            }
            let state = client.state(&sim).await.json();
            client.destroy(&sim).await.expect_status(204);
            (n, state)
        });
    }
    let ends = askers.join_all().await;

    for (n, state) in ends {
        let x = number(&state["bodies"][0]["position"][0]);
        assert!((x - f64::from(n)).abs() < 0.01, "{n} m/s for a second: {x}");
    }
    assert_eq!(client.health().await.json()["simulations"], 0);
}

/// Sends a whole request and returns the connection, its reply unread.
fn send_and_keep_open(client: &Client, request: &str, body: &str, headers: &str) -> TcpStream {
    let mut connection =
        TcpStream::connect(client.address()).expect("the server accepts connections");
    let (method, path) = request.split_once(' ').expect("a method and a path");
    write!(
        connection,
        "{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{headers}\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("the server reads");
    connection
}
