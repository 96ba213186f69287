//! The same commands, in the order that was acknowledged, by a service without a fleet: every
//! reply and every state is the same, to the byte.

use std::{collections::BTreeMap, time::Duration};

use super::{Checked, Fault};
use crate::{
    client::Crowd,
    harness::{Client, Request},
    history::{Answer, Entry, Notes, World},
    scribe::answered,
};

/// What shows all that a simulation is.
const VIEWS: [&str; 4] = ["/state", "/bodies", "/joints", "/controllers"];

/// A command that was certainly carried out.
struct Done {
    seq: u64,
    request: Request,
    /// What was answered, where that was heard.
    answer: Option<Answer>,
}

/// Carries everything out again; whether all of it is known, up to `head` where the simulation stands.
pub(super) async fn replay(
    alone: &Client,
    world: &World,
    head: Option<u64>,
    checked: &mut Checked,
) -> Result<bool, Fault> {
    let creation = world.creation.send(alone).await;
    let created = creation.map_err(|error| (None, format!("no reference: {error}")))?;
    if created.status != 201 {
        return Err((Some(0), format!("the reference: {}", created.text())));
    }
    let (commands, is_complete) = in_order(&world.notes(), head)?;
    checked.unresolved += usize::from(!is_complete);
    let mut hashes = BTreeMap::new();
    hashes.extend(
        created
            .header("sim-state-hash")
            .map(|it| (0, it.to_owned())),
    );
    for Done {
        seq,
        request,
        answer,
    } in commands
    {
        let sent = request.send(alone).await;
        let reply = sent.map_err(|error| (Some(seq), format!("no reference: {error}")))?;
        let hash = reply.header("sim-state-hash").map(str::to_owned);
        let expected = answer.as_ref();
        let is_same = match expected.and_then(|answer| answer.body.as_ref()) {
            Some(body) => {
                let answer = expected.expect("its body is there");
                *body == reply.body && answer.status == reply.status && answer.hash == hash
            }
            None => (200..300).contains(&reply.status),
        };
        if !is_same {
            let told = expected.map_or_else(|| format!("{request:?}"), Answer::told);
            let text = format!(
                "told {told}, but after the same commands one after the other it is {} {hash:?} {}",
                reply.status,
                reply.text()
            );
            return Err((Some(seq), text));
        }
        checked.replayed += 1;
        hashes.extend(hash.map(|hash| (seq, hash)));
    }
    check_reads(&world.notes(), &hashes, is_complete)?;
    Ok(is_complete)
}

/// Shows that the simulation is where the reference is.
pub(super) async fn compare(
    crowd: &Crowd,
    alone: &Client,
    world: &World,
    patience: Duration,
) -> Result<(), String> {
    for view in VIEWS {
        let headers: &[_] = &[("sim-consistency", "fenced")];
        let shown = answered(crowd, world, (view, headers), patience).await?;
        let expected = alone.get(world.path(view)).await;
        if shown.status != expected.status || shown.body != expected.body {
            return Err(format!(
                "in the end {view} is {}, and {} after the same commands one after the other",
                shown.text(),
                expected.text()
            ));
        }
    }
    Ok(())
}

/// Every command by its number, up to the first of which nobody can tell what it was.
fn in_order(notes: &Notes, head: Option<u64>) -> Result<(Vec<Done>, bool), Fault> {
    let mut known: BTreeMap<u64, &Answer> = BTreeMap::new();
    known.extend(notes.kept().map(|answer| (answer.seq, answer)));
    let entries = notes.entries.iter();
    let entries: BTreeMap<u64, &Entry> = entries.map(|(moment, it)| (moment.seq, it)).collect();
    // What a command in doubt did may have been seen, and be in no journal any more but in a snapshot.
    let seen = notes.reads.iter().map(|read| read.moment.seq);
    let last = known
        .keys()
        .chain(entries.keys())
        .copied()
        .chain(seen)
        .chain(head)
        .max();
    let mut commands = Vec::new();
    for seq in 1..=last.unwrap_or_default() {
        if let Some(&answer) = known.get(&seq) {
            let (request, answer) = (answer.request.clone(), Some(answer.clone()));
            commands.push(Done {
                seq,
                request,
                answer,
            });
            continue;
        }
        match entries.get(&seq) {
            Some(entry) if !entry.event.starts_with("command") => {}
            Some(entry) if !notes.may_lose => {
                let mut doubtful = notes.doubtful.iter();
                let it = doubtful.find(|(name, _)| match &entry.key {
                    Some(key) => key == *name,
                    None => entry.event.contains(&format!("\"{name}\"")),
                });
                let Some((_, request)) = it else {
                    let text = format!("nobody has given what the journal has: {entry:?}");
                    return Err((Some(seq), text));
                };
                commands.push(Done {
                    seq,
                    request: request.clone(),
                    answer: None,
                });
            }
            // Without a command in doubt it was a takeover.
            None if notes.doubtful.is_empty() => {}
            Some(_) | None => return Ok((commands, false)),
        }
    }
    Ok((commands, true))
}

/// What was seen at a moment is what the simulation was then.
fn check_reads(
    notes: &Notes,
    hashes: &BTreeMap<u64, String>,
    is_complete: bool,
) -> Result<(), Fault> {
    if notes.may_lose || !is_complete {
        return Ok(());
    }
    let moments: BTreeMap<u64, &Answer> = notes.kept().map(|it| (it.seq, it)).collect();
    for read in &notes.reads {
        let seq = read.moment.seq;
        let known = moments.get(&seq).and_then(|answer| answer.moment);
        let expected = hashes.range(..=seq).next_back().map(|(_, hash)| hash);
        if known.is_some_and(|known| known != read.moment) || read.hash.as_ref() != expected {
            let text = format!("seen: {read:?}, which has never been; it was {expected:?}");
            return Err((Some(seq), text));
        }
    }
    Ok(())
}
