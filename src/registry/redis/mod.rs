//! A registry in Redis, shared by all instances. Each transition is one script on one slot.

mod answers;
mod hints;

use std::time::Duration;

use async_trait::async_trait;
use deadpool_redis::redis::{Cmd, FromRedisValue, Value, cmd};
use futures_util::stream::{self, BoxStream, StreamExt};

use self::hints::{Hints, journal_keys};
use crate::{
    id::{InstanceId, Nonce, SimulationId, Tenant},
    redis_store::{Invocation, RedisStore, Script, StoreError, keys},
    registry::{
        Claim, Ending, Event, Holding, JournalKeys, Listed, Owner, Peer, Promises, Reasserted,
        Registration, Registry, RegistryError, Release, Renewal, TOMBSTONE_LIFETIME, Takeover,
        Touch, Touched, Whereabouts,
    },
};

/// For how long the end of a lease is remembered.
const ROSTER_MEMORY: Duration = Duration::from_secs(3600);

/// Nonce, URL, simulations and room of an instance; nothing where there is no lease.
type Notice = (Option<String>, Option<String>, Option<usize>, Option<usize>);

/// A registry in Redis.
pub struct RedisRegistry {
    store: RedisStore,
    scripts: Scripts,
    hints: Hints,
}

macro_rules! scripts {
    ($($kind:ident($($name:ident),* $(,)?)),*) => {
        struct Scripts { $($($name: Script),*),* }

        impl Scripts {
            fn new() -> Self {
                Self { $($($name: Script::$kind(include_str!(concat!("scripts/", stringify!($name), ".lua")))),*),* }
            }
        }
    };
}

scripts!(
    new(
        claim, describe, find, lease, living, resign, roster, silence, take_over
    ),
    fenced(reassert, release, touch)
);

impl RedisRegistry {
    /// A registry that may not be reachable yet.
    pub fn new(store: RedisStore) -> Self {
        Self {
            hints: Hints::new(store.clone()),
            store,
            scripts: Scripts::new(),
        }
    }

    /// Renews a lease, or takes it over `over`, where nobody's nonce is empty; who else holds it.
    async fn lease(
        &self,
        me: &Peer,
        lease: Duration,
        over: Option<&str>,
    ) -> Result<Result<(), Option<Nonce>>, RegistryError> {
        let mut arguments = vec![
            me.owner.nonce.to_string(),
            me.url.to_string(),
            me.simulations.to_string(),
            me.room.to_string(),
            millis(lease),
        ];
        arguments.extend(over.map(str::to_owned));
        let call = call([keys::lease(&me.owner.instance)], arguments);
        let answer: Vec<String> = self
            .store
            .invoke_unguarded(&self.scripts.lease, &call)
            .await?;
        match answer.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["held"] => Ok(Ok(())),
            ["gone", nonce] => Ok(Err(Nonce::parse(nonce).ok())),
            _ => Err(answers::nonsense(&answer)),
        }
    }

    /// Sends a command whose answer says nothing.
    async fn order(&self, command: &Cmd) -> Result<(), RegistryError> {
        drop(self.store.query::<Value>(command).await?);
        Ok(())
    }

    async fn call_all<T: FromRedisValue>(
        &self,
        script: &Script,
        calls: &[Invocation],
    ) -> Result<Vec<T>, RegistryError> {
        let answers = self.store.invoke_all(script, calls).await;
        Ok(answers.into_iter().collect::<Result<_, _>>()?)
    }

    /// Which snapshots the journal of a simulation has.
    async fn snapshots(&self, id: &SimulationId) -> Result<JournalKeys, RegistryError> {
        let mut read = cmd("HMGET");
        read.arg(keys::meta(id)).arg(&["snapshot", "previous"]);
        let snapshots: (Option<u64>, Option<u64>) = self.store.query(&read).await?;
        Ok(JournalKeys {
            snapshots: [snapshots.0, snapshots.1].into_iter().flatten().collect(),
        })
    }
}

#[async_trait]
impl Registry for RedisRegistry {
    async fn renew(&self, me: &Peer, lease: Duration) -> Result<Renewal, RegistryError> {
        if let Err(holder) = self.lease(me, lease, None).await? {
            return Ok(Renewal::Gone(holder));
        }
        let arguments = [me.owner.to_string(), millis(lease), millis(ROSTER_MEMORY)];
        let call = call([keys::ROSTER.to_owned()], arguments);
        let living: Vec<String> = self
            .store
            .invoke_unguarded(&self.scripts.roster, &call)
            .await?;
        Ok(Renewal::Held(owners(&living)))
    }

    async fn take_lease(
        &self,
        me: &Peer,
        lease: Duration,
        over: Option<&Nonce>,
    ) -> Result<bool, RegistryError> {
        let over = over.map_or("", Nonce::as_str);
        let taken = self.lease(me, lease, Some(over)).await?;
        Ok(taken.is_ok())
    }

    async fn living(&self) -> Result<Vec<Owner>, RegistryError> {
        let call = call([keys::ROSTER.to_owned()], []);
        let living: Vec<String> = self.store.invoke(&self.scripts.living, &call).await?;
        Ok(owners(&living))
    }

    async fn resign(&self, me: &Owner) -> Result<(), RegistryError> {
        let call = call([keys::lease(&me.instance)], [me.nonce.to_string()]);
        drop(
            self.store
                .invoke::<Value>(&self.scripts.resign, &call)
                .await?,
        );
        let mut forget = cmd("ZREM");
        forget.arg(keys::ROSTER).arg(me.to_string());
        self.order(&forget).await?;
        Ok(())
    }

    async fn peer(&self, instance: &InstanceId) -> Result<Option<Peer>, RegistryError> {
        let mut read = cmd("HMGET");
        read.arg(keys::lease(instance))
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
        let call = call([keys::ROSTER.to_owned()], [owner.to_string()]);
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
            over.and_then(|seen| seen.owner.as_ref())
                .map_or_else(String::new, ToString::to_string),
            millis(registration.expires_in),
        ];
        arguments.extend(fields(registration));
        let id = &registration.id;
        let left = match over {
            Some(seen) if seen.is_journalled => Some(self.snapshots(id).await?),
            Some(_) | None => None,
        };
        let call = call(entry_keys(id, left.as_ref()), arguments);
        let answer: Vec<String> = self.store.invoke(&self.scripts.claim, &call).await?;
        let claim = answers::claim(&answer)?;
        if matches!(claim, Claim::Granted(_)) {
            self.hints.note_claims([registration].into_iter()).await;
        }
        Ok(claim)
    }

    async fn take_over(
        &self,
        me: &Owner,
        id: &SimulationId,
        over: &Holding,
    ) -> Result<Takeover, RegistryError> {
        let seen = over.owner.as_ref();
        let arguments = [
            me.to_string(),
            Nonce::random().to_string(),
            over.token.as_str().to_owned(),
            seen.map_or_else(String::new, ToString::to_string),
        ];
        let call = call([keys::meta(id)], arguments);
        let answer: Vec<String> = self.store.invoke(&self.scripts.take_over, &call).await?;
        answers::takeover(&answer)
    }

    async fn listed(
        &self,
        tenant: Option<&Tenant>,
        after: Option<(u64, &SimulationId)>,
        limit: usize,
    ) -> Result<Vec<Listed>, RegistryError> {
        let mut found = Vec::new();
        let mut behind = after.map(|(created, id)| (created, id.clone()));
        // What is gone leaves room for what follows.
        while found.len() < limit {
            let after = behind.as_ref().map(|(created, id)| (*created, id));
            let wanted = limit - found.len();
            let places = self.hints.places(tenant, after, wanted).await?;
            let Some(last) = places.last().cloned() else {
                break;
            };
            behind = Some(last);
            let calls = places.iter().map(|(_, id)| call([keys::meta(id)], []));
            let calls: Vec<_> = calls.collect();
            let answers: Vec<Vec<String>> = self.call_all(&self.scripts.describe, &calls).await?;
            let mut gone = Vec::new();
            for ((created, id), answer) in places.into_iter().zip(answers) {
                match answers::listed(&answer, &id, tenant, created) {
                    Some(listed) => found.push(listed),
                    None => gone.push((created, id)),
                }
            }
            self.hints.unlist(tenant, &gone).await?;
        }
        Ok(found)
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
                    registration.revision.to_string(),
                ];
                arguments.extend(fields(registration));
                let journal = registration.journal.as_ref();
                call(entry_keys(&registration.id, journal), arguments)
            })
            .collect();
        let answers: Vec<Vec<String>> = self.call_all(&self.scripts.reassert, &calls).await?;
        let reasserted = answers.iter().map(|answer| answers::reasserted(answer));
        let reasserted = reasserted.collect::<Result<Vec<_>, _>>()?;
        let pairs = registrations.iter().zip(&reasserted);
        let kept = pairs.filter(|(_, reasserted)| **reasserted != Reasserted::Lost);
        let kept = kept.map(|(registration, _)| registration);
        self.hints.note_claims(kept).await;
        Ok(reasserted)
    }

    async fn touch(&self, touches: &[Touch]) -> Result<Vec<Touched>, RegistryError> {
        let calls: Vec<_> = touches
            .iter()
            .map(|touch| {
                let arguments = [touch.token.as_str().to_owned(), millis(touch.expires_in)];
                let mut keys = vec![keys::meta(&touch.id)];
                keys.extend(journal_keys(&touch.id, touch.journal.as_ref()));
                call(keys, arguments)
            })
            .collect();
        let answers: Vec<Vec<String>> = self.call_all(&self.scripts.touch, &calls).await?;
        let touched = answers.iter().map(|answer| answers::touched(answer));
        let touched = touched.collect::<Result<Vec<_>, _>>()?;
        let pairs = touches.iter().zip(&touched);
        let kept = pairs.filter(|(_, touched)| matches!(touched, Touched::Kept(_)));
        self.hints.note_touches(kept.map(|(touch, _)| touch)).await;
        Ok(touched)
    }

    async fn release(&self, releases: &[Release]) -> Result<(), RegistryError> {
        let calls: Vec<_> = releases
            .iter()
            .map(|release| {
                let tenant = release.tenant.as_ref().map_or("", Tenant::as_str);
                let arguments = [
                    release.token.as_str().to_owned(),
                    release.ending.as_str().to_owned(),
                    tenant.to_owned(),
                    millis(TOMBSTONE_LIFETIME),
                ];
                call(entry_keys(&release.id, release.journal.as_ref()), arguments)
            })
            .collect();
        let answers: Vec<String> = self.call_all(&self.scripts.release, &calls).await?;
        let pairs = releases.iter().zip(&answers);
        let released = pairs.filter(|(_, answer)| *answer == "released");
        self.hints
            .note_ends(released.map(|(release, _)| release))
            .await;
        Ok(())
    }

    async fn find(
        &self,
        id: &SimulationId,
        tenant: Option<&Tenant>,
    ) -> Result<Whereabouts, RegistryError> {
        let find = call(entry_keys(id, None), []);
        let answer: Vec<String> = self.store.invoke(&self.scripts.find, &find).await?;
        match answer.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["owned", ref held @ ..] => {
                let holding = answers::holding(held)?;
                if holding.tenant.as_ref() == tenant {
                    return Ok(Whereabouts::Owned(holding));
                }
            }
            ["ended", tombstone] => {
                let mut words = tombstone.splitn(3, ' ');
                let (ending, _token, whose) = (words.next(), words.next(), words.next());
                let is_theirs = whose.unwrap_or_default() == tenant.map_or("", Tenant::as_str);
                if let Some(ending) = ending.and_then(Ending::parse).filter(|_| is_theirs) {
                    return Ok(Whereabouts::Ended(ending));
                }
            }
            ["unknown"] => {}
            _ => return Err(answers::nonsense(&answer)),
        }
        // Where no owner was left to say so, the time tells. It is asked about simulations of others
        // too, so that they take as long as those that never were.
        Ok(match self.hints.is_over(id, tenant).await? {
            Some(true) => Whereabouts::Overdue,
            Some(false) => Whereabouts::Mislaid,
            None => Whereabouts::Unknown,
        })
    }

    async fn sweep(&self, limit: usize) -> Result<usize, RegistryError> {
        Ok(self.hints.sweep(limit).await?)
    }

    async fn announce(&self, events: &[Event]) -> Result<(), RegistryError> {
        for event in events {
            let mut publish = cmd("PUBLISH");
            publish.arg(keys::EVENTS).arg(event.to_text());
            self.order(&publish).await?;
        }
        Ok(())
    }

    async fn listen(&self) -> Result<BoxStream<'static, Event>, RegistryError> {
        let heard = self.store.subscribe(keys::EVENTS).await?;
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
        propose.arg(keys::SECRET).arg(proposal).arg("NX");
        self.order(&propose).await?;
        Ok(self.store.query(cmd("GET").arg(keys::SECRET)).await?)
    }

    async fn incarnation(&self) -> Option<String> {
        self.store.run_ids().await
    }

    async fn promises(&self) -> Option<Promises> {
        self.store.promises().await
    }

    fn refusal(&self) -> Option<String> {
        self.hints.refused()
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

/// The keys of a simulation, from its entry on.
fn entry_keys(id: &SimulationId, journal: Option<&JournalKeys>) -> Vec<String> {
    let mut keys = vec![keys::meta(id), keys::tombstone(id)];
    keys.extend(journal_keys(id, journal));
    keys
}

fn owners(texts: &[String]) -> Vec<Owner> {
    texts.iter().filter_map(|text| Owner::parse(text)).collect()
}

fn millis(duration: Duration) -> String {
    duration.as_millis().to_string()
}

fn fields(registration: &Registration) -> impl Iterator<Item = String> {
    let fields = registration.fields();
    fields.flat_map(|(name, value)| [name.to_owned(), value])
}
