//! `make bench`: starts the optimised service and measures it beside raw Rapier and a bare axum route in the same run.

use std::process::ExitCode;

use clap::Parser;

use crate::{
    machine::{Machine, Others},
    measure::Measurement,
    options::Options,
    report::Figure,
};

mod bare_route;
mod client;
mod load;
mod machine;
mod measure;
mod open_loop;
mod options;
mod process;
mod raw_rapier;
mod redis;
mod report;
mod scenes;
mod statistics;
mod wire;

/// The allocator of the service, so that neither side of a ratio has a better one.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// What every fallible step here returns: a failure ends the measurement it happened in.
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> ExitCode {
    let options = Options::parse();
    if options.bare_route {
        return report::exit_code("bare route", bare_route::serve());
    }
    let machine = Machine::observe();
    report::print_machine(&machine);
    let mut failures = 0_u32;
    let mut figures = Vec::new();
    for (name, measurement) in measure::ALL {
        if !options.selects(name) {
            continue;
        }
        match observed(name, measurement, &options) {
            Ok(measured) => figures.extend(measured),
            Err(failure) => {
                failures += 1;
                report::print_failure(name, failure.as_ref());
            }
        }
    }
    report::print_table(&figures);
    let written = report::write_json(&options.output, &machine, &figures);
    if failures > 0 {
        return ExitCode::FAILURE;
    }
    report::exit_code("report", written)
}

/// Takes a measurement and tells how far others disturbed it.
fn observed(name: &str, measurement: Measurement, options: &Options) -> Outcome<Vec<Figure>> {
    let others = Others::watch()?;
    let mut figures = measurement(options)?;
    let cores = others.cores_used()?;
    report::print_measured(name, cores);
    for figure in &mut figures {
        figure.numbers["cores_used_by_other_programs"] = cores.into();
    }
    Ok(figures)
}
