//! `make chaos`: attacks a fleet from outside with seeded faults, and checks that it keeps its promises.

use std::{panic::AssertUnwindSafe, process::ExitCode, time::Duration};

use clap::Parser;
use futures_util::FutureExt;

use crate::{
    figures::Figures,
    options::{Options, Plan},
    report::{last_words, say, show_breakdown},
    table::Table,
};

mod checks;
mod client;
mod commands;
mod faults;
mod figures;
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
mod results;
mod run;
mod scribe;
mod soak;
mod stage;
mod table;
mod verdict;

/// How long a run may take that is to inflict faults for so many seconds: what is checked afterwards
/// grows with them.
fn limit(plan: &Plan) -> Duration {
    Duration::from_secs(600 + 10 * plan.seconds)
}

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
    let mut sum = match results::sum(&options.sum) {
        Ok(sum) => sum,
        Err(error) => {
            say(&format!("results of earlier runs cannot be read: {error}"));
            return ExitCode::FAILURE;
        }
    };
    for (number, plan) in plans.iter().enumerate() {
        say(&format!("run {} of {}: {plan}", number + 1, plans.len()));
        let figures = run_alone(plan).await;
        let Figures {
            acknowledged,
            violations,
            ..
        } = figures;
        say(&format!(
            "  {acknowledged} acknowledged, {violations} violations"
        ));
        if let Some(file) = &options.results
            && let Err(error) = results::append(file, plan, &figures)
        {
            say(&format!("  not added to {}: {error}", file.display()));
        }
        sum = sum.plus(figures);
    }
    if sum.runs > 0 {
        say(&Table(&sum).to_string());
    }
    if sum.violations == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// One run. Where the stage itself breaks down that is a finding like any other.
async fn run_alone(plan: &Plan) -> Figures {
    let run = AssertUnwindSafe(Box::pin(run::run(plan.clone())));
    let limit = limit(plan);
    let why = match tokio::time::timeout(limit, run.catch_unwind()).await {
        Ok(Ok(figures)) => return figures,
        Ok(Err(panic)) => last_words(&*panic).to_owned(),
        Err(_) => format!("not within {limit:?}"),
    };
    show_breakdown(plan, &why);
    Figures::broken_down(plan)
}
