//! `make sim`: instances of the service, a store that fails, and their clients, in one thread on a
//! time of their own. A seed decides everything that happens, so that it happens again.

use std::{
    io::{self, Write},
    panic,
    process::ExitCode,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use clap::Parser;

mod client;
mod diary;
mod dice;
mod ledger;
mod life;
mod link;
mod nemesis;
mod network;
mod process;
mod run;
mod universe;
mod verdict;

/// Seeds that have found something once.
const PINNED: &[u64] = &[
    1625,    // A reader who is told that a simulation is gone, as it was put down half done.
    3457,    // An heir that is overtaken while it writes down that it goes on.
    11452,   // Labels that an order undoes that was given up.
    46552,   // Labels that are taken for older than those of a claim that the store has forgotten.
    51182,   // Clients that are told of a loss before it is known whose history goes on.
    64508,   // The same, by an owner that Redis remembers while it has forgotten its heir.
    87515,   // A reader who is never told whose history goes on, as both are as long.
    139_258, // Labels that an owner is given whose heir has yet to tell the store that it is.
    168_573, // A simulation at rest that is woken while its owner has yet to tell the store that it has it.
    68487,   // A simulation that is taken for destroyed: another one of its name was, before.
    20505,   // A lease that is asked for, given up, and lent after the next one.
];
/// Every how many seeds one is run twice, to see whether it goes the same way again.
const REPEATS: u64 = 64;
/// After how many seeds it is said how far it has come.
const PROGRESS: u64 = 10_000;

/// Runs the protocol against a store that fails.
#[derive(Parser)]
struct Options {
    /// How many seeds.
    #[arg(long, env = "SEEDS")]
    seeds: Option<u64>,
    /// The first of them; alone unless there is to be a number of them. What happened is printed.
    #[arg(long, env = "SEED")]
    seed: Option<u64>,
    /// How many at a time; as many as there are cores unless given.
    #[arg(long, env = "JOBS")]
    jobs: Option<usize>,
    /// After how many seeds with violations there is no need for more.
    #[arg(long, env = "ENOUGH", default_value_t = 5)]
    enough: usize,
    /// What the test harness would be told: a part of a test's name, and options.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    harness: Vec<String>,
}

/// What is found while seeds are run.
#[derive(Default)]
struct Findings {
    seeds: AtomicU64,
    events: AtomicU64,
    simulated_millis: AtomicU64,
    violations: Mutex<Vec<(u64, Vec<String>)>>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let mut names = options.harness.iter().filter(|word| !word.starts_with('-'));
    if names.any(|name| !"sim".contains(name.as_str())) {
        return ExitCode::SUCCESS;
    }
    let out = &mut io::stdout().lock();
    let outcome = match (options.seed, options.seeds) {
        (Some(seed), None) => show(out, seed),
        (first, count) => run_all(out, &options, first, count),
    };
    outcome.unwrap_or(ExitCode::FAILURE)
}

/// Runs one seed and prints what happened.
fn show(out: &mut impl Write, seed: u64) -> io::Result<ExitCode> {
    let outcome = run::run(seed, true);
    for line in &outcome.lines {
        writeln!(out, "{line}")?;
    }
    for violation in &outcome.violations {
        writeln!(out, "VIOLATION {violation}")?;
    }
    let (hash, events) = outcome.digest;
    writeln!(
        out,
        "seed {seed}: {events} events in {:?}, {hash:016x}",
        outcome.lasted
    )?;
    Ok(verdict_of(outcome.violations.is_empty()))
}

/// Runs many seeds and prints what was found.
fn run_all(
    out: &mut impl Write,
    options: &Options,
    first: Option<u64>,
    count: Option<u64>,
) -> io::Result<ExitCode> {
    let first = first.unwrap_or(0);
    let count = count.unwrap_or(if cfg!(debug_assertions) { 300 } else { 1000 });
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let jobs = options.jobs.unwrap_or(cores);
    let (findings, next) = (Findings::default(), AtomicU64::new(0));
    let pinned = PINNED.len() as u64;
    let begun = Instant::now();
    thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= pinned + count || findings.count() >= options.enough {
                        return;
                    }
                    let seed = match index.checked_sub(pinned) {
                        Some(index) => first + index,
                        None => PINNED[usize::try_from(index).expect("they are few")],
                    };
                    findings.run(seed);
                }
            });
        }
    });
    findings.print(out, begun.elapsed())
}

impl Findings {
    /// Runs one seed, now and then twice.
    fn run(&self, seed: u64) {
        let ran = panic::catch_unwind(|| {
            let outcome = run::run(seed, false);
            let mut violations = outcome.violations;
            if seed.is_multiple_of(REPEATS) && run::run(seed, false).digest != outcome.digest {
                violations.push("it does not go the same way again".to_owned());
            }
            (outcome.digest.1, outcome.lasted, violations)
        });
        let (events, lasted, violations) =
            ran.unwrap_or_else(|_| (0, Duration::ZERO, vec!["it panicked".to_owned()]));
        let seeds = self.seeds.fetch_add(1, Ordering::Relaxed) + 1;
        if seeds.is_multiple_of(PROGRESS) {
            drop(writeln!(io::stderr(), "{seeds} seeds"));
        }
        self.events.fetch_add(events, Ordering::Relaxed);
        let millis = u64::try_from(lasted.as_millis()).unwrap_or(u64::MAX);
        self.simulated_millis.fetch_add(millis, Ordering::Relaxed);
        if let Some(first) = violations.first() {
            drop(writeln!(io::stderr(), "seed {seed}: {first}"));
            let mut found = self.violations.lock().expect("no holder panics");
            found.push((seed, violations));
        }
    }

    /// How many seeds have found something.
    fn count(&self) -> usize {
        self.violations.lock().expect("no holder panics").len()
    }

    fn print(self, out: &mut impl Write, took: Duration) -> io::Result<ExitCode> {
        let violations = self.violations.into_inner().expect("no holder panics");
        let seeds = self.seeds.into_inner();
        if let Some((seed, _)) = violations.first() {
            for line in run::run(*seed, true).lines {
                writeln!(out, "{line}")?;
            }
        }
        for (seed, violations) in &violations {
            for violation in violations {
                writeln!(out, "VIOLATION seed {seed}: {violation}")?;
            }
            writeln!(out, "  again: make sim SEED={seed}")?;
        }
        #[expect(clippy::cast_precision_loss, reason = "for people")]
        let per_thousand = took.as_secs_f64() * 1000.0 / seeds.max(1) as f64;
        writeln!(
            out,
            "sim: {seeds} seeds, {} events, {} simulated hours in {took:.1?}; {per_thousand:.2} s per 1,000 seeds; {} with violations",
            self.events.into_inner(),
            self.simulated_millis.into_inner() / 3_600_000,
            violations.len(),
        )?;
        Ok(verdict_of(violations.is_empty()))
    }
}

fn verdict_of(is_good: bool) -> ExitCode {
    if is_good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
