//! A part of a state: some bodies, and some of what can be told of them.

use serde::{
    Deserialize, Serialize, Serializer,
    de::{
        IntoDeserializer,
        value::{self, StrDeserializer},
    },
    ser::SerializeMap,
};
use utoipa::ToSchema;

use super::view::View;
use crate::id::{BodyId, SimulationId};

/// What can be told of a body at one moment, in the order in which it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StateField {
    /// m.
    #[serde(alias = "translation")]
    Position,
    /// Unit quaternion.
    #[serde(alias = "rotation")]
    Orientation,
    /// m/s.
    #[serde(alias = "linvel")]
    Velocity,
    /// rad/s.
    #[serde(alias = "angvel")]
    AngularVelocity,
    /// The bodies it touches.
    Contacts,
    /// Whether it is at rest and costs nothing.
    Sleeping,
    /// The length of its velocity, m/s.
    Speed,
}

/// Bodies of a view, each with the same fields.
#[derive(Debug, Serialize)]
pub struct SelectedState<'a> {
    sim_id: &'a str,
    time: f64,
    step: u64,
    bodies: Vec<SelectedBody<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    quarantined: Vec<&'a BodyId>,
}

/// A body with some of its fields.
#[derive(Clone, Copy, Debug)]
pub struct SelectedBody<'a> {
    view: &'a View,
    position: usize,
    fields: &'a [StateField],
}

impl StateField {
    /// All of them, in order.
    pub const ALL: [Self; 7] = [
        Self::Position,
        Self::Orientation,
        Self::Velocity,
        Self::AngularVelocity,
        Self::Contacts,
        Self::Sleeping,
        Self::Speed,
    ];

    /// Those of a state that nothing else is asked of.
    pub const USUAL: [Self; 5] = [
        Self::Position,
        Self::Orientation,
        Self::Velocity,
        Self::AngularVelocity,
        Self::Contacts,
    ];

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Position => "position",
            Self::Orientation => "orientation",
            Self::Velocity => "velocity",
            Self::AngularVelocity => "angular_velocity",
            Self::Contacts => "contacts",
            Self::Sleeping => "sleeping",
            Self::Speed => "speed",
        }
    }

    /// The field of this name, or of the engine's word for it.
    pub fn parse(name: &str) -> Option<Self> {
        let word: StrDeserializer<'_, value::Error> = name.into_deserializer();
        Self::deserialize(word).ok()
    }
}

impl View {
    /// Where these bodies stand, each once and in the order they were added; all of them unless
    /// some are named. The first that does not exist is answered instead.
    pub fn select(&self, bodies: Option<&[BodyId]>) -> Result<Vec<usize>, BodyId> {
        let Some(bodies) = bodies else {
            return Ok((0..self.body_count()).collect());
        };
        let find = |id: &BodyId| {
            let found = self.roster.bodies.get_index_of(id);
            found.ok_or_else(|| id.clone())
        };
        let mut positions = bodies.iter().map(find).collect::<Result<Vec<_>, _>>()?;
        positions.sort_unstable();
        positions.dedup();
        Ok(positions)
    }

    /// These fields, sorted, of the bodies that stand there.
    pub fn selected<'a>(
        &'a self,
        positions: &[usize],
        fields: &'a [StateField],
    ) -> Vec<SelectedBody<'a>> {
        let body = |&position: &usize| SelectedBody {
            view: self,
            position,
            fields,
        };
        positions.iter().map(body).collect()
    }

    /// The state of the bodies that stand there, as clients of `sim_id` see it.
    pub fn selected_state<'a>(
        &'a self,
        sim_id: &'a SimulationId,
        positions: &[usize],
        fields: &'a [StateField],
    ) -> SelectedState<'a> {
        let bodies = positions.iter().map(|&at| &self.roster.bodies[at]);
        let quarantined = bodies.filter(|body| body.quarantined);
        SelectedState {
            sim_id: sim_id.as_str(),
            time: self.time(),
            step: self.steps(),
            bodies: self.selected(positions, fields),
            quarantined: quarantined.map(|body| &body.spec.id).collect(),
        }
    }
}

impl Serialize for SelectedBody<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (id, _) = self
            .view
            .roster
            .bodies
            .get_index(self.position)
            .expect("positions are those of the view they were selected in");
        let motion = &self.view.motions[self.position];
        let mut map = serializer.serialize_map(Some(1 + self.fields.len()))?;
        map.serialize_entry("id", id)?;
        for field in self.fields {
            let name = field.name();
            match field {
                StateField::Position => map.serialize_entry(name, &motion.translation)?,
                StateField::Orientation => map.serialize_entry(name, &motion.rotation)?,
                StateField::Velocity => map.serialize_entry(name, &motion.linvel)?,
                StateField::AngularVelocity => map.serialize_entry(name, &motion.angvel)?,
                StateField::Contacts => {
                    map.serialize_entry(name, &self.view.contacts_of(self.position))?;
                }
                StateField::Sleeping => map.serialize_entry(name, &motion.sleeping)?,
                StateField::Speed => map.serialize_entry(name, &motion.linvel.length())?,
            }
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::physics::{Command, Steps, World, WorldConfig, WorldLimits};

    #[test]
    fn a_selection_of_the_usual_fields_of_all_bodies_is_the_state() {
        let bodies = json!([
            {"id": "floor", "shape": "plane"},
            {"id": "ball", "shape": "sphere", "radius": 0.5, "position": [0, 0.49, 0], "velocity": [3, 0, 4]},
        ]);
        let mut world = World::new(WorldConfig::default());
        let limits = WorldLimits::unlimited();
        let added = Command::AddBodies(serde_json::from_value(bodies).unwrap());
        world.apply(&added, &limits).unwrap();
        let sim_id = SimulationId::parse("s").unwrap();
        let at_rest = world.view();
        let written = |fields: &[StateField]| -> Value {
            let positions = at_rest.select(None).unwrap();
            serde_json::to_value(at_rest.selected_state(&sim_id, &positions, fields)).unwrap()
        };

        assert_eq!(
            written(&StateField::USUAL),
            serde_json::to_value(at_rest.state(&sim_id)).unwrap()
        );
        let all = written(&StateField::ALL);
        assert_eq!(all["bodies"][1]["speed"], 5.0);
        assert_eq!(all["bodies"][1]["sleeping"], false);

        let step = Command::Step(Steps { count: 1, dt: None });
        world.apply(&step, &limits).unwrap();
        let view = world.view();
        let ids = ["ball", "floor", "ball"].map(|id| BodyId::parse(id).unwrap());
        assert_eq!(view.select(Some(&ids)), Ok(vec![0, 1]));
        let chosen = view.selected(&[1], &[StateField::Contacts]);
        let expected = json!([{"id": "ball", "contacts": ["floor"]}]);
        assert_eq!(serde_json::to_value(chosen).unwrap(), expected);
        let ghost = BodyId::parse("ghost").unwrap();
        let unknown = view.select(Some(std::slice::from_ref(&ghost)));
        assert_eq!(unknown, Err(ghost));
    }

    #[test]
    fn the_name_of_a_field_is_what_it_is_written_as() {
        for field in StateField::ALL {
            assert_eq!(serde_json::to_value(field).unwrap(), field.name());
            assert_eq!(StateField::parse(field.name()), Some(field));
        }
        assert!(StateField::ALL.is_sorted());
        assert_eq!(StateField::parse("mass"), None);
    }
}
