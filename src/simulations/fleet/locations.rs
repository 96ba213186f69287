//! Where simulations of other instances were last found.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use crate::{
    clock::{Clock, Moment},
    id::{InstanceId, SimulationId, Tenant},
    registry::Owner,
};

/// For how long a location is taken as it is.
const FRESH: Duration = Duration::from_secs(5);
/// For how long a simulation that was nowhere is not looked for again.
const ABSENT: Duration = Duration::from_secs(1);
/// How many locations are remembered.
const MAX_LOCATIONS: usize = 100_000;
/// How many there may be before those are looked for that are of no use any more.
const FEW: usize = 1024;

/// A bounded memory of where simulations are.
pub(super) struct Locations {
    clock: Clock,
    known: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    places: HashMap<SimulationId, Known>,
    /// How many there were after the last sweep.
    swept: usize,
}

struct Known {
    /// Nobody, if it was nowhere to be found.
    owner: Option<Owner>,
    /// Who asked: whether it is there is a matter of that, too.
    tenant: Option<Tenant>,
    at: Moment,
}

/// What is remembered of a simulation.
pub(super) enum Location {
    /// It has this owner.
    At(Owner),
    /// It had this owner a while ago.
    Once(Owner),
    /// It was nowhere a moment ago.
    Nowhere,
}

impl Locations {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            known: Mutex::default(),
        }
    }

    pub(super) fn recall(&self, id: &SimulationId, tenant: Option<&Tenant>) -> Option<Location> {
        let known = self.known();
        let known = known.places.get(id)?;
        if known.tenant.as_ref() != tenant {
            return None;
        }
        let age = self.clock.now().since(known.at);
        match &known.owner {
            Some(owner) if age < FRESH => Some(Location::At(owner.clone())),
            Some(owner) => Some(Location::Once(owner.clone())),
            None => (age < ABSENT).then_some(Location::Nowhere),
        }
    }

    pub(super) fn remember(
        &self,
        id: &SimulationId,
        tenant: Option<&Tenant>,
        owner: Option<Owner>,
    ) {
        let location = Known {
            owner,
            tenant: tenant.cloned(),
            at: self.clock.now(),
        };
        let mut known = self.known();
        known.make_room(location.at);
        known.places.insert(id.clone(), location);
    }

    /// Forgets where a simulation is, unless it is this instance that has just created it: the
    /// simulation may have been found before the news of it came.
    pub(super) fn correct(&self, id: &SimulationId, instance: &InstanceId) {
        let mut known = self.known();
        let owner = known.places.get(id).and_then(|known| known.owner.as_ref());
        if owner.is_none_or(|owner| owner.instance != *instance) {
            known.places.remove(id);
        }
    }

    pub(super) fn forget(&self, id: &SimulationId) {
        self.known().places.remove(id);
    }

    fn known(&self) -> MutexGuard<'_, Memory> {
        self.known.lock().expect("no holder of this lock panics")
    }
}

impl Memory {
    /// Forgets what is of no use any more whenever there is twice as much as was left the last time,
    /// so that names of nothing are not kept for long, whoever asks for how many.
    fn make_room(&mut self, now: Moment) {
        if self.places.len() < FEW.max(2 * self.swept).min(MAX_LOCATIONS) {
            return;
        }
        self.places
            .retain(|_, it| it.owner.is_some() || now.since(it.at) < ABSENT);
        if self.places.len() >= MAX_LOCATIONS {
            self.places.retain(|_, it| now.since(it.at) < FRESH);
        }
        if self.places.len() >= MAX_LOCATIONS {
            self.places.clear();
        }
        self.swept = self.places.len();
        self.places.shrink_to(FEW.max(2 * self.swept));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: u64) -> Moment {
        Moment::from_micros(micros)
    }

    #[test]
    fn names_of_nothing_are_not_kept_however_many_are_asked_for() {
        let mut memory = Memory::default();
        let second = 1_000_000;
        for n in 0..50_000_u64 {
            let now = at(n * second / 1000);
            memory.make_room(now);
            let id = SimulationId::parse(&format!("nothing-{n}")).unwrap();
            let nowhere = Known {
                owner: None,
                tenant: None,
                at: now,
            };
            memory.places.insert(id, nowhere);
        }
        // A thousand of them are asked for in the second for which it matters.
        assert!(memory.places.len() <= 2 * FEW, "{}", memory.places.len());
        assert!(memory.places.len() >= 1000, "{}", memory.places.len());
    }
}
