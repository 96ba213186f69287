//! What really happened: every entry that the store took, and everything that clients were told.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;
use rapier_physics_service::{
    id::Nonce,
    simulations::{Entry, Event, Head, Reply},
};

use crate::universe::SIMULATIONS;

/// How long an owner may take to find out that something was forgotten.
pub(crate) const NOTICES: Duration = Duration::from_secs(10);

/// Everything that is known of a run by whoever sees all of it.
#[derive(Default)]
pub(crate) struct Ledger {
    /// By the chain with them.
    pub(crate) entries: BTreeMap<u64, Taken>,
    pub(crate) told: Vec<Told>,
    pub(crate) looks: Vec<Look>,
    /// Moments that somebody was told are lost or of another history.
    pub(crate) denied: Vec<(usize, Head)>,
    /// Where simulations stood when they were ended.
    pub(crate) ended: Vec<(usize, Head)>,
    /// When simulations were begun.
    pub(crate) begun: Vec<(usize, Duration)>,
    /// How many lives a simulation of each name has had, as far as clients know.
    pub(crate) life: [u64; SIMULATIONS],
    /// When simulations were left by an owner that wanted to.
    left: Vec<(usize, Duration)>,
    pub(crate) losses: Vec<Loss>,
    /// Labels that were acknowledged.
    pub(crate) labelled: Vec<Labelled>,
    /// Which simulations a client wants to end.
    pub(crate) is_doomed: [bool; SIMULATIONS],
    /// The highest command that was acknowledged.
    pub(crate) acknowledged: [u64; SIMULATIONS],
    /// Under which nonces leases were asked for, in this order.
    leases: Vec<Nonce>,
    pub(crate) violations: Vec<String>,
}

/// An entry that the store took.
pub(crate) struct Taken {
    pub(crate) sim: usize,
    pub(crate) after: Head,
    pub(crate) entry: Entry,
    pub(crate) at: Duration,
}

/// A command that was acknowledged.
pub(crate) struct Told {
    pub(crate) sim: usize,
    pub(crate) key: Option<String>,
    pub(crate) reply: Reply,
}

/// What a client was shown.
pub(crate) struct Look {
    pub(crate) sim: usize,
    pub(crate) reply: Reply,
}

/// A label that was acknowledged, and when it was asked for.
pub(crate) struct Labelled {
    pub(crate) sim: usize,
    pub(crate) number: u64,
    pub(crate) begun: Duration,
    pub(crate) told: Duration,
}

/// The store forgot what it was told between two moments.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loss {
    pub(crate) since: Duration,
    pub(crate) at: Duration,
    /// Whether nothing else was broken around that time.
    pub(crate) is_alone: bool,
}

impl Ledger {
    /// Notes an entry that the store took.
    pub(crate) fn take(
        &mut self,
        sim: usize,
        (after, head): (Head, Head),
        entry: &[u8],
        at: Duration,
    ) -> Result<(), String> {
        if after.followed_by(entry) != head {
            return Err(format!(
                "s{sim} took {head}, which does not follow from {after}"
            ));
        }
        let entry = Entry::decode(entry).map_err(|error| format!("s{sim} took {head}: {error}"))?;
        let taken = Taken {
            sim,
            after,
            entry,
            at,
        };
        self.entries.insert(head.chain, taken);
        Ok(())
    }

    /// Notes that a lease is asked for; how many were before.
    pub(crate) fn order_lease(&mut self, nonce: &Nonce) -> usize {
        self.leases.push(nonce.clone());
        self.leases.len() - 1
    }

    /// How many leases were asked for before this one.
    pub(crate) fn lease_order(&self, nonce: &Nonce) -> Option<usize> {
        self.leases.iter().position(|known| known == nonce)
    }

    /// Whether an entry with this head was ever taken, or none has to be.
    pub(crate) fn knows(&self, head: Head) -> bool {
        head.seq == 0 || self.entries.contains_key(&head.chain)
    }

    pub(crate) fn end(&mut self, sim: usize, head: Head) {
        self.ended.push((sim, head));
    }

    pub(crate) fn leave(&mut self, sim: usize, at: Duration) {
        self.left.push((sim, at));
    }

    /// The entries that lead to `head`, first to last.
    pub(crate) fn way_to(&self, head: Head) -> Result<Vec<(Head, &Taken)>, String> {
        let mut way = Vec::new();
        let mut at = head;
        while at.seq > 0 {
            let taken = self.entries.get(&at.chain);
            let taken = taken.ok_or_else(|| format!("nobody ever wrote {at}"))?;
            way.push((at, taken));
            at = taken.after;
        }
        way.reverse();
        Ok(way)
    }

    /// Whether an entry may be missing in the end: the store has forgotten it, and whoever knew
    /// better was gone, too.
    pub(crate) fn may_be_lost(&self, head: Head) -> bool {
        let Some(taken) = self.entries.get(&head.chain) else {
            return false;
        };
        self.losses.iter().any(|loss| {
            let is_forgotten = loss.since <= taken.at && taken.at <= loss.at;
            is_forgotten && self.is_excused(loss, taken.sim)
        })
    }

    /// Whether nobody may have been left who knew what the store has forgotten of a simulation.
    fn is_excused(&self, loss: &Loss, sim: usize) -> bool {
        let mut left = self.left.iter();
        let has_left =
            left.any(|(of, at)| *of == sim && loss.since <= *at && *at <= loss.at + NOTICES);
        !loss.is_alone || has_left || self.is_doomed[sim]
    }

    /// Whether a simulation may have this label: none that was acknowledged was given later.
    pub(crate) fn may_be_labelled(&self, sim: usize, number: Option<u64>) -> bool {
        let labelled = || self.labelled.iter().filter(move |label| label.sim == sim);
        let found = labelled().find(|label| Some(label.number) == number);
        let since = match (found, number) {
            (Some(found), _) => found.told,
            // It was asked for, and whoever did has not been told.
            (None, Some(_)) => return true,
            (None, None) => Duration::ZERO,
        };
        let mut later = labelled().filter(|label| label.begun > since);
        later.all(|label| {
            let mut losses = self.losses.iter();
            losses.any(|loss| {
                let is_forgotten = loss.since <= label.told && label.begun <= loss.at;
                is_forgotten && self.is_excused(loss, sim)
            })
        })
    }

    /// The keys of the entries of a history, each with where it was used.
    pub(crate) fn keys<'a>(way: &'a [(Head, &Taken)]) -> impl Iterator<Item = (&'a str, Head)> {
        way.iter().filter_map(|(head, taken)| {
            let key = taken.entry.key.as_ref()?;
            Some((key.key.as_str(), *head))
        })
    }

    /// The commands of a history that count as never given.
    pub(crate) fn voided(way: &[(Head, &Taken)]) -> BTreeSet<u64> {
        let voided = way.iter().filter_map(|(_, taken)| match taken.entry.event {
            Event::Voided(seq) => Some(seq),
            Event::Command(_) | Event::Takeover(_) => None,
        });
        voided.collect()
    }

    /// Notes that a command was acknowledged.
    pub(crate) fn tell(&mut self, sim: usize, key: Option<String>, reply: Reply) {
        let head = reply.position.head;
        if !self.knows(head) {
            let text = format!("s{sim}: {head} was acknowledged and is in no journal");
            self.violations.push(text);
        }
        self.acknowledged[sim] = self.acknowledged[sim].max(head.seq);
        self.told.push(Told { sim, key, reply });
    }

    /// Notes that a client was shown something.
    pub(crate) fn show(&mut self, sim: usize, reply: Reply) {
        let head = reply.position.head;
        if !self.knows(head) {
            let text = format!("s{sim}: {head} was shown and is in no journal");
            self.violations.push(text);
        }
        self.looks.push(Look { sim, reply });
    }
}

/// The bytes of a reply, to be compared.
pub(crate) fn body(reply: &Reply) -> &Bytes {
    &reply.body
}
