//! Whatever is asked for, valid or not: no failure, no number that is none, no difference between
//! two processes, and no harm to bodies that nothing has to do with.

mod bodies;
mod broken;
mod controllers;
mod joints;
mod questions;
mod random;
mod teller;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::harness::{Client, Instance, Reply, number, setting, without};
use teller::{Request, Teller};

/// How many requests one simulation gets.
const CHAPTER: usize = 50;
/// How many faults are worth telling of at once.
const MOST_FAULTS: usize = 8;

#[tokio::test]
async fn specs_valid_or_not_break_nothing_and_no_two_processes_differ() {
    let cases = setting("SPEC_CASES", 2000);
    let first = u64::try_from(setting("SPEC_SEED", 1)).expect("a seed is a number");
    let (one_process, other_process) = tokio::join!(Instance::spawn(&[]), Instance::spawn(&[]));
    let (one, other) = (one_process.client(), other_process.client());
    let mut found = Findings::default();
    for seed in (first..).take(cases.div_ceil(CHAPTER)) {
        let mut teller = Teller::new(seed, &format!("world-{seed}"));
        let mut request = teller.beginning();
        for n in 1..=CHAPTER {
            let done = found.compare(seed, &request, [&one, &other]).await;
            request = match n {
                CHAPTER => teller.request("POST", "/step", Some(r#"{"steps": 5}"#.to_owned())),
                _ => teller.next(done),
            };
        }
        let ending = teller.request("DELETE", "", None);
        let all = [request]
            .into_iter()
            .chain(teller.all_there_is())
            .chain([ending]);
        for request in all {
            found.compare(seed, &request, [&one, &other]).await;
        }
        assert!(
            found.faults.len() < MOST_FAULTS,
            "{}",
            found.faults.join("\n\n")
        );
    }
    for process in [&one_process, &other_process] {
        let panics = process.log();
        let panics = panics.iter().filter(|line| line.contains("panicked"));
        found.faults.extend(panics.cloned());
    }
    println!("answers by status: {:?}", found.statuses);
    assert!(found.faults.is_empty(), "{}", found.faults.join("\n\n"));
    let [done, refused] = [2, 4].map(|class| found.of_class(class));
    assert!(
        refused * 10 > done && done > refused,
        "{:?}",
        found.statuses
    );
}

#[derive(Default)]
struct Findings {
    statuses: BTreeMap<u16, usize>,
    faults: Vec<String>,
}

impl Findings {
    fn of_class(&self, class: u16) -> usize {
        let of_class = self
            .statuses
            .iter()
            .filter(|(status, _)| *status / 100 == class);
        of_class.map(|(_, count)| count).sum()
    }

    /// Sends a request to two processes and notes what is wrong with the answers; whether it was
    /// carried out.
    async fn compare(&mut self, seed: u64, request: &Request, [one, other]: [&Client; 2]) -> bool {
        let (first, second) = tokio::join!(send(one, request), send(other, request));
        let told = |what: &str| {
            let body = request.body.as_deref().unwrap_or_default();
            let (method, path, answer) = (request.method, &request.path, first.text());
            format!("seed {seed}: {what}\n  {method} {path} {body}\n  {answer}")
        };
        if answer(&first) != answer(&second) {
            self.faults
                .push(told(&format!("there it is {}", second.text())));
        }
        self.look_at(&first, told);
        first.status < 300
    }

    /// Notes what must not be in any answer.
    fn look_at(&mut self, reply: &Reply, told: impl Fn(&str) -> String) {
        *self.statuses.entry(reply.status).or_default() += 1;
        if reply.status >= 500 {
            self.faults.push(told("failed"));
        }
        if reply.body.is_empty() {
            return;
        }
        let Ok(body) = serde_json::from_slice::<Value>(&reply.body) else {
            self.faults.push(told("is no JSON"));
            return;
        };
        if holds_null(&body) {
            self.faults.push(told("a number that is none"));
        }
        let hurt = body["quarantined"].as_array().into_iter().flatten();
        if hurt
            .filter_map(Value::as_str)
            .any(|id| id.starts_with("innocent"))
        {
            self.faults.push(told("an innocent body is in quarantine"));
        }
        if reply.status == 200 && reply.request.ends_with("/state") {
            for (id, x) in [
                ("innocent-0", 50.0),
                ("innocent-1", 60.0),
                ("innocent-2", 62.0),
            ] {
                if !is_as_it_was(&body, id, x) {
                    self.faults.push(told(&format!("{id} is not as it was")));
                }
            }
        }
    }
}

fn is_as_it_was(state: &Value, id: &str, x: f64) -> bool {
    let bodies = state["bodies"].as_array().into_iter().flatten();
    bodies.filter(|body| body["id"] == id).any(|body| {
        let spin = if id == "innocent-0" { 0.25 } else { 0.0 };
        let turns = (number(&body["angular_velocity"][2]) - spin).abs() < 1e-4;
        body["position"] == json!([x, 50.0, 0.0]) && turns
    })
}

/// Whether there is a null anywhere where no word or list could be.
fn holds_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().any(holds_null),
        Value::Object(fields) => fields
            .iter()
            .any(|(name, field)| name != "first_divergence" && holds_null(field)),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

async fn send(client: &Client, request: &Request) -> Reply {
    let call = client
        .call(request.method, request.path.clone())
        .header("x-request-id", "request");
    let call = match &request.body {
        Some(body) => call
            .bytes(body.clone())
            .header("content-type", "application/json"),
        None => call,
    };
    call.send().await
}

/// All of an answer that must not depend on who gives it.
fn answer(reply: &Reply) -> (u16, Vec<Option<&str>>, String) {
    let headers = ["sim-seq", "sim-step", "content-type", "location"];
    let headers = headers.map(|name| reply.header(name)).to_vec();
    let is_description = reply.status < 300 && {
        let path = reply.request.split(' ').next_back().unwrap_or_default();
        path.matches('/').count() < 3
    };
    let body = if is_description && !reply.body.is_empty() {
        // Times of day and the owner differ between processes, as they must.
        without(&reply.json(), &["created_at", "expires_at", "owner"]).to_string()
    } else {
        String::from_utf8_lossy(&reply.body).into_owned()
    };
    (reply.status, headers, body)
}
