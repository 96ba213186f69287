//! Simulations on their way in or out: each name once at a time.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use tokio::sync::Notify;

use crate::id::SimulationId;

/// Which names are on their way.
#[derive(Default)]
pub(super) struct Transit(Mutex<HashMap<SimulationId, Arc<Notify>>>);

/// Keeps a name to whoever holds this. When it is dropped, those who wait look again.
pub(super) struct Passage {
    transit: Arc<Transit>,
    id: SimulationId,
    ended: Arc<Notify>,
}

impl Transit {
    /// Takes a name, unless it is on its way already.
    pub(super) fn enter(self: &Arc<Self>, id: &SimulationId) -> Option<Passage> {
        let mut names = self.names();
        if names.contains_key(id) {
            return None;
        }
        let ended = Arc::<Notify>::default();
        names.insert(id.clone(), Arc::clone(&ended));
        Some(Passage {
            transit: Arc::clone(self),
            id: id.clone(),
            ended,
        })
    }

    /// Whether a name is on its way.
    pub(super) fn contains(&self, id: &SimulationId) -> bool {
        self.names().contains_key(id)
    }

    /// Waits until a name is not on its way any more; false if it was not.
    pub(super) async fn wait(&self, id: &SimulationId) -> bool {
        // From before the names are let go of, so that the end is not missed. Those who wait look
        // again in the order they came.
        let ended = self
            .names()
            .get(id)
            .map(|ended| Arc::clone(ended).notified_owned());
        let Some(ended) = ended else {
            return false;
        };
        ended.await;
        true
    }

    fn names(&self) -> MutexGuard<'_, HashMap<SimulationId, Arc<Notify>>> {
        self.0.lock().expect("no holder of this lock panics")
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        self.transit.names().remove(&self.id);
        self.ended.notify_waiters();
    }
}
