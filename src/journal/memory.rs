//! Journals in the memory of this process: for tests, and for whoever wants to go back in time.

use std::{
    cmp::Ordering,
    collections::VecDeque,
    ops::Bound::{Excluded, Unbounded},
    sync::{Arc, Mutex, MutexGuard},
};

use async_trait::async_trait;
use bytes::Bytes;

use super::{Append, Journal, JournalError, Purpose, Save, Settle, Standing, Verdict, Written};
use crate::{
    id::SimulationId,
    registry::{FencingToken, Head, MemoryRegistry, memory::Kept},
    shutdown::spawn,
};

/// Journals in memory, beside the entries of a registry: they go with them.
pub struct MemoryJournal {
    registry: Arc<MemoryRegistry>,
    settled: Arc<Settled>,
}

/// What became of entries, while their writers are yet to be told.
#[derive(Default)]
struct Settled {
    untold: Mutex<VecDeque<(Settle, Verdict)>>,
    turn: tokio::sync::Mutex<()>,
}

impl Settled {
    fn lock(&self) -> MutexGuard<'_, VecDeque<(Settle, Verdict)>> {
        self.untold.lock().expect("no holder of this lock panics")
    }
}

impl MemoryJournal {
    /// The journals of the simulations in `registry`.
    pub fn new(registry: Arc<MemoryRegistry>) -> Self {
        Self {
            registry,
            settled: Arc::default(),
        }
    }

    /// Appends an entry at once; what became of it.
    pub fn append_now(&self, append: Append) -> Verdict {
        self.registry.with_kept(&append.id, |kept| {
            let kept = match claimed(kept, &append.token) {
                Ok(kept) => kept,
                Err(verdict) => return verdict,
            };
            let history = &mut kept.history;
            let with_it = Head {
                seq: append.after.seq + 1,
                chain: append.chain,
            };
            if history.head == Some(with_it) {
                return Verdict::Kept;
            }
            if history.head != Some(append.after) {
                return Verdict::Elsewhere(history.head);
            }
            let entry = (with_it.chain, append.entry);
            history.entries.insert(with_it.seq, entry);
            history.head = Some(with_it);
            Verdict::Kept
        })
    }
}

#[async_trait]
impl Journal for MemoryJournal {
    fn append(&self, append: Append, settle: Settle) {
        let verdict = self.append_now(append);
        let settled = Arc::clone(&self.settled);
        settled.lock().push_back((settle, verdict));
        // Not from in here: whoever appends may hold what the settling needs.
        spawn(async move {
            // One at a time, in their order.
            let _turn = settled.turn.lock().await;
            let next = settled.lock().pop_front();
            if let Some((settle, verdict)) = next {
                settle(Ok(verdict));
            }
        });
    }

    fn is_reachable(&self) -> bool {
        true
    }

    async fn save(&self, save: Save) -> Result<Verdict, JournalError> {
        Ok(self
            .registry
            .with_kept(&save.id, |kept| keep_snapshot(kept, &save)))
    }

    async fn let_go(
        &self,
        id: &SimulationId,
        token: &FencingToken,
        fault: Option<&str>,
    ) -> Result<Verdict, JournalError> {
        Ok(self
            .registry
            .with_kept(id, |kept| match claimed(kept, token) {
                Ok(kept) => {
                    kept.holding.owner = None;
                    if let Some(fault) = fault {
                        kept.holding.fault = Some(fault.to_owned());
                    }
                    Verdict::Kept
                }
                Err(verdict) => verdict,
            }))
    }

    async fn standing(&self, id: &SimulationId) -> Result<Option<Standing>, JournalError> {
        Ok(self.registry.with_kept(id, |kept| {
            let Kept {
                holding, history, ..
            } = kept?;
            Some(Standing {
                token: holding.token.clone(),
                head: history.head?,
                snapshots: history.snapshots.keys().rev().copied().collect(),
                fault: holding.fault.clone(),
            })
        }))
    }

    async fn snapshot(&self, id: &SimulationId, seq: u64) -> Result<Option<Bytes>, JournalError> {
        Ok(self.registry.with_kept(id, |kept| {
            let snapshots = &kept?.history.snapshots;
            snapshots.get(&seq).cloned()
        }))
    }

    async fn entries(
        &self,
        id: &SimulationId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Written>, JournalError> {
        Ok(self.registry.with_kept(id, |kept| {
            let Some(kept) = kept else {
                return Vec::new();
            };
            let behind = kept.history.entries.range((Excluded(after), Unbounded));
            let written = behind.map(|(&seq, (chain, entry))| Written {
                head: Head { seq, chain: *chain },
                entry: entry.clone(),
            });
            written.take(limit).collect()
        }))
    }
}

/// A simulation that is claimed under this token, or what is to be said where it is not.
fn claimed<'a>(kept: Option<&'a mut Kept>, token: &FencingToken) -> Result<&'a mut Kept, Verdict> {
    let kept = kept.ok_or(Verdict::Elsewhere(None))?;
    match kept.order(token) {
        Ordering::Equal => Ok(kept),
        Ordering::Less => Err(Verdict::Elsewhere(kept.history.head)),
        Ordering::Greater => Err(Verdict::Fenced),
    }
}

fn keep_snapshot(kept: Option<&mut Kept>, save: &Save) -> Verdict {
    let Some(kept) = kept else {
        return Verdict::Elsewhere(None);
    };
    let order = kept.order(&save.token);
    let (history, seq) = (&mut kept.history, save.head.seq);
    let latest = history.snapshots.last_key_value().map(|(seq, _)| *seq);
    let is_there = history.head == Some(save.head);
    let fits = match save.purpose {
        Purpose::Begin => history.head.is_none() || is_there,
        Purpose::Bound => {
            history.head.is_some_and(|head| seq <= head.seq)
                && latest.is_none_or(|latest| latest <= seq)
        }
        Purpose::Rest => is_there,
        Purpose::Repair { seen } => history.head == seen || is_there,
    };
    let is_repair = matches!(save.purpose, Purpose::Repair { .. });
    match order {
        Ordering::Greater => return Verdict::Fenced,
        Ordering::Less if !is_repair => return Verdict::Elsewhere(history.head),
        Ordering::Less | Ordering::Equal => {}
    }
    if !fits {
        return Verdict::Elsewhere(history.head);
    }
    let older = save.others.iter().find(|other| **other != seq);
    if save.purpose == Purpose::Bound {
        let oldest = *older.unwrap_or(&seq);
        history.snapshots.retain(|seq, _| *seq >= oldest);
        history.entries.retain(|seq, _| *seq > oldest);
    } else {
        history.snapshots.clear();
        history.entries.clear();
        history.head = Some(save.head);
    }
    history.snapshots.insert(seq, save.image.clone());
    if save.purpose == Purpose::Rest {
        kept.holding.owner = None;
    }
    if order == Ordering::Less {
        kept.holding.token = save.token.clone();
    }
    Verdict::Kept
}
