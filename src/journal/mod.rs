//! What happened to simulations, in order and fenced.
//!
//! A command is committed when its entry is appended, and in no other way. An entry is taken only
//! from whoever holds the fencing token, and only behind the entry that its writer believes to be
//! the last one.

mod entry;
mod memory;
mod redis;

use async_trait::async_trait;
use bytes::Bytes;

pub use self::{
    entry::{Entry, EntryError, Event, KeyUsed},
    memory::MemoryJournal,
    redis::RedisJournal,
};
use crate::{
    id::SimulationId,
    registry::{FencingToken, Head},
};

/// Where histories of simulations are kept.
///
/// Every method is one transition that takes place as a whole or not at all, but for the parts of
/// a large snapshot, which count only once the last one is there.
#[async_trait]
pub trait Journal: Send + Sync + 'static {
    /// Appends an entry. Never waits: `settle` is called when the entry's fate is known, in the
    /// order of the calls for one simulation, and never from within this call. What cannot be sent, or whose answer is lost, is sent
    /// again for as long as it takes; it is appended once at most.
    fn append(&self, append: Append, settle: Settle);

    /// Whether an entry would be sent at once, as far as is known.
    fn is_reachable(&self) -> bool;

    /// Keeps a snapshot.
    async fn save(&self, save: Save) -> Result<Verdict, JournalError>;

    /// Gives a simulation up without a snapshot: whoever comes next replays its entries. With a
    /// `fault` nobody is to replay them; it is kept beside them.
    async fn let_go(
        &self,
        id: &SimulationId,
        token: &FencingToken,
        fault: Option<&str>,
    ) -> Result<Verdict, JournalError>;

    /// Where a journal stands, if there is one.
    async fn standing(&self, id: &SimulationId) -> Result<Option<Standing>, JournalError>;

    /// A snapshot, as it was saved.
    async fn snapshot(&self, id: &SimulationId, seq: u64) -> Result<Option<Bytes>, JournalError>;

    /// Up to `limit` entries behind `after`, in order.
    async fn entries(
        &self,
        id: &SimulationId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Written>, JournalError>;
}

/// Told what became of an entry.
pub type Settle = Box<dyn FnOnce(Result<Verdict, JournalError>) + Send>;

/// An entry to append.
#[derive(Clone, Debug)]
pub struct Append {
    /// The simulation.
    pub id: SimulationId,
    /// Under which token it is claimed.
    pub token: FencingToken,
    /// Where its journal stands, as its owner believes.
    pub after: Head,
    /// The chain with this entry, whose seq is the next one.
    pub chain: u64,
    /// The entry, encoded.
    pub entry: Bytes,
    /// Whether there may be no entry before it: the journal's time to live is then set.
    pub is_first: bool,
}

impl Append {
    /// Where the journal stands with this entry.
    pub fn head(&self) -> Head {
        Head {
            seq: self.after.seq + 1,
            chain: self.chain,
        }
    }
}

/// A snapshot to keep.
#[derive(Clone, Debug)]
pub struct Save {
    /// The simulation.
    pub id: SimulationId,
    /// Under which token it is claimed.
    pub token: FencingToken,
    /// Which entry was the last one when it was taken.
    pub head: Head,
    /// The snapshot.
    pub image: Bytes,
    /// What it is for.
    pub purpose: Purpose,
    /// The other snapshots there are, newest first.
    pub others: Vec<u64>,
    /// After which time it is to expire.
    pub expires_in: std::time::Duration,
}

/// What a snapshot is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To begin with: there is nothing yet.
    Begin,
    /// To shorten replays. The newest of the others stays, with the entries behind it; the rest,
    /// and all entries before, are dropped. Entries behind this snapshot may have been appended
    /// since it was taken.
    Bound,
    /// To give the simulation up: it has no owner afterwards, no entries and no other snapshot.
    Rest,
    /// To tell the journal what it forgot. It must stand at `seen` (or nowhere), under this token
    /// or an earlier one. Afterwards it stands where the snapshot does, without entries.
    Repair {
        /// Where the journal was found.
        seen: Option<Head>,
    },
}

/// What became of an entry or a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is kept.
    Kept,
    /// Somebody else has claimed the simulation since.
    Fenced,
    /// The journal stands elsewhere than its owner believes, or there is none. Where it stands as
    /// believed, the entries before have vanished.
    Elsewhere(Option<Head>),
}

/// Where a journal stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Under which token the simulation was last claimed.
    pub token: FencingToken,
    /// The last entry.
    pub head: Head,
    /// Which snapshots there are, newest first.
    pub snapshots: Vec<u64>,
    /// Why nobody is to replay it, if so.
    pub fault: Option<String>,
}

/// An entry as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its number and the chain with it.
    pub head: Head,
    /// The entry, encoded.
    pub entry: Bytes,
}

/// Why a journal did not do as asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum JournalError {
    /// It cannot be reached, or did not answer.
    #[error("the journal cannot be reached: {0}")]
    Unavailable(String),
    /// It answered, and has not taken it.
    #[error("the journal refused: {0}")]
    Refused(String),
}
