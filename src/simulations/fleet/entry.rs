//! A simulation as it is written down in the registry.

use std::{sync::atomic::Ordering, time::Duration};

use crate::{
    registry::{Ending, JournalKeys, Registration, Release, Touch},
    simulations::{SimulationHandle, record::details},
};

impl SimulationHandle {
    /// Everything that is written down. The entry outlives the simulation by the time that may
    /// pass before it is written again.
    pub(in crate::simulations) fn registration(&self, grace: Duration) -> Registration {
        let shared = &self.shared;
        // Before anything of it is read: a later one knows at least as much.
        let revision = shared.revision.fetch_add(1, Ordering::AcqRel) + 1;
        let committed = *shared.committed();
        Registration {
            id: shared.id.clone(),
            tenant: shared.claim.tenant.clone(),
            token: shared.claim.token(),
            expires_in: self.expires_in(grace),
            created: shared.created_unix_micros,
            journal: self.journal_keys(),
            revision,
            details: details(
                shared.created_unix_micros,
                shared.ttl(),
                &committed.config,
                &self.labels(),
                committed.stand(),
            ),
        }
    }

    /// What is written down when the simulation was used.
    pub(in crate::simulations) fn to_touch(&self, grace: Duration) -> Touch {
        let claim = &self.shared.claim;
        Touch {
            id: self.shared.id.clone(),
            tenant: claim.tenant.clone(),
            token: claim.token(),
            expires_in: self.expires_in(grace),
            journal: self.journal_keys(),
        }
    }

    /// What is written down when the simulation has come to an end.
    pub(in crate::simulations) fn to_release(&self, ending: Ending) -> Release {
        let claim = &self.shared.claim;
        Release {
            id: self.shared.id.clone(),
            tenant: claim.tenant.clone(),
            token: claim.token(),
            journal: self.journal_keys(),
            ending,
        }
    }

    fn journal_keys(&self) -> Option<JournalKeys> {
        self.shared.journal()?;
        let core = self.shared.core();
        let journalling = core.journalling.as_ref();
        Some(JournalKeys {
            snapshots: journalling.map_or_else(Vec::new, |it| it.snapshots.clone()),
        })
    }

    fn expires_in(&self, grace: Duration) -> Duration {
        let now = self.shared.services.clock.now();
        self.shared.expires().since(now) + grace
    }
}
