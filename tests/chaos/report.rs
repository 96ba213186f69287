//! What is printed: progress, what a failing run has found, and a table in the end.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
    fs,
    io::{self, Write as _},
    path::PathBuf,
    time::Duration,
};

use crate::{
    checks::Checked,
    faults::Fault,
    history::{History, Violation, World},
    nemesis::Deeds,
    options::Plan,
    stage::Stage,
};

/// How many lines of each log a failing run shows; all of them are in files.
const TAIL: usize = 40;
/// How many commands are shown before and after the one that something is wrong with.
const AROUND: u64 = 6;

/// What came of one run.
pub(crate) struct Outcome {
    figures: Figures,
    violations: Vec<Violation>,
}

/// What there is to count.
#[derive(Default)]
struct Figures {
    runs: usize,
    failed: Vec<String>,
    faults: BTreeMap<Fault, usize>,
    kills: usize,
    simulations: usize,
    acknowledged: usize,
    lost: usize,
    resends: usize,
    reads: usize,
    snapshots: usize,
    longest_wait: Duration,
    longest_recovery: Duration,
    checked: Checked,
    violations: usize,
}

/// What came of all runs.
#[derive(Default)]
pub(crate) struct Campaign {
    figures: Figures,
}

/// Prints a line or several.
pub(crate) fn say(text: &str) {
    // Whoever reads it may have gone.
    drop(writeln!(io::stdout().lock(), "{text}"));
}

impl Outcome {
    pub(crate) fn of(
        plan: &Plan,
        stage: &Stage,
        history: &History,
        deeds: Deeds,
        checked: Checked,
    ) -> Self {
        let violations = history.violations();
        let worlds = history.worlds();
        let mut figures = Figures {
            runs: 1,
            faults: deeds.faults,
            kills: stage.kills,
            simulations: worlds.len(),
            longest_wait: history.longest_wait(),
            longest_recovery: deeds.longest_recovery,
            checked,
            violations: violations.len(),
            ..Figures::default()
        };
        for world in &worlds {
            let notes = world.notes();
            figures.acknowledged += notes.acks.len();
            figures.lost += notes.acks.iter().filter(|answer| answer.is_lost).count();
            figures.resends += notes.repeats.len();
            figures.reads += notes.reads.len();
            // The first is of its creation.
            figures.snapshots += notes.snapshots.len().saturating_sub(1);
        }
        if !violations.is_empty() {
            figures.failed.push(plan.to_string());
            show_failure(plan, stage, history, &violations, &deeds.diary);
        }
        Self {
            figures,
            violations,
        }
    }

    /// The outcome of a run that did not come to its end.
    pub(crate) fn broken_down(plan: &Plan) -> Self {
        say(&format!("FAILED: {plan}: it did not come to its end"));
        Self {
            figures: Figures {
                runs: 1,
                failed: vec![plan.to_string()],
                violations: 1,
                ..Figures::default()
            },
            violations: Vec::new(),
        }
    }
}

impl Campaign {
    pub(crate) fn add(&mut self, outcome: Outcome) {
        let Outcome {
            figures,
            violations,
        } = outcome;
        say(&format!(
            "  {} acknowledged, {} violations",
            figures.acknowledged,
            violations.len()
        ));
        self.figures.add(figures);
    }

    pub(crate) fn is_flawless(&self) -> bool {
        self.figures.violations == 0
    }
}

impl Figures {
    fn add(&mut self, other: Self) {
        for (fault, count) in other.faults {
            *self.faults.entry(fault).or_default() += count;
        }
        self.runs += other.runs;
        self.failed.extend(other.failed);
        self.kills += other.kills;
        self.simulations += other.simulations;
        self.acknowledged += other.acknowledged;
        self.lost += other.lost;
        self.resends += other.resends;
        self.reads += other.reads;
        self.snapshots += other.snapshots;
        self.longest_wait = self.longest_wait.max(other.longest_wait);
        self.longest_recovery = self.longest_recovery.max(other.longest_recovery);
        self.checked = self.checked.plus(other.checked);
        self.violations += other.violations;
    }
}

impl fmt::Display for Campaign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let it = &self.figures;
        let mut row = |name: &str, value: &dyn fmt::Display| writeln!(f, "{name:<44}{value:>10}");
        for (fault, count) in &it.faults {
            row(&format!("fault {}", fault.name()), count)?;
        }
        row("processes killed", &it.kills)?;
        row("simulations", &it.simulations)?;
        row("commands acknowledged", &it.acknowledged)?;
        row("  lost where that may happen, and told so", &it.lost)?;
        row(
            "  carried out again by one service, alike",
            &it.checked.replayed,
        )?;
        row(
            "  seen in the journal under their number",
            &it.checked.seen_in_journal,
        )?;
        row("requests sent again after their reply", &it.resends)?;
        row("reads", &it.reads)?;
        row("snapshots seen beside the first", &it.snapshots)?;
        row("bundles replayed elsewhere, alike", &it.checked.bundles)?;
        row("simulations replayed in part only", &it.checked.unresolved)?;
        let seconds = |time: Duration| format!("{:.1} s", time.as_secs_f64());
        row("longest wait for a command", &seconds(it.longest_wait))?;
        row(
            "longest until all answered again",
            &seconds(it.longest_recovery),
        )?;
        row("runs", &it.runs)?;
        row("violations", &it.violations)?;
        for plan in &it.failed {
            writeln!(f, "failed: {plan}")?;
        }
        Ok(())
    }
}

/// Says what is wrong, what was done before and after, and what everybody had to say.
fn show_failure(
    plan: &Plan,
    stage: &Stage,
    history: &History,
    violations: &[Violation],
    diary: &[String],
) {
    say(&format!("\nFAILED: {plan}"));
    for violation in violations {
        let world = violation.world.as_deref().unwrap_or("-");
        say(&format!("* {world}: {}", violation.text));
    }
    let mut shown: Vec<(&str, Option<u64>)> = Vec::new();
    for violation in violations {
        if let Some(world) = &violation.world
            && shown.len() < 3
            && !shown.iter().any(|(id, _)| id == world)
        {
            shown.push((world, violation.seq));
        }
    }
    let worlds = history.worlds();
    for (id, seq) in shown {
        if let Some(world) = worlds.iter().find(|world| world.id == id) {
            say(&format!("\n--- {id}\n{}", story(world, seq)));
        }
    }
    let folder = folder(plan);
    let keep = |name: &str, text: String| {
        drop(fs::create_dir_all(&folder));
        drop(fs::write(folder.join(name), text));
    };
    for (name, lines) in stage.logs() {
        let tail = &lines[lines.len().saturating_sub(TAIL)..];
        say(&format!("\n--- {name} said last\n{}", tail.join("\n")));
        keep(&format!("{name}.log"), lines.join("\n"));
    }
    keep("diary.txt", diary.join("\n"));
    for world in &worlds {
        keep(&format!("{}.txt", world.id), story(world, None));
    }
    say(&format!("\nall of it is in {}", folder.display()));
}

/// The commands of a simulation by their number, those around `seq` only if it is given.
fn story(world: &World, seq: Option<u64>) -> String {
    let notes = world.notes();
    let is_near = |other: u64| seq.is_none_or(|seq| other.abs_diff(seq) <= AROUND);
    let answers = notes.acks.iter().map(|answer| ("ack", answer));
    let again = notes.repeats.iter().map(|answer| ("again", answer));
    let told = answers.chain(again);
    let mut lines: Vec<(u64, String)> = told
        .map(|(kind, answer)| (answer.seq, format!("{kind:<6}{}", answer.shown())))
        .collect();
    lines.extend(notes.entries.iter().map(|(moment, entry)| {
        let key = entry.key.as_deref().unwrap_or("-");
        let event: String = entry.event.chars().take(120).collect();
        (moment.seq, format!("entry {moment} key {key} {event}"))
    }));
    lines.extend(notes.reads.iter().map(|read| {
        let text = format!(
            "read  {} by {}, {:.3?} to {:.3?}",
            read.moment, read.instance, read.sent, read.answered
        );
        (read.moment.seq, text)
    }));
    lines.retain(|(number, _)| is_near(*number));
    lines.sort();
    let mut text = String::new();
    for (_, line) in lines {
        let _ = writeln!(text, "{line}");
    }
    for (name, request) in &notes.doubtful {
        let _ = writeln!(text, "doubt {name} {} {}", request.method, request.path);
    }
    for told in &notes.told_of_loss {
        let _ = writeln!(text, "told  {told}");
    }
    text
}

fn folder(plan: &Plan) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("chaos-{}", plan.seed))
}
