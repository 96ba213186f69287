//! Who is connected, and who goes when there is no room for others.

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use tokio::task::Id;

use super::activity::Activity;

/// Of how many idle connections one is noted as one of the oldest, when they are looked through.
const NOTED: usize = 32;

/// The connections of a server. Only its accept loop knows them, so nobody waits for it.
pub(super) struct Crowd {
    guests: HashMap<Id, Guest>,
    /// How many each address has, while that matters.
    per_peer: HashMap<IpAddr, usize>,
    max: usize,
    /// 0 for no limit.
    max_per_peer: usize,
    /// Those that have been of no use for the longest time, the very longest last, and when they
    /// were of use.
    oldest: Vec<(u64, Id)>,
}

struct Guest {
    peer: IpAddr,
    activity: Arc<Activity>,
    is_sent_away: bool,
}

impl Crowd {
    pub(super) fn new(max: usize, max_per_peer: usize) -> Self {
        Self {
            guests: HashMap::new(),
            per_peer: HashMap::new(),
            max,
            max_per_peer,
            oldest: Vec::new(),
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.guests.len() >= self.max
    }

    /// How many connections `peer` has, if it may not have another one.
    pub(super) fn too_many_of(&self, peer: IpAddr) -> Option<usize> {
        let open = self.per_peer.get(&peer).copied()?;
        (open >= self.max_per_peer).then_some(open)
    }

    pub(super) fn enter(&mut self, id: Id, peer: IpAddr, activity: Arc<Activity>) {
        if self.max_per_peer > 0 {
            *self.per_peer.entry(peer).or_default() += 1;
        }
        let guest = Guest {
            peer,
            activity,
            is_sent_away: false,
        };
        self.guests.insert(id, guest);
    }

    pub(super) fn leave(&mut self, id: Id) {
        let Some(guest) = self.guests.remove(&id) else {
            return;
        };
        if let Some(open) = self.per_peer.get_mut(&guest.peer) {
            *open -= 1;
            if *open == 0 {
                self.per_peer.remove(&guest.peer);
            }
        }
    }

    /// Asks the connection to leave that has been idle for the longest time, if one is idle.
    pub(super) fn make_room(&mut self) {
        if self.send_one_away() {
            return;
        }
        self.note_oldest();
        self.send_one_away();
    }

    /// Asks one of those that were noted, unless all of them have been of use since.
    fn send_one_away(&mut self) -> bool {
        while let Some((moved, id)) = self.oldest.pop() {
            if let Some(guest) = self.guests.get_mut(&id)
                && guest.is_idle()
                && guest.activity.moved() == moved
            {
                guest.is_sent_away = true;
                guest.activity.send_away();
                return true;
            }
        }
        false
    }

    /// Looks through all connections; who does so for each newcomer has no time for anything else.
    fn note_oldest(&mut self) {
        let idle = self.guests.iter().filter(|(_, guest)| guest.is_idle());
        self.oldest = idle
            .map(|(id, guest)| (guest.activity.moved(), *id))
            .collect();
        self.oldest
            .sort_unstable_by(|(one, _), (other, _)| other.cmp(one));
        let kept = self.oldest.len().div_ceil(NOTED);
        self.oldest.drain(..self.oldest.len() - kept);
    }
}

impl Guest {
    fn is_idle(&self) -> bool {
        !self.is_sent_away && self.activity.is_idle()
    }
}
