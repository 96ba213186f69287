//! What is listed of simulations that nobody has: they rest in their journals.

use std::sync::Arc;

use super::{
    directory::{ListKey, Simulations},
    durability::Durability,
    error::SimulationError,
    record::{Labels, SimulationRecord, Stand, Status},
};
use crate::{
    clock::unix_micros_to_rfc3339,
    id::Tenant,
    registry::{Listed, RegistryError},
};

/// How many are read at a time.
const PAGE: usize = 256;
/// How many pages are read for one list at most.
const MAX_PAGES: usize = 400;

impl Simulations {
    /// Up to `limit` simulations of `tenant` behind `after` that are written down and may have no
    /// owner, in the order of their creation, and whether there are more. Those that some instance
    /// has are among them; that instance knows better.
    pub async fn resting(
        &self,
        tenant: Option<&Tenant>,
        after: Option<&ListKey>,
        limit: usize,
        matches: impl Fn(&Labels) -> bool,
    ) -> Result<(Vec<(ListKey, SimulationRecord)>, bool), SimulationError> {
        let mut found = Vec::new();
        if self.services().journal.is_none() {
            return Ok((found, false));
        }
        let mut behind = after.cloned();
        for _ in 0..MAX_PAGES {
            let after = behind.as_ref().map(|(created, id)| (*created, id));
            let page = self.inner.registry.listed(tenant, after, PAGE).await?;
            let is_last = page.len() < PAGE;
            for listed in page {
                let key = (listed.created, listed.id.clone());
                behind = Some(key.clone());
                let record = self.record_of(listed);
                if !matches(&record.labels) {
                    continue;
                }
                if found.len() == limit {
                    return Ok((found, true));
                }
                found.push((key, record));
            }
            if is_last {
                return Ok((found, false));
            }
        }
        let text = "too many simulations were looked through".to_owned();
        Err(RegistryError::Failed(text).into())
    }

    /// What was written down of a simulation.
    fn record_of(&self, listed: Listed) -> SimulationRecord {
        let detail = |name: &str| {
            let found = listed.details.iter().find(|(known, _)| known == name);
            found.map_or("", |(_, value)| value.as_str())
        };
        let stand: Stand = serde_json::from_str(detail("stand")).unwrap_or_default();
        let now = self.services().unix_micros();
        let left = u64::try_from(listed.expires_in.as_micros()).unwrap_or(u64::MAX);
        SimulationRecord {
            config: serde_json::from_str(detail("config")).unwrap_or_default(),
            owner: None,
            durability: Durability::Journal,
            registered: true,
            status: Status::Resting,
            step: stand.step,
            time: stand.time,
            bodies: stand.bodies,
            joints: stand.joints,
            labels: Arc::new(serde_json::from_str(detail("labels")).unwrap_or_default()),
            ttl_seconds: detail("ttl_seconds").parse().unwrap_or_default(),
            created_at: unix_micros_to_rfc3339(listed.created),
            expires_at: unix_micros_to_rfc3339(now.saturating_add(left)),
            sim_id: listed.id,
        }
    }
}
