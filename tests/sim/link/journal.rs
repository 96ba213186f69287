//! The journal at the other end of a link, and whether what is written there may be.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use rapier_physics_service::{
    id::SimulationId,
    journal::{Append, Journal, JournalError, Purpose, Save, Settle, Standing, Verdict, Written},
    registry::FencingToken,
    shutdown::spawn,
};
use tokio::time::sleep;

use super::{
    Guard::{Guarded, Unguarded},
    Link, number,
};
use crate::universe::Universe;

/// After how long an entry is sent again that was not answered twice.
const PAUSE: Duration = Duration::from_millis(150);
/// The same while the store is taken for unreachable.
const LONG_PAUSE: Duration = Duration::from_millis(500);

impl Link {
    /// Sends the entries of one simulation until none waits.
    async fn send_entries(self, id: SimulationId) {
        loop {
            let next = {
                let mut appends = self.0.appends.lock().expect("one thread");
                let Some(waiting) = appends.get_mut(&id) else {
                    return;
                };
                let Some(next) = waiting.pop_front() else {
                    appends.remove(&id);
                    return;
                };
                next
            };
            let (append, settle) = next;
            settle(Ok(self.send_entry(&append).await));
        }
    }

    async fn send_entry(&self, append: &Append) -> Verdict {
        let mut is_failing = false;
        loop {
            let (universe, entry) = (Arc::clone(&self.0.universe), append.clone());
            let act = async move { take(&universe, entry).await };
            let about = number(&append.id);
            if let Ok(verdict) = self.ask(("append", about), Unguarded, act).await {
                return verdict;
            }
            // The first time at once: a connection that lay idle may have been closed long ago.
            if is_failing {
                sleep(if self.is_open() { LONG_PAUSE } else { PAUSE }).await;
            }
            is_failing = true;
        }
    }
}

#[async_trait]
impl Journal for Link {
    fn append(&self, append: Append, settle: Settle) {
        let id = append.id.clone();
        let mut appends = self.0.appends.lock().expect("one thread");
        let is_sending = appends.contains_key(&id);
        let waiting = appends.entry(id.clone()).or_default();
        waiting.push_back((append, settle));
        drop(appends);
        if !is_sending {
            spawn(self.clone().send_entries(id));
        }
    }

    fn is_reachable(&self) -> bool {
        !self.is_open()
    }

    async fn save(&self, save: Save) -> Result<Verdict, JournalError> {
        let (universe, about) = (Arc::clone(&self.0.universe), number(&save.id));
        let what = match save.purpose {
            Purpose::Begin => "save to begin",
            Purpose::Bound => "save to bound",
            Purpose::Rest => "save to rest",
            Purpose::Repair { .. } => "save to repair",
        };
        let act = async move { keep(&universe, save).await };
        self.ask((what, about), Guarded, act).await?
    }

    async fn let_go(
        &self,
        id: &SimulationId,
        token: &FencingToken,
        fault: Option<&str>,
    ) -> Result<Verdict, JournalError> {
        let (universe, about) = (Arc::clone(&self.0.universe), number(id));
        let (id, token, fault) = (id.clone(), token.clone(), fault.map(str::to_owned));
        let act = async move {
            let verdict = universe.journal.let_go(&id, &token, fault.as_deref()).await;
            if let (Ok(Verdict::Kept), Some(fault)) = (&verdict, &fault) {
                universe.accuse(format!("s{about} was given up for good: {fault}"));
            }
            let at = universe.elapsed();
            universe.ledger().leave(about, at);
            verdict
        };
        self.ask(("let go", about), Guarded, act).await?
    }

    async fn standing(&self, id: &SimulationId) -> Result<Option<Standing>, JournalError> {
        let (universe, id, about) = (Arc::clone(&self.0.universe), id.clone(), number(id));
        let act = async move { universe.journal.standing(&id).await };
        self.ask(("standing", about), Guarded, act).await?
    }

    async fn snapshot(&self, id: &SimulationId, seq: u64) -> Result<Option<Bytes>, JournalError> {
        let (universe, id, about) = (Arc::clone(&self.0.universe), id.clone(), number(id));
        let act = async move { universe.journal.snapshot(&id, seq).await };
        self.ask(("snapshot", about), Guarded, act).await?
    }

    async fn entries(
        &self,
        id: &SimulationId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Written>, JournalError> {
        let (universe, id, about) = (Arc::clone(&self.0.universe), id.clone(), number(id));
        let act = async move { universe.journal.entries(&id, after, limit).await };
        self.ask(("entries", about), Guarded, act).await?
    }
}

/// Takes an entry as the store does, and looks whether it should have.
async fn take(universe: &Universe, append: Append) -> Verdict {
    let sim = number(&append.id);
    let before = universe.journal.standing(&append.id).await.ok().flatten();
    let (head, token, after) = (append.head(), append.token.clone(), append.after);
    let entry = append.entry.clone();
    let verdict = universe.journal.append_now(append);
    let said = match verdict {
        Verdict::Kept => "is kept",
        Verdict::Fenced => "is fenced",
        Verdict::Elsewhere(_) => "is elsewhere",
    };
    universe.note("store", said, sim, head.seq);
    if verdict != Verdict::Kept {
        return verdict;
    }
    let Some(before) = before else {
        universe.accuse(format!("s{sim} has no journal and took {head}"));
        return verdict;
    };
    if before.token.nonce() != token.nonce() {
        universe.accuse(format!("s{sim} took {head} under a claim that was over"));
    }
    if before.head == head {
        return verdict;
    }
    if before.head != after {
        universe.accuse(format!("s{sim} took {head} behind {}", before.head));
    }
    let at = universe.elapsed();
    let noted = universe.ledger().take(sim, (after, head), &entry, at);
    if let Err(text) = noted {
        universe.accuse(text);
    }
    verdict
}

/// Keeps a snapshot as the store does, and looks whether it should have.
async fn keep(universe: &Universe, save: Save) -> Result<Verdict, JournalError> {
    let sim = number(&save.id);
    let before = universe.journal.standing(&save.id).await?;
    let (head, token, purpose) = (save.head, save.token.clone(), save.purpose);
    let verdict = universe.journal.save(save).await?;
    if verdict != Verdict::Kept {
        universe.note("store", "does not keep it", sim, head.seq);
        return Ok(verdict);
    }
    let at = universe.elapsed();
    match purpose {
        Purpose::Begin => universe.ledger().begun.push((sim, at)),
        Purpose::Rest => universe.ledger().leave(sim, at),
        Purpose::Bound | Purpose::Repair { .. } => {}
    }
    let is_later =
        |held: &FencingToken| held.nonce() != token.nonce() && held.fence() > token.fence();
    if before
        .as_ref()
        .is_some_and(|before| is_later(&before.token))
    {
        universe.accuse(format!("s{sim} kept {head} under a claim that was over"));
    }
    if !universe.ledger().knows(head) {
        universe.accuse(format!("s{sim} kept {head}, which was never committed"));
    }
    Ok(verdict)
}
