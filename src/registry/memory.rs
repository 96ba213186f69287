//! A registry in the memory of this process: for a service of one instance, and for tests.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::stream::{BoxStream, StreamExt};
use tokio::sync::broadcast;

use super::{
    Claim, Ending, Event, FencingToken, Holding, Owner, Peer, Reasserted, Registration, Registry,
    RegistryError, Release, Renewal, TOMBSTONE_LIFETIME, Touch, Touched, Whereabouts,
};
use crate::{
    clock::{Clock, Moment},
    id::{InstanceId, SimulationId, Tenant},
};

/// How many ends are remembered; the oldest are forgotten first.
const MAX_TOMBSTONES: usize = 100_000;
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

#[derive(Default)]
struct Known {
    simulations: HashMap<SimulationId, Entry>,
    /// Tombstones, oldest first; an entry that has come to life again since is passed over.
    tombstones: VecDeque<(Moment, SimulationId)>,
    /// Who holds the lease of an instance, or held it last, and until when.
    leases: HashMap<InstanceId, (Peer, Moment)>,
    latest_fence: u64,
    secret: Option<String>,
}

enum Entry {
    Owned(Box<Holding>),
    Ended(Ending, Option<Tenant>, Moment),
}

impl MemoryRegistry {
    /// An empty registry.
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            known: Mutex::default(),
            events: broadcast::Sender::new(MAX_UNHEARD_EVENTS),
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
        let held = known.leases.get_mut(&me.owner.instance);
        let Some((peer, until)) =
            held.filter(|(peer, until)| peer.owner == me.owner && *until > now)
        else {
            return Ok(Renewal::Gone);
        };
        *peer = me.clone();
        *until = now + lease;
        Ok(Renewal::Held(known.living(now)))
    }

    async fn living(&self) -> Result<Vec<Owner>, RegistryError> {
        Ok(self.known().living(self.clock.now()))
    }

    async fn take_lease(&self, me: &Peer, lease: Duration) -> Result<(), RegistryError> {
        let until = self.clock.now() + lease;
        let instance = me.owner.instance.clone();
        self.known().leases.insert(instance, (me.clone(), until));
        Ok(())
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
        if let Some(Entry::Owned(held)) = known.simulations.get(&registration.id)
            && over != Some(&**held)
        {
            return Ok(Claim::Taken(Holding::clone(held)));
        }
        Ok(Claim::Granted(known.own(
            me,
            registration,
            self.clock.now(),
        )))
    }

    async fn reassert(
        &self,
        me: &Owner,
        registrations: &[Registration],
    ) -> Result<Vec<Reasserted>, RegistryError> {
        let mut known = self.known();
        let mut answers = Vec::with_capacity(registrations.len());
        for registration in registrations {
            let token = match known.simulations.get_mut(&registration.id) {
                Some(Entry::Owned(held)) if held.token.nonce() == registration.token.nonce() => {
                    held.owner = me.clone();
                    held.token.clone()
                }
                Some(Entry::Owned(_)) => {
                    answers.push(Reasserted::Lost);
                    continue;
                }
                Some(Entry::Ended(..)) | None if registration.token.is_pending() => {
                    known.own(me, registration, self.clock.now())
                }
                Some(Entry::Ended(..)) | None => {
                    known.own_under(registration.token.clone(), me, registration)
                }
            };
            answers.push(Reasserted::Kept(token));
        }
        Ok(answers)
    }

    async fn touch(&self, touches: &[Touch]) -> Result<Vec<Touched>, RegistryError> {
        let known = self.known();
        let touched = |touch: &Touch| match known.simulations.get(&touch.id) {
            Some(Entry::Owned(held)) if held.token.nonce() == touch.token.nonce() => Touched::Kept,
            Some(Entry::Owned(_)) => Touched::Lost,
            Some(Entry::Ended(..)) | None => Touched::Missing,
        };
        Ok(touches.iter().map(touched).collect())
    }

    async fn release(&self, releases: &[Release]) -> Result<(), RegistryError> {
        let mut known = self.known();
        let now = self.clock.now();
        for release in releases {
            match known.simulations.get(&release.id) {
                Some(Entry::Owned(held)) if held.token.nonce() != release.token.nonce() => continue,
                // How it ended is said once.
                Some(Entry::Ended(..)) => continue,
                Some(Entry::Owned(_)) | None => {}
            }
            let ended = Entry::Ended(release.ending, release.tenant.clone(), now);
            known.simulations.insert(release.id.clone(), ended);
            known.tombstones.push_back((now, release.id.clone()));
        }
        Ok(())
    }

    async fn find(
        &self,
        id: &SimulationId,
        tenant: Option<&Tenant>,
    ) -> Result<Whereabouts, RegistryError> {
        Ok(match self.known().simulations.get(id) {
            Some(Entry::Owned(held)) if held.tenant.as_ref() == tenant => {
                Whereabouts::Owned(Holding::clone(held))
            }
            Some(Entry::Ended(ending, whose, _)) if whose.as_ref() == tenant => {
                Whereabouts::Ended(*ending)
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

    async fn eviction_risk(&self) -> Option<String> {
        None
    }

    fn refusal(&self) -> Option<String> {
        None
    }
}

impl Known {
    fn living(&self, now: Moment) -> Vec<Owner> {
        let living = self.leases.values().filter(|(_, until)| *until > now);
        living.map(|(peer, _)| peer.owner.clone()).collect()
    }

    fn own(&mut self, me: &Owner, registration: &Registration, now: Moment) -> FencingToken {
        let fence = now.as_micros().max(self.latest_fence + 1);
        self.latest_fence = fence;
        let token = FencingToken::from_text(&format!("{fence}:{}", registration.token.nonce()));
        self.own_under(token, me, registration)
    }

    fn own_under(
        &mut self,
        token: FencingToken,
        me: &Owner,
        registration: &Registration,
    ) -> FencingToken {
        let held = Holding {
            owner: me.clone(),
            token: token.clone(),
            tenant: registration.tenant.clone(),
        };
        let entry = Entry::Owned(Box::new(held));
        self.simulations.insert(registration.id.clone(), entry);
        token
    }

    fn forget_old(&mut self, now: Moment) {
        while let Some((ended, id)) = self.tombstones.front() {
            if *ended + TOMBSTONE_LIFETIME > now && self.tombstones.len() <= MAX_TOMBSTONES {
                break;
            }
            let is_this_end =
                |entry: &Entry| matches!(entry, Entry::Ended(_, _, at) if at == ended);
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
