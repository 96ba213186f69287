//! Clients that do all that the others do not: upload meshes, bring robots in, copy simulations as
//! files, ask questions, go away before they are answered, ask for nonsense, and leave without a
//! word.

use std::{sync::Arc, time::Duration};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    client::Crowd,
    harness::{Call, Reply, scene},
};

/// How long one answer may take.
const GLANCE: Duration = Duration::from_secs(5);
/// How long somebody waits who goes away.
const IMPATIENCE: Duration = Duration::from_millis(15);
const PAUSE: Duration = Duration::from_millis(250);
const BUNDLE: &str = "application/vnd.rapier-bundle";

const ARM: &str = r#"<robot name="arm"><link name="world"/>
    <link name="bar"><inertial><origin xyz="0 0 -0.4"/><mass value="2.5"/>
      <inertia ixx="0.3" iyy="0.2" izz="0.1" ixy="0" ixz="0" iyz="0"/></inertial>
      <collision><geometry><box size="0.1 0.1 0.1"/></geometry></collision></link>
    <joint name="hinge" type="continuous"><parent link="world"/><child link="bar"/><axis xyz="0 1 0"/></joint></robot>"#;

/// What is answered to a guest beside 2xx: what is passing, what a fault or its own nonsense
/// explains, and nothing that would be the service's own failure.
const EXPECTED: [u16; 10] = [304, 400, 404, 405, 409, 413, 415, 422, 429, 503];

/// Comes and goes until it is over.
pub(super) async fn visit(crowd: Arc<Crowd>, number: usize, seed: u64) {
    let stream = seed.wrapping_add(u64::try_from(number).unwrap_or_default());
    let mut guest = Guest {
        random: StdRng::seed_from_u64(!stream),
        name: String::new(),
        crowd,
    };
    for turn in 0_usize.. {
        if *guest.crowd.over.borrow() {
            return;
        }
        guest.name = format!("g-{number}-{turn}-{seed}");
        match (turn + number) % 5 {
            0 => guest.brings_a_mesh().await,
            1 => guest.copies_a_simulation().await,
            2 => guest.brings_a_robot_and_asks().await,
            3 => guest.asks_for_nonsense().await,
            _ => guest.goes_away().await,
        }
        tokio::time::sleep(PAUSE).await;
    }
}

struct Guest {
    crowd: Arc<Crowd>,
    random: StdRng,
    /// A name that nobody else has.
    name: String,
}

impl Guest {
    async fn brings_a_mesh(&mut self) {
        let size = self.random.random_range(0.4..0.6);
        let gem = format!(
            "v {size} 0 0\nv -0.5 0 0\nv 0 0.5 0\nv 0 -0.5 0\nv 0 0 0.5\nv 0 0 -0.5\n\
             f 1 3 5\nf 3 2 5\nf 2 4 5\nf 4 1 5\nf 3 1 6\nf 2 3 6\nf 4 2 6\nf 1 4 6\n"
        );
        let digits = Sha256::digest(&gem);
        let digits = digits.iter().map(|byte| format!("{byte:02x}"));
        let asset = digits.collect::<Vec<_>>().concat();
        let upload = self.call("PUT", &format!("/assets/{asset}"));
        let upload = upload.header("content-type", "model/obj").bytes(gem);
        self.ask(upload).await;
        let world = json!({"id": self.name, "dt": 0.01, "ttl_seconds": 30, "bodies": [
            {"id": "floor", "shape": "plane"},
            {"id": "gem", "shape": "convex_hull", "asset": asset, "position": [0, 2, 0]},
            {"id": "rock", "kind": "static", "shape": "mesh", "asset": asset, "position": [3, 0, 0]},
        ]});
        self.post("/simulations", &world).await;
        self.post(&self.of("/step"), &json!({"steps": 50})).await;
        self.get(&format!("/assets/{asset}")).await;
        self.ask(self.call("DELETE", &self.of(""))).await;
    }

    async fn copies_a_simulation(&mut self) {
        let number = self.random.random_range(0..60);
        self.post("/simulations", &scene(number, &self.name)).await;
        self.post(&self.of("/step"), &json!({"steps": 40})).await;
        let bundle = self.call("GET", &self.of("/bundle"));
        let bundle = self.ask(bundle.header("accept", BUNDLE)).await;
        if let Some(bundle) = bundle.filter(|bundle| bundle.status == 200) {
            let copy = format!("{}-copy", self.name);
            let import = self.call("POST", &format!("/simulations?id={copy}"));
            let import = import.header("content-type", BUNDLE).bytes(bundle.body);
            self.ask(import).await;
            self.get(&format!("/simulations/{copy}/state")).await;
            self.ask(self.call("DELETE", &format!("/simulations/{copy}")))
                .await;
        }
        self.post(&self.of("/verify"), &json!({})).await;
        self.ask(self.call("DELETE", &self.of(""))).await;
    }

    async fn brings_a_robot_and_asks(&mut self) {
        // Nobody destroys it: it expires, here or where it rests.
        let ttl = self.random.random_range(1..5);
        let world = json!({"id": self.name, "dt": 0.01, "ttl_seconds": ttl});
        self.post("/simulations", &world).await;
        let robot = json!({"format": "urdf", "content": ARM});
        self.post(&self.of("/imports"), &robot).await;
        let script = json!({"commands": [{"op": "step", "steps": 5},
                            {"op": "impulse", "body_id": "bar", "impulse": [0.5, 0, 0]},
                            {"op": "step", "steps": 5}]});
        self.post(&self.of("/commands"), &script).await;
        let ray = json!({"queries": [{"type": "ray", "origin": [0, 5, 0], "direction": [0, -1, 0],
                         "max_distance": 100}]});
        self.post(&self.of("/queries"), &ray).await;
        for view in [
            "/state",
            "/events",
            "/contacts",
            "/energy",
            "/joints",
            "/journal",
        ] {
            self.get(&self.of(view)).await;
        }
        self.get("/simulations?limit=50").await;
    }

    async fn asks_for_nonsense(&mut self) {
        for path in [
            "/health",
            "/ready",
            "/capabilities",
            "/openapi.json",
            "/nowhere",
        ] {
            self.get(path).await;
        }
        self.get(&self.of("/state")).await;
        self.post(&self.of("/step"), &json!({"steps": 1})).await;
        let torn = self.call("POST", "/simulations");
        let torn = torn.header("content-type", "application/json");
        self.ask(torn.bytes("{\"dt\": 0.01, ")).await;
        let wild =
            json!({"dt": -1, "wild": true, "bodies": [{"shape": "sphere", "radius": 1e300}]});
        self.post("/simulations", &wild).await;
        self.get(&format!("/assets/{}", "0".repeat(64))).await;
    }

    async fn goes_away(&mut self) {
        let number = self.random.random_range(0..60);
        self.post("/simulations", &scene(number, &self.name)).await;
        for _ in 0..3 {
            let step = self.call("POST", &self.of("/step"));
            let step = step.json(&json!({"steps": 400})).try_send();
            let _pass = self.crowd.gate.read().await;
            drop(tokio::time::timeout(IMPATIENCE, step).await);
        }
        self.ask(self.call("DELETE", &self.of(""))).await;
    }

    fn of(&self, rest: &str) -> String {
        format!("/simulations/{}{rest}", self.name)
    }

    /// A call of any instance, of the one that is watched more often than not.
    fn call(&self, method: &str, path: &str) -> Call {
        let turn = self.name.len() + path.len();
        let door = if turn.is_multiple_of(2) { 0 } else { turn };
        self.crowd.door(door).call(method, path)
    }

    async fn get(&self, path: &str) {
        self.ask(self.call("GET", path)).await;
    }

    async fn post(&self, path: &str, body: &Value) {
        self.ask(self.call("POST", path).json(body)).await;
    }

    /// Asks once; what is not answered, or not now, is let be.
    async fn ask(&self, call: Call) -> Option<Reply> {
        let _pass = self.crowd.gate.read().await;
        let asked = tokio::time::timeout(GLANCE, call.try_send()).await;
        let reply = asked.ok()?.ok()?;
        if !(200..300).contains(&reply.status) && !EXPECTED.contains(&reply.status) {
            let text = format!("a guest: {} {}", reply.request, reply.text());
            self.crowd.history.object(None, None, text);
        }
        Some(reply)
    }
}
