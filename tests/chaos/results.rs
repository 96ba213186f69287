//! Results of runs as lines of JSON, so that several campaigns can be summed up.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::Command,
};

use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{figures::Figures, harness::program, options::Plan};

/// What came of one run, of what.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    seed: u64,
    /// When it was over.
    ended: String,
    /// The program that was attacked, and what it calls itself.
    binary: PathBuf,
    version: String,
    /// What is checked out where the checker was built.
    commit: String,
    figures: Figures,
}

/// Adds what came of a run to a file.
#[expect(
    clippy::disallowed_methods,
    reason = "whoever sums runs up wants to know which of them are of today"
)]
pub(crate) fn append(file: &Path, plan: &Plan, figures: &Figures) -> io::Result<()> {
    let now = OffsetDateTime::now_utc();
    let line = Line {
        seed: plan.seed,
        ended: now.format(&Rfc3339).unwrap_or_default(),
        binary: program().to_owned(),
        version: said_by(Command::new(program()).arg("--version")),
        commit: said_by(Command::new("git").args([
            "-C",
            env!("CARGO_MANIFEST_DIR"),
            "describe",
            "--always",
            "--dirty",
        ])),
        figures: figures.clone(),
    };
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new().create(true).append(true).open(file)?;
    writeln!(file, "{}", serde_json::to_string(&line)?)
}

/// The sum of all lines of these files.
pub(crate) fn sum(files: &[PathBuf]) -> io::Result<Figures> {
    let mut sum = Figures::default();
    for file in files {
        for line in fs::read_to_string(file)?.lines() {
            let line: Line = serde_json::from_str(line)?;
            sum = sum.plus(line.figures);
        }
    }
    Ok(sum)
}

/// The first line that a command prints; nothing where it cannot be asked.
fn said_by(command: &mut Command) -> String {
    let output = command.output().map(|output| output.stdout);
    let text = String::from_utf8(output.unwrap_or_default()).unwrap_or_default();
    text.lines().next().unwrap_or_default().to_owned()
}
