//! Making a simulation again from an image and the entries behind it.

use std::{collections::BTreeSet, time::Duration, vec};

use super::{
    committed::Committed,
    history::History,
    idempotency::{IdempotencyKey, IdempotencyTable},
    reply::{Reply, ReplyWriter},
    work::{Done, Progress, Work},
};
use crate::{
    clock::Clock,
    journal::{Entry, Event, KeyUsed, Written},
    metrics::Metrics,
    physics::{Command, World, WorldLimits},
    registry::Head,
};

/// A simulation that is being made again.
pub(super) struct Replaying {
    writer: ReplyWriter,
    clock: Clock,
    /// What is left to be done.
    entries: vec::IntoIter<(Head, Entry)>,
    /// Commands that the engine failed on.
    voided: BTreeSet<u64>,
    past: Past,
    /// Nowhere while a command is carried out.
    world: Option<Box<World>>,
    under_way: Option<(Work, Asked)>,
}

/// All of a simulation but its world.
pub(super) struct Past {
    pub(super) head: Head,
    pub(super) history: History,
    pub(super) applied: IdempotencyTable,
}

/// Who asked for a command, and when.
struct Asked {
    head: Head,
    at: u64,
    key: Option<KeyUsed>,
}

/// How far a replay has come.
pub(super) enum Advance {
    /// There is more to do.
    Unfinished(Box<Replaying>),
    /// The simulation is made again.
    Done(Box<World>, Past),
    /// It cannot be.
    Failed(ReplayError),
}

/// Why a simulation cannot be made again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ReplayError {
    /// An entry is missing, or is not what was written.
    #[error("entry {0} is damaged")]
    Damaged(u64),
    /// A command did not do what it did before.
    #[error("entry {0} does not follow from those before it")]
    Nondeterminism(u64),
    /// The engine failed on the last command, of which nobody has said so.
    #[error("the engine failed on entry {0}")]
    Poison(u64),
}

/// Reads what a journal holds behind `from` and up to `to`.
pub(super) fn read(
    from: Head,
    to: Head,
    written: &[Written],
) -> Result<Vec<(Head, Entry)>, ReplayError> {
    let mut head = from;
    let mut entries = Vec::with_capacity(written.len());
    for one in written {
        let next = head.followed_by(&one.entry);
        if next != one.head {
            return Err(ReplayError::Damaged(next.seq));
        }
        let entry = Entry::decode(&one.entry).map_err(|_| ReplayError::Damaged(next.seq))?;
        head = next;
        entries.push((head, entry));
    }
    if head == to {
        Ok(entries)
    } else {
        Err(ReplayError::Damaged(head.seq + 1))
    }
}

impl Replaying {
    /// Begins with a world and its past. The commands of `voided` are passed over, as are those
    /// that entries say so of.
    pub(super) fn new(
        (writer, clock): (ReplyWriter, Clock),
        world: Box<World>,
        past: Past,
        entries: Vec<(Head, Entry)>,
        mut voided: BTreeSet<u64>,
    ) -> Self {
        voided.extend(entries.iter().filter_map(|(_, entry)| match entry.event {
            Event::Voided(seq) => Some(seq),
            Event::Command(_) | Event::Takeover(_) => None,
        }));
        Self {
            writer,
            clock,
            entries: entries.into_iter(),
            voided,
            past,
            world: Some(world),
            under_way: None,
        }
    }

    /// Goes on for about `budget`.
    pub(super) fn advance(mut self, budget: Duration, metrics: &Metrics) -> Advance {
        let begun = self.clock.stopwatch();
        while begun.elapsed() < budget {
            if let Some((work, asked)) = self.under_way.take() {
                match work.advance(budget, self.clock, metrics) {
                    Progress::Unfinished(work) => self.under_way = Some((work, asked)),
                    Progress::Done(done) => self.keep(*done, asked),
                    Progress::Failed(_) if self.entries.len() == 0 => {
                        return Advance::Failed(ReplayError::Poison(asked.head.seq));
                    }
                    Progress::Failed(_) | Progress::Refused(..) => {
                        return Advance::Failed(ReplayError::Nondeterminism(asked.head.seq));
                    }
                }
            } else if let Some(world) = self.world.take() {
                let Some((head, entry)) = self.entries.next() else {
                    return Advance::Done(world, self.past);
                };
                if let Err(error) = self.take_up(world, head, entry) {
                    return Advance::Failed(error);
                }
            }
        }
        Advance::Unfinished(Box::new(self))
    }

    /// Begins with an entry.
    fn take_up(&mut self, world: Box<World>, head: Head, entry: Entry) -> Result<(), ReplayError> {
        if world.state_hash() != entry.state_hash {
            return Err(ReplayError::Nondeterminism(head.seq));
        }
        match entry.event {
            Event::Command(command) if !self.voided.contains(&head.seq) => {
                let asked = Asked {
                    head,
                    at: entry.at,
                    key: entry.key,
                };
                self.under_way = Some((self.work(world, command), asked));
            }
            Event::Command(_) | Event::Voided(_) | Event::Takeover(_) => {
                self.past.head = head;
                self.world = Some(world);
            }
        }
        Ok(())
    }

    fn work(&self, world: Box<World>, command: Command) -> Work {
        // What was accepted under the limits of then is not judged by those of now.
        Work::new(
            world,
            command,
            WorldLimits::unlimited(),
            self.writer.clone(),
            true,
        )
    }

    /// Notes what a command did.
    fn keep(&mut self, done: Done, Asked { head, at, key }: Asked) {
        let state = Committed { head, ..done.state };
        self.past.head = head;
        self.past.history.push(done.command, done.cost, &done.world);
        if let Some(key) = key {
            let reply = Reply {
                body: done.body,
                position: state.position(),
                is_replayed: false,
            };
            let key = IdempotencyKey::of(&key);
            self.past.applied.remember(key, &reply, at);
        }
        self.world = Some(done.world);
    }
}
