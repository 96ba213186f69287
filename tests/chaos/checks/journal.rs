//! The journal against what was acknowledged: every command is there, once, under its number.

use std::collections::{BTreeMap, BTreeSet};

use super::{Checked, Fault};
use crate::{
    history::{Moment, Notes},
    scribe::Journal,
};

/// The journal as it is in the end.
pub(super) fn check_last(notes: &Notes, journal: &Journal) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut keys = BTreeSet::new();
    for (moment, entry) in &journal.entries {
        let is_new = entry.key.as_ref().is_none_or(|key| keys.insert(key));
        if !is_new {
            let text = format!("a key stands in the journal twice: {entry:?}");
            faults.push((Some(moment.seq), text));
        }
    }
    for answer in notes.kept().filter(|answer| answer.seq > journal.from.seq) {
        let is_there = match answer.moment {
            Some(moment) => journal.entries.contains_key(&moment),
            None => answer.seq <= journal.head.seq,
        };
        if !is_there {
            let text = format!(
                "acknowledged and not in the journal, which stands at {}: {}",
                journal.head,
                answer.shown()
            );
            faults.push((Some(answer.seq), text));
        }
    }
    faults
}

/// All that was ever seen of it.
pub(super) fn check_all(notes: &Notes, checked: &mut Checked) -> Vec<Fault> {
    let mut faults = Vec::new();
    let lost = notes.acks.iter().filter(|answer| answer.is_lost);
    let lost: BTreeSet<_> = lost.filter_map(|answer| answer.moment).collect();
    let mut places: BTreeMap<&str, Moment> = BTreeMap::new();
    let mut numbers: BTreeMap<u64, Moment> = BTreeMap::new();
    for (&moment, entry) in &notes.entries {
        // What was forgotten may have been given again.
        if notes.may_lose || lost.contains(&moment) {
            continue;
        }
        if let Some(other) = numbers.insert(moment.seq, moment) {
            let text = format!("the journal was seen with {other} and with {moment}");
            faults.push((Some(moment.seq), text));
        }
        let Some(key) = &entry.key else {
            continue;
        };
        if let Some(other) = places.insert(key, moment) {
            let text = format!("key {key} stands in the journal at {other} and at {moment}");
            faults.push((Some(moment.seq), text));
        }
        if notes.unmet.contains(key) {
            let text = format!("key {key} was refused as unmet, and is carried out at {moment}");
            faults.push((Some(moment.seq), text));
        }
    }
    for answer in notes.kept() {
        let Some(moment) = answer.moment else {
            continue;
        };
        let Some(entry) = notes.entries.get(&moment) else {
            if let Some(other) = numbers.get(&moment.seq) {
                let text = format!("the journal has {other} instead of {}", answer.shown());
                faults.push((Some(moment.seq), text));
            }
            continue;
        };
        checked.seen_in_journal += 1;
        if entry.key != answer.request.key {
            let text = format!("the journal has {entry:?} instead of {}", answer.shown());
            faults.push((Some(moment.seq), text));
        }
    }
    faults
}
