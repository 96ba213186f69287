//! Worlds and questions about states that several tests share.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Client, eventually_true};

const SOON: Duration = Duration::from_secs(60);
const MAX_STEPS: u32 = 10_000;

/// A dynamic ball of mass 1.
pub(crate) fn sphere(id: &str, radius: f64, position: [f64; 3]) -> Value {
    json!({"id": id, "kind": "dynamic", "shape": "sphere", "size": [radius], "position": position})
}

/// An endless floor at height 0.
pub(crate) fn ground(id: &str) -> Value {
    json!({"id": id, "kind": "static", "shape": "plane"})
}

/// Settings of a world where nothing falls.
pub(crate) fn zero_gravity() -> Value {
    json!({"gravity": [0, 0, 0], "dt": 0.01})
}

/// A pile whose steps are expensive: thousands of them keep a core busy for seconds.
///
/// The boxes never sleep, so every step costs the same.
pub(crate) async fn busy_world(client: &Client, boxes: usize, mut request: Value) -> String {
    let mut bodies = vec![ground("floor")];
    for n in 0..boxes {
        let (layer, place) = (n / 16, n % 16);
        let at = |k: usize| f64::from(u32::try_from(k).expect("piles are small"));
        bodies.push(json!({
            "id": format!("box-{n}"), "kind": "dynamic", "shape": "box", "size": [1, 1, 1],
            "position": [at(place % 4) * 1.01, 0.5 + at(layer) * 1.01, at(place / 4) * 1.01],
            "can_sleep": false,
        }));
    }
    request["bodies"] = Value::Array(bodies);
    client.simulation(&request).await
}

/// How many steps keep this world busy for about this long, and at which step they end.
///
/// Measured by stepping it, as machines differ; the fastest try counts, as they are busy with
/// other things at times.
pub(crate) async fn steps_lasting(client: &Client, sim: &str, duration: Duration) -> (u32, u32) {
    const PROBE: u32 = 20;
    let mut each = Duration::MAX;
    let mut now = None;
    for _ in 0..6 {
        let asked = Instant::now();
        let state = client.step(sim, PROBE).await.expect_status(200);
        each = each.min(asked.elapsed() / PROBE);
        now = state.json()["step"].as_u64();
    }
    let steps = duration.as_nanos() / each.as_nanos().max(1);
    let steps = u32::try_from(steps).unwrap_or(MAX_STEPS).min(MAX_STEPS);
    let now = now.and_then(|now| u32::try_from(now).ok());
    (steps, now.expect("a state counts its steps") + steps)
}

/// Waits until the simulation is being stepped.
pub(crate) async fn until_stepping(client: &Client, sim: &str) {
    eventually_true(
        SOON,
        "the simulation is being stepped",
        |status| status == "stepping",
        async || client.describe(sim).await.json()["status"].clone(),
    )
    .await;
}

/// The element of an array of objects whose member `key` has this value.
#[track_caller]
pub(crate) fn find<'a>(list: &'a Value, key: &str, value: &str) -> &'a Value {
    list.as_array()
        .and_then(|items| items.iter().find(|item| item[key] == value))
        .unwrap_or_else(|| panic!("nothing with {key} {value} in {list}"))
}

/// A body of a state, by name.
#[track_caller]
pub(crate) fn find_body<'a>(state: &'a Value, id: &str) -> &'a Value {
    find(&state["bodies"], "id", id)
}

/// A JSON number.
#[track_caller]
pub(crate) fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("not a number: {value}"))
}

/// A vector of three numbers.
#[track_caller]
pub(crate) fn triple(value: &Value) -> [f64; 3] {
    assert_eq!(value.as_array().map(Vec::len), Some(3), "{value}");
    [number(&value[0]), number(&value[1]), number(&value[2])]
}

/// The object without some of its members.
pub(crate) fn without(value: &Value, members: &[&str]) -> Value {
    let mut copy = value.clone();
    if let Some(object) = copy.as_object_mut() {
        object.retain(|key, _| !members.contains(&key.as_str()));
    }
    copy
}

/// Seconds since midnight of an RFC 3339 time, whose fractions have as many digits as they need.
#[track_caller]
pub(crate) fn seconds_of_day(time: &Value) -> f64 {
    let clock = time
        .as_str()
        .and_then(|text| text.split(['T', 'Z']).nth(1))
        .unwrap_or_else(|| panic!("not a time: {time}"));
    clock
        .split(':')
        .map(|part| part.parse::<f64>().expect("times are digits"))
        .fold(0.0, |sum, part| sum * 60.0 + part)
}
