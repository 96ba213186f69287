//! The way of one process to the store: slow, interrupted at times, and never sure whether what was
//! not answered was done.

mod journal;
mod registry;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use rapier_physics_service::{
    id::SimulationId,
    journal::{Append, JournalError, Settle},
    registry::RegistryError,
    shutdown::spawn,
};
use tokio::{
    sync::oneshot,
    time::{sleep, timeout},
};

use crate::{
    life::Life,
    universe::{NAMES, Universe},
};

/// How long an answer is waited for.
const TIMEOUT: Duration = Duration::from_millis(1200);
/// After how many failures in a row the store is taken for unreachable.
const LIMIT: u32 = 3;

/// The link of one process.
#[derive(Clone)]
pub(crate) struct Link(Arc<Inner>);

struct Inner {
    universe: Arc<Universe>,
    life: Arc<Life>,
    failures: AtomicU32,
    /// Entries on their way: of each simulation one after the other.
    appends: Mutex<BTreeMap<SimulationId, VecDeque<(Append, Settle)>>>,
}

/// Why there is no answer.
enum Trouble {
    /// Nothing was sent.
    Unavailable,
    /// Whether it was done is not known.
    Failed,
}

/// Whether something is asked while the store is taken for unreachable.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Guard {
    Guarded,
    Unguarded,
}

impl Link {
    pub(crate) fn new(universe: Arc<Universe>, life: Arc<Life>) -> Self {
        Self(Arc::new(Inner {
            universe,
            life,
            failures: AtomicU32::new(0),
            appends: Mutex::default(),
        }))
    }

    fn is_open(&self) -> bool {
        self.0.failures.load(Ordering::Relaxed) >= LIMIT
    }

    /// Has the store do something, and waits for its answer.
    async fn ask<T: Send + 'static>(
        &self,
        (what, about): (&'static str, usize),
        guard: Guard,
        act: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Trouble> {
        self.0.life.goes_on().await;
        if guard == Guard::Guarded && self.is_open() {
            return Err(Trouble::Unavailable);
        }
        let answered = timeout(TIMEOUT, self.send((what, about), act)).await;
        self.0.life.goes_on().await;
        let Ok(Ok(answer)) = answered else {
            self.0.failures.fetch_add(1, Ordering::Relaxed);
            return Err(Trouble::Failed);
        };
        if guard == Guard::Unguarded || !self.is_open() {
            self.0.failures.store(0, Ordering::Relaxed);
        }
        Ok(answer)
    }

    /// Sends something to the store. It arrives whatever becomes of its sender.
    fn send<T: Send + 'static>(
        &self,
        (what, about): (&'static str, usize),
        act: impl Future<Output = T> + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (sender, receiver) = oneshot::channel();
        let (universe, host) = (Arc::clone(&self.0.universe), self.0.life.host);
        let (fate, epoch) = (universe.fate(), universe.weather().epoch);
        spawn(async move {
            sleep(fate.there).await;
            if fate.is_lost || !universe.connects(host, epoch) {
                return silently(&universe, host, sender).await;
            }
            universe.note(NAMES[host], what, about, 0);
            let answer = act.await;
            sleep(fate.back).await;
            if fate.is_unheard || !universe.connects(host, epoch) {
                universe.note(NAMES[host], "is not answered", about, 0);
                return silently(&universe, host, sender).await;
            }
            // Whoever asked may wait no longer.
            drop(sender.send(answer));
        });
        receiver
    }
}

/// Loses an answer: where the way is cut nobody says so.
async fn silently<T>(universe: &Universe, host: usize, sender: oneshot::Sender<T>) {
    if universe.weather().is_cut[host] {
        sleep(2 * TIMEOUT).await;
    }
    drop(sender);
}

/// The number of a simulation.
pub(crate) fn number(id: &SimulationId) -> usize {
    let digits = id.as_str().trim_start_matches('s');
    digits.parse().expect("simulations are numbered")
}

impl From<Trouble> for RegistryError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Unavailable => Self::Unavailable,
            Trouble::Failed => Self::Failed("no answer".to_owned()),
        }
    }
}

impl From<Trouble> for JournalError {
    fn from(_: Trouble) -> Self {
        Self::Unavailable("no answer".to_owned())
    }
}
