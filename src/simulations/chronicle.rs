//! What clients can find out about the history of a simulation, and require of it.

use std::sync::Arc;

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::{
    Services,
    committed::Committed,
    directory::Simulations,
    error::SimulationError,
    handle::SimulationHandle,
    image::Image,
    journalling::Seen,
    recovery::entries_behind,
    replaying::{ReplayError, read},
    terms::Precondition,
};
use crate::{
    id::SimulationId,
    journal::{Entry, Journal, JournalError, Standing, Written},
    registry::{Head, Owner, Whereabouts},
};

/// How many entries are read at a time.
const PAGE: usize = 128;
/// How often a journal is read that is cut shorter meanwhile.
const MAX_ATTEMPTS: usize = 3;

/// The journal of a simulation, page by page.
pub struct Chronicle {
    simulation: SimulationHandle,
    journal: Arc<dyn Journal>,
    /// What it begins behind.
    pub from: Head,
    /// The last command that was committed when it was asked for.
    pub head: Head,
    /// Which snapshots there are, newest first.
    pub snapshots: Vec<u64>,
    /// The next page, if it has been read.
    page: Option<Vec<(Head, Entry)>>,
    last: Head,
    left: usize,
}

/// Everything that is kept of a simulation's past.
pub(super) struct Kept {
    /// The oldest snapshot, encoded, and the last command in it.
    pub(super) image: Bytes,
    pub(super) from: u64,
    /// The entries behind it, up to where the simulation stands.
    pub(super) written: Vec<Written>,
    pub(super) now: Committed,
}

/// What the chain of a simulation begins with that is not written down: it tells it from others of
/// its name. `created` is in µs since 1970.
pub(super) fn first_chain(id: &SimulationId, created: u64) -> u64 {
    xxh3_64_with_seed(id.as_str().as_bytes(), created)
}

impl SimulationHandle {
    /// What it is made with.
    pub fn services(&self) -> &Services {
        &self.shared.services
    }

    /// Where it stands, and how a moment that somebody has seen lies to that.
    fn place(&self, seen: Head) -> (Head, Seen) {
        let core = self.shared.core();
        let now = self.shared.committed().head;
        let place = match &core.journalling {
            Some(journalling) => journalling.place(now, seen),
            None if seen.seq > now.seq => Seen::Ahead,
            None if seen.chain == now.chain => Seen::Past,
            None => Seen::Elsewhere,
        };
        (now, place)
    }

    /// Up to `limit` entries of its journal behind `after`, as far as they are kept.
    pub async fn chronicle(&self, after: u64, limit: usize) -> Result<Chronicle, SimulationError> {
        let mut attempts = 1;
        loop {
            match self.begin_chronicle(after, limit).await {
                Err(SimulationError::Unreplayable { .. }) if attempts < MAX_ATTEMPTS => {
                    attempts += 1;
                }
                chronicle => return chronicle,
            }
        }
    }

    async fn begin_chronicle(
        &self,
        after: u64,
        limit: usize,
    ) -> Result<Chronicle, SimulationError> {
        let mut chronicle = self.open_journal(after, limit).await?;
        chronicle.page = Some(chronicle.next_page().await?);
        Ok(chronicle)
    }

    async fn open_journal(&self, after: u64, limit: usize) -> Result<Chronicle, SimulationError> {
        let (journal, standing) = self.journal().await?;
        let head = self.shared.committed().head;
        let mut snapshots = standing.snapshots.iter().rev().copied();
        let mut oldest = snapshots.next().unwrap_or_default();
        let from = loop {
            let from = after.max(oldest).min(head.seq);
            if from == head.seq {
                break head;
            }
            match self.head_at(journal, from).await {
                Ok(from) => break from,
                // One that is damaged stands there until two others were taken.
                Err(error @ SimulationError::Unreplayable { .. }) => {
                    oldest = snapshots.next().ok_or(error)?;
                }
                Err(error) => return Err(error),
            }
        };
        Ok(Chronicle {
            simulation: self.clone(),
            journal: Arc::clone(journal),
            from,
            head,
            snapshots: standing.snapshots,
            page: None,
            last: from,
            left: limit,
        })
    }

    /// The head behind the entry `seq`; behind a snapshot there may be entries only.
    async fn head_at(&self, journal: &Arc<dyn Journal>, seq: u64) -> Result<Head, SimulationError> {
        if let Some(before) = seq.checked_sub(1) {
            let entry = journal.entries(self.id(), before, 1).await?;
            if let Some(entry) = entry.first().filter(|entry| entry.head.seq == seq) {
                return Ok(entry.head);
            }
        }
        let damaged = || self.unreplayable(&ReplayError::Damaged(seq));
        let snapshot = journal.snapshot(self.id(), seq).await?;
        let snapshot = snapshot.ok_or_else(damaged)?;
        let fingerprint = Arc::clone(&self.services().fingerprint);
        let decode = move || Image::decode(&snapshot, &fingerprint).map(|image| image.head);
        let head = self.services().pool.run(decode).await?;
        head.map_err(|error| self.unreplayable(&error))
    }

    /// Everything that is kept of its past.
    pub(super) async fn kept(&self) -> Result<Kept, SimulationError> {
        let mut attempts = 1;
        loop {
            let (journal, standing) = self.journal().await?;
            let now = *self.shared.committed();
            let from = standing.snapshots.last().copied().unwrap_or_default();
            let image = journal.snapshot(self.id(), from).await?;
            let mut written = entries_behind(journal, self.id(), from).await?;
            written.retain(|entry| entry.head.seq <= now.head.seq);
            // Another snapshot may have taken the place of the first ones meanwhile.
            let is_whole = image.is_some() && from + written.len() as u64 == now.head.seq;
            if is_whole || attempts == MAX_ATTEMPTS {
                return Ok(Kept {
                    image: image.unwrap_or_default(),
                    from,
                    written,
                    now,
                });
            }
            attempts += 1;
        }
    }

    async fn journal(&self) -> Result<(&Arc<dyn Journal>, Standing), SimulationError> {
        let id = self.id();
        let journal = self.shared.journal();
        let journal = journal.ok_or_else(|| SimulationError::NotJournalled(id.clone()))?;
        let committed = self.shared.committed().head;
        let standing = journal.standing(id).await?;
        // What was forgotten is told again, and until then nothing can be said of it.
        let forgotten = || JournalError::Unavailable("it has forgotten some of it".to_owned());
        let standing = standing.filter(|standing| standing.head.seq >= committed.seq);
        Ok((journal, standing.ok_or_else(forgotten)?))
    }

    pub(super) fn unreplayable(&self, reason: &dyn std::error::Error) -> SimulationError {
        SimulationError::Unreplayable {
            id: self.id().clone(),
            reason: reason.to_string(),
        }
    }

    /// Refuses to go on if it does not stand where a client requires it to.
    pub fn require(&self, required: Option<&Precondition>) -> Result<(), SimulationError> {
        self.shared.check(required)
    }
}

impl Chronicle {
    /// Whose journal it is.
    pub fn simulation(&self) -> &SimulationHandle {
        &self.simulation
    }

    /// The next entries, each with the head behind it; none at the end.
    pub async fn next_page(&mut self) -> Result<Vec<(Head, Entry)>, SimulationError> {
        if let Some(page) = self.page.take() {
            return Ok(page);
        }
        let ahead = self.head.seq - self.last.seq;
        let wanted = self.left.min(PAGE);
        let wanted = usize::try_from(ahead).map_or(wanted, |ahead| wanted.min(ahead));
        if wanted == 0 {
            return Ok(Vec::new());
        }
        // Whoever reads uses it.
        self.simulation.touch();
        let id = self.simulation.id();
        let written = self.journal.entries(id, self.last.seq, wanted).await?;
        let (from, simulation) = (self.last, self.simulation.clone());
        let pool = self.simulation.pool();
        let decoded = pool.run(move || {
            let last = written.last().ok_or(ReplayError::Damaged(from.seq + 1))?;
            read(from, last.head, &written)
        });
        let page = decoded.await?;
        let page = page.map_err(|error| simulation.unreplayable(&error))?;
        self.left -= page.len();
        self.last = page.last().map_or(from, |(head, _)| *head);
        Ok(page)
    }
}

impl Simulations {
    /// Refuses to go on for a client that has seen more of a simulation than there is, or something else.
    pub async fn recognise(
        &self,
        simulation: &SimulationHandle,
        seen: Head,
    ) -> Result<(), SimulationError> {
        let (now, place) = simulation.place(seen);
        let id = || simulation.id().clone();
        let refused = match place {
            Seen::Past => return Ok(()),
            Seen::Ahead => SimulationError::HistoryLost {
                id: id(),
                seq: now.seq,
            },
            Seen::Elsewhere => SimulationError::HistoryDiverged(id()),
        };
        // Somebody else may have gone on with it, to whom that is nothing new.
        if let Some(journal) = simulation.shared.journal() {
            let standing = journal.standing(simulation.id()).await?;
            let fleet = self.inner.fleet.as_ref();
            let mut is_unsettled = fleet.is_some_and(|fleet| fleet.may_have_forgotten());
            if let Some(Standing { token, head, .. }) = standing {
                if token != simulation.shared.claim.token() {
                    return Err(SimulationError::OwnershipLost(id()));
                }
                is_unsettled |= head.seq <= now.seq && head != now;
            }
            if is_unsettled {
                // Redis has forgotten something, and others have yet to say what they know.
                let text = "it is not settled whose history goes on".to_owned();
                return Err(JournalError::Unavailable(text).into());
            }
        }
        Err(refused)
    }

    /// Asks the registry whether a simulation is still this instance's, now.
    pub async fn ascertain(&self, simulation: &SimulationHandle) -> Result<(), SimulationError> {
        let shared = &simulation.shared;
        let Some(nonce) = self.nonce() else {
            return Ok(());
        };
        let token = shared.claim.token();
        let is_ours = if let Some(journal) = shared.journal() {
            let standing = journal.standing(&shared.id).await?;
            standing.is_some_and(|standing| standing.token == token)
        } else {
            let me = Owner {
                instance: shared.services.instance_id.clone(),
                nonce,
            };
            let tenant = shared.claim.tenant.as_ref();
            match self.inner.registry.find(&shared.id, tenant).await? {
                Whereabouts::Owned(held) => held.owner == Some(me) && held.token == token,
                Whereabouts::Ended(_)
                | Whereabouts::Overdue
                | Whereabouts::Mislaid
                | Whereabouts::Unknown => false,
            }
        };
        if is_ours {
            Ok(())
        } else {
            Err(SimulationError::OwnershipLost(shared.id.clone()))
        }
    }
}
