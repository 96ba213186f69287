//! Everything there is in one run: the store, the instances, the network between them, and chance.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use rapier_physics_service::{
    clock::Clock,
    journal::MemoryJournal,
    registry::{MemoryRegistry, Recollection},
};
use tokio::{sync::Notify, time::Instant};

use crate::{diary::Diary, dice::Dice, ledger::Ledger, process::Process};

/// How many instances there are at a time.
pub(crate) const HOSTS: usize = 3;
/// What they are called.
pub(crate) const NAMES: [&str; HOSTS] = ["a", "b", "c"];
/// How many simulations there are at a time.
pub(crate) const SIMULATIONS: usize = 2;

/// One run.
pub(crate) struct Universe {
    began: Instant,
    dice: Mutex<Dice>,
    diary: Mutex<Diary>,
    ledger: Mutex<Ledger>,
    weather: Mutex<Weather>,
    /// Told when the weather changes.
    changes: Notify,
    hosts: Mutex<[Option<Arc<Process>>; HOSTS]>,
    /// Whether clients destroy what they have created: much may then be as it likes.
    pub(crate) ends_simulations: bool,
    pub(crate) registry: Arc<MemoryRegistry>,
    pub(crate) journal: MemoryJournal,
}

/// What does not work at present.
#[derive(Clone, Copy, Default)]
pub(crate) struct Weather {
    /// Nobody reaches the store.
    pub(crate) is_down: bool,
    /// Everything is slow, and much is lost.
    pub(crate) is_stormy: bool,
    /// Which instances do not reach the store.
    pub(crate) is_cut: [bool; HOSTS],
    /// Which instances do not reach the others.
    pub(crate) is_alone: [bool; HOSTS],
    /// Where nobody is left to refuse connections.
    pub(crate) is_gone: [bool; HOSTS],
    /// How often connections to the store have broken.
    pub(crate) epoch: u64,
}

/// What becomes of a message and of its answer.
pub(crate) struct Fate {
    pub(crate) there: Duration,
    pub(crate) back: Duration,
    pub(crate) is_lost: bool,
    pub(crate) is_unheard: bool,
}

impl Universe {
    pub(crate) fn new(seed: u64, is_kept: bool) -> Arc<Self> {
        let clock = Clock::of_runtime(Duration::from_secs(1_700_000_000), Duration::ZERO);
        let registry = Arc::new(MemoryRegistry::new(clock));
        let mut dice = Dice::new(seed);
        let ends_simulations = dice.permille(200);
        Arc::new(Self {
            ends_simulations,
            began: Instant::now(),
            dice: Mutex::new(dice),
            diary: Mutex::new(Diary::new(is_kept)),
            ledger: Mutex::new(Ledger::default()),
            weather: Mutex::default(),
            changes: Notify::new(),
            hosts: Mutex::default(),
            journal: MemoryJournal::new(Arc::clone(&registry)),
            registry,
        })
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    pub(crate) fn dice(&self) -> MutexGuard<'_, Dice> {
        self.dice.lock().expect("one thread")
    }

    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().expect("one thread")
    }

    pub(crate) fn weather(&self) -> Weather {
        *self.weather.lock().expect("one thread")
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Weather)) {
        change(&mut self.weather.lock().expect("one thread"));
        self.changes.notify_waiters();
    }

    pub(crate) fn host(&self, host: usize) -> Option<Arc<Process>> {
        self.hosts.lock().expect("one thread")[host].clone()
    }

    pub(crate) fn set_host(&self, host: usize, process: Option<Arc<Process>>) {
        self.hosts.lock().expect("one thread")[host] = process;
    }

    pub(crate) fn note(&self, who: &str, what: &str, about: usize, number: u64) {
        let mut diary = self.diary.lock().expect("one thread");
        diary.note(self.elapsed(), who, what, [about as u64, number]);
    }

    /// Notes that a promise was broken.
    pub(crate) fn accuse(&self, mut text: String) {
        self.note("verdict", "violation", 0, 0);
        text.insert_str(0, &format!("{:?}: ", self.elapsed()));
        self.ledger().violations.push(text);
    }

    pub(crate) fn digest(&self) -> (u64, u64) {
        self.diary.lock().expect("one thread").digest()
    }

    /// What was noted, and what was found.
    pub(crate) fn testimony(&self) -> (Vec<String>, Vec<String>) {
        let mut diary = self.diary.lock().expect("one thread");
        let diary = std::mem::replace(&mut *diary, Diary::new(false));
        let violations = std::mem::take(&mut self.ledger().violations);
        (diary.into_lines(), violations)
    }

    pub(crate) fn recollect(&self) -> Recollection {
        self.registry.recollect()
    }

    /// Whether what an instance has sent over a connection of that epoch arrives at the store.
    pub(crate) fn connects(&self, host: usize, epoch: u64) -> bool {
        let weather = self.weather();
        !weather.is_down && !weather.is_cut[host] && weather.epoch == epoch
    }

    /// Completes when the connection of an instance to the store has broken, and it can know.
    pub(crate) async fn broken(&self, host: usize, epoch: u64) {
        loop {
            let weather = self.weather();
            if weather.epoch != epoch && !weather.is_cut[host] {
                return;
            }
            self.changes.notified().await;
        }
    }

    /// What becomes of a message to the store.
    pub(crate) fn fate(&self) -> Fate {
        let is_stormy = self.weather().is_stormy;
        let mut dice = self.dice();
        let way = |dice: &mut Dice| match (is_stormy, dice.below(1000)) {
            (true, 0..20) | (false, 0..2) => dice.millis(1300..6000),
            (true, _) => dice.millis(0..400),
            (false, 2..30) => dice.millis(20..200),
            (false, _) => dice.millis(0..4),
        };
        Fate {
            there: way(&mut dice),
            back: way(&mut dice),
            is_lost: dice.permille(if is_stormy { 30 } else { 1 }),
            is_unheard: dice.permille(if is_stormy { 80 } else { 4 }),
        }
    }

    /// How long a message between instances and clients takes.
    pub(crate) fn way(&self) -> Duration {
        let is_stormy = self.weather().is_stormy;
        let mut dice = self.dice();
        match (is_stormy, dice.below(100)) {
            (true, _) => dice.millis(0..300),
            (false, 0..3) => dice.millis(10..500),
            (false, _) => dice.millis(0..4),
        }
    }

    /// How long something waits for a thread, and is computed.
    pub(crate) fn computing(&self) -> Duration {
        let mut dice = self.dice();
        match dice.below(100) {
            0..2 => dice.millis(20..300),
            2..20 => dice.millis(2..12),
            _ => dice.millis(0..2),
        }
    }
}
