//! How much memory the service may hold, and what it refuses beyond that.

use std::{cell::Cell, fs, time::Duration};

use serde_json::{Value, json};

use crate::{
    assets::sha256,
    harness::{Client, Instance, Reply, eventually, sphere},
};

const SOON: Duration = Duration::from_secs(90);
/// What there is room for beside what an idle process holds.
const ROOM: u64 = 48 << 20;
/// Bodies of each world.
const BODIES: u32 = 400;

/// What a process holds, in bytes.
fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let text = line
        .expect("it holds memory")
        .trim()
        .trim_end_matches(" kB");
    text.parse::<u64>().expect("a number") * 1024
}

fn world() -> Value {
    let row = |n| sphere(&format!("b{n}"), 0.5, [f64::from(n) * 2.0, 0.5, 0.0]);
    json!({"bodies": (0..BODIES).map(row).collect::<Vec<_>>()})
}

/// Asks again until there is no room: the allocator gives pages back long after they were freed.
async fn refused(ask: impl AsyncFn(usize) -> Reply) -> Reply {
    let round = Cell::new(0);
    let refused = eventually(SOON, "there is no room", async || {
        let reply = ask(round.replace(round.get() + 1)).await;
        if reply.status == 503 {
            Ok(reply)
        } else {
            Err(reply.status)
        }
    });
    refused.await
}

async fn add_bodies(client: &Client, sim: &str, round: usize) -> Reply {
    let add = |n| {
        let x = f64::from(n) * 2.0;
        let mut item = sphere(&format!("more{round}-{n}"), 0.5, [x, 50.0, 0.0]);
        item["op"] = json!("add_body");
        item
    };
    let commands: Vec<_> = (0..BODIES).map(add).collect();
    let call = client.call("POST", format!("/simulations/{sim}/commands"));
    call.json(&json!({"commands": commands})).send().await
}

async fn upload(client: &Client, round: usize) -> Reply {
    let bytes = format!("solid {round}{}\nendsolid\n", "x".repeat(2_000_000));
    let call = client.call("PUT", format!("/assets/{}", sha256(bytes.as_bytes())));
    call.bytes(bytes)
        .header("content-type", "model/stl")
        .send()
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_its_budget_nothing_is_taken_in_until_something_goes() {
    let idle = Instance::spawn(&[]).await;
    idle.client().health().await.expect_status(200);
    let budget = resident(idle.pid()) + ROOM;
    drop(idle);
    let budget_bytes = budget.to_string();
    let args = [
        "--memory-budget-bytes",
        &budget_bytes,
        "--freeze-after-seconds",
        "3600",
    ];
    let instance = Instance::spawn_with(&args, &[]).await;
    let client = instance.client();
    let (request, mut worlds) = (world(), Vec::new());

    // What was admitted is taken for held at first: it is full when nothing goes for a while.
    let full = eventually(SOON * 3, "the budget is used up", async || {
        let mut last = None;
        for _ in 0..8 {
            let reply = client.create_simulation(&request).await;
            if reply.status == 201 {
                worlds.push(reply.json()["sim_id"].as_str().unwrap_or("").to_owned());
                return Err(worlds.len());
            }
            last = Some(reply);
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
        last.ok_or(0)
    })
    .await;
    assert_eq!(full.header("retry-after"), Some("1"));
    let problem = full.expect_problem(503, "overloaded");
    assert_eq!(problem.body["retryable"], true);
    let held = resident(instance.pid());
    assert!(held <= budget + budget / 10, "{held} bytes of {budget}");

    let first = &worlds[0];
    let more = refused(async |round| add_bodies(&client, first, round).await).await;
    more.expect_problem(503, "overloaded");
    let file = refused(async |round| upload(&client, round).await).await;
    file.expect_problem(503, "overloaded");
    client.step(first, 1).await.expect_status(200);
    client.state(first).await.expect_status(200);
    client.health().await.expect_status(200);

    for sim in &worlds {
        client.destroy(sim).await.expect_status(204);
    }
    eventually(SOON, "there is room again", async || {
        let reply = client.create_simulation(&request).await;
        if reply.status == 201 {
            Ok(())
        } else {
            Err(reply.text())
        }
    })
    .await;
}
