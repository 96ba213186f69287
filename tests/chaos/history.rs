//! What clients have been told, written down as it happens.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    checks::Checked,
    figures::ms,
    harness::{Reply, Request},
};

/// How many contradictions a run reports.
const MAX_VIOLATIONS: usize = 40;

/// Where a simulation stood: `<seq>-<chain>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment {
    pub(crate) seq: u64,
    pub(crate) chain: u64,
}

/// Everything that was seen in one run.
pub(crate) struct History {
    begun: Instant,
    worlds: Mutex<Vec<Arc<World>>>,
    violations: Mutex<Vec<Violation>>,
    /// Of simulations that were checked and forgotten.
    past: Mutex<(Tally, Checked)>,
    /// The longest time that a request took to be decided, ms: of all, and since somebody began to
    /// count anew.
    longest_wait: AtomicU64,
    longest_of_late: AtomicU64,
    /// Why requests were sent once more, and how often.
    troubles: Mutex<BTreeMap<String, usize>>,
}

/// One simulation. Its name is never used for another one.
pub(crate) struct World {
    pub(crate) id: String,
    pub(crate) creation: Request,
    notes: Mutex<Notes>,
}

/// What is known of a simulation.
#[derive(Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each may become true at any time, whatever the others are"
)]
pub(crate) struct Notes {
    /// Commands that were acknowledged, each once, in the order in which that was heard.
    pub(crate) acks: Vec<Answer>,
    /// Further answers to the same keys.
    pub(crate) repeats: Vec<Answer>,
    keys: BTreeSet<String>,
    pub(crate) reads: Vec<Read>,
    /// What was seen of the journal.
    pub(crate) entries: BTreeMap<Moment, Entry>,
    /// The numbers of the snapshots that were seen.
    pub(crate) snapshots: BTreeSet<u64>,
    /// Commands of which nobody has said what became of them, by their key, or the name of what they
    /// add.
    pub(crate) doubtful: BTreeMap<String, Request>,
    /// Keys of commands that were refused because the simulation stood elsewhere.
    pub(crate) unmet: BTreeSet<String>,
    /// Clients that were told that something they had seen is gone.
    pub(crate) told_of_loss: Vec<String>,
    /// Whether a client has asked for its end.
    pub(crate) is_being_deleted: bool,
    /// When it had ended, if a client has seen to that.
    pub(crate) ended: Option<Duration>,
    /// Whether Redis has forgotten something just when the owner was gone, too.
    pub(crate) may_lose: bool,
    /// Until when whoever is not its owner may know nothing of it: Redis has forgotten something.
    pub(crate) unknown_until: Option<Instant>,
    /// Whether Redis may have forgotten that it was destroyed.
    pub(crate) may_return: bool,
    /// Whether a snapshot of it was damaged.
    pub(crate) is_damaged: bool,
    /// Whether nothing was left of it then.
    pub(crate) is_gone: bool,
}

/// A command and its answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) request: Request,
    pub(crate) status: u16,
    /// Nothing where the reply was not kept.
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) seq: u64,
    pub(crate) moment: Option<Moment>,
    pub(crate) hash: Option<String>,
    /// Where the command required the simulation to stand.
    pub(crate) condition: Option<Moment>,
    pub(crate) is_replayed: bool,
    pub(crate) client: usize,
    pub(crate) instance: String,
    /// When it was first sent, and when it was answered, since the run began.
    pub(crate) sent: Duration,
    pub(crate) answered: Duration,
    /// Whether it was forgotten where that may happen.
    pub(crate) is_lost: bool,
}

/// A look at a simulation.
#[derive(Clone, Debug)]
pub(crate) struct Read {
    pub(crate) moment: Moment,
    pub(crate) hash: Option<String>,
    /// For reads that must not be old: the last command that was acknowledged before it was asked.
    pub(crate) floor: Option<Moment>,
    pub(crate) instance: String,
    pub(crate) sent: Duration,
    pub(crate) answered: Duration,
}

/// An entry of a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: Option<String>,
    /// The command, a takeover, or that an earlier one is voided.
    pub(crate) event: String,
    /// The hash of the state before it.
    pub(crate) hash: String,
}

/// How much there is in histories.
#[derive(Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) simulations: usize,
    pub(crate) acknowledged: usize,
    pub(crate) lost: usize,
    pub(crate) resends: usize,
    pub(crate) reads: usize,
    pub(crate) snapshots: usize,
}

/// A promise that was not kept.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    /// The simulation, if it is about one.
    pub(crate) world: Option<String>,
    /// Around which of its commands.
    pub(crate) seq: Option<u64>,
    pub(crate) text: String,
}

impl Moment {
    /// Reads an `ETag`.
    pub(crate) fn parse(tag: &str) -> Option<Self> {
        let (seq, chain) = tag.trim_matches('"').split_once('-')?;
        Some(Self {
            seq: seq.parse().ok()?,
            chain: u64::from_str_radix(chain, 16).ok()?,
        })
    }

    pub(crate) fn of(reply: &Reply) -> Option<Self> {
        reply.header("etag").and_then(Self::parse)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:016x}", self.seq, self.chain)
    }
}

impl History {
    pub(crate) fn new() -> Self {
        Self {
            begun: Instant::now(),
            worlds: Mutex::default(),
            violations: Mutex::default(),
            past: Mutex::default(),
            longest_wait: AtomicU64::new(0),
            longest_of_late: AtomicU64::new(0),
            troubles: Mutex::default(),
        }
    }

    /// How long the run has lasted.
    pub(crate) fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    pub(crate) fn add(&self, world: &Arc<World>) {
        self.worlds_guard().push(Arc::clone(world));
    }

    /// Every simulation there was.
    pub(crate) fn worlds(&self) -> Vec<Arc<World>> {
        self.worlds_guard().clone()
    }

    /// Those that are to be there.
    pub(crate) fn living(&self) -> Vec<Arc<World>> {
        let mut worlds = self.worlds();
        worlds.retain(|world| world.is_living());
        worlds
    }

    /// Those that a client has ended, and when that was long ago.
    pub(crate) fn ended_before(&self, time: Duration) -> Vec<Arc<World>> {
        let mut worlds = self.worlds();
        worlds.retain(|world| world.notes().ended.is_some_and(|ended| ended < time));
        worlds
    }

    /// Keeps the figures alone of a simulation that has ended and was checked.
    pub(crate) fn forget(&self, world: &World, checked: Checked) {
        self.worlds_guard().retain(|other| other.id != world.id);
        let mut past = self.past.lock().expect("no holder panics");
        past.0.count(&world.notes());
        past.1 = past.1.plus(checked);
        *world.notes() = Notes {
            is_being_deleted: true,
            ..Notes::default()
        };
    }

    /// The figures of all simulations, and what was checked of those that are forgotten.
    pub(crate) fn tally(&self) -> (Tally, Checked) {
        let (mut tally, checked) = *self.past.lock().expect("no holder panics");
        for world in self.worlds() {
            tally.count(&world.notes());
        }
        (tally, checked)
    }

    pub(crate) fn waited(&self, time: Duration) {
        let ms = ms(time);
        self.longest_wait.fetch_max(ms, Ordering::AcqRel);
        self.longest_of_late.fetch_max(ms, Ordering::AcqRel);
    }

    pub(crate) fn longest_wait_ms(&self) -> u64 {
        self.longest_wait.load(Ordering::Acquire)
    }

    /// The longest wait since this was asked last.
    pub(crate) fn longest_wait_of_late_ms(&self) -> u64 {
        self.longest_of_late.swap(0, Ordering::AcqRel)
    }

    /// Notes why a request is sent once more.
    pub(crate) fn trouble(&self, why: &str) {
        let mut troubles = self.troubles.lock().expect("no holder panics");
        *troubles.entry(why.to_owned()).or_default() += 1;
    }

    pub(crate) fn troubles(&self) -> BTreeMap<String, usize> {
        self.troubles.lock().expect("no holder panics").clone()
    }

    /// Notes that a promise was not kept.
    pub(crate) fn object(&self, world: Option<&World>, seq: Option<u64>, text: impl Into<String>) {
        let mut violations = self.violations.lock().expect("no holder panics");
        if violations.len() < MAX_VIOLATIONS {
            violations.push(Violation {
                world: world.map(|world| world.id.clone()),
                seq,
                text: text.into(),
            });
        }
    }

    /// Whether a promise about this simulation was not kept.
    pub(crate) fn objects_to(&self, world: &World) -> bool {
        let violations = self.violations.lock().expect("no holder panics");
        let mut about = violations.iter().filter_map(|it| it.world.as_ref());
        about.any(|id| *id == world.id)
    }

    pub(crate) fn violations(&self) -> Vec<Violation> {
        self.violations.lock().expect("no holder panics").clone()
    }

    fn worlds_guard(&self) -> MutexGuard<'_, Vec<Arc<World>>> {
        self.worlds.lock().expect("no holder panics")
    }
}

impl World {
    pub(crate) fn new(id: String, creation: Request) -> Self {
        Self {
            id,
            creation,
            notes: Mutex::default(),
        }
    }

    pub(crate) fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().expect("no holder panics")
    }

    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/simulations/{}{rest}", self.id)
    }

    pub(crate) fn is_living(&self) -> bool {
        let notes = self.notes();
        !notes.is_being_deleted && !notes.is_gone
    }

    /// The last command that was acknowledged so far.
    pub(crate) fn newest(&self) -> Option<Moment> {
        self.notes().newest()
    }
}

impl Tally {
    fn count(&mut self, notes: &Notes) {
        self.simulations += 1;
        self.acknowledged += notes.acks.len();
        self.lost += notes.acks.iter().filter(|answer| answer.is_lost).count();
        self.resends += notes.repeats.len();
        self.reads += notes.reads.len();
        // The first is of its creation.
        self.snapshots += notes.snapshots.len().saturating_sub(1);
    }
}

impl Answer {
    /// In one line.
    pub(crate) fn shown(&self) -> String {
        let Self {
            request,
            seq,
            moment,
            client,
            instance,
            sent,
            answered,
            is_replayed,
            is_lost,
            ..
        } = self;
        let moment = moment.map_or_else(|| seq.to_string(), |moment| moment.to_string());
        let body = request.body.as_ref().map(ToString::to_string);
        let mut body = body.unwrap_or_default();
        body.truncate(200);
        let key = request.key.as_deref().unwrap_or("-");
        let again = if *is_replayed { ", again" } else { "" };
        let lost = if *is_lost { ", lost" } else { "" };
        format!(
            "{moment} by {instance}{again}{lost}, {sent:.3?} to {answered:.3?}: client {client} key {key} {} {} {body}",
            request.method, request.path
        )
    }

    /// The same with what was answered.
    pub(crate) fn told(&self) -> String {
        let body = self.body.as_deref().unwrap_or_default();
        let body: String = String::from_utf8_lossy(body).chars().take(1000).collect();
        let Self { status, hash, .. } = self;
        format!("{status} {hash:?} {body} to {}", self.shown())
    }
}

impl Notes {
    /// The commands that were acknowledged and are to be there.
    pub(crate) fn kept(&self) -> impl Iterator<Item = &Answer> {
        self.acks.iter().filter(|answer| !answer.is_lost)
    }

    /// Notes an answer: the first one to its key, or a further one.
    pub(crate) fn note(&mut self, answer: Answer) {
        let is_first = match &answer.request.key {
            Some(key) => self.keys.insert(key.clone()),
            None => true,
        };
        if is_first {
            self.acks.push(answer);
        } else {
            self.repeats.push(answer);
        }
    }

    /// Takes answers to keys of which all that was known is lost for what they are: the command
    /// was carried out anew.
    pub(crate) fn settle(&mut self) {
        for repeat in std::mem::take(&mut self.repeats) {
            let key = &repeat.request.key;
            let mut firsts = self.acks.iter().filter(|first| first.request.key == *key);
            let is_known = firsts.any(|first| {
                // Whose reply was not kept says its number only.
                let is_it = match repeat.moment {
                    Some(moment) => first.moment == Some(moment),
                    None => first.seq == repeat.seq,
                };
                !first.is_lost || is_it
            });
            if is_known {
                self.repeats.push(repeat);
            } else {
                self.acks.push(repeat);
            }
        }
    }

    fn newest(&self) -> Option<Moment> {
        self.kept().filter_map(|answer| answer.moment).max()
    }
}
