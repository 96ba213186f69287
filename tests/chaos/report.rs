//! What is printed: progress, and what a failing run has found, which is kept in files.

use std::{
    any::Any,
    fmt::Write as _,
    fs,
    io::{self, Write as _},
    path::PathBuf,
};

use crate::{
    history::{History, World},
    options::Plan,
    stage::Stage,
};

/// How many lines of each log a failing run shows; all of them are in files.
const TAIL: usize = 40;
/// How many commands are shown before and after the one that something is wrong with.
const AROUND: u64 = 6;

/// Prints a line or several.
pub(crate) fn say(text: &str) {
    // Whoever reads it may have gone.
    drop(writeln!(io::stdout().lock(), "{text}"));
}

/// Says what is wrong, what was done before and after, and what everybody had to say.
pub(crate) fn show_failure(plan: &Plan, stage: &Stage, history: &History, diary: &[String]) {
    let violations = history.violations();
    let mut wrong = format!("FAILED: {plan}\n");
    for violation in &violations {
        let world = violation.world.as_deref().unwrap_or("-");
        let _ = writeln!(wrong, "* {world}: {}", violation.text);
    }
    say(&format!("\n{wrong}"));
    let mut shown: Vec<(&str, Option<u64>)> = Vec::new();
    for violation in &violations {
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
    let folder = empty_folder(plan);
    let keep = |name: &str, text: String| drop(fs::write(folder.join(name), text));
    keep("violations.txt", wrong);
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

/// Says why a run did not come to its end.
pub(crate) fn show_breakdown(plan: &Plan, why: &str) {
    let text = format!("FAILED: {plan}: it did not come to its end: {why}");
    say(&text);
    drop(fs::write(empty_folder(plan).join("violations.txt"), text));
}

/// What a panic has said.
pub(crate) fn last_words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("it panicked")
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

/// Where all is kept of a run that has failed; what an earlier one has left there is gone.
fn empty_folder(plan: &Plan) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("chaos-{}", plan.seed));
    drop(fs::remove_dir_all(&folder));
    drop(fs::create_dir_all(&folder));
    folder
}
