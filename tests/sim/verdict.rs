//! Whether what was promised was kept.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use rapier_physics_service::{
    journal::Journal,
    physics::{Command, Steps, World, WorldConfig, WorldLimits},
    simulations::{Event, Head, Reply, SimulationError},
};
use tokio::time::sleep;

use crate::{
    client,
    ledger::{Ledger, Taken, body},
    process::{Ask, LEASE, Request, ball, bodies, name},
    universe::{HOSTS, SIMULATIONS, Universe},
};

/// How long after everything was mended every simulation answers.
const ANSWERS: Duration = LEASE.saturating_mul(2);
/// How often it is asked.
const POLL: Duration = Duration::from_millis(100);

/// A history, first entry to last.
type Way<'a> = Vec<(Head, &'a Taken)>;

/// Looks at everything once nothing goes wrong any more.
pub(crate) async fn reach(universe: &Arc<Universe>) {
    let mended = universe.elapsed();
    let mut heads = Vec::new();
    for sim in 0..SIMULATIONS {
        let step = Command::Step(Steps { count: 1, dt: None });
        let last = Request {
            sim,
            ask: Ask::Give(step),
            key: Some("last".to_owned()),
            witness: None,
        };
        let Some(reply) = insist(universe, 0, &last, mended).await else {
            continue;
        };
        let head = reply.position.head;
        universe.ledger().tell(sim, last.key.clone(), reply);
        let labels = Request {
            sim,
            ask: Ask::Labels,
            key: None,
            witness: None,
        };
        if let Some(reply) = insist(universe, 0, &labels, mended).await {
            let text = std::str::from_utf8(&reply.body).expect("digits");
            let is_doomed = universe.ledger().is_doomed[sim];
            if !is_doomed && !universe.ledger().may_be_labelled(sim, text.parse().ok()) {
                universe.accuse(format!(
                    "s{sim}: its label is {text:?}, a later one was acknowledged"
                ));
            }
        }
        for host in 0..HOSTS {
            let look = Request {
                sim,
                ask: Ask::Look { is_fenced: true },
                key: None,
                witness: Some(head),
            };
            let Some(reply) = insist(universe, host, &look, mended).await else {
                universe.accuse(format!("s{sim} is nowhere to be found"));
                continue;
            };
            if reply.position.head.seq < head.seq {
                universe.accuse(format!(
                    "s{sim} stands at {}, not {head}",
                    reply.position.head
                ));
            }
            universe.ledger().show(sim, reply);
        }
    }
    for sim in 0..SIMULATIONS {
        let standing = universe.journal.standing(&name(sim)).await;
        if let Ok(Some(standing)) = standing {
            heads.push((sim, standing.head));
        }
    }
    let found = judge(&universe.ledger(), &heads);
    for text in found {
        universe.accuse(text);
    }
}

/// Asks until there is an answer; nothing if there need not be one.
async fn insist(
    universe: &Arc<Universe>,
    first: usize,
    request: &Request,
    mended: Duration,
) -> Option<Reply> {
    let sim = request.sim;
    let mut host = first;
    loop {
        let told = client::ask(universe, host, request).await;
        let is_late = universe.elapsed() > mended + ANSWERS;
        match told {
            Some(Ok(reply)) => return Some(reply),
            Some(Err(SimulationError::NotFound(_) | SimulationError::Lost(_)))
                if may_be_gone(&universe.ledger(), sim) =>
            {
                return None;
            }
            told if is_late => {
                let said = told.map(Result::err);
                universe.accuse(format!(
                    "s{sim} still answers {said:?} {ANSWERS:?} after everything was mended"
                ));
                return None;
            }
            _ => {}
        }
        if request.key.is_some() {
            host = (host + 1) % HOSTS;
        }
        sleep(POLL).await;
    }
}

/// Whether there need not be such a simulation.
fn may_be_gone(ledger: &Ledger, sim: usize) -> bool {
    let is_told = ledger.told.iter().any(|told| told.sim == sim);
    let begun = ledger.begun.iter().filter(|(of, _)| *of == sim);
    let mut begun = begun.map(|(_, at)| *at);
    let is_forgotten = begun.any(|at| {
        let mut losses = ledger.losses.iter();
        losses.any(|loss| loss.since <= at && at <= loss.at && !loss.is_alone)
    });
    !is_told || ledger.is_doomed[sim] || is_forgotten
}

/// Everything that is not as it was promised.
fn judge(ledger: &Ledger, heads: &[(usize, Head)]) -> Vec<String> {
    let mut found = Vec::new();
    let mut known: BTreeMap<u64, (usize, &Taken)> = BTreeMap::new();
    let mut present: BTreeSet<u64> = BTreeSet::new();
    let ended = ledger.ended.iter().map(|end| (end, false));
    for (&(sim, head), is_present) in heads.iter().map(|head| (head, true)).chain(ended) {
        match ledger.way_to(head) {
            Ok(way) => {
                for (head, taken) in &way {
                    known.insert(head.chain, (sim, taken));
                    if is_present {
                        present.insert(head.chain);
                    }
                }
                find_repeats(&way, sim, &mut found);
                replay(ledger, &way, sim, &mut found);
            }
            Err(text) => found.push(format!("s{sim}: {text}")),
        }
    }
    find_losses(ledger, &known, &mut found);
    find_contradictions(ledger, &known, &mut found);
    for (sim, head) in &ledger.denied {
        if present.contains(&head.chain) && !ledger.is_doomed[*sim] {
            found.push(format!("s{sim}: {head} was called lost and is there"));
        }
    }
    found
}

/// Finds keys that were applied twice.
fn find_repeats(way: &Way, sim: usize, found: &mut Vec<String>) {
    let voided = Ledger::voided(way);
    let mut used = BTreeMap::new();
    for (key, head) in Ledger::keys(way) {
        if voided.contains(&head.seq) {
            continue;
        }
        if let Some(first) = used.insert(key, head) {
            found.push(format!(
                "s{sim}: {key} was applied as {first} and as {head}"
            ));
        }
    }
}

/// Finds what was acknowledged, or shown, and is no more.
fn find_losses(ledger: &Ledger, known: &BTreeMap<u64, (usize, &Taken)>, found: &mut Vec<String>) {
    for told in &ledger.told {
        let (sim, head) = (told.sim, told.reply.position.head);
        if head.seq == 0 {
            continue;
        }
        match known.get(&head.chain) {
            Some((_, taken)) => {
                let key = taken.entry.key.as_ref().map(|used| used.key.as_str());
                if key != told.key.as_deref() {
                    found.push(format!(
                        "s{sim}: {:?} was acknowledged as {head}, which is {key:?}",
                        told.key
                    ));
                }
            }
            None if ledger.may_be_lost(head) => {}
            None => found.push(format!("s{sim}: {head} was acknowledged and is lost")),
        }
    }
    for look in &ledger.looks {
        let (sim, head) = (look.sim, look.reply.position.head);
        let is_there = head.seq == 0 || known.contains_key(&head.chain);
        if !is_there && !ledger.may_be_lost(head) {
            found.push(format!("s{sim}: {head} was shown and is lost"));
        }
    }
}

/// Finds keys that were answered in two ways.
fn find_contradictions(
    ledger: &Ledger,
    known: &BTreeMap<u64, (usize, &Taken)>,
    found: &mut Vec<String>,
) {
    let mut answers: BTreeMap<(usize, &str), &Reply> = BTreeMap::new();
    for told in &ledger.told {
        let head = told.reply.position.head;
        let is_first = head.seq == 0;
        // A simulation may have had several lives.
        let is_sure = !ledger.is_doomed[told.sim] && (!is_first || ledger.losses.is_empty());
        let (Some(key), true) = (&told.key, is_sure) else {
            continue;
        };
        if !is_first && !known.contains_key(&head.chain) {
            continue;
        }
        let first = answers.entry((told.sim, key)).or_insert(&told.reply);
        if body(first) != body(&told.reply) || first.position != told.reply.position {
            let sim = told.sim;
            found.push(format!(
                "s{sim}: {key} was answered in two ways, as {} and as {head}",
                first.position.head
            ));
        }
    }
}

/// Carries a history out once more, and compares what everybody saw.
fn replay(ledger: &Ledger, way: &Way, sim: usize, found: &mut Vec<String>) {
    let voided = Ledger::voided(way);
    let mut world = World::new(WorldConfig::default());
    let limits = WorldLimits::unlimited();
    if world.apply(&Command::AddBodies(bodies()), &limits).is_err() {
        found.push(format!("s{sim}: it could not be begun"));
        return;
    }
    let mut seen: BTreeMap<u64, Vec<&Reply>> = BTreeMap::new();
    for look in ledger.looks.iter().filter(|look| look.sim == sim) {
        seen.entry(look.reply.position.head.chain)
            .or_default()
            .push(&look.reply);
    }
    let mut told: BTreeMap<u64, Vec<&Reply>> = BTreeMap::new();
    for one in ledger.told.iter().filter(|told| told.sim == sim) {
        told.entry(one.reply.position.head.chain)
            .or_default()
            .push(&one.reply);
    }
    let first = Head::default();
    for (head, taken) in
        std::iter::once((first, None)).chain(way.iter().map(|(h, t)| (*h, Some(*t))))
    {
        if let Some(taken) = taken {
            if taken.entry.state_hash != world.state_hash() {
                found.push(format!(
                    "s{sim}: {head} was not computed on what is before it"
                ));
                return;
            }
            if let Event::Command(command) = &taken.entry.event
                && !voided.contains(&head.seq)
                && world.apply(command, &limits).is_err()
            {
                found.push(format!("s{sim}: {head} cannot be carried out"));
                return;
            }
        }
        let hash = world.state_hash();
        let looks = seen.get(&head.chain).into_iter().flatten();
        for reply in looks
            .clone()
            .chain(told.get(&head.chain).into_iter().flatten())
        {
            if reply.position.state_hash != Some(hash) && head.seq > 0 {
                found.push(format!("s{sim}: {head} was told of with another state"));
            }
        }
        for reply in looks {
            let view = world.view();
            let expected = serde_json::to_vec(&view.body(&ball())).expect("it can be written");
            if reply.body != expected {
                found.push(format!("s{sim}: {head} was shown with another state"));
            }
        }
    }
}
