//! A simulation as it is written down in the registry.

use std::time::Duration;

use crate::{
    registry::{Ending, Registration, Release, Touch},
    simulations::SimulationHandle,
};

impl SimulationHandle {
    /// Everything that is written down. The entry outlives the simulation by the time that may
    /// pass before it is written again.
    pub(in crate::simulations) fn registration(&self, grace: Duration) -> Registration {
        let (shared, record) = (&self.shared, self.record());
        let text = |json: serde_json::Result<String>| json.unwrap_or_default();
        Registration {
            id: shared.id.clone(),
            tenant: shared.claim.tenant.clone(),
            token: shared.claim.token(),
            expires_in: self.expires_in(grace),
            details: vec![
                ("durability", record.durability.to_owned()),
                ("created_at", record.created_at),
                ("ttl_seconds", record.ttl_seconds.to_string()),
                ("config", text(serde_json::to_string(&record.config))),
                ("labels", text(serde_json::to_string(&*record.labels))),
            ],
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
        }
    }

    /// What is written down when the simulation has come to an end.
    pub(in crate::simulations) fn to_release(&self, ending: Ending) -> Release {
        let claim = &self.shared.claim;
        Release {
            id: self.shared.id.clone(),
            tenant: claim.tenant.clone(),
            token: claim.token(),
            ending,
        }
    }

    fn expires_in(&self, grace: Duration) -> Duration {
        let now = self.shared.services.clock.now();
        self.shared.expires().since(now) + grace
    }
}
