//! Recording many bodies on the way.

use std::collections::HashSet;

use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap};

use crate::{
    id::BodyId,
    physics::{
        contact::ContactLists,
        draft::Draft,
        fault::Faults,
        selection::StateField,
        vector::{Quat, Vec3},
        world::World,
    },
};

/// What to record of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observe {
    /// Which bodies; all there are at that moment unless given.
    pub bodies: Option<Vec<BodyId>>,
    /// What of them, in order and without doubles.
    pub fields: Vec<StateField>,
    /// Before every how many steps.
    pub every: u32,
}

/// Some bodies at one moment of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Observation {
    /// How many steps the simulation had taken.
    step: u64,
    /// Simulated time, s.
    time: f64,
    /// In the order they were asked for.
    bodies: Vec<ObservedBody>,
}

/// A body at one moment: its id and the fields asked for.
#[derive(Clone, Debug)]
pub struct ObservedBody {
    id: BodyId,
    values: Vec<(StateField, Value)>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
enum Value {
    Vector(Vec3),
    Orientation(Quat),
    Contacts(Vec<BodyId>),
    Sleeping(bool),
    Speed(f32),
}

impl Observe {
    pub(super) fn check(&self, draft: &Draft<'_>, faults: &mut Faults) {
        if self.every == 0 {
            faults.add("every", "must be at least 1");
        }
        check_names(self.bodies.as_deref(), draft, faults);
    }

    /// How many bodies are recorded in a run of `steps`, each counted at every moment, in a world
    /// of `bodies`.
    pub(super) fn frames(&self, steps: u32, bodies: usize) -> u32 {
        let of_bodies = self.bodies.as_ref().map_or(bodies, Vec::len);
        let moments = steps.div_ceil(self.every.max(1));
        moments.saturating_mul(u32::try_from(of_bodies).unwrap_or(u32::MAX))
    }

    /// How things are now.
    pub(super) fn observe(&self, world: &World) -> Observation {
        let shows_contacts = self.fields.contains(&StateField::Contacts);
        let contacts = shows_contacts.then(|| ContactLists::of(&world.engine, &world.roster));
        let show = |position: usize| self.show(world, position, contacts.as_ref());
        let bodies = &world.roster.bodies;
        Observation {
            step: world.steps(),
            time: world.time(),
            bodies: match &self.bodies {
                None => (0..bodies.len()).map(show).collect(),
                // What is not there yet, or no longer, is left out.
                Some(ids) => ids
                    .iter()
                    .filter_map(|id| bodies.get_index_of(id))
                    .map(show)
                    .collect(),
            },
        }
    }

    fn show(
        &self,
        world: &World,
        position: usize,
        contacts: Option<&ContactLists>,
    ) -> ObservedBody {
        let (id, entry) = world
            .roster
            .bodies
            .get_index(position)
            .expect("positions are those of this roster");
        let body = &world.engine.bodies[entry.handle];
        let touched = |contacts: &ContactLists| {
            let others = contacts.of_body(position).iter();
            others
                .map(|&other| world.roster.body_at(other).0.clone())
                .collect()
        };
        let value = |field| match field {
            StateField::Position => Value::Vector(body.translation().into()),
            StateField::Orientation => Value::Orientation((*body.rotation()).into()),
            StateField::Velocity => Value::Vector(body.linvel().into()),
            StateField::AngularVelocity => Value::Vector(body.angvel().into()),
            StateField::Contacts => Value::Contacts(contacts.map(touched).unwrap_or_default()),
            StateField::Sleeping => Value::Sleeping(body.is_sleeping()),
            StateField::Speed => Value::Speed(body.linvel().length()),
        };
        let fields = self.fields.iter();
        ObservedBody {
            id: id.clone(),
            values: fields.map(|&field| (field, value(field))).collect(),
        }
    }
}

/// Notes which bodies of a list are unknown or stand in it twice; so there are no more of them than
/// the simulation may have.
pub(super) fn check_names(bodies: Option<&[BodyId]>, draft: &Draft<'_>, faults: &mut Faults) {
    let mut seen = HashSet::new();
    for (index, id) in bodies.unwrap_or_default().iter().enumerate() {
        let place = || format!("bodies/{index}");
        if !draft.has_known(id) {
            faults.add(&place(), "no such body");
        } else if !seen.insert(id) {
            faults.add(&place(), "stands twice in the list");
        }
    }
}

impl Serialize for ObservedBody {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1 + self.values.len()))?;
        map.serialize_entry("id", &self.id)?;
        for (field, value) in &self.values {
            map.serialize_entry(field.name(), value)?;
        }
        map.end()
    }
}
