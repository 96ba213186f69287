//! Until when this instance may answer for its simulations.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;

use crate::{
    clock::{Clock, Moment},
    registry::Owner,
};

/// For how long after an outage nothing is taken for unknown or lost: living owners are to speak
/// first, if anything was forgotten, and each instance is to see whether that is so.
const DOUBT: Duration = Duration::from_millis(600);

/// This instance's lease as it stands. Renewed by the keeper, read by every request.
pub(in crate::simulations) struct Lease {
    clock: Clock,
    /// How long it lasts in the registry from each renewal on.
    ttl: Duration,
    /// Past this moment nothing is answered until the keeper has heard from the registry, or has
    /// found that it cannot be reached.
    answers_until: AtomicU64,
    /// The same for what is written down: not put off while the registry cannot be reached.
    held_until: AtomicU64,
    /// How often the lease was taken. What was confirmed under an earlier one may be lost.
    life: AtomicU64,
    renewed: AtomicU64,
    is_registry_reachable: AtomicBool,
    /// Since when the registry may have forgotten something that its owner will tell it again.
    doubted_since: AtomicU64,
    /// Since when it is known that the registry may have, whether there was an outage or not.
    forgetful_since: AtomicU64,
    owner: Mutex<Owner>,
    settled: Notify,
}

impl Lease {
    /// A lease that is yet to be taken.
    pub(super) fn new(clock: Clock, owner: Owner, ttl: Duration) -> Self {
        Self {
            clock,
            ttl,
            answers_until: AtomicU64::new(0),
            held_until: AtomicU64::new(0),
            life: AtomicU64::new(0),
            renewed: AtomicU64::new(0),
            is_registry_reachable: AtomicBool::new(false),
            doubted_since: AtomicU64::new(u64::MAX),
            forgetful_since: AtomicU64::new(u64::MAX),
            owner: Mutex::new(owner),
            settled: Notify::new(),
        }
    }

    /// Who this instance is at present.
    pub(super) fn owner(&self) -> Owner {
        self.owner.lock().expect("no holder panics").clone()
    }

    /// How often the lease was taken.
    pub(super) fn life(&self) -> u64 {
        self.life.load(Ordering::Acquire)
    }

    /// Whether what was confirmed in `life` may be answered for now.
    pub(super) fn covers(&self, life: u64) -> bool {
        self.is_settled() && life == self.life()
    }

    /// Whether what was confirmed in `life` is held by a renewal that the registry has heard of, so
    /// that nobody else can have claimed it.
    pub(super) fn is_held(&self, life: u64) -> bool {
        self.clock.now().as_micros() < self.held_until.load(Ordering::Acquire)
            && life == self.life()
    }

    /// When the lease was last renewed, as far as is known.
    pub(super) fn renewed(&self) -> Moment {
        Moment::from_micros(self.renewed.load(Ordering::Acquire))
    }

    /// Whether the lease was ever tried to be renewed.
    pub(super) fn was_tried(&self) -> bool {
        self.answers_until.load(Ordering::Acquire) > 0
    }

    /// Whether the registry answered the latest renewal.
    pub(super) fn is_registry_reachable(&self) -> bool {
        self.is_registry_reachable.load(Ordering::Acquire)
    }

    /// Begins another life under a new name. Nothing that was confirmed before counts any more.
    pub(super) fn begin(&self, owner: Owner) {
        *self.owner.lock().expect("no holder panics") = owner;
        if self.life.fetch_add(1, Ordering::AcqRel) > 0 {
            self.miss();
        }
    }

    /// Whether the registry may have forgotten something that its owner is yet to tell it again: for a
    /// moment after an outage, and for a lease once a loss was seen. By then every living owner has
    /// seen it, too.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.is_in_doubt_for(DOUBT) || self.is_within(&self.forgetful_since, self.ttl)
    }

    /// Whether the registry may have forgotten something in the last `time`.
    pub(super) fn is_in_doubt_for(&self, time: Duration) -> bool {
        let was_renewed = self.renewed.load(Ordering::Acquire) > 0;
        (was_renewed && !self.is_registry_reachable()) || self.is_within(&self.doubted_since, time)
    }

    /// Notes that the registry may be about to forget something, or has just done so.
    fn doubt(&self) {
        let now = self.clock.now().as_micros();
        self.doubted_since.store(now, Ordering::Release);
    }

    /// Notes that the registry is not what it was: what it knows may be older.
    pub(super) fn distrust(&self) {
        self.doubt();
        let now = self.clock.now().as_micros();
        self.forgetful_since.store(now, Ordering::Release);
    }

    /// Notes that the registry has no such lease. If it cannot have run out it was forgotten, and
    /// other things with it.
    pub(super) fn miss(&self) {
        if self.clock.now() < self.renewed() + self.ttl {
            self.distrust();
        } else {
            self.doubt();
        }
    }

    fn is_within(&self, since: &AtomicU64, time: Duration) -> bool {
        let since = Moment::from_micros(since.load(Ordering::Acquire));
        let now = self.clock.now();
        since <= now && now < since + time
    }

    /// Answers for another three quarters of the lease after a renewal that was sent at `sent`, and that
    /// succeeded or found nobody to ask; whether the registry was reachable before.
    pub(super) fn extend(&self, sent: Moment, is_registry_reachable: bool) -> bool {
        let until = sent + self.ttl * 3 / 4;
        if is_registry_reachable {
            let before = self.renewed.swap(sent.as_micros(), Ordering::AcqRel);
            if before > 0 && !self.is_registry_reachable() {
                self.doubt();
            }
            self.held_until.store(until.as_micros(), Ordering::Release);
        }
        let was_reachable = &self.is_registry_reachable;
        let was_reachable = was_reachable.swap(is_registry_reachable, Ordering::AcqRel);
        self.answers_until
            .fetch_max(until.as_micros(), Ordering::AcqRel);
        self.settled.notify_waiters();
        was_reachable
    }

    /// Notes that the link to the registry broke: until it answers it counts as out of reach.
    pub(super) fn lose_sight(&self) {
        self.doubt();
        self.is_registry_reachable.store(false, Ordering::Release);
    }

    /// Completes when this instance may answer again.
    pub(super) async fn settled(&self) {
        loop {
            // From before it is looked at, so that nothing is missed.
            let settled = self.settled.notified();
            if self.is_settled() {
                return;
            }
            settled.await;
        }
    }

    fn is_settled(&self) -> bool {
        self.clock.now().as_micros() < self.answers_until.load(Ordering::Acquire)
    }
}
