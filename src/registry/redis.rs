//! A registry in Redis, shared by all instances. Each transition is one script on one slot.
//!
//! What spans simulations (`instances`, `sims:expiry`) are hints, written apart from the entries
//! they tell of: who finds one looks at the entry.

use std::{sync::Mutex, time::Duration};

use async_trait::async_trait;
use deadpool_redis::redis::{Cmd, Value, cmd, from_redis_value_ref};
use futures_util::stream::{self, BoxStream, StreamExt};

use super::{
    Claim, Ending, Event, FencingToken, Holding, Owner, Peer, Reasserted, Registration, Registry,
    RegistryError, Release, Renewal, TOMBSTONE_LIFETIME, Touch, Touched, Whereabouts,
};
use crate::{
    id::{InstanceId, SimulationId, Tenant},
    redis_store::{Invocation, RedisStore, Script, StoreError},
};

/// Who held a lease, and until when, in Redis' time.
const ROSTER: &str = "instances";
/// When simulations expire, in Redis' time.
const EXPIRIES: &str = "sims:expiry";
/// What instances prove to each other who they are with.
const SECRET: &str = "internal:secret";
/// Where instances tell each other what happened.
const EVENTS: &str = "sims:events";
/// For how long the end of a lease is remembered.
const ROSTER_MEMORY: Duration = Duration::from_secs(3600);

/// Nonce, URL, simulations and room of an instance; nothing where there is no lease.
type Notice = (Option<String>, Option<String>, Option<usize>, Option<usize>);

/// A registry in Redis.
pub struct RedisRegistry {
    store: RedisStore,
    scripts: Scripts,
    /// Why the hints were not written down the last time, if they were not.
    hints_refused: Mutex<Option<String>>,
}

macro_rules! scripts {
    ($($name:ident),*) => {
        struct Scripts { $($name: Script),* }

        impl Scripts {
            fn new() -> Self {
                Self { $($name: Script::new(include_str!(concat!("scripts/", stringify!($name), ".lua")))),* }
            }
        }
    };
}

scripts!(
    claim, expired, expiries, find, lease, living, reassert, release, resign, roster, silence,
    sweep, touch
);

impl RedisRegistry {
    /// A registry that may not be reachable yet.
    pub fn new(store: RedisStore) -> Self {
        Self {
            store,
            scripts: Scripts::new(),
            hints_refused: Mutex::default(),
        }
    }

    async fn lease(&self, me: &Peer, lease: Duration, how: &str) -> Result<bool, RegistryError> {
        let arguments = [
            me.owner.nonce.to_string(),
            me.url.to_string(),
            me.simulations.to_string(),
            me.room.to_string(),
            millis(lease),
            how.to_owned(),
        ];
        let call = call([lease_key(&me.owner.instance)], arguments);
        let held: String = self
            .store
            .invoke_unguarded(&self.scripts.lease, &call)
            .await?;
        Ok(held == "held")
    }

    /// Writes down when simulations expire, or that they need not be looked for any more. Only
    /// owners do: others would overwrite what they noted.
    async fn note_expiries(&self, expiries: impl Iterator<Item = (String, Option<Duration>)>) {
        let noted = self.try_note_expiries(expiries).await;
        // A hint that is not written down undoes nothing.
        let refused = noted.err().map(|error| error.to_string());
        *self.hints_refused.lock().expect("no holder panics") = refused;
    }

    async fn try_note_expiries(
        &self,
        expiries: impl Iterator<Item = (String, Option<Duration>)>,
    ) -> Result<(), RegistryError> {
        let arguments: Vec<_> = expiries
            .flat_map(|(member, after)| [member, after.map_or_else(String::new, millis)])
            .collect();
        // Lua takes a limited number of arguments at a time.
        for batch in arguments.chunks(2000) {
            let call = call([EXPIRIES.to_owned()], batch.to_vec());
            drop(
                self.store
                    .invoke::<Value>(&self.scripts.expiries, &call)
                    .await?,
            );
        }
        Ok(())
    }

    /// Sends a command whose answer says nothing.
    async fn order(&self, command: &Cmd) -> Result<(), RegistryError> {
        drop(self.store.query::<Value>(command).await?);
        Ok(())
    }

    async fn call_all(
        &self,
        script: &Script,
        calls: &[Invocation],
    ) -> Result<Vec<Value>, RegistryError> {
        let answers = self.store.invoke_all(script, calls).await;
        Ok(answers.into_iter().collect::<Result<_, _>>()?)
    }
}

#[async_trait]
impl Registry for RedisRegistry {
    async fn renew(&self, me: &Peer, lease: Duration) -> Result<Renewal, RegistryError> {
        if !self.lease(me, lease, "renew").await? {
            return Ok(Renewal::Gone);
        }
        let arguments = [me.owner.to_string(), millis(lease), millis(ROSTER_MEMORY)];
        let call = call([ROSTER.to_owned()], arguments);
        let living: Vec<String> = self
            .store
            .invoke_unguarded(&self.scripts.roster, &call)
            .await?;
        Ok(Renewal::Held(owners(&living)))
    }

    async fn take_lease(&self, me: &Peer, lease: Duration) -> Result<(), RegistryError> {
        self.lease(me, lease, "take").await.map(drop)
    }

    async fn living(&self) -> Result<Vec<Owner>, RegistryError> {
        let call = call([ROSTER.to_owned()], []);
        let living: Vec<String> = self.store.invoke(&self.scripts.living, &call).await?;
        Ok(owners(&living))
    }

    async fn resign(&self, me: &Owner) -> Result<(), RegistryError> {
        let call = call([lease_key(&me.instance)], [me.nonce.to_string()]);
        drop(
            self.store
                .invoke::<Value>(&self.scripts.resign, &call)
                .await?,
        );
        let mut forget = cmd("ZREM");
        forget.arg(ROSTER).arg(me.to_string());
        self.order(&forget).await?;
        Ok(())
    }

    async fn peer(&self, instance: &InstanceId) -> Result<Option<Peer>, RegistryError> {
        let mut read = cmd("HMGET");
        read.arg(lease_key(instance))
            .arg(&["nonce", "url", "simulations", "room"]);
        let (nonce, url, simulations, room): Notice = self.store.query(&read).await?;
        let owner = nonce.and_then(|nonce| Owner::parse(&format!("{instance}:{nonce}")));
        Ok(owner.zip(url).map(|(owner, url)| Peer {
            owner,
            url: url.into(),
            simulations: simulations.unwrap_or(0),
            room: room.unwrap_or(0),
        }))
    }

    async fn silence(&self, owner: &Owner) -> Result<Option<Duration>, RegistryError> {
        let call = call([ROSTER.to_owned()], [owner.to_string()]);
        let over: Option<u64> = self.store.invoke(&self.scripts.silence, &call).await?;
        Ok(over.map(Duration::from_millis))
    }

    async fn claim(
        &self,
        me: &Owner,
        registration: &Registration,
        over: Option<&Holding>,
    ) -> Result<Claim, RegistryError> {
        let mut arguments = vec![
            me.to_string(),
            registration.token.nonce().to_owned(),
            over.map_or("", |seen| seen.token.as_str()).to_owned(),
            over.map_or_else(String::new, |seen| seen.owner.to_string()),
            millis(registration.expires_in),
        ];
        arguments.extend(fields(registration));
        let call = call(entry_keys(&registration.id), arguments);
        let answer: Vec<String> = self.store.invoke(&self.scripts.claim, &call).await?;
        let claim = match answer.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["granted", token] => Claim::Granted(FencingToken::from_text(token)),
            ["taken", owner, token, tenant] => Claim::Taken(holding(owner, token, tenant)?),
            _ => return Err(nonsense(&answer)),
        };
        if matches!(claim, Claim::Granted(_)) {
            let member = member(&registration.id, registration.tenant.as_ref());
            let expiry = (member, Some(registration.expires_in));
            self.note_expiries([expiry].into_iter()).await;
        }
        Ok(claim)
    }

    async fn reassert(
        &self,
        me: &Owner,
        registrations: &[Registration],
    ) -> Result<Vec<Reasserted>, RegistryError> {
        let calls: Vec<_> = registrations
            .iter()
            .map(|registration| {
                let mut arguments = vec![
                    me.to_string(),
                    registration.token.as_str().to_owned(),
                    millis(registration.expires_in),
                ];
                arguments.extend(fields(registration));
                call(entry_keys(&registration.id), arguments)
            })
            .collect();
        let answers = self.call_all(&self.scripts.reassert, &calls).await?;
        let read = |answer: &Value| {
            let words: Vec<String> = from_redis_value_ref(answer).unwrap_or_default();
            match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                ["kept", token] => Ok(Reasserted::Kept(FencingToken::from_text(token))),
                ["lost"] => Ok(Reasserted::Lost),
                _ => Err(nonsense(&words)),
            }
        };
        let reasserted = answers.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let pairs = registrations.iter().zip(&reasserted);
        let kept = pairs.filter(|(_, reasserted)| **reasserted != Reasserted::Lost);
        let expiries = kept.map(|(registration, _)| {
            let member = member(&registration.id, registration.tenant.as_ref());
            (member, Some(registration.expires_in))
        });
        self.note_expiries(expiries).await;
        Ok(reasserted)
    }

    async fn touch(&self, touches: &[Touch]) -> Result<Vec<Touched>, RegistryError> {
        let calls: Vec<_> = touches
            .iter()
            .map(|touch| {
                let arguments = [touch.token.as_str().to_owned(), millis(touch.expires_in)];
                call([entry_key(&touch.id)], arguments)
            })
            .collect();
        let answers = self.call_all(&self.scripts.touch, &calls).await?;
        let read = |answer: &Value| {
            let word: String = from_redis_value_ref(answer).unwrap_or_default();
            match word.as_str() {
                "kept" => Ok(Touched::Kept),
                "missing" => Ok(Touched::Missing),
                "lost" => Ok(Touched::Lost),
                _ => Err(nonsense(&[word])),
            }
        };
        let touched = answers.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let pairs = touches.iter().zip(&touched);
        let kept = pairs.filter(|(_, touched)| **touched == Touched::Kept);
        let expiries = kept.map(|(touch, _)| {
            let member = member(&touch.id, touch.tenant.as_ref());
            (member, Some(touch.expires_in))
        });
        self.note_expiries(expiries).await;
        Ok(touched)
    }

    async fn release(&self, releases: &[Release]) -> Result<(), RegistryError> {
        let calls: Vec<_> = releases
            .iter()
            .map(|release| {
                let arguments = [
                    release.token.as_str().to_owned(),
                    release.ending.as_str().to_owned(),
                    release
                        .tenant
                        .as_ref()
                        .map_or("", Tenant::as_str)
                        .to_owned(),
                    millis(TOMBSTONE_LIFETIME),
                ];
                call(entry_keys(&release.id), arguments)
            })
            .collect();
        let answers = self.call_all(&self.scripts.release, &calls).await?;
        let is_released = |answer: &Value| {
            from_redis_value_ref::<String>(answer).is_ok_and(|word| word == "released")
        };
        let pairs = releases.iter().zip(&answers);
        let released = pairs.filter(|(_, answer)| is_released(answer));
        let ended =
            released.map(|(release, _)| (member(&release.id, release.tenant.as_ref()), None));
        self.note_expiries(ended).await;
        Ok(())
    }

    async fn find(
        &self,
        id: &SimulationId,
        tenant: Option<&Tenant>,
    ) -> Result<Whereabouts, RegistryError> {
        let find = call(entry_keys(id), []);
        let answer: Vec<String> = self.store.invoke(&self.scripts.find, &find).await?;
        match answer.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["owned", owner, token, whose] => {
                let holding = holding(owner, token, whose)?;
                if holding.tenant.as_ref() == tenant {
                    return Ok(Whereabouts::Owned(holding));
                }
            }
            ["ended", tombstone] => {
                let (ending, whose) = tombstone.split_once(' ').unwrap_or((tombstone, ""));
                let is_theirs = whose == tenant.map_or("", Tenant::as_str);
                if let Some(ending) = Ending::parse(ending).filter(|_| is_theirs) {
                    return Ok(Whereabouts::Ended(ending));
                }
            }
            ["unknown"] => {}
            _ => return Err(nonsense(&answer)),
        }
        // Where no owner was left to say so, the time tells. It is asked about simulations of others
        // too, so that they take as long as those that never were.
        let ask = call([EXPIRIES.to_owned()], [member(id, tenant)]);
        let time: Option<String> = self.store.invoke(&self.scripts.expired, &ask).await?;
        Ok(match time.as_deref() {
            Some("over") => Whereabouts::Overdue,
            Some(_) => Whereabouts::Mislaid,
            None => Whereabouts::Unknown,
        })
    }

    async fn sweep(&self, limit: usize) -> Result<usize, RegistryError> {
        let arguments = [millis(TOMBSTONE_LIFETIME), limit.to_string()];
        let call = call([EXPIRIES.to_owned()], arguments);
        Ok(self.store.invoke(&self.scripts.sweep, &call).await?)
    }

    async fn announce(&self, events: &[Event]) -> Result<(), RegistryError> {
        for event in events {
            let mut publish = cmd("PUBLISH");
            publish.arg(EVENTS).arg(event.to_text());
            self.order(&publish).await?;
        }
        Ok(())
    }

    async fn listen(&self) -> Result<BoxStream<'static, Event>, RegistryError> {
        let heard = self.store.subscribe(EVENTS).await?;
        let events = stream::unfold(heard, |mut heard| async {
            loop {
                let message = String::from_utf8(heard.next().await?);
                // What cannot be read comes from another version.
                if let Some(event) = message.ok().and_then(|text| Event::parse(&text)) {
                    return Some((event, heard));
                }
            }
        });
        Ok(events.boxed())
    }

    async fn secret(&self, proposal: &str) -> Result<String, RegistryError> {
        let mut propose = cmd("SET");
        propose.arg(SECRET).arg(proposal).arg("NX");
        self.order(&propose).await?;
        Ok(self.store.query(cmd("GET").arg(SECRET)).await?)
    }

    async fn eviction_risk(&self) -> Option<String> {
        let eviction = self.store.eviction().await?;
        let is_risk = eviction.is_risk();
        let policy = eviction.policy.filter(|_| is_risk)?;
        Some(format!(
            "maxmemory-policy is {policy}: entries may vanish before their time"
        ))
    }

    fn refusal(&self) -> Option<String> {
        self.hints_refused.lock().expect("no holder panics").clone()
    }
}

impl From<StoreError> for RegistryError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable => Self::Unavailable,
            StoreError::Failed(_) | StoreError::Refused { .. } => Self::Failed(error.to_string()),
        }
    }
}

/// A call with its keys and arguments as text.
fn call(
    keys: impl IntoIterator<Item = String>,
    arguments: impl IntoIterator<Item = String>,
) -> Invocation {
    Invocation {
        keys: keys.into_iter().collect(),
        args: arguments.into_iter().map(String::into_bytes).collect(),
    }
}

/// The braces put all keys of a simulation into one slot of a cluster.
fn entry_key(id: &SimulationId) -> String {
    format!("sim:{{{id}}}:meta")
}

fn entry_keys(id: &SimulationId) -> [String; 2] {
    [entry_key(id), format!("tombstone:{{{id}}}")]
}

fn lease_key(instance: &InstanceId) -> String {
    format!("instance:{instance}")
}

/// A simulation in `sims:expiry`. Whoever may not know of it asks for another name.
fn member(id: &SimulationId, tenant: Option<&Tenant>) -> String {
    tenant.map_or_else(|| id.to_string(), |tenant| format!("{tenant}/{id}"))
}

fn owners(texts: &[String]) -> Vec<Owner> {
    texts.iter().filter_map(|text| Owner::parse(text)).collect()
}

fn millis(duration: Duration) -> String {
    duration.as_millis().to_string()
}

fn fields(registration: &Registration) -> Vec<String> {
    let tenant = registration.tenant.as_ref();
    let tenant = tenant.map(|tenant| ("tenant", tenant.to_string()));
    let details = registration.details.iter().cloned().chain(tenant);
    details
        .flat_map(|(name, value)| [name.to_owned(), value])
        .collect()
}

fn holding(owner: &str, token: &str, tenant: &str) -> Result<Holding, RegistryError> {
    let malformed = || RegistryError::Failed(format!("an entry has the owner {owner:?}"));
    Ok(Holding {
        owner: Owner::parse(owner).ok_or_else(malformed)?,
        token: FencingToken::from_text(token),
        tenant: Tenant::parse(tenant).ok(),
    })
}

fn nonsense(answer: &[String]) -> RegistryError {
    RegistryError::Failed(format!("a script answered {answer:?}"))
}
