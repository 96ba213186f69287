//! The state of a simulation: what is answered to every step, and therefore written by hand.

use std::{array, fmt::Write};

use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use super::{
    vector::{Quat, Vec3},
    view::{Contacts, View},
};
use crate::id::{BodyId, SimulationId};

/// The state of a simulation.
#[derive(Debug, Serialize, ToSchema)]
pub struct StateView<'a> {
    /// The simulation.
    #[schema(value_type = String)]
    sim_id: &'a str,
    /// Simulated seconds since the beginning.
    time: f64,
    /// Steps since the beginning.
    step: u64,
    /// In the order they were added.
    #[schema(value_type = Vec<BodyStateView>)]
    bodies: Bodies<'a>,
    /// Bodies the engine has disabled because their state went beyond all bounds; they keep
    /// their last finite values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Option<Vec<String>>, nullable = false)]
    quarantined: Vec<&'a BodyId>,
}

/// The state of a body.
#[derive(Debug, Serialize, ToSchema)]
pub struct BodyStateView<'a> {
    /// Its name.
    #[schema(value_type = String)]
    id: &'a BodyId,
    /// m.
    position: Vec3,
    /// Unit quaternion.
    orientation: Quat,
    /// m/s.
    velocity: Vec3,
    /// rad/s.
    angular_velocity: Vec3,
    /// The bodies it has an active contact with after the last step, or overlaps as or with a
    /// sensor.
    #[schema(value_type = Vec<String>)]
    contacts: Contacts<'a>,
}

/// The states of all bodies, written without collecting them first.
#[derive(Clone, Copy, Debug)]
struct Bodies<'a>(&'a View);

/// Writes JSON.
struct Json<'a> {
    text: &'a mut String,
}

impl View {
    /// The state, as clients of `sim_id` see it.
    pub fn state<'a>(&'a self, sim_id: &'a SimulationId) -> StateView<'a> {
        StateView {
            sim_id: sim_id.as_str(),
            time: self.time,
            step: self.steps,
            bodies: Bodies(self),
            quarantined: self
                .roster
                .bodies
                .iter()
                .filter(|(_, body)| body.quarantined)
                .map(|(id, _)| id)
                .collect(),
        }
    }
}

impl<'a> Bodies<'a> {
    fn iter(self) -> impl Iterator<Item = BodyStateView<'a>> {
        let Self(view) = self;
        let bodies = view.roster.bodies.keys().zip(&view.motions);
        bodies
            .enumerate()
            .map(|(position, (id, motion))| BodyStateView {
                id,
                position: motion.translation,
                orientation: motion.rotation,
                velocity: motion.linvel,
                angular_velocity: motion.angvel,
                contacts: view.contacts_of(position),
            })
    }
}

impl StateView<'_> {
    /// Writes it down as serde would, in half the time: serde looks through all that is text for
    /// what must be escaped, and neither ids nor names of fields hold any of it.
    pub fn write(&self, text: &mut String) {
        text.push('{');
        self.write_members(text);
        text.push('}');
    }

    /// Writes the members of the object down.
    pub fn write_members(&self, text: &mut String) {
        let mut json = Json { text };
        json.raw(r#""sim_id":"#);
        json.name(self.sim_id);
        json.raw(r#","time":"#);
        json.raw(decimal(self.time, &mut zmij::Buffer::new()));
        write!(json.text, r#","step":{}"#, self.step).expect("there is no end to a text");
        json.raw(r#","bodies":"#);
        json.list(self.bodies.iter(), |json, body| json.body(&body));
        if !self.quarantined.is_empty() {
            json.raw(r#","quarantined":"#);
            json.list(&self.quarantined, |json, id| json.name(id.as_str()));
        }
    }
}

impl Json<'_> {
    fn body(&mut self, body: &BodyStateView<'_>) {
        self.raw(r#"{"id":"#);
        self.name(body.id.as_str());
        self.raw(r#","position":"#);
        self.numbers(body.position.0);
        self.raw(r#","orientation":"#);
        self.numbers(body.orientation.0);
        self.raw(r#","velocity":"#);
        self.numbers(body.velocity.0);
        self.raw(r#","angular_velocity":"#);
        self.numbers(body.angular_velocity.0);
        self.raw(r#","contacts":"#);
        self.list(body.contacts.names(), |json, id| json.name(id.as_str()));
        self.raw("}");
    }

    fn list<T>(&mut self, items: impl IntoIterator<Item = T>, write: impl Fn(&mut Self, T)) {
        self.raw("[");
        for (position, item) in items.into_iter().enumerate() {
            if position > 0 {
                self.raw(",");
            }
            write(self, item);
        }
        self.raw("]");
    }

    /// All of them are made out before the first is copied: the processor would have to wait to
    /// read what it has only just written.
    fn numbers<const N: usize>(&mut self, numbers: [f32; N]) {
        let mut digits: [_; N] = array::from_fn(|_| zmij::Buffer::new());
        let mut decimals = [""; N];
        for ((text, digits), number) in decimals.iter_mut().zip(&mut digits).zip(numbers) {
            *text = decimal(number, digits);
        }
        self.list(decimals, Self::raw);
    }

    /// An id, which holds nothing that must be escaped.
    fn name(&mut self, id: &str) {
        self.raw("\"");
        self.raw(id);
        self.raw("\"");
    }

    fn raw(&mut self, text: &str) {
        self.text.push_str(text);
    }
}

/// A number as serde would write it.
fn decimal<N: zmij::Float + Into<f64>>(number: N, digits: &mut zmij::Buffer) -> &str {
    if number.into().is_finite() {
        digits.format_finite(number)
    } else {
        "null"
    }
}

impl Serialize for Bodies<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::physics::{Command, Steps, World, WorldConfig, WorldLimits};

    #[test]
    fn a_state_is_written_as_serde_would_write_it() {
        let limits = WorldLimits {
            max_bodies: 10,
            max_colliders: 10,
            max_joints: 10,
            max_controllers: 10,
            max_steps: 1000,
            max_frames: 1000,
            max_commands: 10,
        };
        let bodies = serde_json::json!([
            {"id": "floor", "shape": "plane", "kind": "static"},
            {"id": "ball", "shape": "sphere", "radius": 0.5, "position": [0, 0.5, 0], "velocity": [1e-7, 0, 300.5]},
            {"id": "crate", "shape": "box", "size": [1, 1, 1], "position": [7, 0.5, -1e3], "orientation": [0.5, 0.5, 0.5, 0.5]},
        ]);
        let id = SimulationId::parse("written").unwrap();
        let mut world = World::new(WorldConfig::default());
        let mut states = Vec::new();
        for command in [
            Command::AddBodies(serde_json::from_value(bodies).unwrap()),
            Command::Step(Steps { count: 1, dt: None }),
            Command::Step(Steps {
                count: 500,
                dt: Some(0.001),
            }),
        ] {
            states.push(world.view());
            world.apply(&command, &limits).unwrap();
        }
        let mut last = world.view();
        assert!(
            last.state(&id)
                .bodies
                .iter()
                .any(|body| body.contacts.names().next().is_some())
        );
        last.motions[1].translation.0 = [f32::MAX, 1e-45, 16_777_216.0];
        last.motions[1].linvel.0 = [f32::NAN, f32::INFINITY, -0.0];
        std::sync::Arc::make_mut(&mut last.roster).bodies[2].quarantined = true;
        states.push(last);

        for view in &states {
            let mut written = String::new();
            view.state(&id).write(&mut written);
            assert_eq!(written, serde_json::to_string(&view.state(&id)).unwrap());
        }
    }
}
