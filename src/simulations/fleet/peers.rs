//! Which other instances live, and where they are reached.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, RwLock},
};

use crate::{
    id::InstanceId,
    registry::{Owner, Peer, Registry, RegistryError},
};

/// The instances whose lease was held when the roster was last read.
pub(super) struct Peers {
    registry: Arc<dyn Registry>,
    me: InstanceId,
    known: RwLock<HashMap<InstanceId, Known>>,
    /// Owners at whose address nobody listens any more.
    refused: Mutex<HashSet<Owner>>,
}

struct Known {
    owner: Owner,
    /// Asked for when it is needed first.
    peer: Option<Arc<Peer>>,
}

impl Peers {
    pub(super) fn new(registry: Arc<dyn Registry>, me: InstanceId) -> Self {
        Self {
            registry,
            me,
            known: RwLock::default(),
            refused: Mutex::default(),
        }
    }

    /// Takes over who lives; this instance itself is left out. Those that are not named are
    /// taken for dead if the roster `is_complete`.
    pub(super) fn update(&self, living: Vec<Owner>, is_complete: bool) {
        // Whoever is still not there is found out again.
        self.refused.lock().expect("no holder panics").clear();
        let mut known = self.known.write().expect("no holder panics");
        let mut before = std::mem::take(&mut *known);
        for owner in living {
            if owner.instance == self.me {
                continue;
            }
            let same = before
                .remove(&owner.instance)
                .filter(|entry| entry.owner == owner);
            let entry = same.unwrap_or(Known { owner, peer: None });
            known.insert(entry.owner.instance.clone(), entry);
        }
        if !is_complete {
            known.extend(before);
        }
    }

    /// Whether an owner held its lease when the roster was last read.
    pub(super) fn is_living(&self, owner: &Owner) -> bool {
        let known = self.known.read().expect("no holder panics");
        known
            .get(&owner.instance)
            .is_some_and(|entry| entry.owner == *owner)
    }

    /// A living owner as it was last seen, without asking.
    pub(super) fn remembered(&self, owner: &Owner) -> Option<Arc<Peer>> {
        let known = self.known.read().expect("no holder panics");
        let entry = known.get(&owner.instance)?;
        entry
            .peer
            .as_ref()
            .filter(|peer| peer.owner == *owner)
            .cloned()
    }

    /// Whoever lives under the name of an owner now: it may be the same instance, which had to
    /// take its lease anew.
    pub(super) async fn namesake(&self, owner: &Owner) -> Option<Arc<Peer>> {
        let present = {
            let known = self.known.read().expect("no holder panics");
            known.get(&owner.instance)?.owner.clone()
        };
        self.find(&present).await.ok().flatten()
    }

    /// A living owner; nothing if its lease has ended.
    pub(super) async fn find(&self, owner: &Owner) -> Result<Option<Arc<Peer>>, RegistryError> {
        if let Some(peer) = self.remembered(owner) {
            return Ok(Some(peer));
        }
        let found = self.registry.peer(&owner.instance).await?;
        Ok(found
            .filter(|peer| peer.owner == *owner)
            .map(|peer| self.remember(peer)))
    }

    /// Every other living instance, as far as it can be found: those that are remembered, where
    /// the registry cannot be asked.
    pub(super) async fn all(&self) -> Vec<Arc<Peer>> {
        let remembered = || {
            let known = self.known.read().expect("no holder panics");
            known.values().map(|entry| entry.owner.clone()).collect()
        };
        let living = self.registry.living().await;
        let mut owners: Vec<_> = living.unwrap_or_else(|_| remembered());
        owners.retain(|owner| owner.instance != self.me);
        owners.sort_by(|a, b| a.instance.cmp(&b.instance));
        let mut peers = Vec::with_capacity(owners.len());
        for owner in owners {
            if let Ok(Some(peer)) = self.find(&owner).await {
                peers.push(peer);
            }
        }
        peers
    }

    /// The other living instance that has most room, if any has.
    pub(super) async fn roomiest(&self) -> Option<Arc<Peer>> {
        let mut roomiest: Option<Peer> = None;
        for peer in self.all().await {
            // What was remembered says where it is, not how much room it has now.
            let Ok(Some(now)) = self.registry.peer(&peer.owner.instance).await else {
                continue;
            };
            if now.room > roomiest.as_ref().map_or(0, |best| best.room) {
                roomiest = Some(now);
            }
        }
        roomiest.map(Arc::new)
    }

    /// Notes that nobody listens where an owner was reached.
    pub(super) fn note_refusal(&self, owner: &Owner) {
        let mut refused = self.refused.lock().expect("no holder panics");
        refused.insert(owner.clone());
    }

    /// Whether nobody listened where an owner was reached.
    pub(super) fn is_refused(&self, owner: &Owner) -> bool {
        let refused = self.refused.lock().expect("no holder panics");
        refused.contains(owner)
    }

    /// Forgets where an owner is reached: it was not there.
    pub(super) fn doubt(&self, owner: &Owner) {
        let mut known = self.known.write().expect("no holder panics");
        if let Some(entry) = known.get_mut(&owner.instance) {
            entry.peer.take_if(|peer| peer.owner == *owner);
        }
    }

    fn remember(&self, peer: Peer) -> Arc<Peer> {
        let peer = Arc::new(peer);
        let entry = Known {
            owner: peer.owner.clone(),
            peer: Some(Arc::clone(&peer)),
        };
        let mut known = self.known.write().expect("no holder panics");
        known.insert(peer.owner.instance.clone(), entry);
        peer
    }
}
