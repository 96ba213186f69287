//! Whether what clients were told can be, and is what the service promises.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};

use crate::{
    client::Crowd,
    harness::{Client, Instance},
    history::World,
    scribe,
};

mod bundle;
mod journal;
pub(crate) mod losses;
mod order;
mod reference;

/// How many simulations are checked at the same time.
const AT_ONCE: usize = 4;

/// What was checked.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Checked {
    /// Commands that were carried out again, one after the other, by a service without a fleet.
    pub(crate) replayed: usize,
    /// Acknowledged commands that were seen in a journal.
    pub(crate) seen_in_journal: usize,
    /// Bundles that were replayed and had another service go on with them.
    pub(crate) bundles: usize,
    /// Simulations of which a part could not be carried out again: it is not known what became of a
    /// command there.
    pub(crate) unresolved: usize,
}

/// Checks everything, once nothing happens any more.
pub(crate) async fn all(crowd: &Arc<Crowd>, patience: Duration) -> Checked {
    let (_alone, client) = reference().await;
    let each = crowd.history.worlds().into_iter().map(|world| {
        let (crowd, client) = (Arc::clone(crowd), client.clone());
        async move { one(&crowd, &client, &world, patience).await }
    });
    let found: Vec<Checked> = stream::iter(each).buffer_unordered(AT_ONCE).collect().await;
    found.into_iter().fold(Checked::default(), Checked::plus)
}

/// A service without a fleet, and a client of it.
pub(crate) async fn reference() -> (Instance, Client) {
    let alone = Instance::spawn(&[("STATE_HASH", "true"), ("MAX_REQUEST_BYTES", "33554432")]).await;
    let client = alone.client();
    (alone, client)
}

/// Checks one simulation, which `alone` carries out anew.
pub(crate) async fn one(
    crowd: &Crowd,
    alone: &Client,
    world: &World,
    patience: Duration,
) -> Checked {
    if world.notes().may_return {
        return Checked::default();
    }
    world.notes().settle();
    let mut checked = Checked::default();
    let mut faults = order::check(&world.notes());
    let is_living = world.is_living();
    let mut head = None;
    if is_living {
        match scribe::whole(crowd, world, patience).await {
            Some(journal) => {
                head = Some(journal.head.seq);
                world.notes().entries.extend(journal.entries.clone());
                faults.extend(journal::check_last(&world.notes(), &journal));
            }
            None => faults.push((None, "its journal cannot be read to its end".to_owned())),
        }
    }
    faults.extend(journal::check_all(&world.notes(), &mut checked));
    let replayed = reference::replay(alone, world, head, &mut checked).await;
    let is_complete = match replayed {
        Ok(is_complete) => is_complete,
        Err(fault) => {
            faults.push(fault);
            false
        }
    };
    if is_living && is_complete {
        let last = reference::compare(crowd, alone, world, patience).await;
        faults.extend(last.err().map(|text| (None, text)));
    }
    if is_living {
        let kept = bundle::check(crowd, alone, world, patience, &mut checked).await;
        faults.extend(kept.err().map(|text| (None, text)));
    }
    drop(alone.destroy(&world.id).await);
    for (seq, text) in faults {
        crowd.history.object(Some(world), seq, text);
    }
    checked
}

impl Checked {
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            replayed: self.replayed + other.replayed,
            seen_in_journal: self.seen_in_journal + other.seen_in_journal,
            bundles: self.bundles + other.bundles,
            unresolved: self.unresolved + other.unresolved,
        }
    }
}

/// A contradiction, and around which command.
type Fault = (Option<u64>, String);
