//! The registry at the other end of a link.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::{
    StreamExt,
    future::{Either, select},
    stream::{self, BoxStream},
};
use rapier_physics_service::{
    id::{InstanceId, Nonce, SimulationId, Tenant},
    registry::{
        Claim, Ending, Event, Holding, Listed, Owner, Peer, Promises, Reasserted, Registration,
        Registry, RegistryError, Release, Renewal, Takeover, Touch, Touched, Whereabouts,
    },
};

use super::{
    Guard::{Guarded, Unguarded},
    Link, number,
};
use crate::universe::Universe;

/// Asks the registry behind `$self` for `$method`, with arguments that go with the message.
macro_rules! ask {
    ($self:ident, $guard:ident, $about:expr, $method:ident($($argument:expr),*)) => {{
        let universe = Arc::clone(&$self.0.universe);
        let act = async move { universe.registry.$method($($argument),*).await };
        $self.ask((stringify!($method), $about), $guard, act).await?
    }};
}

#[async_trait]
impl Registry for Link {
    async fn renew(&self, me: &Peer, lease: Duration) -> Result<Renewal, RegistryError> {
        let me = me.clone();
        ask!(self, Unguarded, 0, renew(&me, lease))
    }

    async fn take_lease(
        &self,
        me: &Peer,
        lease: Duration,
        over: Option<&Nonce>,
    ) -> Result<bool, RegistryError> {
        let (universe, me, over) = (Arc::clone(&self.0.universe), me.clone(), over.cloned());
        let order = universe.ledger().order_lease(&me.owner.nonce);
        let act = async move { lend(&universe, &me, lease, over.as_ref(), order).await };
        self.ask(("take_lease", 0), Unguarded, act).await?
    }

    async fn living(&self) -> Result<Vec<Owner>, RegistryError> {
        ask!(self, Guarded, 0, living())
    }

    async fn resign(&self, me: &Owner) -> Result<(), RegistryError> {
        let me = me.clone();
        ask!(self, Guarded, 0, resign(&me))
    }

    async fn peer(&self, instance: &InstanceId) -> Result<Option<Peer>, RegistryError> {
        let instance = instance.clone();
        ask!(self, Guarded, 0, peer(&instance))
    }

    async fn silence(&self, owner: &Owner) -> Result<Option<Duration>, RegistryError> {
        let owner = owner.clone();
        ask!(self, Guarded, 0, silence(&owner))
    }

    async fn claim(
        &self,
        me: &Owner,
        registration: &Registration,
        over: Option<&Holding>,
    ) -> Result<Claim, RegistryError> {
        let (me, registration, over) = (me.clone(), registration.clone(), over.cloned());
        let about = number(&registration.id);
        ask!(
            self,
            Guarded,
            about,
            claim(&me, &registration, over.as_ref())
        )
    }

    async fn take_over(
        &self,
        me: &Owner,
        id: &SimulationId,
        over: &Holding,
    ) -> Result<Takeover, RegistryError> {
        let (me, id, over) = (me.clone(), id.clone(), over.clone());
        let about = number(&id);
        ask!(self, Guarded, about, take_over(&me, &id, &over))
    }

    async fn listed(
        &self,
        tenant: Option<&Tenant>,
        after: Option<(u64, &SimulationId)>,
        limit: usize,
    ) -> Result<Vec<Listed>, RegistryError> {
        let tenant = tenant.cloned();
        let after = after.map(|(created, id)| (created, id.clone()));
        let universe = Arc::clone(&self.0.universe);
        let act = async move {
            let after = after.as_ref().map(|(created, id)| (*created, id));
            universe
                .registry
                .listed(tenant.as_ref(), after, limit)
                .await
        };
        self.ask(("listed", 0), Guarded, act).await?
    }

    async fn reassert(
        &self,
        me: &Owner,
        registrations: &[Registration],
    ) -> Result<Vec<Reasserted>, RegistryError> {
        let (me, registrations) = (me.clone(), registrations.to_vec());
        let about = registrations.first().map_or(0, |first| number(&first.id));
        ask!(self, Guarded, about, reassert(&me, &registrations))
    }

    async fn touch(&self, touches: &[Touch]) -> Result<Vec<Touched>, RegistryError> {
        let touches = touches.to_vec();
        let about = touches.first().map_or(0, |first| number(&first.id));
        ask!(self, Guarded, about, touch(&touches))
    }

    async fn release(&self, releases: &[Release]) -> Result<(), RegistryError> {
        let (universe, releases) = (Arc::clone(&self.0.universe), releases.to_vec());
        let about = releases.first().map_or(0, |first| number(&first.id));
        let act = async move {
            for release in releases {
                release_one(&universe, release).await?;
            }
            Ok(())
        };
        self.ask(("release", about), Guarded, act).await?
    }

    async fn find(
        &self,
        id: &SimulationId,
        tenant: Option<&Tenant>,
    ) -> Result<Whereabouts, RegistryError> {
        let (id, tenant) = (id.clone(), tenant.cloned());
        let about = number(&id);
        ask!(self, Guarded, about, find(&id, tenant.as_ref()))
    }

    async fn sweep(&self, _: usize) -> Result<usize, RegistryError> {
        Ok(0)
    }

    async fn announce(&self, events: &[Event]) -> Result<(), RegistryError> {
        let events = events.to_vec();
        ask!(self, Guarded, 0, announce(&events))
    }

    async fn listen(&self) -> Result<BoxStream<'static, Event>, RegistryError> {
        let epoch = self.0.universe.weather().epoch;
        let heard = ask!(self, Guarded, 0, listen());
        let heard = heard?;
        let link = self.clone();
        let heard = stream::unfold((heard, link), move |(mut heard, link)| async move {
            let (universe, life) = (&link.0.universe, &link.0.life);
            let event = {
                let broken = std::pin::pin!(universe.broken(life.host, epoch));
                match select(broken, heard.next()).await {
                    Either::Left(((), _)) => None,
                    Either::Right((event, _)) => event,
                }
            };
            life.goes_on().await;
            Some((event?, (heard, link)))
        });
        Ok(heard.boxed())
    }

    async fn secret(&self, proposal: &str) -> Result<String, RegistryError> {
        let proposal = proposal.to_owned();
        ask!(self, Guarded, 0, secret(&proposal))
    }

    /// Nobody is told that the store has lost something.
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

/// Lends a lease as the store does, and looks whether an order that was given up undoes a later one.
async fn lend(
    universe: &Universe,
    me: &Peer,
    lease: Duration,
    over: Option<&Nonce>,
    order: usize,
) -> Result<bool, RegistryError> {
    let before = universe.registry.peer(&me.owner.instance).await?;
    let is_taken = universe.registry.take_lease(me, lease, over).await?;
    let replaced = before.filter(|before| is_taken && before.owner != me.owner);
    if let Some(replaced) = replaced
        && universe.ledger().lease_order(&replaced.owner.nonce) > Some(order)
    {
        let name = me.owner.instance.as_str();
        universe.accuse(format!("{name} took the lease from its own successor"));
    }
    Ok(is_taken)
}

/// Ends a simulation, and looks whether anybody has asked for that.
async fn release_one(universe: &Universe, release: Release) -> Result<(), RegistryError> {
    use rapier_physics_service::journal::Journal;
    let (id, sim, ending) = (release.id.clone(), number(&release.id), release.ending);
    let before = universe.journal.standing(&id).await;
    universe.registry.release(&[release]).await?;
    let after = universe.journal.standing(&id).await;
    let (Ok(Some(before)), Ok(None)) = (before, after) else {
        return Ok(());
    };
    universe.note("store", "has ended", sim, before.head.seq);
    let mut ledger = universe.ledger();
    ledger.end(sim, before.head);
    let is_asked_for = ending == Ending::Destroyed && ledger.is_doomed[sim];
    drop(ledger);
    if before.head.seq > 0 && !is_asked_for {
        universe.accuse(format!(
            "s{sim} was ended at {} ({ending:?}) and nobody had asked for it",
            before.head
        ));
    }
    Ok(())
}
