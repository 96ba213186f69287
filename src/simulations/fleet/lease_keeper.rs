//! Renews this instance's lease, apart from everything else that goes on.

use std::sync::Arc;

use crate::{
    id::Nonce,
    registry::{Owner, Peer, RegistryError, Renewal},
    simulations::Simulations,
};

use super::Fleet;

/// Keeps the lease of an instance.
pub(super) struct LeaseKeeper {
    fleet: Arc<Fleet>,
    simulations: Simulations,
    /// Which processes of the registry answered last.
    incarnation: Option<String>,
    /// Whether nobody answered the latest renewal.
    is_unheard: bool,
}

impl LeaseKeeper {
    pub(super) fn new(fleet: Arc<Fleet>, simulations: Simulations) -> Self {
        Self {
            fleet,
            simulations,
            incarnation: None,
            is_unheard: false,
        }
    }

    /// Renews the lease for as long as it is polled.
    pub(super) async fn run(mut self) {
        loop {
            let fleet = Arc::clone(&self.fleet);
            let has_resigned = fleet.has_resigned.lock().await;
            if *has_resigned {
                return;
            }
            let pause = if self.renew_once().await {
                self.fleet.settings.lease_ttl / 3
            } else {
                super::RETRY.min(self.fleet.settings.lease_ttl / 3)
            };
            drop(has_resigned);
            let nudged = self.fleet.nudge.notified();
            // Either will do.
            let _ = tokio::time::timeout(pause, nudged).await;
        }
    }

    /// Renews the lease once; whether the registry answered.
    async fn renew_once(&mut self) -> bool {
        let fleet = Arc::clone(&self.fleet);
        let lease = &fleet.lease;
        // The lease counts from before the request, as nobody knows when it was heard.
        let sent = self.fleet.clock.now();
        let is_first = !lease.was_tried();
        let renewed = self.renew_or_take().await;
        let was_reachable = lease.extend(sent, renewed.is_ok());
        match renewed {
            Ok(has_begun) => {
                self.is_unheard = false;
                if !was_reachable {
                    tracing::info!("the registry answers, all simulations are registered again");
                }
                let is_same = self.is_same_registry().await;
                let is_other = is_same == Some(false);
                let may_be_other = is_same.is_none() && !is_first && !was_reachable;
                if is_other || may_be_other {
                    lease.distrust();
                }
                if is_other {
                    tracing::info!(
                        "another process of the registry answers, all simulations are registered again"
                    );
                }
                if has_begun || !was_reachable || is_other {
                    self.fleet.registrar.reassert_all();
                }
                true
            }
            Err(error) => {
                if !std::mem::replace(&mut self.is_unheard, true) {
                    tracing::warn!(%error, "the registry cannot be reached, simulations go on without it");
                }
                false
            }
        }
    }

    /// Whether the same processes answer for the registry as before, if they tell. What others know
    /// may be older, and it need not have been out of reach.
    async fn is_same_registry(&mut self) -> Option<bool> {
        let now = self.fleet.registry.incarnation().await?;
        let before = self.incarnation.replace(now)?;
        Some(self.incarnation == Some(before))
    }

    /// Renews the lease, or takes it anew; whether a new life has begun.
    async fn renew_or_take(&self) -> Result<bool, RegistryError> {
        let Fleet {
            registry, lease, ..
        } = &*self.fleet;
        let ttl = self.fleet.settings.lease_ttl;
        let mut has_begun = false;
        loop {
            let renewal = registry.renew(&self.notice(lease.owner()), ttl).await?;
            match renewal {
                Renewal::Held(living) => {
                    // After an outage the others are yet to write themselves down again.
                    let is_complete = !lease.is_in_doubt_for(ttl / 2);
                    self.fleet.peers.update(living, is_complete);
                    return Ok(has_begun);
                }
                Renewal::Gone(holder) => {
                    // Never revived under the same nonce: others may have acted on its end.
                    let owner = Owner {
                        instance: lease.owner().instance,
                        nonce: Nonce::random(),
                    };
                    let notice = self.notice(owner.clone());
                    // Over what was seen only: whoever came in between is seen next time.
                    if !registry.take_lease(&notice, ttl, holder.as_ref()).await? {
                        continue;
                    }
                    // Before the life begins: if this fails, all of it is done again.
                    self.fleet.agree_on_secret().await?;
                    if lease.life() > 0 {
                        self.fleet.metrics.lease_lapses.inc();
                        tracing::warn!("the lease had ended, every simulation is confirmed again");
                    }
                    lease.begin(owner);
                    has_begun = true;
                }
            }
        }
    }

    fn notice(&self, owner: Owner) -> Peer {
        let simulations = self.simulations.count();
        let room = if self.simulations.is_draining() {
            0
        } else {
            let maximum = self.simulations.services().max_simulations;
            maximum.saturating_sub(simulations)
        };
        Peer {
            owner,
            url: Arc::clone(&self.fleet.settings.advertised_url),
            simulations,
            room,
        }
    }
}
