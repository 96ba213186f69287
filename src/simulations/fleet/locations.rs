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

/// A bounded memory of where simulations are.
pub(super) struct Locations {
    clock: Clock,
    known: Mutex<HashMap<SimulationId, Known>>,
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
        let known = known.get(id)?;
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
        if known.len() >= MAX_LOCATIONS {
            let now = location.at;
            known.retain(|_, known| now.since(known.at) < FRESH);
            if known.len() >= MAX_LOCATIONS {
                known.clear();
            }
        }
        known.insert(id.clone(), location);
    }

    /// Forgets where a simulation is, unless it is this instance that has just created it: the
    /// simulation may have been found before the news of it came.
    pub(super) fn correct(&self, id: &SimulationId, instance: &InstanceId) {
        let mut known = self.known();
        let owner = known.get(id).and_then(|known| known.owner.as_ref());
        if owner.is_none_or(|owner| owner.instance != *instance) {
            known.remove(id);
        }
    }

    pub(super) fn forget(&self, id: &SimulationId) {
        self.known().remove(id);
    }

    fn known(&self) -> MutexGuard<'_, HashMap<SimulationId, Known>> {
        self.known.lock().expect("no holder of this lock panics")
    }
}
