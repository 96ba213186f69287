//! `make chaos`: attacks a fleet from outside with seeded faults, and checks that it keeps its promises.

use std::{panic::AssertUnwindSafe, process::ExitCode};

use clap::Parser;
use futures_util::FutureExt;

use crate::{
    options::{Options, Plan},
    report::{Campaign, Outcome, say},
};

mod checks;
mod client;
mod commands;
mod faults;
#[path = "../service/harness/mod.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "tests/service uses the rest of it"
)]
mod harness;
mod history;
mod nemesis;
mod options;
mod redis_pair;
mod report;
mod run;
mod scribe;
mod stage;
mod verdict;

/// Exit code 0: everything was kept; 1: something was not.
#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let plans = match options.plans() {
        Ok(plans) => plans,
        Err(error) => error.exit(),
    };
    if let Some(program) = options.binary {
        harness::run_instead(program);
    }
    let mut campaign = Campaign::default();
    for (number, plan) in plans.iter().enumerate() {
        say(&format!("run {} of {}: {plan}", number + 1, plans.len()));
        campaign.add(run_alone(plan.clone()).await);
    }
    if !plans.is_empty() {
        say(&campaign.to_string());
    }
    if campaign.is_flawless() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// One run. Where the stage itself breaks down that is a finding like any other.
async fn run_alone(plan: Plan) -> Outcome {
    let ended = AssertUnwindSafe(Box::pin(run::run(plan.clone())));
    let ended = ended.catch_unwind().await;
    ended.unwrap_or_else(|_| Outcome::broken_down(&plan))
}
