//! What there is to count: of one run, and of several together.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    checks::Checked, faults::Fault, history::History, nemesis::Deeds, options::Plan, stage::Stage,
};

/// What came of one run, or of several.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Figures {
    pub(crate) runs: usize,
    /// How to have the runs again that have found something.
    pub(crate) failed: Vec<String>,
    pub(crate) violations: usize,
    /// For how long faults were inflicted.
    pub(crate) seconds: u64,
    pub(crate) strikes: Vec<Strike>,
    /// Instances that were killed by SIGKILL.
    pub(crate) kills: usize,
    pub(crate) simulations: usize,
    pub(crate) acknowledged: usize,
    pub(crate) lost: usize,
    pub(crate) resends: usize,
    pub(crate) reads: usize,
    pub(crate) snapshots: usize,
    /// Why commands were sent once more, and how often.
    pub(crate) troubles: BTreeMap<String, usize>,
    pub(crate) longest_wait_ms: u64,
    pub(crate) checked: Checked,
}

/// A fault, or two at once, and how long it was felt.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Strike {
    pub(crate) faults: Vec<Fault>,
    /// The instances that it met.
    pub(crate) hit: Vec<String>,
    /// From its beginning until every simulation answered through the instances that it did not
    /// meet; nothing where nobody was to ask.
    pub(crate) others_ms: Option<u64>,
    /// From its end until every simulation answered through every instance.
    pub(crate) all_ms: u64,
    /// The longest that a client waited for what was decided meanwhile, its own timeouts included.
    pub(crate) wait_ms: u64,
}

impl Figures {
    pub(crate) fn of(
        plan: &Plan,
        stage: &Stage,
        history: &History,
        deeds: Deeds,
        checked: Checked,
    ) -> Self {
        let (tally, checked_before) = history.tally();
        let mut figures = Self {
            runs: 1,
            seconds: plan.seconds,
            violations: history.violations().len(),
            strikes: deeds.strikes,
            kills: stage.kills,
            simulations: tally.simulations,
            acknowledged: tally.acknowledged,
            lost: tally.lost,
            resends: tally.resends,
            reads: tally.reads,
            snapshots: tally.snapshots,
            troubles: history.troubles(),
            longest_wait_ms: history.longest_wait_ms(),
            checked: checked.plus(checked_before),
            ..Self::default()
        };
        if figures.violations > 0 {
            figures.failed.push(plan.to_string());
        }
        figures
    }

    /// Of a run that did not come to its end.
    pub(crate) fn broken_down(plan: &Plan) -> Self {
        Self {
            runs: 1,
            failed: vec![plan.to_string()],
            violations: 1,
            ..Self::default()
        }
    }

    pub(crate) fn plus(mut self, other: Self) -> Self {
        let Self {
            runs,
            failed,
            violations,
            seconds,
            strikes,
            kills,
            simulations,
            acknowledged,
            lost,
            resends,
            reads,
            snapshots,
            troubles,
            longest_wait_ms,
            checked,
        } = other;
        self.runs += runs;
        self.failed.extend(failed);
        self.violations += violations;
        self.seconds += seconds;
        self.strikes.extend(strikes);
        self.kills += kills;
        self.simulations += simulations;
        self.acknowledged += acknowledged;
        self.lost += lost;
        self.resends += resends;
        self.reads += reads;
        self.snapshots += snapshots;
        for (trouble, count) in troubles {
            *self.troubles.entry(trouble).or_default() += count;
        }
        self.longest_wait_ms = self.longest_wait_ms.max(longest_wait_ms);
        self.checked = self.checked.plus(checked);
        self
    }

    /// How often each kind of fault was inflicted, alone or with another one.
    pub(crate) fn faults(&self) -> BTreeMap<Fault, usize> {
        let mut counts = BTreeMap::new();
        for fault in self.strikes.iter().flat_map(|strike| &strike.faults) {
            *counts.entry(*fault).or_default() += 1;
        }
        counts
    }
}

pub(crate) fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
