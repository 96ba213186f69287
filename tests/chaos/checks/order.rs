//! Numbers and times: what was acknowledged is in one order, and nobody is shown less than that.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::Fault;
use crate::history::{Answer, Moment, Notes};

pub(super) fn check(notes: &Notes) -> Vec<Fault> {
    let mut faults = Vec::new();
    each_number_is_given_once(notes, &mut faults);
    repeated_replies_are_the_first_ones(notes, &mut faults);
    conditions_were_met(notes, &mut faults);
    numbers_follow_time(notes, &mut faults);
    reads_are_not_old(notes, &mut faults);
    if !notes.may_lose {
        faults.extend(notes.told_of_loss.iter().map(|told| {
            let text = format!("a client is told of a loss where nothing may be lost: {told}");
            (None, text)
        }));
    }
    faults
}

fn each_number_is_given_once(notes: &Notes, faults: &mut Vec<Fault>) {
    let mut given: BTreeMap<u64, &Answer> = BTreeMap::new();
    for answer in notes.kept() {
        if let Some(other) = given.insert(answer.seq, answer) {
            let text = format!(
                "two commands were acknowledged under one number: {} and {}",
                other.shown(),
                answer.shown()
            );
            faults.push((Some(answer.seq), text));
        }
    }
}

fn repeated_replies_are_the_first_ones(notes: &Notes, faults: &mut Vec<Fault>) {
    let mut first: BTreeMap<&str, Vec<&Answer>> = BTreeMap::new();
    for answer in &notes.acks {
        if let Some(key) = &answer.request.key {
            first.entry(key).or_default().push(answer);
        }
    }
    for repeat in &notes.repeats {
        let key = repeat.request.key.as_deref().unwrap_or_default();
        let firsts = first.get(key).map_or(&[][..], Vec::as_slice);
        let is_one = |first: &&Answer| {
            let is_same_reply = match (&first.body, &repeat.body) {
                (Some(one), Some(other)) => one == other && first.status == repeat.status,
                // It was not kept, but it is known where it was carried out.
                _ => true,
            };
            first.seq == repeat.seq && is_same_reply
        };
        if !firsts.iter().any(is_one) {
            let shown: Vec<_> = firsts.iter().map(|first| first.shown()).collect();
            let text = format!(
                "a repetition is answered otherwise: {} instead of {}",
                repeat.shown(),
                shown.join(" or ")
            );
            faults.push((Some(repeat.seq), text));
        }
    }
}

fn conditions_were_met(notes: &Notes, faults: &mut Vec<Fault>) {
    for answer in notes.kept() {
        if let Some(condition) = answer.condition
            && answer.seq != condition.seq + 1
        {
            let text = format!("carried out, but not at {condition}: {}", answer.shown());
            faults.push((Some(answer.seq), text));
        }
    }
}

/// Whatever was asked for after something was told comes after it.
fn numbers_follow_time(notes: &Notes, faults: &mut Vec<Fault>) {
    let lost: BTreeSet<Moment> = lost(notes).collect();
    let told = notes
        .kept()
        .map(|answer| (answer.seq, answer.answered, answer.shown()));
    let seen = notes.reads.iter().filter(|read| {
        // What was seen last before something was lost need not have been acknowledged.
        !notes.may_lose && !lost.contains(&read.moment)
    });
    let seen = seen.map(|read| (read.moment.seq, read.answered, format!("{read:?}")));
    let mut told: Vec<(u64, Duration, String)> = told.chain(seen).collect();
    told.sort_by_key(|(seq, ..)| *seq);
    let mut asked: Vec<_> = notes.kept().collect();
    asked.sort_by_key(|answer| answer.seq);
    // From the end: the earliest that something was told of this number or a later one.
    let mut earliest: Option<(Duration, String)> = None;
    for answer in asked.into_iter().rev() {
        while told.last().is_some_and(|(seq, ..)| *seq >= answer.seq) {
            if let Some((_, at, what)) = told.pop()
                && earliest.as_ref().is_none_or(|(before, _)| at < *before)
            {
                earliest = Some((at, what));
            }
        }
        if let Some((at, what)) = &earliest
            && *at < answer.sent
        {
            let text = format!(
                "asked for after {what} was told, and carried out before: {}",
                answer.shown()
            );
            faults.push((Some(answer.seq), text));
            return;
        }
    }
}

fn reads_are_not_old(notes: &Notes, faults: &mut Vec<Fault>) {
    let lost: BTreeSet<Moment> = lost(notes).collect();
    for read in &notes.reads {
        if let Some(floor) = read.floor
            && read.moment.seq < floor.seq
            && !lost.contains(&floor)
        {
            let text = format!("a fenced read is older than what was acknowledged: {read:?}");
            faults.push((Some(floor.seq), text));
        }
    }
}

fn lost(notes: &Notes) -> impl Iterator<Item = Moment> {
    let lost = notes.acks.iter().filter(|answer| answer.is_lost);
    lost.filter_map(|answer| answer.moment)
}
