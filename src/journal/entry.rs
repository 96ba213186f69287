//! One entry: what happened, when, and what the world was like before.

use serde::{Deserialize, Serialize};

use crate::{physics::Command, registry::Head};

/// The layout of encoded entries; another number is another layout.
const FORMAT: u8 = 1;

/// What happened to a simulation at one point of its history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry<C = Command> {
    /// µs since 1970, by the clock of whoever wrote it.
    pub at: u64,
    /// The hash of the world's state before it.
    pub state_hash: u64,
    /// The key under which its client may ask again.
    pub key: Option<KeyUsed>,
    /// What happened.
    pub event: Event<C>,
}

/// What can happen to a simulation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event<C = Command> {
    /// A command was given.
    Command(C),
    /// The engine failed on the command of this number, which counts as never given.
    Voided(u64),
    /// Another instance, of this name, went on with it.
    Takeover(String),
}

/// An idempotency key and what it was used for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyUsed {
    /// The key as sent.
    pub key: String,
    /// A hash of the request, high half first.
    pub fingerprint: (u64, u64),
}

/// Bytes that hold no entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// They are not those that were written.
    #[error("the entry is damaged")]
    Damaged,
    /// They are of another layout.
    #[error("the entry has another format")]
    OtherFormat,
}

impl<C: Serialize> Entry<C> {
    /// The entry as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![FORMAT];
        // With names, so that it can hold what is optional.
        rmp_serde::encode::write_named(&mut bytes, self)
            .expect("entries hold nothing that cannot be written");
        bytes
    }
}

impl Entry {
    /// The entry behind some bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, EntryError> {
        match bytes.split_first() {
            Some((&FORMAT, rest)) => rmp_serde::from_slice(rest).map_err(|_| EntryError::Damaged),
            Some(_) => Err(EntryError::OtherFormat),
            None => Err(EntryError::Damaged),
        }
    }
}

impl Head {
    /// The head behind an entry that follows this one.
    #[must_use]
    pub fn followed_by(self, entry: &[u8]) -> Self {
        let seq = self.seq + 1;
        let mut hash = xxhash_rust::xxh3::Xxh3::new();
        hash.update(&self.chain.to_le_bytes());
        hash.update(&seq.to_le_bytes());
        hash.update(entry);
        Self {
            seq,
            chain: hash.digest(),
        }
    }
}
