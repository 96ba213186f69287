//! What is to be run: arguments of the command line, or the runs that are pinned.

use std::{fmt, path::PathBuf, time::Duration};

use clap::{CommandFactory, Parser, error::ErrorKind};

use crate::faults::Fault;

/// Runs that are always carried out: a line each of seed, seconds and faults.
const PINNED: &str = include_str!("pinned.txt");
/// What `--faults` takes for every kind.
const ALL: &str = "all";
/// What this is called among the tests.
const NAME: &str = "chaos";

/// Attacks a fleet with seeded faults, and checks that it keeps its promises.
#[derive(Parser)]
#[command(name = NAME)]
pub(crate) struct Options {
    /// Seed of the first run; those that follow count on from it. The pinned runs unless given.
    #[arg(long)]
    seed: Option<u64>,
    /// How long faults are inflicted in each run.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Which kinds of faults, comma-separated.
    #[arg(long, default_value = ALL)]
    faults: String,
    /// How many runs.
    #[arg(long, default_value_t = 1)]
    runs: u64,
    /// Clients that ask at the same time.
    #[arg(long, default_value_t = 12)]
    clients: usize,
    /// Simulations at a time.
    #[arg(long, default_value_t = 24)]
    worlds: usize,
    /// Lease time of the instances, ms.
    #[arg(long, default_value_t = 3000)]
    lease_ms: u64,
    /// Another binary of the service than the one that was built with this.
    #[arg(long)]
    pub(crate) binary: Option<PathBuf>,
    /// Instead of runs of `seconds`: so many minutes with a fault in each, of which one instance is
    /// spared. It is to hold no more in the end than in the beginning.
    #[arg(long)]
    soak: Option<u64>,
    /// A file for all that was seen of that instance, as JSON.
    #[arg(long)]
    growth: Option<PathBuf>,
    /// A file to which what came of each run is added as a line of JSON.
    #[arg(long)]
    pub(crate) results: Option<PathBuf>,
    /// Such files, whose runs are counted as well; without a seed nothing else is.
    #[arg(long, num_args = 1..)]
    pub(crate) sum: Vec<PathBuf>,
    /// Part of the name of a test, as `cargo test` passes it on to all of them.
    #[arg(hide = true)]
    filters: Vec<String>,
    #[arg(long, hide = true)]
    nocapture: bool,
    #[arg(long, short, hide = true)]
    quiet: bool,
    #[arg(long, hide = true)]
    test_threads: Option<usize>,
}

/// One run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) seconds: u64,
    pub(crate) faults: Vec<Fault>,
    pub(crate) clients: usize,
    pub(crate) worlds: usize,
    pub(crate) lease: Duration,
    /// Whether one instance is spared, and watched.
    pub(crate) is_soak: bool,
    /// Where what was seen of it is written to.
    pub(crate) growth: Option<PathBuf>,
}

impl Options {
    /// The runs that are asked for.
    pub(crate) fn plans(&self) -> Result<Vec<Plan>, clap::Error> {
        let is_meant = |filter: &String| NAME.contains(filter.as_str());
        if !self.filters.is_empty() && !self.filters.iter().any(is_meant) {
            return Ok(Vec::new());
        }
        let Some(first) = self.seed else {
            if !self.sum.is_empty() {
                return Ok(Vec::new());
            }
            return PINNED
                .lines()
                .filter(|line| !line.is_empty() && !line.starts_with('#'))
                .map(|line| self.pinned(line))
                .collect();
        };
        let faults = parse_faults(&self.faults)?;
        let seeds = first..first.saturating_add(self.runs);
        Ok(seeds
            .map(|seed| self.plan(seed, self.seconds, faults.clone()))
            .collect())
    }

    fn pinned(&self, line: &str) -> Result<Plan, clap::Error> {
        let fields: Vec<_> = line.split_whitespace().collect();
        if let [seed, seconds, faults] = fields[..]
            && let (Ok(seed), Ok(seconds)) = (seed.parse(), seconds.parse())
        {
            return Ok(self.plan(seed, seconds, parse_faults(faults)?));
        }
        Err(refusal(&format!("a pinned run cannot be read: {line}")))
    }

    fn plan(&self, seed: u64, seconds: u64, faults: Vec<Fault>) -> Plan {
        Plan {
            seed,
            seconds: self.soak.map_or(seconds, |minutes| minutes * 60),
            faults,
            is_soak: self.soak.is_some(),
            growth: self.growth.clone(),
            clients: self.clients.max(1),
            worlds: self.worlds.max(1),
            lease: Duration::from_millis(self.lease_ms),
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.faults.iter().map(|fault| fault.name()).collect();
        let names = if self.faults.len() == Fault::ALL.len() {
            ALL.to_owned()
        } else {
            names.join(",")
        };
        let Self { seed, seconds, .. } = self;
        if self.is_soak {
            let minutes = seconds / 60;
            return write!(f, "--seed {seed} --soak {minutes} --faults {names}");
        }
        write!(f, "--seed {seed} --seconds {seconds} --faults {names}")
    }
}

fn parse_faults(text: &str) -> Result<Vec<Fault>, clap::Error> {
    if text == ALL {
        return Ok(Fault::ALL.to_vec());
    }
    let parse = |name: &str| {
        let found = Fault::ALL.into_iter().find(|fault| fault.name() == name);
        found.ok_or_else(|| {
            let names: Vec<_> = Fault::ALL.iter().map(|fault| fault.name()).collect();
            refusal(&format!(
                "no fault {name:?}; there are {}",
                names.join(", ")
            ))
        })
    };
    text.split(',').map(parse).collect()
}

fn refusal(text: &str) -> clap::Error {
    Options::command().error(ErrorKind::ValueValidation, text)
}
