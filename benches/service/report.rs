//! The table on standard output and the same figures as JSON.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the report is what this program is for"
)]

use std::{error::Error, fmt::Write as _, fs, path::Path, process::ExitCode};

use serde_json::{Value, json};

use crate::{Outcome, machine::Machine, statistics::Spread};

/// Cores that others may use before the figures are in doubt.
const QUIET: f64 = 0.1;

/// One measured figure.
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    /// The figure in words, with its unit.
    pub(crate) value: String,
    /// Service over baseline, per round.
    pub(crate) ratio: Option<Spread>,
    pub(crate) goal: Option<Goal>,
    pub(crate) method: &'static str,
    /// The numbers behind it, for the JSON report.
    pub(crate) numbers: Value,
}

/// What was wanted, and whether it came true.
pub(crate) struct Goal {
    pub(crate) text: &'static str,
    pub(crate) met: bool,
}

impl Goal {
    pub(crate) fn at_least(text: &'static str, value: f64, limit: f64) -> Self {
        Self {
            text,
            met: value >= limit,
        }
    }

    pub(crate) fn at_most(text: &'static str, value: f64, limit: f64) -> Self {
        Self {
            text,
            met: value <= limit,
        }
    }
}

impl Figure {
    fn json(&self) -> Value {
        let ratio = self
            .ratio
            .map(|ratio| json!({"median": ratio.median, "min": ratio.min, "max": ratio.max}));
        json!({
            "figure": self.name, "value": self.value, "ratio": ratio,
            "goal": self.goal.as_ref().map(|goal| goal.text),
            "met": self.goal.as_ref().map(|goal| goal.met),
            "method": self.method, "numbers": self.numbers,
        })
    }

    fn cells(&self) -> [String; 5] {
        let ratio =
            |ratio: Spread| format!("{:.2} ({:.2} to {:.2})", ratio.median, ratio.min, ratio.max);
        let (goal, met) = self.goal.as_ref().map_or(("", ""), |goal| {
            (goal.text, if goal.met { "met" } else { "not met" })
        });
        [
            self.name.to_owned(),
            self.value.clone(),
            self.ratio.map_or_else(String::new, ratio),
            goal.to_owned(),
            met.to_owned(),
        ]
    }
}

pub(crate) fn print_machine(machine: &Machine) {
    for line in machine.lines() {
        println!("{line}");
    }
}

/// Says that a measurement is done, and whether the machine was quiet.
pub(crate) fn print_measured(name: &str, others: f64) {
    let warning = if others > QUIET {
        ": too busy a machine for its figures"
    } else {
        ""
    };
    println!("measured  {name}, others used {others:.2} cores{warning}");
}

pub(crate) fn print_failure(name: &str, failure: &dyn Error) {
    eprintln!("{name} could not be measured: {failure}");
}

pub(crate) fn print_table(figures: &[Figure]) {
    let mut rows = vec![["figure", "value", "ratio (min to max)", "goal", ""].map(str::to_owned)];
    rows.extend(figures.iter().map(Figure::cells));
    let mut widths = [0; 5];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    println!();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            write!(line, "{cell:width$}  ").expect("a string takes every write");
        }
        println!("{}", line.trim_end());
    }
    println!("\nmethod");
    let mut last = "";
    for figure in figures.iter().filter(|figure| !figure.method.is_empty()) {
        if figure.method != last {
            println!("- {}: {}", figure.name, figure.method);
        }
        last = figure.method;
    }
}

pub(crate) fn write_json(path: &Path, machine: &Machine, figures: &[Figure]) -> Outcome<()> {
    let figures: Vec<Value> = figures.iter().map(Figure::json).collect();
    let report = json!({"machine": machine.json(), "figures": figures});
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, serde_json::to_string_pretty(&report)?)?;
    println!("\nwritten to {}", path.display());
    Ok(())
}

/// Success, or failure with its reason on standard error.
pub(crate) fn exit_code(what: &str, outcome: Outcome<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{what}: {failure}");
            ExitCode::FAILURE
        }
    }
}
