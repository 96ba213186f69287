//! What a process holds late beside what it held early.

use std::{fmt, fs, io, path::Path, time::Duration};

use serde::Serialize;

use super::gauge::{Phase, Sample};

/// The two stretches that are compared: minutes 5 to 10, and the last 5. In short runs, quarters.
const STRETCH: Duration = Duration::from_secs(300);
/// How much more memory late than early is no growth.
const TOLERANCE: f64 = 1.05;

/// What a process held early and late.
#[derive(Serialize)]
pub(crate) struct Growth {
    rows: Vec<Row>,
    samples: Vec<Sample>,
}

/// One quantity at quiet moments, or under load.
#[derive(Serialize)]
struct Row {
    name: &'static str,
    phase: Phase,
    early: Values,
    late: Values,
    rule: Rule,
}

/// What was seen in one stretch.
#[derive(Clone, Copy, Debug, Serialize)]
struct Values {
    count: usize,
    mean: f64,
    min: f64,
    max: f64,
}

/// What is promised of a quantity.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Rule {
    /// Its mean does not grow by more than what is tolerated.
    Bounded,
    /// It is never more late than it was early.
    Same,
    /// Nothing; it is there to be read.
    Shown,
}

/// Something that a process holds, and what is promised of it at rest and in use.
type Quantity = (&'static str, [Rule; 2], fn(&Sample) -> u64);

const QUANTITIES: [Quantity; 5] = [
    ("resident, kB", [Rule::Bounded, Rule::Bounded], |it| {
        it.resident_kb
    }),
    ("anonymous, kB", [Rule::Shown, Rule::Shown], |it| {
        it.anonymous_kb
    }),
    ("descriptors", [Rule::Same, Rule::Shown], |it| {
        it.descriptors
    }),
    ("tasks", [Rule::Same, Rule::Shown], |it| it.tasks),
    ("threads", [Rule::Same, Rule::Shown], |it| it.threads),
];

impl Growth {
    pub(crate) fn of(whole: Duration, samples: Vec<Sample>) -> Self {
        let stretch = STRETCH.min(whole / 4).as_secs_f64();
        let whole = whole.as_secs_f64();
        let mut rows = Vec::new();
        for (place, phase) in [Phase::Quiet, Phase::Load].into_iter().enumerate() {
            for (name, rules, quantity) in QUANTITIES {
                let within = |from: f64, to: f64| {
                    let samples = samples.iter();
                    let it = samples.filter(|sample| {
                        sample.phase == phase && (from..to).contains(&sample.at_seconds)
                    });
                    Values::of(&it.map(quantity).collect::<Vec<_>>())
                };
                rows.push(Row {
                    name,
                    phase,
                    early: within(stretch, 2.0 * stretch),
                    late: within(whole - stretch, whole + stretch),
                    rule: rules[place],
                });
            }
        }
        Self { rows, samples }
    }

    /// What has grown that was not to.
    pub(crate) fn violations(&self) -> Vec<String> {
        let grown = self.rows.iter().filter(|row| !row.is_kept());
        grown.map(ToString::to_string).collect()
    }

    pub(crate) fn write(&self, file: &Path) -> io::Result<()> {
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(file, serde_json::to_vec(self)?)
    }
}

impl Row {
    fn is_kept(&self) -> bool {
        let (early, late) = (self.early, self.late);
        match self.rule {
            Rule::Shown => true,
            Rule::Bounded | Rule::Same if !self.is_seen() => false,
            Rule::Bounded => late.mean <= early.mean * TOLERANCE,
            Rule::Same => late.max <= early.max,
        }
    }

    fn is_seen(&self) -> bool {
        self.early.count > 0 && self.late.count > 0
    }
}

impl Values {
    fn of(values: &[u64]) -> Self {
        let values: Vec<f64> = values
            .iter()
            .map(|&value| f64::from(u32::try_from(value).unwrap_or(u32::MAX)))
            .collect();
        let count = u32::try_from(values.len()).unwrap_or(u32::MAX);
        Self {
            count: values.len(),
            mean: values.iter().sum::<f64>() / f64::from(count.max(1)),
            min: values.iter().copied().reduce(f64::min).unwrap_or_default(),
            max: values.iter().copied().reduce(f64::max).unwrap_or_default(),
        }
    }
}

impl fmt::Display for Growth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<24}{:^38}{:^38}",
            "the spared instance", "early", "late"
        )?;
        let heading = format!("{:>8}{:>10}{:>10}{:>10}", "looks", "mean", "min", "max");
        writeln!(f, "{:<24}{heading}{heading}{:>8}", "", "ratio")?;
        for row in &self.rows {
            writeln!(f, "{row}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let when = match self.phase {
            Phase::Quiet => "at rest",
            Phase::Load => "in use",
            Phase::Fault => "in trouble",
        };
        write!(f, "{:<24}", format!("{} {when}", self.name))?;
        for values in [self.early, self.late] {
            let Values {
                count,
                mean,
                min,
                max,
            } = values;
            write!(f, "{count:>8}{mean:>10.1}{min:>10}{max:>10}")?;
        }
        let ratio = self.late.mean / self.early.mean;
        let told = match (self.rule, self.is_kept()) {
            (Rule::Shown, _) => "",
            (_, true) => "  kept",
            (_, false) if !self.is_seen() => "  not seen",
            (_, false) => "  GROWN",
        };
        write!(f, "{ratio:>8.3}{told}")
    }
}
