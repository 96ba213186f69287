//! What is printed in the end: sums, and how long each kind of fault was felt.

use std::fmt;

use crate::{
    faults::Fault,
    figures::{Figures, Strike},
};

/// Figures as a table.
pub(crate) struct Table<'a>(pub(crate) &'a Figures);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_faults(f, self.0)?;
        write_sums(f, self.0)
    }
}

/// How often each fault came, and how long it was felt where it came alone.
fn write_faults(f: &mut fmt::Formatter<'_>, it: &Figures) -> fmt::Result {
    writeln!(
        f,
        "{:<18}{:>6}{:>7}  {:^20}  {:^20}  {:^20}",
        "", "", "", "others answer", "all answer", "longest wait of"
    )?;
    writeln!(
        f,
        "{:<18}{:>6}{:>7}  {:^20}  {:^20}  {:^20}",
        "", "", "", "since it began, s", "since it ended, s", "a client, s"
    )?;
    let heading = format!("{:>6}{:>7}{:>7}", "p50", "p99", "max");
    writeln!(
        f,
        "{:<18}{:>6}{:>7}  {heading}  {heading}  {heading}",
        "fault", "times", "alone"
    )?;
    let counts = it.faults();
    for fault in Fault::ALL {
        let Some(count) = counts.get(&fault) else {
            continue;
        };
        let strikes = it.strikes.iter();
        let alone: Vec<_> = strikes.filter(|strike| strike.faults == [fault]).collect();
        write_fault(f, fault.name(), *count, &alone)?;
    }
    let strikes = it.strikes.iter();
    let pairs: Vec<_> = strikes.filter(|strike| strike.faults.len() > 1).collect();
    write_fault(f, "two at once", pairs.len(), &pairs)
}

fn write_fault(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    count: usize,
    felt: &[&Strike],
) -> fmt::Result {
    let columns = [
        felt.iter().filter_map(|strike| strike.others_ms).collect(),
        felt.iter().map(|strike| strike.all_ms).collect(),
        felt.iter().map(|strike| strike.wait_ms).collect(),
    ];
    write!(f, "{name:<18}{count:>6}{:>7}", felt.len())?;
    for column in columns {
        write!(f, "  {}", quantiles(column))?;
    }
    writeln!(f)
}

/// The median, the 99th percentile and the greatest, in seconds.
fn quantiles(mut ms: Vec<u64>) -> String {
    ms.sort_unstable();
    let at = |percent: usize| {
        let place = (ms.len() * percent).div_ceil(100).saturating_sub(1);
        ms.get(place)
            .map_or("-".to_owned(), |&ms| in_seconds(ms, 2))
    };
    format!("{:>6}{:>7}{:>7}", at(50), at(99), at(100))
}

fn write_sums(f: &mut fmt::Formatter<'_>, it: &Figures) -> fmt::Result {
    let mut row = |name: &str, value: &dyn fmt::Display| writeln!(f, "{name:<44}{value:>10}");
    row("faults", &it.faults().values().sum::<usize>())?;
    row("instances killed by SIGKILL", &it.kills)?;
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
    for (trouble, count) in &it.troubles {
        row(&format!("sent once more: {trouble}"), count)?;
    }
    let longest = it.strikes.iter().map(|strike| strike.all_ms).max();
    let seconds = |ms| format!("{} s", in_seconds(ms, 1));
    row("longest wait for a command", &seconds(it.longest_wait_ms))?;
    row(
        "longest until all answered again",
        &seconds(longest.unwrap_or_default()),
    )?;
    row("runs", &it.runs)?;
    row("seconds under faults", &it.seconds)?;
    row("violations", &it.violations)?;
    for plan in &it.failed {
        writeln!(f, "failed: {plan}")?;
    }
    Ok(())
}

fn in_seconds(ms: u64, places: usize) -> String {
    let ms = u32::try_from(ms).unwrap_or(u32::MAX);
    format!("{:.places$}", f64::from(ms) / 1000.0)
}
