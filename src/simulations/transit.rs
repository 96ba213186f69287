//! Simulations on their way in or out: each name once at a time.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use tokio::sync::watch;

use crate::id::SimulationId;

/// Which names are on their way.
#[derive(Default)]
pub(super) struct Transit(Mutex<HashMap<SimulationId, watch::Receiver<()>>>);

/// Keeps a name to whoever holds this. When it is dropped, those who wait look again.
pub(super) struct Passage {
    transit: Arc<Transit>,
    id: SimulationId,
    _under_way: watch::Sender<()>,
}

impl Transit {
    /// Takes a name, unless it is on its way already.
    pub(super) fn enter(self: &Arc<Self>, id: &SimulationId) -> Option<Passage> {
        let mut names = self.names();
        if names.contains_key(id) {
            return None;
        }
        let (under_way, watched) = watch::channel(());
        names.insert(id.clone(), watched);
        Some(Passage {
            transit: Arc::clone(self),
            id: id.clone(),
            _under_way: under_way,
        })
    }

    /// Whether a name is on its way.
    pub(super) fn contains(&self, id: &SimulationId) -> bool {
        self.names().contains_key(id)
    }

    /// Waits until a name is not on its way any more; false if it was not.
    pub(super) async fn wait(&self, id: &SimulationId) -> bool {
        let Some(mut watched) = self.names().get(id).cloned() else {
            return false;
        };
        // Nothing is ever sent: the sender goes when the passage ends.
        let _ = watched.changed().await;
        true
    }

    fn names(&self) -> MutexGuard<'_, HashMap<SimulationId, watch::Receiver<()>>> {
        self.0.lock().expect("no holder of this lock panics")
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        self.transit.names().remove(&self.id);
    }
}
