//! Which keyed commands have been applied, and what was answered.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{committed::Position, error::SimulationError, reply::Reply};
use crate::journal::KeyUsed;

/// How many keys a simulation remembers.
const MAX_KEYS: usize = 4096;
/// For how long, in µs.
const KEY_LIFETIME_MICROS: u64 = 24 * 3600 * 1_000_000;
/// How many bytes of replies a simulation keeps; the newest are kept.
const MAX_REPLY_BYTES: usize = 64 * 1024;

/// A client's key for a request that it may send again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The key as sent.
    pub key: Arc<str>,
    /// A hash of the request, so that a key used for another one is noticed.
    pub fingerprint: u128,
}

/// The keyed commands of one simulation, oldest first.
#[derive(Default)]
pub(super) struct IdempotencyTable {
    applied: IndexMap<Arc<str>, Applied>,
    reply_bytes: usize,
}

struct Applied {
    fingerprint: u128,
    /// µs since 1970: the table may be carried to another process.
    at: u64,
    position: Position,
    body: Option<Bytes>,
}

/// A keyed request and its reply, to be written down.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Remembered {
    key: String,
    /// High half first.
    fingerprint: (u64, u64),
    at: u64,
    position: Position,
    #[serde(with = "serde_bytes")]
    body: Option<Vec<u8>>,
}

/// The keys of requests that wait or run.
#[derive(Default)]
pub(super) struct KeysInFlight(Mutex<HashSet<Arc<str>>>);

/// Holds a key as long as its request waits or runs.
pub(super) struct KeyInFlight {
    owner: Arc<super::shared::Shared>,
    key: Arc<str>,
}

impl IdempotencyTable {
    /// The reply to an earlier request with this key, if there was one.
    pub(super) fn recall(&self, key: &IdempotencyKey) -> Option<Result<Reply, SimulationError>> {
        let applied = self.applied.get(&key.key)?;
        Some(if applied.fingerprint != key.fingerprint {
            Err(SimulationError::KeyReused)
        } else if let Some(body) = &applied.body {
            Ok(Reply {
                body: body.clone(),
                position: applied.position,
                is_replayed: true,
            })
        } else {
            Err(SimulationError::ReplyNotKept {
                seq: applied.position.head.seq,
            })
        })
    }

    /// Remembers what a keyed command was answered.
    pub(super) fn remember(&mut self, key: IdempotencyKey, reply: &Reply, at: u64) {
        self.forget_old(at);
        self.reply_bytes += reply.body.len();
        self.applied.insert(
            key.key,
            Applied {
                fingerprint: key.fingerprint,
                at,
                position: reply.position,
                body: Some(reply.body.clone()),
            },
        );
        for applied in self.applied.values_mut() {
            if self.reply_bytes <= MAX_REPLY_BYTES {
                break;
            }
            self.reply_bytes -= applied.body.take().map_or(0, |body| body.len());
        }
    }

    /// All of it, oldest first.
    pub(super) fn to_remembered(&self) -> Vec<Remembered> {
        let written = self.applied.iter().map(|(key, applied)| Remembered {
            key: key.as_ref().to_owned(),
            fingerprint: halves(applied.fingerprint),
            at: applied.at,
            position: applied.position,
            body: applied.body.as_deref().map(<[u8]>::to_vec),
        });
        written.collect()
    }

    /// The table that was written down.
    pub(super) fn from_remembered(written: Vec<Remembered>) -> Self {
        let mut table = Self::default();
        for one in written {
            let body: Option<Bytes> = one.body.map(Into::into);
            table.reply_bytes += body.as_ref().map_or(0, Bytes::len);
            let applied = Applied {
                fingerprint: whole(one.fingerprint),
                at: one.at,
                position: one.position,
                body,
            };
            table.applied.insert(one.key.into(), applied);
        }
        table
    }

    fn forget_old(&mut self, now: u64) {
        while let Some((_, oldest)) = self.applied.first() {
            if oldest.at.saturating_add(KEY_LIFETIME_MICROS) > now && self.applied.len() < MAX_KEYS
            {
                break;
            }
            if let Some((_, applied)) = self.applied.shift_remove_index(0) {
                self.reply_bytes -= applied.body.map_or(0, |body| body.len());
            }
        }
    }
}

impl Remembered {
    /// A keyed request that was answered at `at`.
    pub(super) fn new(key: &IdempotencyKey, reply: &Reply, at: u64) -> Self {
        Self {
            key: key.key.as_ref().to_owned(),
            fingerprint: halves(key.fingerprint),
            at,
            position: reply.position,
            body: Some(reply.body.to_vec()),
        }
    }

    /// µs from 1970 to its answer.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// The request and its reply.
    pub(super) fn into_parts(self) -> (IdempotencyKey, Reply) {
        let key = IdempotencyKey {
            key: self.key.into(),
            fingerprint: whole(self.fingerprint),
        };
        let reply = Reply {
            body: self.body.unwrap_or_default().into(),
            position: self.position,
            is_replayed: false,
        };
        (key, reply)
    }
}

impl IdempotencyKey {
    /// The key as it is written down.
    pub(super) fn used(&self) -> KeyUsed {
        KeyUsed {
            key: self.key.as_ref().to_owned(),
            fingerprint: halves(self.fingerprint),
        }
    }

    /// The key that was written down.
    pub(super) fn of(used: &KeyUsed) -> Self {
        Self {
            key: used.key.as_str().into(),
            fingerprint: whole(used.fingerprint),
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "it is cut in two halves")]
fn halves(number: u128) -> (u64, u64) {
    ((number >> 64) as u64, number as u64)
}

fn whole((high, low): (u64, u64)) -> u128 {
    u128::from(high) << 64 | u128::from(low)
}

impl KeyInFlight {
    /// Takes a key for a request, unless another request with it waits or runs.
    pub(super) fn take(
        owner: &Arc<super::shared::Shared>,
        key: &IdempotencyKey,
    ) -> Result<Self, SimulationError> {
        if owner.keys_in_flight.keys().insert(Arc::clone(&key.key)) {
            Ok(Self {
                owner: Arc::clone(owner),
                key: Arc::clone(&key.key),
            })
        } else {
            Err(SimulationError::KeyInFlight)
        }
    }
}

impl Drop for KeyInFlight {
    fn drop(&mut self) {
        self.owner.keys_in_flight.keys().remove(&self.key);
    }
}

impl KeysInFlight {
    fn keys(&self) -> std::sync::MutexGuard<'_, HashSet<Arc<str>>> {
        self.0.lock().expect("no holder of this lock panics")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Head;

    fn key(number: usize) -> IdempotencyKey {
        IdempotencyKey {
            key: number.to_string().into(),
            fingerprint: 1,
        }
    }

    fn reply(size: usize) -> Reply {
        Reply {
            body: vec![b'x'; size].into(),
            position: Position {
                head: Head { seq: 7, chain: 0 },
                step: 0,
                state_hash: None,
            },
            is_replayed: false,
        }
    }

    #[test]
    fn the_newest_replies_are_kept_and_older_keys_still_say_that_they_were_applied() {
        let mut table = IdempotencyTable::default();
        let now = 0;
        for number in 0..3 {
            table.remember(key(number), &reply(30_000), now);
        }

        let oldest = table.recall(&key(0)).unwrap();
        assert!(matches!(
            oldest,
            Err(SimulationError::ReplyNotKept { seq: 7 })
        ));
        assert!(table.recall(&key(2)).unwrap().unwrap().is_replayed);
    }

    #[test]
    fn keys_are_forgotten_by_number_and_by_age() {
        let mut table = IdempotencyTable::default();
        let now = 0;
        for number in 0..=MAX_KEYS {
            table.remember(key(number), &reply(0), now);
        }
        assert!(table.recall(&key(0)).is_none());
        assert!(table.recall(&key(1)).is_some());

        table.remember(key(MAX_KEYS + 1), &reply(0), now + KEY_LIFETIME_MICROS);
        assert!(table.recall(&key(MAX_KEYS)).is_none());
    }
}
