//! The same commands lead to the same bytes, in any process, however they are spread over time.

use std::{collections::BTreeSet, time::Duration};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

use crate::harness::{Client, Instance, Reply, eventually, find, without};

const SIM: &str = "twin";
const MOST_BODIES: usize = 48;

/// One request of a story.
#[derive(Clone, Debug)]
struct Request {
    method: &'static str,
    path: String,
    body: Option<Value>,
}

/// What one twin answered: status, headers that count, bytes.
#[derive(Clone, Debug, PartialEq)]
struct Answer {
    status: u16,
    headers: Vec<Option<String>>,
    body: String,
}

#[tokio::test]
async fn two_processes_answer_a_thousand_random_commands_with_the_same_bytes() {
    for seed in 1..=4 {
        let (one_process, other_process) = tokio::join!(Instance::spawn(&[]), Instance::spawn(&[]));
        let story = story(seed, 1000);
        let (one, other) = (one_process.client(), other_process.client());

        let (first, second) = tokio::join!(tell(&one, &story), tell(&other, &story));

        check_story(seed, &story, &first);
        same_answers(seed, &story, &first, &second);
    }
}

#[tokio::test]
async fn freezing_in_between_changes_nothing() {
    let (steady_process, freezing_process) = tokio::join!(
        Instance::spawn(&[("FREEZE_AFTER_SECONDS", "3600")]),
        Instance::spawn(&[("FREEZE_AFTER_SECONDS", "1")])
    );
    let story = story(5, 300);
    let (steady, freezing) = (steady_process.client(), freezing_process.client());

    let mut first = Vec::new();
    let mut second = Vec::new();
    for (n, chapter) in story.chunks(60).enumerate() {
        first.extend(tell(&steady, chapter).await);
        second.extend(tell(&freezing, chapter).await);
        let frozen = until_frozen(&freezing).await;
        assert!(frozen, "chapter {n}");
    }
    let (state, thawed) = (steady.state(SIM).await, freezing.state(SIM).await);

    same_answers(5, &story, &first, &second);
    assert_eq!(answer(&state), answer(&thawed), "the state at the end");
}

#[tokio::test]
async fn a_world_frozen_before_its_first_step_goes_on_the_same() {
    let (steady_process, freezing_process) = tokio::join!(
        Instance::spawn(&[("FREEZE_AFTER_SECONDS", "3600")]),
        Instance::spawn(&[("FREEZE_AFTER_SECONDS", "1")])
    );
    let (steady, freezing) = (steady_process.client(), freezing_process.client());
    let build: Vec<Request> = story(6, 80)
        .into_iter()
        .filter(|request| {
            !request.path.ends_with("/step") && !request.path.ends_with("/trajectory")
        })
        .collect();
    let go_on: Vec<Request> = (0..20).map(|_| step(&json!({"steps": 10}))).collect();

    let mut first = tell(&steady, &build).await;
    let mut second = tell(&freezing, &build).await;
    until_frozen(&freezing).await;
    first.extend(tell(&steady, &go_on).await);
    second.extend(tell(&freezing, &go_on).await);

    let story: Vec<Request> = build.into_iter().chain(go_on).collect();
    same_answers(6, &story, &first, &second);
}

#[tokio::test]
async fn how_steps_are_spread_over_calls_changes_nothing() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let story = story(5, 120);
    tell(&client, &story).await;
    let bodies = client.bodies(SIM).await.expect_status(200).json();
    let joints = client.joints(SIM).await.expect_status(200).json();
    let at_once = twin_of(&client, &bodies, &joints).await;
    let bit_by_bit = twin_of(&client, &bodies, &joints).await;

    let one = client.step(&at_once, 240).await.expect_status(200).json();
    for steps in [1, 100, 9, 0, 30, 60, 39] {
        client.step(&bit_by_bit, steps).await.expect_status(200);
        client.bodies(&bit_by_bit).await.expect_status(200);
    }
    client
        .trajectory(&bit_by_bit, "no-such-body", &json!({"steps": 10}))
        .await
        .expect_problem(404, "body_not_found");
    let last = client.step(&bit_by_bit, 1).await.expect_status(200).json();

    assert_eq!(without(&one, &["sim_id"]), without(&last, &["sim_id"]));
}

#[tokio::test]
async fn recording_a_body_moves_the_world_as_stepping_does() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    tell(&client, &story(6, 120)).await;
    let bodies = client.bodies(SIM).await.expect_status(200).json();
    let joints = client.joints(SIM).await.expect_status(200).json();
    let body = bodies["bodies"][0]["id"]
        .as_str()
        .expect("a body has a name");
    let (stepped, recorded) = (
        twin_of(&client, &bodies, &joints).await,
        twin_of(&client, &bodies, &joints).await,
    );

    let state = client.step(&stepped, 200).await.expect_status(200).json();
    client
        .trajectory(&recorded, body, &json!({"steps": 200, "every": 13}))
        .await
        .expect_status(200);
    let other = client.state(&recorded).await.expect_status(200).json();

    assert_eq!(without(&state, &["sim_id"]), without(&other, &["sim_id"]));
}

/// A new simulation with the bodies and joints that another one shows.
async fn twin_of(client: &Client, bodies: &Value, joints: &Value) -> String {
    let of_bodies = ["sleeping", "contacts", "quarantined", "force"];
    let of_joints = [
        "angle",
        "distance",
        "velocity",
        "positions",
        "velocities",
        "impulse",
        "broken",
    ];
    let specs = |list: &Value, shown: &[&str]| -> Vec<Value> {
        list.as_array()
            .into_iter()
            .flatten()
            .map(|item| without(item, shown))
            .collect()
    };
    let request = json!({"dt": 0.01, "bodies": specs(&bodies["bodies"], &of_bodies), "joints": specs(&joints["joints"], &of_joints)});
    client.simulation(&request).await
}

/// Waits until the instance has packed the world away; listing is no access.
async fn until_frozen(client: &Client) -> bool {
    eventually(
        Duration::from_secs(20),
        "the idle world is frozen",
        async || {
            let listed = client.list("limit=10").await.expect_status(200).json();
            let status = find(&listed["simulations"], "sim_id", SIM)["status"].clone();
            if status == "frozen" {
                Ok(true)
            } else {
                Err(status)
            }
        },
    )
    .await
}

/// Sends every request of a story, one after the other.
async fn tell(client: &Client, story: &[Request]) -> Vec<Answer> {
    let mut answers = Vec::with_capacity(story.len());
    for (n, request) in story.iter().enumerate() {
        // Problems repeat the request id, so both twins are given the same one.
        let call = client
            .call(request.method, request.path.clone())
            .header("x-request-id", format!("command-{n}"));
        let reply = match &request.body {
            Some(body) => call.json(body).send().await,
            None => call.send().await,
        };
        answers.push(answer(&reply));
    }
    answers
}

fn answer(reply: &Reply) -> Answer {
    let body = if reply.request.ends_with(" /simulations")
        || reply.request == format!("PATCH /simulations/{SIM}")
    {
        // Times of day and the owner differ between processes, as they must.
        without(&reply.json(), &["created_at", "expires_at", "owner"]).to_string()
    } else {
        String::from_utf8_lossy(&reply.body).into_owned()
    };
    Answer {
        status: reply.status,
        headers: ["sim-seq", "sim-step", "content-type", "location"]
            .map(|name| reply.header(name).map(str::to_owned))
            .to_vec(),
        body,
    }
}

#[track_caller]
fn same_answers(seed: u64, story: &[Request], first: &[Answer], second: &[Answer]) {
    assert_eq!((first.len(), second.len()), (story.len(), story.len()));
    for (n, request) in story.iter().enumerate() {
        assert_eq!(
            first[n],
            second[n],
            "seed {seed}, command {n} of {}: {request:?}",
            story.len()
        );
    }
}

/// A story is worth telling only when most of it was done and some of it was refused.
#[track_caller]
fn check_story(seed: u64, story: &[Request], answers: &[Answer]) {
    let refused = answers
        .iter()
        .filter(|answer| (400..500).contains(&answer.status))
        .count();
    let done = answers
        .iter()
        .filter(|answer| (200..300).contains(&answer.status))
        .count();
    assert_eq!(
        done + refused,
        story.len(),
        "seed {seed}: a command failed: {:?}",
        answers.iter().find(|answer| answer.status >= 500)
    );
    assert!(
        done * 10 >= story.len() * 7,
        "seed {seed}: {done} of {} done",
        story.len()
    );
    assert!(
        refused * 50 >= story.len(),
        "seed {seed}: {refused} of {} refused",
        story.len()
    );
}

/// Random commands, the same for the same seed.
fn story(seed: u64, length: usize) -> Vec<Request> {
    let mut teller = Teller {
        random: StdRng::seed_from_u64(seed),
        bodies: Vec::new(),
        joints: Vec::new(),
        named: 0,
    };
    let mut story = vec![teller.beginning()];
    while story.len() < length {
        story.push(teller.next());
    }
    story
}

/// Makes up requests and remembers which bodies and joints there should be.
struct Teller {
    random: StdRng,
    bodies: Vec<String>,
    joints: Vec<(String, [String; 2])>,
    named: u32,
}

impl Teller {
    fn beginning(&mut self) -> Request {
        let mut bodies =
            vec![json!({"id": "floor", "kind": "static", "shape": "plane", "friction": 0.6})];
        bodies.extend((0..6).map(|_| self.new_body()));
        Request {
            method: "POST",
            path: "/simulations".to_owned(),
            body: Some(json!({"id": SIM, "dt": 0.01, "bodies": bodies})),
        }
    }

    fn next(&mut self) -> Request {
        match self.random.random_range(0..100) {
            0..12 if self.bodies.len() < MOST_BODIES => {
                let body = self.new_body();
                post("/bodies", body)
            }
            12..14 if self.bodies.len() < MOST_BODIES => {
                let several: Vec<Value> = (0..3).map(|_| self.new_body()).collect();
                post("/bodies", Value::Array(several))
            }
            14..18 => self.removal(),
            18..28 => {
                let (body, impulse) = (self.some_body(), self.vector(8.0));
                let mut push = json!({"impulse": impulse});
                if self.chance(0.4) {
                    push["point"] = self.vector(3.0);
                }
                post(&format!("/bodies/{body}/impulse"), push)
            }
            28..35 => {
                let (body, force, torque) = (self.some_body(), self.vector(20.0), self.vector(2.0));
                let mut push = json!({"force": force, "torque": torque});
                if self.chance(0.3) {
                    push["point"] = self.vector(3.0);
                }
                request("PUT", &format!("/bodies/{body}/force"), Some(push))
            }
            35..38 => request(
                "DELETE",
                &format!("/bodies/{}/force", self.some_body()),
                None,
            ),
            38..46 => self.change(),
            46..53 => self.new_joint(),
            53..55 => self.joint_removal(),
            55..57 => self.joint_change(),
            57..60 => self.change_of_the_world(),
            60..84 => {
                let mut steps = json!({"steps": self.random.random_range(0..=20)});
                if self.chance(0.4) {
                    steps["dt"] = self.time_step();
                }
                step(&steps)
            }
            84..89 => {
                let body = self.some_body();
                let mut record = json!({"steps": self.random.random_range(0..=15), "every": self.random.random_range(1..=4)});
                if self.chance(0.3) {
                    record["dt"] = self.time_step();
                }
                post(&format!("/bodies/{body}/trajectory"), record)
            }
            89..95 => self.refused(),
            95..97 => request("GET", "/state", None),
            97..99 => request("GET", "/bodies", None),
            _ => request("GET", "/joints", None),
        }
    }

    fn new_body(&mut self) -> Value {
        self.named += 1;
        let id = format!("body-{}", self.named);
        let (shape, size) = match self.random.random_range(0..4) {
            0 => ("sphere", json!([self.between(0.2, 0.6)])),
            1 => (
                "box",
                json!([
                    self.between(0.4, 1.5),
                    self.between(0.4, 1.5),
                    self.between(0.4, 1.5)
                ]),
            ),
            2 => (
                "capsule",
                json!([self.between(0.2, 0.6), self.between(0.2, 0.5)]),
            ),
            _ => (
                "cylinder",
                json!([self.between(0.2, 0.6), self.between(0.2, 0.5)]),
            ),
        };
        let kind = match self.random.random_range(0..10) {
            0 => "static",
            1 => "kinematic",
            _ => "dynamic",
        };
        let place = [
            self.between(-4.0, 4.0),
            self.between(0.5, 8.0),
            self.between(-4.0, 4.0),
        ];
        let mut body =
            json!({"id": id, "kind": kind, "shape": shape, "size": size, "position": place});
        if self.chance(0.5) {
            body["velocity"] = self.vector(3.0);
            body["angular_velocity"] = self.vector(3.0);
        }
        if self.chance(0.3) {
            body["orientation"] = self.orientation();
        }
        if self.chance(0.5) {
            body["mass"] = json!(self.between(0.2, 20.0));
            body["restitution"] = json!(self.between(0.0, 1.0));
            body["friction"] = json!(self.between(0.0, 1.2));
        }
        if self.chance(0.2) {
            body["drag_coefficient"] = json!(0.5);
            body["drag_area"] = json!(self.between(0.01, 0.5));
            body["drag_axis_ratios"] = json!([1.0, self.between(0.5, 3.0), 1.0]);
        }
        if self.chance(0.1) {
            body["is_sensor"] = json!(true);
        }
        if self.chance(0.1) {
            body["can_sleep"] = json!(false);
        }
        self.bodies.push(id);
        body
    }

    fn removal(&mut self) -> Request {
        if self.bodies.len() < 4 {
            return step(&json!({"steps": 1}));
        }
        let at = self.random.random_range(0..self.bodies.len());
        let body = self.bodies.swap_remove(at);
        self.joints.retain(|(_, joined)| !joined.contains(&body));
        request("DELETE", &format!("/bodies/{body}"), None)
    }

    fn change(&mut self) -> Request {
        let body = self.some_body();
        let patch = match self.random.random_range(0..8) {
            0 => {
                json!({"position": [self.between(-4.0, 4.0), self.between(0.5, 8.0), self.between(-4.0, 4.0)]})
            }
            1 => json!({"velocity": self.vector(6.0)}),
            2 => {
                json!({"angular_velocity": self.vector(6.0), "angular_damping": self.between(0.0, 1.0)})
            }
            3 => json!({"orientation": self.orientation()}),
            4 => json!({"friction": self.between(0.0, 1.0), "restitution": self.between(0.0, 1.0)}),
            5 => json!({"mass": self.between(0.5, 10.0), "linear_damping": self.between(0.0, 0.5)}),
            6 => {
                json!({"kind": (["static", "dynamic", "kinematic"][self.random.random_range(0..3)])})
            }
            _ => json!({"is_sensor": self.chance(0.3)}),
        };
        request("PATCH", &format!("/bodies/{body}"), Some(patch))
    }

    fn new_joint(&mut self) -> Request {
        self.named += 1;
        let id = format!("joint-{}", self.named);
        let joined = [self.some_body(), self.some_body()];
        let kind = ["fixed", "revolute", "spherical", "prismatic"][self.random.random_range(0..4)];
        let mut joint = json!({
            "id": id, "joint_type": kind, "body_a": joined[0], "body_b": joined[1],
            "anchor_a": self.vector(0.8), "anchor_b": self.vector(0.8), "axis": self.vector(2.0),
        });
        if self.chance(0.5) && ["revolute", "prismatic"].contains(&kind) {
            joint["limits"] = json!([self.between(-1.0, 0.0), self.between(0.0, 1.0)]);
        }
        if self.chance(0.3) {
            joint["collide"] = json!(true);
        }
        self.joints.push((id, joined));
        post("/joints", joint)
    }

    fn joint_removal(&mut self) -> Request {
        if self.joints.is_empty() {
            return step(&json!({"steps": 2}));
        }
        let at = self.random.random_range(0..self.joints.len());
        let (joint, _) = self.joints.swap_remove(at);
        request("DELETE", &format!("/joints/{joint}"), None)
    }

    fn joint_change(&mut self) -> Request {
        if self.joints.is_empty() {
            return step(&json!({"steps": 3}));
        }
        let at = self.random.random_range(0..self.joints.len());
        let joint = self.joints[at].0.clone();
        let patch = if self.chance(0.5) {
            json!({"limits": [self.between(-0.5, 0.0), self.between(0.0, 0.5)]})
        } else {
            json!({"collide": self.chance(0.5)})
        };
        request("PATCH", &format!("/joints/{joint}"), Some(patch))
    }

    fn change_of_the_world(&mut self) -> Request {
        let patch = if self.chance(0.5) {
            json!({"gravity": [self.between(-1.0, 1.0), self.between(-12.0, -6.0), self.between(-1.0, 1.0)]})
        } else {
            json!({"dt": self.time_step()})
        };
        request("PATCH", "", Some(patch))
    }

    fn refused(&mut self) -> Request {
        let known = self.some_body();
        match self.random.random_range(0..9) {
            0 => post(
                "/bodies",
                json!({"id": "floor", "shape": "sphere", "size": [0.5]}),
            ),
            1 => post(
                "/bodies",
                json!({"id": "bad", "shape": "sphere", "size": [-0.5], "mass": -1.0}),
            ),
            2 => post(
                "/bodies",
                json!({"id": "bad", "shape": "sphere", "size": [0.5], "colour": "red"}),
            ),
            3 => post(
                "/joints",
                json!({"id": "bad", "joint_type": "revolute", "body_a": "nobody", "body_b": known}),
            ),
            4 => step(&json!({"steps": 20_000_000})),
            5 => step(&json!({"steps": 1, "dt": 0.0})),
            6 => post("/bodies/nobody/trajectory", json!({"steps": 10})),
            7 => post(
                "/bodies/nobody/impulse",
                json!({"impulse": [1.0, 0.0, 0.0]}),
            ),
            _ => request(
                "PATCH",
                &format!("/bodies/{known}"),
                Some(json!({"orientation": [0.0, 0.0, 0.0, 0.0]})),
            ),
        }
    }

    fn some_body(&mut self) -> String {
        let at = self.random.random_range(0..=self.bodies.len());
        self.bodies
            .get(at)
            .cloned()
            .unwrap_or_else(|| "floor".to_owned())
    }

    fn time_step(&mut self) -> Value {
        json!([0.016, 0.01, 0.005, 0.002, 0.05][self.random.random_range(0..5)])
    }

    fn vector(&mut self, most: f64) -> Value {
        json!([
            self.between(-most, most),
            self.between(-most, most),
            self.between(-most, most)
        ])
    }

    fn orientation(&mut self) -> Value {
        loop {
            let parts = [(); 4].map(|()| self.between(-1.0, 1.0));
            let length = parts.iter().map(|part| part * part).sum::<f64>().sqrt();
            if length > 0.1 {
                return json!(parts.map(|part| part / length));
            }
        }
    }

    fn between(&mut self, least: f64, most: f64) -> f64 {
        self.random.random_range(least..most)
    }

    fn chance(&mut self, share: f64) -> bool {
        self.random.random_bool(share)
    }
}

fn request(method: &'static str, path: &str, body: Option<Value>) -> Request {
    Request {
        method,
        path: format!("/simulations/{SIM}{path}"),
        body,
    }
}

fn post(path: &str, body: Value) -> Request {
    request("POST", path, Some(body))
}

fn step(body: &Value) -> Request {
    post("/step", body.clone())
}

#[test]
fn a_seed_always_tells_the_same_story_and_another_one_another() {
    let told = |seed| -> Vec<String> {
        story(seed, 200)
            .iter()
            .map(|request| format!("{request:?}"))
            .collect()
    };
    let (once, again, other) = (told(7), told(7), told(8));

    let methods: BTreeSet<&str> = story(7, 200).iter().map(|request| request.method).collect();
    assert_eq!(once, again);
    assert_ne!(once, other);
    assert_eq!(methods.len(), 5, "all methods occur: {methods:?}");
}
