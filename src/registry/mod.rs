//! Who owns which simulation, until when, and what became of those that are gone.
//!
//! An *owner* is one life of an instance's lease. Simulations are claimed under a fencing token;
//! whoever finds another token than its own has lost the simulation.

mod memory;
mod redis;

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::stream::BoxStream;

pub use self::{memory::MemoryRegistry, redis::RedisRegistry};
use crate::id::{InstanceId, Nonce, SimulationId, Tenant};

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

    /// Takes the lease of an instance under a new nonce, whoever held it.
    async fn take_lease(&self, me: &Peer, lease: Duration) -> Result<(), RegistryError>;

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

    /// Registers simulations of `me` again, whatever became of their entries, unless somebody
    /// else has claimed them. One answer for each.
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

    /// Why entries may vanish before their time, if they may.
    async fn eviction_risk(&self) -> Option<String>;

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
    /// For whoever looks into the registry.
    pub details: Vec<(&'static str, String)>,
}

/// What a renewal found.
#[derive(Debug)]
pub enum Renewal {
    /// The lease is held; so do these.
    Held(Vec<Owner>),
    /// The lease has ended, or somebody else has it.
    Gone,
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
    /// Its owner.
    pub owner: Owner,
    /// Under which token it is owned.
    pub token: FencingToken,
    /// Whose it is.
    pub tenant: Option<Tenant>,
}

/// What came of registering a simulation again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reasserted {
    /// It is registered under this token.
    Kept(FencingToken),
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
}

/// What came of a touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touched {
    /// The entry stands.
    Kept,
    /// There is no entry.
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
    /// It is owned.
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
#[derive(Debug, thiserror::Error)]
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
