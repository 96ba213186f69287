//! What spans simulations: when they expire, and which have journals. Hints, written apart from
//! the entries they tell of: who finds one looks at the entry.

use std::{collections::BTreeMap, sync::Mutex, time::Duration};

use deadpool_redis::redis::{Value, cmd};

use super::{call, millis};
use crate::{
    id::{SimulationId, Tenant},
    redis_store::{RedisStore, Script, StoreError, keys},
    registry::{JournalKeys, Registration, Release, TOMBSTONE_LIFETIME, Touch},
};

/// How many arguments a script is given at a time; Lua takes a limited number.
const MAX_ARGUMENTS: usize = 2000;

pub(super) struct Hints {
    store: RedisStore,
    expired: Script,
    expiries: Script,
    sweep: Script,
    unlist: Script,
    /// Why they were not written down the last time, if they were not.
    refused: Mutex<Option<String>>,
}

/// A place in the list of a tenant's journalled simulations: µs since 1970, and the name.
pub(super) type Place = (u64, SimulationId);

impl Hints {
    pub(super) fn new(store: RedisStore) -> Self {
        Self {
            store,
            expired: Script::new(include_str!("scripts/expired.lua")),
            expiries: Script::new(include_str!("scripts/expiries.lua")),
            sweep: Script::new(include_str!("scripts/sweep.lua")),
            unlist: Script::new(include_str!("scripts/unlist.lua")),
            refused: Mutex::default(),
        }
    }

    /// Why something was not written down the last time, if it was not.
    pub(super) fn refused(&self) -> Option<String> {
        self.refused.lock().expect("no holder panics").clone()
    }

    /// Notes simulations that were claimed. Only owners do: others would overwrite what they noted.
    pub(super) async fn note_claims<'a>(
        &self,
        claims: impl Iterator<Item = &'a Registration> + Clone,
    ) {
        let expiries = claims.clone().map(|registration| {
            let member = member(&registration.id, registration.tenant.as_ref());
            (member, Some(registration.expires_in))
        });
        let noted = self.note_expiries(expiries).await;
        let mut lists: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for registration in claims.filter(|registration| registration.journal.is_some()) {
            let list = keys::journalled(registration.tenant.as_ref());
            let place = [
                registration.created.to_string(),
                registration.id.to_string(),
            ];
            lists.entry(list).or_default().extend(place);
        }
        let listed = self.order_each("ZADD", lists).await;
        self.remember(noted.and(listed));
    }

    /// Notes simulations that were used.
    pub(super) async fn note_touches<'a>(&self, touches: impl Iterator<Item = &'a Touch>) {
        let expiries = touches.map(|touch| {
            let member = member(&touch.id, touch.tenant.as_ref());
            (member, Some(touch.expires_in))
        });
        let noted = self.note_expiries(expiries).await;
        self.remember(noted);
    }

    /// Notes simulations that need not be looked for any more.
    pub(super) async fn note_ends<'a>(&self, ends: impl Iterator<Item = &'a Release> + Clone) {
        let expiries = ends
            .clone()
            .map(|release| (member(&release.id, release.tenant.as_ref()), None));
        let noted = self.note_expiries(expiries).await;
        let ends = ends.filter(|release| release.journal.is_some());
        let unlisted = self
            .leave_lists(ends.map(|release| (release.tenant.clone(), release.id.to_string())))
            .await;
        self.remember(noted.and(unlisted));
    }

    /// Whether a simulation's time was over when last noted, if it was.
    pub(super) async fn is_over(
        &self,
        id: &SimulationId,
        tenant: Option<&Tenant>,
    ) -> Result<Option<bool>, StoreError> {
        let ask = call([keys::EXPIRIES.to_owned()], [member(id, tenant)]);
        let time: Option<String> = self.store.invoke(&self.expired, &ask).await?;
        Ok(time.map(|time| time == "over"))
    }

    /// Forgets up to `limit` simulations whose time was over long ago; how many there were.
    pub(super) async fn sweep(&self, limit: usize) -> Result<usize, StoreError> {
        let arguments = [millis(TOMBSTONE_LIFETIME), limit.to_string()];
        let sweep = call([keys::EXPIRIES.to_owned()], arguments);
        let old: Vec<String> = self.store.invoke(&self.sweep, &sweep).await?;
        let swept = old.iter().map(|member| match member.split_once('/') {
            Some((tenant, id)) => (Tenant::parse(tenant).ok(), id.to_owned()),
            None => (None, member.clone()),
        });
        self.leave_lists(swept).await?;
        Ok(old.len())
    }

    /// Up to `limit` places in a tenant's list that follow `after`, in order.
    pub(super) async fn places(
        &self,
        tenant: Option<&Tenant>,
        after: Option<(u64, &SimulationId)>,
        limit: usize,
    ) -> Result<Vec<Place>, StoreError> {
        let mut places = Vec::new();
        // The one to follow is at the beginning, with those that were created at the same time.
        let size = limit + 1;
        let mut offset = 0;
        while places.len() < limit {
            let mut read = cmd("ZRANGEBYSCORE");
            read.arg(keys::journalled(tenant))
                .arg(after.map_or(0, |(created, _)| created))
                .arg("+inf")
                .arg("WITHSCORES")
                .arg("LIMIT")
                .arg(offset)
                .arg(size);
            let page: Vec<(String, u64)> = self.store.query(&read).await?;
            let is_last = page.len() < size;
            offset += page.len();
            // What cannot be read is nobody's.
            let read = page.into_iter().filter_map(|(id, created)| {
                let id = SimulationId::parse(&id).ok()?;
                let follows = after.is_none_or(|after| (created, &id) > after);
                follows.then_some((created, id))
            });
            places.extend(read);
            if is_last {
                break;
            }
        }
        places.truncate(limit);
        Ok(places)
    }

    /// Takes out of a tenant's list what is no longer there.
    pub(super) async fn unlist(
        &self,
        tenant: Option<&Tenant>,
        gone: &[Place],
    ) -> Result<(), StoreError> {
        let pairs = gone
            .iter()
            .flat_map(|(created, id)| [created.to_string(), id.to_string()]);
        let pairs: Vec<_> = pairs.collect();
        for batch in pairs.chunks(MAX_ARGUMENTS) {
            let unlist = call([keys::journalled(tenant)], batch.to_vec());
            drop(self.store.invoke::<Value>(&self.unlist, &unlist).await?);
        }
        Ok(())
    }

    /// Writes down when simulations expire, or that they need not be looked for any more.
    async fn note_expiries(
        &self,
        expiries: impl Iterator<Item = (String, Option<Duration>)>,
    ) -> Result<(), StoreError> {
        let arguments: Vec<_> = expiries
            .flat_map(|(member, after)| [member, after.map_or_else(String::new, millis)])
            .collect();
        for batch in arguments.chunks(MAX_ARGUMENTS) {
            let note = call([keys::EXPIRIES.to_owned()], batch.to_vec());
            drop(self.store.invoke::<Value>(&self.expiries, &note).await?);
        }
        Ok(())
    }

    async fn leave_lists(
        &self,
        ends: impl Iterator<Item = (Option<Tenant>, String)>,
    ) -> Result<(), StoreError> {
        let mut lists: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (tenant, id) in ends {
            let list = keys::journalled(tenant.as_ref());
            lists.entry(list).or_default().push(id);
        }
        self.order_each("ZREM", lists).await
    }

    /// Sends a command for each list, with what is to be done to it.
    async fn order_each(
        &self,
        name: &str,
        lists: BTreeMap<String, Vec<String>>,
    ) -> Result<(), StoreError> {
        for (list, arguments) in lists {
            let mut order = cmd(name);
            order.arg(list).arg(arguments);
            drop(self.store.query::<Value>(&order).await?);
        }
        Ok(())
    }

    /// A hint that is not written down undoes nothing.
    fn remember(&self, noted: Result<(), StoreError>) {
        let refused = noted.err().map(|error| error.to_string());
        *self.refused.lock().expect("no holder panics") = refused;
    }
}

/// A simulation in `sims:expiry`. Whoever may not know of it asks for another name.
fn member(id: &SimulationId, tenant: Option<&Tenant>) -> String {
    tenant.map_or_else(|| id.to_string(), |tenant| format!("{tenant}/{id}"))
}

/// The keys of what belongs to a simulation's journal, if it has one.
pub(super) fn journal_keys(id: &SimulationId, journal: Option<&JournalKeys>) -> Vec<String> {
    let Some(journal) = journal else {
        return Vec::new();
    };
    let snapshots = journal.snapshots.iter();
    let snapshots = snapshots.map(|seq| keys::snapshot(id, *seq));
    std::iter::once(keys::journal(id))
        .chain(snapshots)
        .collect()
}
