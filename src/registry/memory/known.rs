//! What a registry in memory knows.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, HashMap, VecDeque},
};

use bytes::Bytes;

use crate::{
    clock::Moment,
    id::{InstanceId, Nonce, SimulationId, Tenant},
    registry::{
        Ending, FencingToken, Head, Holding, Owner, Peer, Registration, Release, TOMBSTONE_LIFETIME,
    },
};

/// How many ends are remembered; the oldest are forgotten first.
const MAX_TOMBSTONES: usize = 100_000;

#[derive(Clone, Default)]
pub(super) struct Known {
    pub(super) simulations: HashMap<SimulationId, Entry>,
    /// Tombstones, oldest first; an entry that has come to life again since is passed over.
    tombstones: VecDeque<(Moment, SimulationId)>,
    /// Who holds the lease of an instance, or held it last, and until when.
    pub(super) leases: BTreeMap<InstanceId, (Peer, Moment)>,
    latest_fence: u64,
    pub(super) secret: Option<String>,
}

#[derive(Clone)]
pub(super) enum Entry {
    Owned(Box<Kept>),
    Ended(Ended),
}

/// How a simulation ended.
#[derive(Clone)]
pub(super) struct Ended {
    pub(super) ending: Ending,
    pub(super) tenant: Option<Tenant>,
    /// Under which claim. Later ones are of another simulation of the same name.
    token: FencingToken,
    at: Moment,
}

/// What is kept of a simulation.
#[derive(Clone)]
pub(crate) struct Kept {
    pub(crate) holding: Holding,
    pub(crate) history: History,
    pub(super) created: u64,
    pub(super) expires: Moment,
    /// [`Registration::revision`], and under which claim.
    revision: (FencingToken, u64),
    details: Vec<(&'static str, String)>,
}

/// What is kept of a journal, which goes with the entry.
#[derive(Clone, Default)]
pub(crate) struct History {
    pub(crate) head: Option<Head>,
    /// By their numbers, each with the chain.
    pub(crate) entries: BTreeMap<u64, (u64, Bytes)>,
    pub(crate) snapshots: BTreeMap<u64, Bytes>,
}

impl Known {
    pub(super) fn living(&self, now: Moment) -> Vec<Owner> {
        let living = self.leases.values().filter(|(_, until)| *until > now);
        living.map(|(peer, _)| peer.owner.clone()).collect()
    }

    /// Under which nonce the lease of an instance is held.
    pub(super) fn holder(&self, instance: &InstanceId, now: Moment) -> Option<Nonce> {
        let lease = self.leases.get(instance);
        let held = lease.filter(|(_, until)| *until > now);
        held.map(|(peer, _)| peer.owner.nonce.clone())
    }

    pub(super) fn lend(&mut self, to: &Peer, until: Moment) {
        let instance = to.owner.instance.clone();
        self.leases.insert(instance, (to.clone(), until));
    }

    pub(super) fn new_token(&mut self, nonce: &str, now: Moment) -> FencingToken {
        let fence = now.as_micros().max(self.latest_fence + 1);
        self.latest_fence = fence;
        FencingToken::from_text(&format!("{fence}:{nonce}"))
    }

    /// Writes a simulation down, over what is there; where its journal stands, if it has one.
    pub(super) fn write(
        &mut self,
        token: &FencingToken,
        me: &Owner,
        registration: &Registration,
        now: Moment,
    ) -> Option<Head> {
        let (history, fault) = match self.simulations.remove(&registration.id) {
            Some(Entry::Owned(kept)) => (kept.history, kept.holding.fault),
            Some(Entry::Ended(..)) | None => (History::default(), None),
        };
        let head = history.head;
        let kept = Kept {
            holding: Holding {
                owner: Some(me.clone()),
                token: token.clone(),
                tenant: registration.tenant.clone(),
                is_journalled: registration.journal.is_some(),
                fault,
            },
            history,
            created: registration.created,
            expires: now + registration.expires_in,
            revision: (token.clone(), registration.revision),
            details: registration.fields().collect(),
        };
        let entry = Entry::Owned(Box::new(kept));
        self.simulations.insert(registration.id.clone(), entry);
        head
    }

    pub(super) fn end(&mut self, release: &Release, now: Moment) {
        let held = match self.simulations.get(&release.id) {
            Some(Entry::Owned(kept)) if kept.order(&release.token).is_eq() => &kept.holding.token,
            Some(_) | None => &release.token,
        };
        let ended = Entry::Ended(Ended {
            ending: release.ending,
            tenant: release.tenant.clone(),
            token: held.clone(),
            at: now,
        });
        self.simulations.insert(release.id.clone(), ended);
        self.tombstones.push_back((now, release.id.clone()));
    }

    pub(super) fn forget_old(&mut self, now: Moment) {
        while let Some((ended, id)) = self.tombstones.front() {
            if *ended + TOMBSTONE_LIFETIME > now && self.tombstones.len() <= MAX_TOMBSTONES {
                break;
            }
            let is_this_end =
                |entry: &Entry| matches!(entry, Entry::Ended(Ended { at, .. }) if at == ended);
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

impl Kept {
    /// Whether its owner has written it down since, under the same claim.
    pub(super) fn is_newer_than(&self, registration: &Registration) -> bool {
        let (token, revision) = &self.revision;
        *token == self.holding.token && *revision > registration.revision
    }

    /// Whether it is still owned as was seen.
    pub(super) fn is_held_as(&self, seen: &Holding) -> bool {
        self.holding.owner == seen.owner && self.holding.token == seen.token
    }

    /// Which claim it is under: mine, an earlier or a later one.
    pub(crate) fn order(&self, mine: &FencingToken) -> Ordering {
        order(&self.holding.token, mine)
    }

    pub(super) fn details(&self) -> Vec<(String, String)> {
        let details = self.details.iter();
        details
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect()
    }
}

impl Ended {
    /// Whether somebody wanted the end of what is claimed by `mine`, or of what has become of it.
    pub(super) fn is_destruction_of(&self, mine: &FencingToken) -> bool {
        self.ending == Ending::Destroyed && order(&self.token, mine).is_ge()
    }
}

/// Whose claim a token is: mine, an earlier or a later one.
fn order(held: &FencingToken, mine: &FencingToken) -> Ordering {
    if held.nonce() == mine.nonce() {
        Ordering::Equal
    } else if held.fence() < mine.fence() {
        Ordering::Less
    } else {
        Ordering::Greater
    }
}
