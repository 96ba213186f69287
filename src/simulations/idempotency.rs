//! Which keyed commands have been applied, and what was answered.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use indexmap::IndexMap;

use super::{error::SimulationError, reply::Reply};
use crate::clock::Moment;

/// How many keys a simulation remembers.
const MAX_KEYS: usize = 4096;
/// For how long.
const KEY_LIFETIME: Duration = Duration::from_secs(24 * 3600);
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
    at: Moment,
    seq: u64,
    step: u64,
    body: Option<Bytes>,
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
                seq: applied.seq,
                step: applied.step,
                is_replayed: true,
            })
        } else {
            Err(SimulationError::ReplyNotKept { seq: applied.seq })
        })
    }

    /// Remembers what a keyed command was answered.
    pub(super) fn remember(&mut self, key: IdempotencyKey, reply: &Reply, now: Moment) {
        self.forget_old(now);
        self.reply_bytes += reply.body.len();
        self.applied.insert(
            key.key,
            Applied {
                fingerprint: key.fingerprint,
                at: now,
                seq: reply.seq,
                step: reply.step,
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

    fn forget_old(&mut self, now: Moment) {
        while let Some((_, oldest)) = self.applied.first() {
            if oldest.at + KEY_LIFETIME > now && self.applied.len() < MAX_KEYS {
                break;
            }
            if let Some((_, applied)) = self.applied.shift_remove_index(0) {
                self.reply_bytes -= applied.body.map_or(0, |body| body.len());
            }
        }
    }
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

    fn key(number: usize) -> IdempotencyKey {
        IdempotencyKey {
            key: number.to_string().into(),
            fingerprint: 1,
        }
    }

    fn reply(size: usize) -> Reply {
        Reply {
            body: vec![b'x'; size].into(),
            seq: 7,
            step: 0,
            is_replayed: false,
        }
    }

    #[test]
    fn the_newest_replies_are_kept_and_older_keys_still_say_that_they_were_applied() {
        let mut table = IdempotencyTable::default();
        let now = Moment::from_micros(0);
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
        let now = Moment::from_micros(0);
        for number in 0..=MAX_KEYS {
            table.remember(key(number), &reply(0), now);
        }
        assert!(table.recall(&key(0)).is_none());
        assert!(table.recall(&key(1)).is_some());

        table.remember(key(MAX_KEYS + 1), &reply(0), now + KEY_LIFETIME);
        assert!(table.recall(&key(MAX_KEYS)).is_none());
    }
}
