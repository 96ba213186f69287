//! A registry in the memory of this process: for a service of one instance, and for tests.

mod known;

use std::{
    cmp::Ordering,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::stream::{BoxStream, StreamExt};
use tokio::sync::broadcast;

pub(crate) use self::known::Kept;
use self::known::{Entry, Known};
use crate::{
    clock::Clock,
    id::{InstanceId, Nonce, SimulationId, Tenant},
    registry::{
        Claim, Event, Holding, Inheritance, Listed, Owner, Peer, Promises, Reasserted,
        Registration, Registry, RegistryError, Release, Renewal, Takeover, Touch, Touched,
        Whereabouts,
    },
};

/// How many events a listener may be behind before it misses some.
const MAX_UNHEARD_EVENTS: usize = 1024;

/// A registry that lives as long as the process.
///
/// Entries stay until they are released: what expires is a matter of their owner, who is here.
pub struct MemoryRegistry {
    clock: Clock,
    known: Mutex<Known>,
    events: broadcast::Sender<Event>,
}

/// What a registry knew at one moment, journals included.
#[derive(Clone)]
pub struct Recollection(Known);

impl MemoryRegistry {
    /// An empty registry.
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            known: Mutex::default(),
            events: broadcast::Sender::new(MAX_UNHEARD_EVENTS),
        }
    }

    /// What it knows now.
    pub fn recollect(&self) -> Recollection {
        Recollection(self.known().clone())
    }

    /// Forgets what it was told since then, as a store does that loses its latest writes.
    pub fn go_back(&self, then: Recollection) {
        *self.known() = then.0;
    }

    /// Looks at what is written down of a simulation, or changes it.
    pub(crate) fn with_kept<T>(
        &self,
        id: &SimulationId,
        look: impl FnOnce(Option<&mut Kept>) -> T,
    ) -> T {
        match self.known().simulations.get_mut(id) {
            Some(Entry::Owned(kept)) => look(Some(kept)),
            Some(Entry::Ended(..)) | None => look(None),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        let mut known = self.known.lock().expect("no holder of this lock panics");
        known.forget_old(self.clock.now());
        known
    }
}

#[async_trait]
impl Registry for MemoryRegistry {
    async fn renew(&self, me: &Peer, lease: Duration) -> Result<Renewal, RegistryError> {
        let now = self.clock.now();
        let mut known = self.known();
        let held = known.holder(&me.owner.instance, now);
        if held.as_ref() != Some(&me.owner.nonce) {
            return Ok(Renewal::Gone(held));
        }
        known.lend(me, now + lease);
        Ok(Renewal::Held(known.living(now)))
    }

    async fn living(&self) -> Result<Vec<Owner>, RegistryError> {
        Ok(self.known().living(self.clock.now()))
    }

    async fn take_lease(
        &self,
        me: &Peer,
        lease: Duration,
        over: Option<&Nonce>,
    ) -> Result<bool, RegistryError> {
        let now = self.clock.now();
        let mut known = self.known();
        let held = known.holder(&me.owner.instance, now);
        // Mine, if it was sent before and the answer was lost.
        let is_free = held.as_ref() == over || held.as_ref() == Some(&me.owner.nonce);
        if is_free {
            known.lend(me, now + lease);
        }
        Ok(is_free)
    }

    async fn resign(&self, me: &Owner) -> Result<(), RegistryError> {
        let now = self.clock.now();
        let mut known = self.known();
        let held = known.leases.get_mut(&me.instance);
        if let Some((_, until)) = held.filter(|(peer, _)| peer.owner == *me) {
            *until = now.min(*until);
        }
        Ok(())
    }

    async fn peer(&self, instance: &InstanceId) -> Result<Option<Peer>, RegistryError> {
        let now = self.clock.now();
        let known = self.known();
        let lease = known.leases.get(instance);
        let living = lease.filter(|(_, until)| *until > now);
        Ok(living.map(|(peer, _)| peer.clone()))
    }

    async fn silence(&self, owner: &Owner) -> Result<Option<Duration>, RegistryError> {
        let now = self.clock.now();
        let known = self.known();
        let last = known.leases.get(&owner.instance);
        let last = last.filter(|(peer, _)| peer.owner == *owner);
        Ok(last.map(|(_, until)| now.since(*until)))
    }

    async fn claim(
        &self,
        me: &Owner,
        registration: &Registration,
        over: Option<&Holding>,
    ) -> Result<Claim, RegistryError> {
        let mut known = self.known();
        if let Some(Entry::Owned(kept)) = known.simulations.get(&registration.id)
            && !over.is_some_and(|over| kept.is_held_as(over))
        {
            return Ok(Claim::Taken(kept.holding.clone()));
        }
        let now = self.clock.now();
        let token = known.new_token(registration.token.nonce(), now);
        known.simulations.remove(&registration.id);
        known.write(&token, me, registration, now);
        Ok(Claim::Granted(token))
    }

    async fn take_over(
        &self,
        me: &Owner,
        id: &SimulationId,
        over: &Holding,
    ) -> Result<Takeover, RegistryError> {
        let mut known = self.known();
        let token = known.new_token(Nonce::random().as_str(), self.clock.now());
        let kept = match known.simulations.get_mut(id) {
            Some(Entry::Owned(kept)) if kept.is_held_as(over) => kept,
            Some(_) | None => return Ok(Takeover::Changed),
        };
        if !kept.holding.is_journalled {
            return Ok(Takeover::Changed);
        }
        kept.holding.owner = Some(me.clone());
        kept.holding.token = token.clone();
        Ok(Takeover::Granted(Inheritance {
            token,
            details: kept.details(),
        }))
    }

    async fn listed(
        &self,
        tenant: Option<&Tenant>,
        after: Option<(u64, &SimulationId)>,
        limit: usize,
    ) -> Result<Vec<Listed>, RegistryError> {
        let known = self.known();
        let now = self.clock.now();
        let mut listed: Vec<_> = known
            .simulations
            .iter()
            .filter_map(|(id, entry)| match entry {
                Entry::Owned(kept) => Some((id, kept)),
                Entry::Ended(..) => None,
            })
            .filter(|(_, kept)| kept.holding.is_journalled)
            .filter(|(_, kept)| kept.holding.tenant.as_ref() == tenant)
            .filter(|(id, kept)| after.is_none_or(|after| (kept.created, *id) > after))
            .map(|(id, kept)| Listed {
                id: id.clone(),
                created: kept.created,
                owner: kept.holding.owner.clone(),
                details: kept.details(),
                expires_in: kept.expires.since(now),
            })
            .collect();
        listed.sort_unstable_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
        listed.truncate(limit);
        Ok(listed)
    }

    async fn reassert(
        &self,
        me: &Owner,
        registrations: &[Registration],
    ) -> Result<Vec<Reasserted>, RegistryError> {
        let mut known = self.known();
        let now = self.clock.now();
        let reasserted = registrations.iter().map(|registration| {
            let mine = &registration.token;
            let token = match known.simulations.get(&registration.id) {
                Some(Entry::Owned(kept)) => match kept.order(mine) {
                    Ordering::Equal if kept.is_newer_than(registration) => {
                        return Reasserted::Kept(kept.holding.token.clone(), kept.history.head);
                    }
                    Ordering::Equal => kept.holding.token.clone(),
                    Ordering::Less if registration.journal.is_some() => mine.clone(),
                    Ordering::Less | Ordering::Greater => return Reasserted::Lost,
                },
                // By somebody who had gone on with it while its owner was out of reach.
                Some(Entry::Ended(ended))
                    if registration.journal.is_some() && ended.is_destruction_of(mine) =>
                {
                    return Reasserted::Lost;
                }
                Some(Entry::Ended(..)) | None if mine.is_pending() => {
                    known.new_token(mine.nonce(), now)
                }
                Some(Entry::Ended(..)) | None => mine.clone(),
            };
            let head = known.write(&token, me, registration, now);
            Reasserted::Kept(token, head)
        });
        Ok(reasserted.collect())
    }

    async fn touch(&self, touches: &[Touch]) -> Result<Vec<Touched>, RegistryError> {
        let now = self.clock.now();
        let mut known = self.known();
        let touched = touches.iter().map(|touch| {
            let Some(Entry::Owned(kept)) = known.simulations.get_mut(&touch.id) else {
                return Touched::Missing;
            };
            match kept.order(&touch.token) {
                Ordering::Equal => {
                    kept.expires = kept.expires.max(now + touch.expires_in);
                    Touched::Kept(kept.history.head)
                }
                Ordering::Less if touch.journal.is_some() => Touched::Missing,
                Ordering::Less | Ordering::Greater => Touched::Lost,
            }
        });
        Ok(touched.collect())
    }

    async fn release(&self, releases: &[Release]) -> Result<(), RegistryError> {
        let mut known = self.known();
        let now = self.clock.now();
        for release in releases {
            let is_mine = match known.simulations.get(&release.id) {
                Some(Entry::Owned(kept)) => match kept.order(&release.token) {
                    Ordering::Equal => true,
                    Ordering::Less => release.journal.is_some(),
                    Ordering::Greater => false,
                },
                // How it ended is said once.
                Some(Entry::Ended(..)) => false,
                None => true,
            };
            if is_mine {
                known.end(release, now);
            }
        }
        Ok(())
    }

    async fn find(
        &self,
        id: &SimulationId,
        tenant: Option<&Tenant>,
    ) -> Result<Whereabouts, RegistryError> {
        Ok(match self.known().simulations.get(id) {
            Some(Entry::Owned(kept)) if kept.holding.tenant.as_ref() == tenant => {
                Whereabouts::Owned(kept.holding.clone())
            }
            Some(Entry::Ended(ended)) if ended.tenant.as_ref() == tenant => {
                Whereabouts::Ended(ended.ending)
            }
            Some(_) | None => Whereabouts::Unknown,
        })
    }

    async fn sweep(&self, _: usize) -> Result<usize, RegistryError> {
        // Tombstones are swept by whoever looks at them.
        Ok(0)
    }

    async fn announce(&self, events: &[Event]) -> Result<(), RegistryError> {
        for event in events {
            // Nobody may be listening.
            drop(self.events.send(event.clone()));
        }
        Ok(())
    }

    async fn listen(&self) -> Result<BoxStream<'static, Event>, RegistryError> {
        let receiver = self.events.subscribe();
        let heard = futures_util::stream::unfold(receiver, |mut receiver| async {
            loop {
                match receiver.recv().await {
                    Ok(event) => return Some((event, receiver)),
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return None,
                }
            }
        });
        Ok(heard.boxed())
    }

    async fn secret(&self, proposal: &str) -> Result<String, RegistryError> {
        let mut known = self.known();
        let secret = known.secret.get_or_insert_with(|| proposal.to_owned());
        Ok(secret.clone())
    }

    async fn incarnation(&self) -> Option<String> {
        None
    }

    async fn promises(&self) -> Option<Promises> {
        None
    }

    fn refusal(&self) -> Option<String> {
        None
    }
}
