//! Who owns which simulation, until when, and what became of those that are gone.
//!
//! An *owner* is one life of an instance's lease. Simulations are claimed under a fencing token;
//! whoever finds another token than its own has lost the simulation.

mod fields;
mod head;
pub(crate) mod memory;
mod redis;

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::stream::BoxStream;

pub use self::{
    head::Head,
    memory::{MemoryRegistry, Recollection},
    redis::RedisRegistry,
};
use crate::id::{InstanceId, Nonce, SimulationId, Tenant};
pub use crate::redis_store::Promises;

/// How long the end of a simulation is remembered.
pub const TOMBSTONE_LIFETIME: Duration = Duration::from_secs(3600);

/// Where simulations and instances are registered.
///
/// Every method is one transition that takes place as a whole or not at all. None of them is
/// called for a request about a simulation that is here.
#[async_trait]
pub trait Registry: Send + Sync + 'static {
    /// Renews the lease of `me` if it is still held; who holds one now. Whether Redis is there
    /// is found out with this call, so it is made even where others are spared theirs.
    async fn renew(&self, me: &Peer, lease: Duration) -> Result<Renewal, RegistryError>;

    /// Takes the lease of an instance under a new nonce, if nobody holds it, or whoever was seen
    /// to; whether it was so. An order that was given up and comes late does nothing.
    async fn take_lease(
        &self,
        me: &Peer,
        lease: Duration,
        over: Option<&Nonce>,
    ) -> Result<bool, RegistryError>;

    /// Who holds a lease now.
    async fn living(&self) -> Result<Vec<Owner>, RegistryError>;

    /// Gives the lease up, so that the others need not wait for its end.
    async fn resign(&self, me: &Owner) -> Result<(), RegistryError>;

    /// Who holds the lease of an instance.
    async fn peer(&self, instance: &InstanceId) -> Result<Option<Peer>, RegistryError>;

    /// For how long the lease of an owner has been over; nothing if that is longer than anybody
    /// remembers.
    async fn silence(&self, owner: &Owner) -> Result<Option<Duration>, RegistryError>;

    /// Makes `me` the owner of a simulation that nobody owns, or that is still owned as `over`
    /// says: an owner that came back meanwhile has the same token under another name.
    async fn claim(
        &self,
        me: &Owner,
        registration: &Registration,
        over: Option<&Holding>,
    ) -> Result<Claim, RegistryError>;

    /// Makes `me` the owner of a journalled simulation that is owned, or rests, as `over` says.
    /// Everything that was written down of it stays.
    async fn take_over(
        &self,
        me: &Owner,
        id: &SimulationId,
        over: &Holding,
    ) -> Result<Takeover, RegistryError>;

    /// Up to `limit` journalled simulations of `tenant` created after `after`, in the order of
    /// their creation, whoever owns them.
    async fn listed(
        &self,
        tenant: Option<&Tenant>,
        after: Option<(u64, &SimulationId)>,
        limit: usize,
    ) -> Result<Vec<Listed>, RegistryError>;

    /// Registers simulations of `me` again, whatever became of their entries, unless somebody
    /// else has claimed them since. Where the entry of an earlier claim is back, which Redis has
    /// not forgotten, a journalled simulation is claimed again. One answer for each.
    async fn reassert(
        &self,
        me: &Owner,
        registrations: &[Registration],
    ) -> Result<Vec<Reasserted>, RegistryError>;

    /// Puts off the expiry of simulations that were used. One answer for each.
    async fn touch(&self, touches: &[Touch]) -> Result<Vec<Touched>, RegistryError>;

    /// Removes simulations that came to an end, and remembers how; does nothing to those that
    /// somebody else has claimed.
    async fn release(&self, releases: &[Release]) -> Result<(), RegistryError>;

    /// What is known of a simulation, as far as `tenant` may know.
    async fn find(
        &self,
        id: &SimulationId,
        tenant: Option<&Tenant>,
    ) -> Result<Whereabouts, RegistryError>;

    /// Forgets up to `limit` simulations that ended an hour ago and longer without an owner to
    /// say so; how many there were.
    async fn sweep(&self, limit: usize) -> Result<usize, RegistryError>;

    /// Tells the other instances what happened. They need not hear of it.
    async fn announce(&self, events: &[Event]) -> Result<(), RegistryError>;

    /// What other instances announce, until the link breaks.
    async fn listen(&self) -> Result<BoxStream<'static, Event>, RegistryError>;

    /// The secret that all instances share: `proposal`, unless another one was first.
    async fn secret(&self, proposal: &str) -> Result<String, RegistryError>;

    /// Which processes answer for it now, if they tell. Others may know less than those before.
    async fn incarnation(&self) -> Option<String>;

    /// What becomes of what it is told, as far as it knows.
    async fn promises(&self) -> Option<Promises>;

    /// Why something that is not indispensable was not written down, if it was not.
    fn refusal(&self) -> Option<String>;
}

/// One life of an instance's lease.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    /// The instance.
    pub instance: InstanceId,
    /// New each time the lease is taken.
    pub nonce: Nonce,
}

/// A living instance, as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Who it is.
    pub owner: Owner,
    /// Where other instances reach it.
    pub url: Arc<str>,
    /// How many simulations it has.
    pub simulations: usize,
    /// How many more it takes.
    pub room: usize,
}

/// Proof of a claim, `<fence>:<nonce>`, compared for equality. The fence is 0 as long as it is
/// not known whether the claim was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FencingToken(Arc<str>);

/// What is written down of a simulation.
#[derive(Clone, Debug)]
pub struct Registration {
    /// Its name.
    pub id: SimulationId,
    /// Whose it is.
    pub tenant: Option<Tenant>,
    /// Under which token it is claimed.
    pub token: FencingToken,
    /// After which time the entry is to expire.
    pub expires_in: Duration,
    /// µs from 1970 to its creation.
    pub created: u64,
    /// Its journal, if that outlives its owner.
    pub journal: Option<JournalKeys>,
    /// How often its owner has written it down: one that was given up and comes late does not undo
    /// a later one.
    pub revision: u64,
    /// For whoever comes after its owner, and whoever looks into the registry.
    pub details: Vec<(&'static str, String)>,
}

/// What there is of a journal beside its entries: everything lives and dies with the simulation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JournalKeys {
    /// Which snapshots there are.
    pub snapshots: Vec<u64>,
}

/// What a renewal found.
#[derive(Debug)]
pub enum Renewal {
    /// The lease is held; so do these.
    Held(Vec<Owner>),
    /// The lease has ended, or somebody else has it under this nonce.
    Gone(Option<Nonce>),
}

/// What a claim found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The simulation is claimed under this token.
    Granted(FencingToken),
    /// It is owned already.
    Taken(Holding),
}

/// Who owns a simulation, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    /// Its owner; nobody if it rests in its journal.
    pub owner: Option<Owner>,
    /// Under which token it was last claimed.
    pub token: FencingToken,
    /// Whose it is.
    pub tenant: Option<Tenant>,
    /// Whether its journal outlives its owner.
    pub is_journalled: bool,
    /// Why its journal is not to be replayed, if so.
    pub fault: Option<String>,
}

/// What came of taking a simulation over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Takeover {
    /// It is claimed.
    Granted(Inheritance),
    /// It is no longer owned as was seen.
    Changed,
}

/// What the owner before has left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inheritance {
    /// Under which token it is claimed now.
    pub token: FencingToken,
    /// What was written down of it: what was registered (see [`Registration::details`]), with
    /// `created`, `durability` and `tenant`, among whatever else is in its entry.
    pub details: Vec<(String, String)>,
}

/// A journalled simulation, as it is listed while nobody has its world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub id: SimulationId,
    /// µs from 1970 to its creation.
    pub created: u64,
    /// Its owner, if it has one; that one may be dead.
    pub owner: Option<Owner>,
    /// What was written down of it (see [`Inheritance::details`]).
    pub details: Vec<(String, String)>,
    /// After which time it expires.
    pub expires_in: Duration,
}

/// What came of registering a simulation again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reasserted {
    /// It is registered under this token; where its journal stands, if there is one.
    Kept(FencingToken, Option<Head>),
    /// Somebody else has claimed it.
    Lost,
}

/// A simulation that was used.
#[derive(Clone, Debug)]
pub struct Touch {
    /// Its name.
    pub id: SimulationId,
    /// Whose it is.
    pub tenant: Option<Tenant>,
    /// Under which token it is claimed.
    pub token: FencingToken,
    /// After which time the entry is to expire.
    pub expires_in: Duration,
    /// Its journal, if that outlives its owner.
    pub journal: Option<JournalKeys>,
}

/// What came of a touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touched {
    /// The entry stands; where its journal stands, if there is one.
    Kept(Option<Head>),
    /// There is no entry, or the journalled one of an earlier claim is back, because Redis has
    /// forgotten some of what it was told.
    Missing,
    /// Somebody else has claimed it.
    Lost,
}

/// A simulation that came to an end.
#[derive(Clone, Debug)]
pub struct Release {
    /// Its name.
    pub id: SimulationId,
    /// Whose it was.
    pub tenant: Option<Tenant>,
    /// Under which token it was claimed.
    pub token: FencingToken,
    /// Its journal, if that outlives its owner.
    pub journal: Option<JournalKeys>,
    /// How it ended.
    pub ending: Ending,
}

/// How a simulation came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// A client destroyed it.
    Destroyed,
    /// Nobody used it for the length of its TTL.
    Expired,
    /// Its world could not be kept.
    Lost,
}

/// What is known of a simulation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    /// Nothing.
    Unknown,
    /// It is owned, or rests in its journal.
    Owned(Holding),
    /// Its entry is gone before its time; its owner will write it again.
    Mislaid,
    /// Its time is over as far as was written down, and nobody has said that it ended.
    Overdue,
    /// It came to an end.
    Ended(Ending),
}

/// Something that happened to a simulation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub happening: Happening,
    /// To which simulation.
    pub id: SimulationId,
    /// On which instance.
    pub instance: InstanceId,
}

/// What can happen to a simulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// It was created.
    Created,
    /// A client destroyed it.
    Destroyed,
    /// Nobody used it for the length of its TTL.
    Expired,
    /// Its world could not be kept.
    Lost,
}

/// Why the registry did not do as asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RegistryError {
    /// It cannot be reached; nothing was sent.
    #[error("the registry cannot be reached")]
    Unavailable,
    /// It did not answer, or not with sense; whether it did as asked is not known.
    #[error("the registry failed: {0}")]
    Failed(String),
}

impl FencingToken {
    /// The token of a claim that is yet to be heard.
    pub fn pending() -> Self {
        Self(format!("0:{}", Nonce::random()).into())
    }

    /// The token behind a text.
    pub fn from_text(text: &str) -> Self {
        Self(text.into())
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is not known if the claim was heard.
    pub fn is_pending(&self) -> bool {
        self.0.starts_with("0:")
    }

    /// Which of two claims is the later one.
    pub fn fence(&self) -> u64 {
        let fence = self.0.split_once(':').map(|(fence, _)| fence);
        fence.and_then(|fence| fence.parse().ok()).unwrap_or(0)
    }

    /// What tells the claim from every other.
    pub fn nonce(&self) -> &str {
        self.0.split_once(':').map_or("", |(_, nonce)| nonce)
    }
}

impl Owner {
    /// Parses `<instance>:<nonce>`.
    pub fn parse(text: &str) -> Option<Self> {
        let (instance, nonce) = text.split_once(':')?;
        Some(Self {
            instance: InstanceId::parse(instance).ok()?,
            nonce: Nonce::parse(nonce).ok()?,
        })
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.instance, self.nonce)
    }
}

impl Ending {
    /// As text, and back.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Destroyed => "destroyed",
            Self::Expired => "expired",
            Self::Lost => "lost",
        }
    }

    /// The ending behind a text.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Destroyed, Self::Expired, Self::Lost]
            .into_iter()
            .find(|ending| ending.as_str() == text)
    }
}

impl From<Ending> for Happening {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Destroyed => Self::Destroyed,
            Ending::Expired => Self::Expired,
            Ending::Lost => Self::Lost,
        }
    }
}

impl Happening {
    fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Destroyed => "destroyed",
            Self::Expired => "expired",
            Self::Lost => "lost",
        }
    }
}

impl Event {
    /// As text: `<happening> <simulation> <instance>`.
    pub fn to_text(&self) -> String {
        format!("{} {} {}", self.happening.as_str(), self.id, self.instance)
    }

    /// The event behind a text.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let (happening, id, instance) = (words.next()?, words.next()?, words.next()?);
        let known = [
            Happening::Created,
            Happening::Destroyed,
            Happening::Expired,
            Happening::Lost,
        ];
        Some(Self {
            happening: known
                .into_iter()
                .find(|known| known.as_str() == happening)?,
            id: SimulationId::parse(id).ok()?,
            instance: InstanceId::parse(instance).ok()?,
        })
    }
}
