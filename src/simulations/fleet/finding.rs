//! Who has a simulation, and making it one's own where nobody has.

use std::sync::Arc;

use super::{Fleet, locations::Location};
use crate::{
    id::{SimulationId, Tenant},
    registry::{
        Claim, Ending, FencingToken, Holding, JournalKeys, Peer, Registration, RegistryError,
        Release, Takeover, Whereabouts,
    },
    simulations::{SimulationError, Simulations},
};

/// How often a name is claimed from one owner after the other before it is left alone.
const MAX_CLAIMS: usize = 3;

/// What is to be done with a simulation that somebody owns.
enum Standing {
    Here,
    At(Arc<Peer>),
    /// The owner's lease is over; it may come back.
    Silent,
    /// It has been over for so long that the owner's worlds are taken for lost.
    Dead,
}

impl Fleet {
    /// Claims a new simulation, from an owner that is dead if need be. Without a registry, one
    /// whose name nobody else can have given is claimed later.
    pub(in crate::simulations) async fn claim(
        &self,
        registration: &Registration,
        is_named_by_client: bool,
    ) -> Result<(FencingToken, u64), SimulationError> {
        // A claim of an owner whose lease nobody has seen would be taken for a dead one's.
        self.await_lease().await;
        if is_named_by_client && self.may_be_known_to_others().await {
            return Err(RegistryError::Unavailable.into());
        }
        let mut over = None;
        for _ in 0..MAX_CLAIMS {
            // In this order: a claim in the name of a new life is confirmed once more, a claim in
            // the name of an old one never would be.
            let life = self.lease.life();
            let me = self.lease.owner();
            let claimed = self.registry.claim(&me, registration, over.as_ref()).await;
            match claimed {
                // In life 0 the lease is yet to be taken, and with it everything is confirmed.
                Ok(Claim::Granted(token)) => return Ok((token, life)),
                Ok(Claim::Taken(holding)) => match self.standing(&holding).await? {
                    Standing::At(peer) => {
                        let id = registration.id.clone();
                        return Err(if holding.tenant == registration.tenant {
                            SimulationError::OwnedElsewhere { id, peer }
                        } else {
                            SimulationError::Exists(id)
                        });
                    }
                    Standing::Silent => {
                        let id = registration.id.clone();
                        return Err(SimulationError::OwnerUnreachable(id));
                    }
                    Standing::Here | Standing::Dead if holding.is_journalled => {
                        let id = registration.id.clone();
                        return Err(if holding.tenant == registration.tenant {
                            SimulationError::Ownerless(id, Box::new(holding))
                        } else {
                            SimulationError::Exists(id)
                        });
                    }
                    Standing::Here | Standing::Dead => over = Some(holding),
                },
                Err(_)
                    if registration.journal.is_none()
                        && !is_named_by_client
                        && !self.settings.fails_closed =>
                {
                    self.nudge.notify_one();
                    return Ok((registration.token.clone(), 0));
                }
                Err(error) => return Err(self.trouble(error)),
            }
        }
        Err(SimulationError::OwnerUnreachable(registration.id.clone()))
    }

    /// Where a simulation is that is not here, or what became of it.
    pub(in crate::simulations) async fn locate(
        &self,
        simulations: &Simulations,
        id: &SimulationId,
        tenant: Option<&Tenant>,
    ) -> SimulationError {
        let elsewhere = |peer| SimulationError::OwnedElsewhere {
            id: id.clone(),
            peer,
        };
        let not_found = || SimulationError::NotFound(id.clone());
        let mut last_seen = None;
        match self.locations.recall(id, tenant) {
            Some(Location::At(owner)) => match self.peers.remembered(&owner) {
                Some(peer) => return elsewhere(peer),
                None => last_seen = self.peers.namesake(&owner).await,
            },
            Some(Location::Once(owner)) => last_seen = self.peers.namesake(&owner).await,
            Some(Location::Nowhere) => return not_found(),
            None => {}
        }
        let found = self.registry.find(id, tenant).await;
        let is_absent = matches!(found, Ok(Whereabouts::Unknown | Whereabouts::Overdue));
        let found = match found {
            _ if is_absent && self.may_be_known_to_others().await => {
                RegistryError::Unavailable.into()
            }
            Ok(Whereabouts::Owned(holding)) => self.follow(simulations, id, tenant, holding).await,
            Ok(Whereabouts::Ended(Ending::Expired)) => SimulationError::Expired(id.clone()),
            Ok(Whereabouts::Ended(Ending::Lost)) => SimulationError::Lost(id.clone()),
            Ok(Whereabouts::Ended(Ending::Destroyed)) => return not_found(),
            Ok(Whereabouts::Mislaid) => SimulationError::OwnerUnreachable(id.clone()),
            Ok(Whereabouts::Overdue) => match &last_seen {
                // It may have been used since without anybody having written that down.
                Some(peer) => return elsewhere(Arc::clone(peer)),
                None => SimulationError::Expired(id.clone()),
            },
            Ok(Whereabouts::Unknown) => not_found(),
            Err(error) => self.trouble(error),
        };
        match (found, last_seen) {
            // The registry may have forgotten it, or cannot be asked. Who had it a while ago will
            // say so if it is no longer there.
            (
                SimulationError::NotFound(_)
                | SimulationError::OwnerUnreachable(_)
                | SimulationError::Registry(_),
                Some(peer),
            ) => elsewhere(peer),
            (SimulationError::NotFound(id), None) => {
                self.locations.remember(&id, tenant, None);
                SimulationError::NotFound(id)
            }
            (found, _) => found,
        }
    }

    async fn follow(
        &self,
        simulations: &Simulations,
        id: &SimulationId,
        tenant: Option<&Tenant>,
        holding: Holding,
    ) -> SimulationError {
        if let Some(end) = self.registrar.end_of(id, &holding.token) {
            // It is back, as the registry has forgotten its end.
            drop(self.registrar.release(end));
            return SimulationError::NotFound(id.clone());
        }
        match self.standing(&holding).await {
            Ok(Standing::Here | Standing::Dead) if holding.is_journalled => {
                let id = id.clone();
                if self.lease.is_in_doubt() || simulations.is_being_created(&id) {
                    // Nothing that is written down is lost: whoever has it may be yet to say so. And
                    // a creation that is repeated may be about to go on with it.
                    SimulationError::OwnerUnreachable(id)
                } else {
                    SimulationError::Ownerless(id, Box::new(holding))
                }
            }
            Ok(Standing::At(peer)) => {
                self.locations.remember(id, tenant, holding.owner);
                SimulationError::OwnedElsewhere {
                    id: id.clone(),
                    peer,
                }
            }
            Ok(Standing::Here) => {
                if !simulations.has_name(id) {
                    // It has just gone from here, or a creation was given up half-way.
                    drop(self.registrar.release(Release {
                        id: id.clone(),
                        tenant: holding.tenant,
                        token: holding.token,
                        journal: None,
                        ending: Ending::Destroyed,
                    }));
                }
                SimulationError::NotFound(id.clone())
            }
            Ok(Standing::Silent) => SimulationError::OwnerUnreachable(id.clone()),
            Ok(Standing::Dead) => SimulationError::Lost(id.clone()),
            Err(error) => self.trouble(error),
        }
    }

    async fn standing(&self, holding: &Holding) -> Result<Standing, RegistryError> {
        let Some(owner) = &holding.owner else {
            return Ok(Standing::Dead);
        };
        if *owner == self.lease.owner() {
            return Ok(Standing::Here);
        }
        // Nobody listens where it was, and its journal will not listen to it: no need to wait for
        // the end of its lease.
        if holding.is_journalled && self.peers.is_refused(owner) {
            return Ok(Standing::Dead);
        }
        if let Some(peer) = self.peers.find(owner).await? {
            return Ok(Standing::At(peer));
        }
        let may_be_forgotten = self.may_have_forgotten();
        if holding.is_journalled && !may_be_forgotten {
            if self.is_forgotten().await? {
                return Ok(Standing::Silent);
            }
            // Its owner answers no more by now.
            return Ok(Standing::Dead);
        }
        // Two lease times after its last renewal an owner is given up.
        let silence = self.registry.silence(owner).await?;
        Ok(match silence {
            _ if self.lease.is_in_doubt() => Standing::Silent,
            Some(silence) if silence < self.settings.lease_ttl => Standing::Silent,
            // Nobody remembers when it gave a sign of life last, and it may be about to give one.
            None if holding.is_journalled && may_be_forgotten => Standing::Silent,
            Some(_) | None => Standing::Dead,
        })
    }

    /// Whether others may be yet to tell the registry what it has forgotten.
    pub(in crate::simulations) fn is_in_doubt(&self) -> bool {
        self.lease.is_in_doubt()
    }

    /// Whether the registry may have forgotten something in the last lease time. Whoever lives has told it again
    /// by the end of that.
    pub(in crate::simulations) fn may_have_forgotten(&self) -> bool {
        self.lease.is_in_doubt_for(self.settings.lease_ttl)
    }

    /// Whether what the registry does not know may be known to its owner.
    async fn may_be_known_to_others(&self) -> bool {
        // In this order: a lease that was forgotten may have been taken anew since.
        self.is_forgotten().await.unwrap_or(true) || self.lease.is_in_doubt()
    }

    /// Whether the registry has no lease of this instance either: it has forgotten all of them, and
    /// what else it knew.
    async fn is_forgotten(&self) -> Result<bool, RegistryError> {
        let me = self.lease.owner();
        let found = self.registry.peer(&me.instance).await?;
        let is_forgotten = found.is_none_or(|found| found.owner != me);
        if is_forgotten {
            self.lease.miss();
            self.nudge.notify_one();
        }
        Ok(is_forgotten)
    }

    /// Waits until the lease is held, or the registry turns out to be out of reach.
    pub(in crate::simulations) async fn await_lease(&self) {
        // What is asked of the registry then fails by itself.
        let _ = tokio::time::timeout(self.settings.lease_ttl, self.lease.settled()).await;
    }

    /// Takes over a journalled simulation that nobody has.
    pub(in crate::simulations) async fn take_over(
        &self,
        id: &SimulationId,
        holding: &Holding,
    ) -> Result<Takeover, SimulationError> {
        let me = self.lease.owner();
        let taken = self.registry.take_over(&me, id, holding).await;
        taken.map_err(|error| self.trouble(error))
    }

    /// Has the registry told that nothing is left of a simulation.
    pub(in crate::simulations) fn bury(
        &self,
        id: &SimulationId,
        holding: &Holding,
        token: &FencingToken,
    ) {
        drop(self.registrar.release(Release {
            id: id.clone(),
            tenant: holding.tenant.clone(),
            token: token.clone(),
            journal: Some(JournalKeys::default()),
            ending: Ending::Lost,
        }));
    }

    /// Who is to go on with a simulation that nobody has, as this instance is about to stop.
    pub(in crate::simulations) async fn pass_on(&self, id: SimulationId) -> SimulationError {
        match self.peers.roomiest().await {
            Some(peer) => SimulationError::OwnedElsewhere { id, peer },
            None => SimulationError::Draining,
        }
    }
}
