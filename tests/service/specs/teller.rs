//! Random requests to one simulation, most of which can be carried out.

use serde_json::{Value, json};

use super::{bodies, broken::broken, controllers, joints, questions, random::Random};

/// How many bodies a simulation gets, at most by and large.
const MOST_BODIES: usize = 16;
/// The share of requests with something wrong about them.
const BROKEN: f64 = 0.25;

/// One request, as it is sent.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) body: Option<String>,
}

/// Makes up requests and remembers what there should be.
pub(super) struct Teller {
    random: Random,
    sim: String,
    is_flat: bool,
    bodies: Vec<Thing>,
    joints: Vec<Thing>,
    controllers: Vec<Thing>,
    /// What the last request adds if it is carried out.
    added: Vec<(List, Thing)>,
    named: u32,
}

/// Something that was added, and of which kind it is.
type Thing = (String, &'static str);

#[derive(Clone, Copy)]
enum List {
    Bodies,
    Joints,
    Controllers,
}

impl Teller {
    pub(super) fn new(seed: u64, sim: &str) -> Self {
        let mut random = Random::new(seed);
        Self {
            is_flat: random.chance(0.15),
            random,
            sim: sim.to_owned(),
            bodies: Vec::new(),
            joints: Vec::new(),
            controllers: Vec::new(),
            added: Vec::new(),
            named: 0,
        }
    }

    /// The simulation, with bodies that nothing has to do with: one that turns, two in a multibody.
    pub(super) fn beginning(&mut self) -> Request {
        let apart = json!({"memberships": 0, "filter": 0});
        let innocent = |id: &str, x: u32| {
            json!({"id": id, "shape": "sphere", "radius": 0.5, "position": [x, 50, 0], "gravity_scale": 0,
                   "can_sleep": false, "collision_groups": apart})
        };
        let mut turning = innocent("innocent-0", 50);
        turning["angular_velocity"] = json!([0, 0, 0.25]);
        let bodies = json!([
            turning,
            innocent("innocent-1", 60),
            innocent("innocent-2", 62)
        ]);
        let joint = json!({"id": "innocent", "joint_type": "fixed", "body_a": "innocent-1", "body_b": "innocent-2",
                           "anchor_a": [2, 0, 0], "multibody": !self.is_flat});
        Request {
            method: "POST",
            path: "/simulations".to_owned(),
            body: Some(
                json!({"id": self.sim, "dimensions": if self.is_flat { 2 } else { 3 },
                       "dt": self.random.pick(&[0.016, 0.01, 0.002, 0.1]), "bodies": bodies, "joints": [joint]})
                .to_string(),
            ),
        }
    }

    /// Any request, once it is known whether the last one was carried out.
    pub(super) fn next(&mut self, was_done: bool) -> Request {
        for (list, thing) in std::mem::take(&mut self.added) {
            let list = match list {
                List::Bodies => &mut self.bodies,
                List::Joints => &mut self.joints,
                List::Controllers => &mut self.controllers,
            };
            if was_done {
                list.push(thing);
            }
        }
        let choice = self.random.below(100);
        let (method, path, body) = match choice {
            0..22 => self.new_bodies(),
            22..32 => ("POST", "/joints".to_owned(), self.new_joint()),
            32..37 => ("POST", "/controllers".to_owned(), self.new_controller()),
            37..44 => self.body_patch(),
            44..48 => self.joint_patch(),
            48..51 => self.controller_patch(),
            51..58 => self.push(),
            58..64 => ("POST", "/commands".to_owned(), self.batch()),
            64..69 => ("POST", "/queries".to_owned(), self.queries()),
            69..72 => ("POST", "/imports".to_owned(), self.import()),
            72..74 => ("POST", "/inverse_kinematics".to_owned(), self.reach()),
            74..77 => ("PATCH", String::new(), self.change_of_the_world()),
            77..87 => ("POST", "/step".to_owned(), self.steps()),
            87..89 => {
                let body = self.some_body().0;
                let recording =
                    json!({"steps": self.random.below(12), "every": 1 + self.random.below(4)});
                ("POST", format!("/bodies/{body}/trajectory"), recording)
            }
            89..95 => return self.removal(),
            _ => return self.look(),
        };
        let body = if self.random.chance(BROKEN) {
            broken(&mut self.random, body)
        } else {
            body.to_string()
        };
        self.request(method, &path, Some(body))
    }

    /// Looks at everything there is to see.
    pub(super) fn all_there_is(&self) -> Vec<Request> {
        let views = [
            "/state",
            "/bodies",
            "/joints",
            "/controllers",
            "/contacts",
            "/energy",
            "/events?limit=1000",
            "",
        ];
        let each = self.bodies.iter().map(|(id, _)| format!("/bodies/{id}"));
        let joints = self.joints.iter().map(|(id, _)| format!("/joints/{id}"));
        let paths = views.iter().map(|&path| path.to_owned());
        let paths = paths.chain(each.take(4)).chain(joints.take(4));
        paths.map(|path| self.request("GET", &path, None)).collect()
    }

    pub(super) fn request(
        &self,
        method: &'static str,
        path: &str,
        body: Option<String>,
    ) -> Request {
        Request {
            method,
            path: format!("/simulations/{}{path}", self.sim),
            body,
        }
    }

    fn new_bodies(&mut self) -> (&'static str, String, Value) {
        if self.bodies.len() > MOST_BODIES {
            return ("POST", "/step".to_owned(), json!({"steps": 1}));
        }
        let body = if self.random.chance(0.2) {
            Value::Array((0..3).map(|_| self.new_body()).collect())
        } else {
            self.new_body()
        };
        ("POST", "/bodies".to_owned(), body)
    }

    fn new_body(&mut self) -> Value {
        let kinds = [
            "dynamic",
            "dynamic",
            "dynamic",
            "static",
            "kinematic",
            "kinematic_position",
        ];
        let (id, kind) = (self.name("b"), self.random.pick(&kinds));
        self.added.push((List::Bodies, (id.clone(), kind)));
        bodies::body(&mut self.random, &id, kind)
    }

    fn new_joint(&mut self) -> Value {
        let id = self.name("j");
        let (a, b) = (self.some_body().0, self.some_body().0);
        let (joint, kind) = joints::joint(&mut self.random, &id, [&a, &b]);
        self.added.push((List::Joints, (id, kind)));
        joint
    }

    fn new_controller(&mut self) -> Value {
        let id = self.name("c");
        let (body, body_kind) = self.some_body();
        let (controller, kind) = controllers::controller(&mut self.random, &id, &body, body_kind);
        self.added.push((List::Controllers, (id, kind)));
        controller
    }

    fn body_patch(&mut self) -> (&'static str, String, Value) {
        let (id, kind) = self.some_body();
        let patch = bodies::patch(&mut self.random, kind);
        ("PATCH", format!("/bodies/{id}"), patch)
    }

    fn joint_patch(&mut self) -> (&'static str, String, Value) {
        let (id, kind) = some(&mut self.random, &self.joints);
        let patch = joints::patch(&mut self.random, kind);
        ("PATCH", format!("/joints/{id}"), patch)
    }

    fn controller_patch(&mut self) -> (&'static str, String, Value) {
        let (id, kind) = some(&mut self.random, &self.controllers);
        let patch = controllers::patch(&mut self.random, kind);
        ("PATCH", format!("/controllers/{id}"), patch)
    }

    fn push(&mut self) -> (&'static str, String, Value) {
        let id = self.some_body().0;
        if self.random.chance(0.5) {
            let push = bodies::push(&mut self.random, ["impulse", "torque_impulse"]);
            ("POST", format!("/bodies/{id}/impulse"), push)
        } else {
            let push = bodies::push(&mut self.random, ["force", "torque"]);
            ("PUT", format!("/bodies/{id}/force"), push)
        }
    }

    fn queries(&mut self) -> Value {
        let (a, b) = (self.some_body().0, self.some_body().0);
        questions::queries(&mut self.random, [&a, &b])
    }

    fn import(&mut self) -> Value {
        let prefix = format!("{}-", self.name("r"));
        let import = questions::import(&mut self.random, &prefix);
        let (link, joint) = (format!("{prefix}l1"), format!("{prefix}j1"));
        self.added.push((List::Bodies, (link, "dynamic")));
        self.added.push((List::Joints, (joint, "revolute")));
        import
    }

    fn reach(&mut self) -> Value {
        let body = self.some_body().0;
        let mut reach = json!({"body_id": body, "position": self.random.vector(3.0, 1e6), "max_iterations": 1 + self.random.below(20)});
        self.random
            .may(&mut reach, 0.3, "orientation", Random::orientation);
        reach
    }

    fn change_of_the_world(&mut self) -> Value {
        let mut patch = json!({});
        self.random.may(&mut patch, 0.6, "gravity", |random| {
            random.vector(10.0, 1e5)
        });
        self.random.may(&mut patch, 0.6, "dt", |random| {
            random.number([0.002, 0.05], [1e-5, 1.0])
        });
        patch
    }

    fn steps(&mut self) -> Value {
        let mut steps = json!({"steps": self.random.below(12)});
        self.random.may(&mut steps, 0.2, "dt", |random| {
            random.number([0.002, 0.05], [1e-5, 1.0])
        });
        steps
    }

    fn batch(&mut self) -> Value {
        let commands: Vec<Value> = (0..self.random.below(5)).map(|_| self.item()).collect();
        let mut batch = json!({"commands": commands, "steps": self.random.below(12), "atomic": self.random.chance(0.4)});
        let (a, b) = (self.some_body().0, self.some_body().0);
        self.random.may(&mut batch, 0.3, "until", |random| {
            let value = random.between(-3.0, 3.0);
            random.pick(&[
                json!([{"type": "below", "body_id": a, "field": "position.y", "value": value}]),
                json!([{"type": "contact", "body_a": a, "body_b": b}, {"type": "asleep"}]),
                json!([{"type": "above", "body_id": b, "field": "speed", "value": value}, {"type": "time", "time": 9}]),
            ])
        });
        self.random.may(&mut batch, 0.3, "observe", |random| {
            json!({"every": 1 + random.below(4), "fields": ["position", "orientation", "velocity", "speed", "contacts", "sleeping"]})
        });
        batch
    }

    fn item(&mut self) -> Value {
        let (body_id, kind) = self.some_body();
        let (op, name, mut command) = match self.random.below(9) {
            0 => ("add_body", None, self.new_body()),
            1 => ("add_joint", None, self.new_joint()),
            2 => ("add_controller", None, self.new_controller()),
            3 => (
                "impulse",
                Some(("body_id", body_id)),
                bodies::push(&mut self.random, ["impulse", "torque_impulse"]),
            ),
            4 => (
                "force",
                Some(("body_id", body_id)),
                bodies::push(&mut self.random, ["force", "torque"]),
            ),
            5 => (
                "patch_body",
                Some(("body_id", body_id)),
                bodies::patch(&mut self.random, kind),
            ),
            6 => {
                let (id, kind) = some(&mut self.random, &self.joints);
                let patch = joints::patch(&mut self.random, kind);
                ("patch_joint", Some(("joint_id", id)), patch)
            }
            7 => ("patch_simulation", None, self.change_of_the_world()),
            _ => ("remove_body", Some(("body_id", body_id)), json!({})),
        };
        command["op"] = json!(op);
        if let Some((field, id)) = name {
            command[field] = json!(id);
        }
        self.random.may(&mut command, 0.5, "at_step", |random| {
            json!(random.below(8))
        });
        command
    }

    fn removal(&mut self) -> Request {
        let path = match self.random.below(8) {
            0 => format!("/joints/{}", some(&mut self.random, &self.joints).0),
            1 => format!(
                "/controllers/{}",
                some(&mut self.random, &self.controllers).0
            ),
            2 => format!("/bodies/{}/force", self.some_body().0),
            _ if self.bodies.is_empty() => "/bodies/nobody".to_owned(),
            _ => {
                let at = self.random.below(self.bodies.len());
                format!("/bodies/{}", self.bodies.swap_remove(at).0)
            }
        };
        self.request("DELETE", &path, None)
    }

    fn look(&mut self) -> Request {
        let views = self.all_there_is();
        self.random.pick(&views)
    }

    fn some_body(&mut self) -> Thing {
        some(&mut self.random, &self.bodies)
    }

    fn name(&mut self, prefix: &str) -> String {
        self.named += 1;
        format!("{prefix}{}", self.named)
    }
}

fn some(random: &mut Random, things: &[Thing]) -> Thing {
    if things.is_empty() || random.chance(0.02) {
        return ("nobody".to_owned(), "dynamic");
    }
    random.pick(things)
}
