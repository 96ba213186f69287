//! How far the commands of one simulation are written down.

use std::collections::{BTreeMap, VecDeque};

use super::{task::Client, work::Done};
use crate::{
    journal::{Append, JournalError, Verdict},
    physics::{AssetId, Assets, EngineFault},
    registry::Head,
};

/// How many chains are remembered.
const MAX_CHAINS: usize = 4096;
/// How many of them while the simulation is idle: what it did last may be forgotten by Redis.
const MAX_IDLE_CHAINS: usize = 256;
/// How many entries a replay may read before a new snapshot is taken.
const MAX_ENTRIES: u64 = 1024;
/// How many snapshots are kept: the newest, and one more in case that cannot be read.
const MAX_SNAPSHOTS: usize = 2;

/// The writing side of one simulation's journal.
pub(super) struct Journalling {
    /// What the chain was after each of the last commands, the last one at the end.
    chains: VecDeque<u64>,
    /// Which snapshots there are, newest first.
    pub(super) snapshots: Vec<u64>,
    /// Whether no entry was appended since the journal had none.
    pub(super) is_first: bool,
    /// Whether a snapshot is on its way.
    pub(super) is_saving: bool,
    /// Whether the task is at it: no request is to begin a command meanwhile.
    pub(super) is_attended: bool,
    /// Up to which entry each asset was needed to make the world again.
    assets: BTreeMap<AssetId, u64>,
    /// Up to where it was last tried to keep a snapshot.
    tried: u64,
    /// A command that is carried out, but not committed: its entry is on its way.
    pub(super) pending: Option<Pending>,
}

/// A command between being sent to the journal and being committed. Nobody sees what it did.
pub(super) struct Pending {
    pub(super) append: Append,
    pub(super) outcome: Result<Box<Done>, EngineFault>,
    pub(super) client: Client,
    /// What the journal answered, where that is left to the task.
    pub(super) verdict: Option<Result<Verdict, JournalError>>,
}

/// How a moment that somebody has seen lies to the history that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// It is part of it, or so long ago that nobody can tell.
    Past,
    /// It lies ahead of it.
    Ahead,
    /// It is of another history.
    Elsewhere,
}

impl Journalling {
    /// A journal that ends at `head` and has these snapshots, newest first.
    pub(super) fn new(head: Head, snapshots: Vec<u64>, has_entries: bool) -> Self {
        Self {
            chains: VecDeque::from([head.chain]),
            snapshots,
            is_first: !has_entries,
            is_saving: false,
            is_attended: false,
            assets: BTreeMap::new(),
            tried: 0,
            pending: None,
        }
    }

    /// Notes that the journal goes on to `head`.
    pub(super) fn advance(&mut self, head: Head) {
        if self.chains.len() == MAX_CHAINS {
            self.chains.pop_front();
        }
        self.chains.push_back(head.chain);
        self.is_first = false;
    }

    /// Notes what it takes to make the world again at `now`.
    pub(super) fn note_assets(&mut self, now: Head, assets: &Assets) {
        for id in assets.ids() {
            self.assets.insert(id.clone(), now.seq);
        }
    }

    /// What the snapshots that are kept, and the entries behind them, may be about.
    pub(super) fn assets(&self) -> impl Iterator<Item = AssetId> {
        self.assets.keys().cloned()
    }

    /// How a moment lies to the history up to `now`.
    pub(super) fn place(&self, now: Head, moment: Head) -> Seen {
        let Some(age) = now.seq.checked_sub(moment.seq) else {
            return Seen::Ahead;
        };
        let position = usize::try_from(age)
            .ok()
            .and_then(|age| self.chains.len().checked_sub(age + 1));
        match position.and_then(|position| self.chains.get(position)) {
            Some(chain) if *chain != moment.chain => Seen::Elsewhere,
            Some(_) | None => Seen::Past,
        }
    }

    /// Whether a replay would read so many entries that a snapshot is due.
    pub(super) fn is_long(&self, now: Head) -> bool {
        let newest = self.snapshots.first().copied().unwrap_or_default();
        !self.is_saving && now.seq.saturating_sub(newest.max(self.tried)) >= MAX_ENTRIES
    }

    /// Begins to keep a snapshot of the commands up to `now`; false if another one is on its way.
    pub(super) fn begin_saving(&mut self, now: Head) -> bool {
        self.tried = now.seq;
        !std::mem::replace(&mut self.is_saving, true)
    }

    /// Notes that a snapshot is kept.
    pub(super) fn saved(&mut self, seq: u64) {
        // One that was long on its way may be older than what a repair has kept since.
        if self.snapshots.first().is_none_or(|newest| *newest < seq) {
            self.snapshots.insert(0, seq);
            self.snapshots.truncate(MAX_SNAPSHOTS);
            let oldest = self.snapshots.last().copied().unwrap_or_default();
            self.assets.retain(|_, needed| *needed >= oldest);
        }
    }

    /// Gives back the room that lists keep in reserve.
    pub(super) fn shrink(&mut self) {
        let past = self.chains.len().saturating_sub(MAX_IDLE_CHAINS);
        self.chains.drain(..past);
        self.chains.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assets_are_needed_as_long_as_a_snapshot_or_an_entry_behind_it_is_about_them() {
        let head = |seq| Head { seq, chain: seq };
        let id = AssetId::of_hash([7; 32]);
        let mesh = crate::physics::Mesh::default();
        let used: Assets = [(id.clone(), std::sync::Arc::new(mesh))]
            .into_iter()
            .collect();
        let mut journalling = Journalling::new(head(1), vec![1], false);
        let needs = |journalling: &Journalling| journalling.assets().any(|needed| needed == id);

        journalling.note_assets(head(5), &used);
        journalling.saved(10);
        assert!(needs(&journalling), "behind the older snapshot");
        journalling.saved(20);
        assert!(!needs(&journalling));
    }

    #[test]
    fn moments_are_placed_by_number_and_chain() {
        let head = |seq, chain| Head { seq, chain };
        let mut journalling = Journalling::new(head(5, 50), vec![5], false);
        journalling.advance(head(6, 60));
        journalling.advance(head(7, 70));
        let now = head(7, 70);

        assert_eq!(journalling.place(now, now), Seen::Past);
        assert_eq!(journalling.place(now, head(6, 60)), Seen::Past);
        assert_eq!(journalling.place(now, head(6, 61)), Seen::Elsewhere);
        assert_eq!(journalling.place(now, head(8, 80)), Seen::Ahead);
        assert_eq!(journalling.place(now, head(1, 1)), Seen::Past);
    }
}
