//! Sends entries to Redis: those that wait go together, and those that come meanwhile go next.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use deadpool_redis::redis::Cmd;
use tokio::{sync::Notify, task, time::timeout};

use super::verdict;
use crate::{
    journal::{Append, JournalError, Settle, Verdict},
    redis_store::{Part, RedisStore, Script, StoreError, keys},
};

/// How many entries are sent together. A script appends all of them, and nobody else is served
/// meanwhile: it takes less than a millisecond.
const BATCH: usize = 128;
/// How many bytes of entries, for the same reason; a larger one goes alone.
const BATCH_BYTES: usize = 1 << 20;
/// After how long entries are sent again that were not answered twice.
const PAUSE: Duration = Duration::from_millis(150);
/// The same while Redis is taken for unreachable.
const LONG_PAUSE: Duration = Duration::from_millis(500);

/// Entries on their way. Each simulation has few of them, for it waits until they are settled.
#[derive(Default)]
pub(super) struct Appends {
    /// Those that the sender has not taken up yet.
    untaken: Mutex<Vec<Waiting>>,
    arrived: Notify,
}

struct Waiting {
    append: Append,
    settle: Settle,
    /// Whether it may be in the journal already.
    is_sent: bool,
}

impl Appends {
    pub(super) fn push(&self, append: Append, settle: Settle) {
        self.untaken().push(Waiting {
            append,
            settle,
            is_sent: false,
        });
        self.arrived.notify_one();
    }

    /// Sends what waits for as long as it is polled.
    pub(super) async fn run(&self, store: &RedisStore) {
        let script = Script::fenced(include_str!("scripts/append.lua"));
        let mut line = store.line();
        let mut waiting = VecDeque::new();
        let (mut is_failing, mut is_alone) = (false, true);
        loop {
            if waiting.is_empty() && self.untaken().is_empty() {
                self.arrived.notified().await;
            }
            // Whoever is about to push an entry goes first: a batch costs little more than an entry. One
            // that is alone gains nothing by it but another thread that is woken.
            if !is_alone {
                task::yield_now().await;
            }
            waiting.extend(self.untaken().drain(..));
            let batch = take(&mut waiting);
            if batch.is_empty() {
                continue;
            }
            is_alone = batch.len() == 1;
            let parts: Vec<_> = batch.iter().map(|next| &next.append).collect();
            let answers = line.invoke_parts(&script, &parts).await;
            let is_settled = settle(batch, answers, &mut waiting);
            // The first time at once: a connection that lay idle may have been closed long ago.
            if is_failing && !is_settled {
                let again = store.answers_again();
                let pause = if store.is_open() { LONG_PAUSE } else { PAUSE };
                // Not a moment longer: as long as Redis has forgotten something, its owner alone knows.
                let _ = timeout(pause, again).await;
            }
            is_failing = !is_settled;
        }
    }

    fn untaken(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.untaken.lock().expect("no holder of this lock panics")
    }
}

/// What is to be sent next: of each simulation the entry that waits longest, and no other. It
/// could overtake the first, which may have to be sent again.
fn take(waiting: &mut VecDeque<Waiting>) -> Vec<Waiting> {
    let (mut batch, mut later) = (Vec::new(), VecDeque::new());
    let (mut seen, mut bytes, mut is_full) = (HashSet::new(), 0, false);
    for next in waiting.drain(..) {
        let with_it = bytes + next.append.entry.len();
        is_full |= batch.len() == BATCH || with_it > BATCH_BYTES && !batch.is_empty();
        if !is_full && seen.insert(next.append.id.clone()) {
            bytes = with_it;
            batch.push(next);
        } else {
            later.push_back(next);
        }
    }
    *waiting = later;
    batch
}

/// Tells what became of a batch; what is not known waits again, before everything that came since.
/// Whether all of it is known.
fn settle(
    batch: Vec<Waiting>,
    answers: Vec<Result<String, StoreError>>,
    waiting: &mut VecDeque<Waiting>,
) -> bool {
    let mut unsettled = Vec::new();
    for (mut sent, answer) in batch.into_iter().zip(answers) {
        if let Some(fate) = fate(answer, sent.is_sent) {
            (sent.settle)(fate);
        } else {
            sent.is_sent = true;
            unsettled.push(sent);
        }
    }
    let is_settled = unsettled.is_empty();
    for sent in unsettled.into_iter().rev() {
        waiting.push_front(sent);
    }
    is_settled
}

impl Part for &Append {
    const KEYS: usize = 2;

    fn write_keys(&self, command: &mut Cmd) {
        command.arg(keys::meta(&self.id));
        command.arg(keys::journal(&self.id));
    }

    fn write_args(&self, command: &mut Cmd) {
        let with_it = self.head();
        command.arg(self.token.as_str());
        command.arg(self.after.seq).arg(self.after.chain_text());
        command.arg(with_it.seq).arg(with_it.chain_text());
        command.arg(&self.entry[..]);
        command.arg(if self.is_first { "1" } else { "" });
    }
}

/// What became of an entry, if that is known.
fn fate(
    answer: Result<String, StoreError>,
    is_sent: bool,
) -> Option<Result<Verdict, JournalError>> {
    match answer {
        Ok(text) => Some(verdict(text.split(' '))),
        Err(error) if error.is_temporary() => None,
        // It says nothing about the time before.
        Err(error) if is_sent && !error.is_before_writing() => None,
        Err(error) => Some(Err(error.into())),
    }
}
