//! A registry in the memory of this process: for a service of one instance.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;

use super::{Ending, Registry, RegistryError, Whereabouts};
use crate::{
    clock::{Clock, Moment},
    id::SimulationId,
};

/// How long the end of a simulation is remembered.
const TOMBSTONE_LIFETIME: Duration = Duration::from_secs(3600);
/// How many ends are remembered; the oldest are forgotten first.
const MAX_TOMBSTONES: usize = 100_000;

/// A registry that lives as long as the process.
pub struct MemoryRegistry {
    clock: Clock,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    simulations: HashMap<SimulationId, Entry>,
    /// Tombstones, oldest first; an entry that has come to life again since is passed over.
    tombstones: VecDeque<(Moment, SimulationId)>,
}

enum Entry {
    Owned,
    Ended(Ending, Moment),
}

impl MemoryRegistry {
    /// An empty registry.
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            known: Mutex::default(),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        let mut known = self.known.lock().expect("no holder of this lock panics");
        known.forget_old(self.clock.now());
        known
    }
}

#[async_trait]
impl Registry for MemoryRegistry {
    async fn claim(&self, id: &SimulationId) -> Result<(), RegistryError> {
        let mut known = self.known();
        if matches!(known.simulations.get(id), Some(Entry::Owned)) {
            return Err(RegistryError::Taken(id.clone()));
        }
        known.simulations.insert(id.clone(), Entry::Owned);
        Ok(())
    }

    async fn release(&self, id: &SimulationId, ending: Ending) -> Result<(), RegistryError> {
        let mut known = self.known();
        let now = self.clock.now();
        known
            .simulations
            .insert(id.clone(), Entry::Ended(ending, now));
        known.tombstones.push_back((now, id.clone()));
        Ok(())
    }

    async fn find(&self, id: &SimulationId) -> Result<Whereabouts, RegistryError> {
        Ok(match self.known().simulations.get(id) {
            None => Whereabouts::Unknown,
            Some(Entry::Owned) => Whereabouts::Owned,
            Some(Entry::Ended(ending, _)) => Whereabouts::Ended(*ending),
        })
    }
}

impl Known {
    fn forget_old(&mut self, now: Moment) {
        while let Some((ended, id)) = self.tombstones.front() {
            if *ended + TOMBSTONE_LIFETIME > now && self.tombstones.len() <= MAX_TOMBSTONES {
                break;
            }
            let is_this_end = |entry: &Entry| matches!(entry, Entry::Ended(_, at) if at == ended);
            if self.simulations.get(id).is_some_and(is_this_end) {
                self.simulations.remove(id);
            }
            self.tombstones.pop_front();
        }
        // Maps keep their room; a fleet of simulations that is gone should not.
        if self.simulations.len() * 4 < self.simulations.capacity() {
            self.simulations.shrink_to(self.simulations.len() * 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_tombstone_tells_the_ending_and_never_blocks_a_new_claim() {
        let registry = MemoryRegistry::new(Clock::start());
        let id = SimulationId::random();

        registry.claim(&id).await.unwrap();
        assert!(registry.claim(&id).await.is_err());

        registry.release(&id, Ending::Expired).await.unwrap();
        let found = registry.find(&id).await.unwrap();
        assert_eq!(found, Whereabouts::Ended(Ending::Expired));

        registry.claim(&id).await.unwrap();
        assert_eq!(registry.find(&id).await.unwrap(), Whereabouts::Owned);
    }
}
