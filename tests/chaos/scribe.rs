//! Reads journals: what is in them while it is there, and what is left of a history.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    client::Crowd,
    harness::{Reply, Request},
    history::{Entry, Moment, World},
    verdict::Verdict,
};

/// From one look at all journals to the next.
const PAUSE: Duration = Duration::from_millis(150);
/// From one try to the next.
const BREATH: Duration = Duration::from_millis(30);
const GLANCE: Duration = Duration::from_secs(5);
/// How many entries are read at once.
const PAGE: usize = 10_000;

/// A journal as it was told.
pub(crate) struct Journal {
    /// Where its entries begin.
    pub(crate) from: Moment,
    /// Where the simulation stood.
    pub(crate) head: Moment,
    pub(crate) entries: BTreeMap<Moment, Entry>,
    snapshots: Vec<u64>,
}

/// Reads every journal again and again, before it is trimmed, until it is over.
pub(crate) async fn follow(crowd: Arc<Crowd>) {
    let mut turn = 0;
    while !*crowd.over.borrow() {
        for world in crowd.history.living() {
            turn += 1;
            let after = world.notes().entries.keys().last().map(|last| last.seq);
            // What was forgotten and given anew lies a little way back.
            let after = after.map_or(0, |seq| seq.saturating_sub(10));
            let _pass = crowd.gate.read().await;
            if let Some(journal) = read(&crowd, &world, turn, after).await {
                let mut notes = world.notes();
                notes.entries.extend(journal.entries);
                notes.snapshots.extend(journal.snapshots);
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// All that is kept of a journal; nothing where there is none any more, or not in time.
pub(crate) async fn whole(crowd: &Crowd, world: &World, patience: Duration) -> Option<Journal> {
    let begun = Instant::now();
    let mut turn = 0;
    while begun.elapsed() < patience {
        if let Some(journal) = read(crowd, world, turn, 0).await {
            // It may have gone on while it was told.
            if journal.is_whole() {
                return Some(journal);
            }
        }
        turn += 1;
        tokio::time::sleep(BREATH).await;
    }
    None
}

/// An answer to a question that is only asked, whoever has to be asked for it.
pub(crate) async fn answered(
    crowd: &Crowd,
    world: &World,
    (path, headers): (&str, &[(&str, &str)]),
    patience: Duration,
) -> Result<Reply, String> {
    let begun = Instant::now();
    let mut trouble = String::new();
    for turn in 0.. {
        let mut call = crowd.door(turn).call("GET", world.path(path));
        for (name, value) in headers {
            call = call.header(name, value);
        }
        trouble = match tokio::time::timeout(GLANCE, call.try_send()).await {
            Ok(Ok(reply)) => {
                let Verdict::Again(code) = Verdict::on(&reply, world) else {
                    return Ok(reply);
                };
                code
            }
            Ok(Err(error)) => format!("no connection: {error}"),
            Err(_) => "no answer in time".to_owned(),
        };
        if begun.elapsed() >= patience {
            break;
        }
        tokio::time::sleep(BREATH).await;
    }
    Err(format!("not within {patience:?}: {trouble}"))
}

async fn read(crowd: &Crowd, world: &World, turn: usize, after: u64) -> Option<Journal> {
    let path = world.path(&format!("/journal?after={after}&limit={PAGE}"));
    let request = Request::get(path);
    let asked = tokio::time::timeout(GLANCE, request.send(crowd.door(turn))).await;
    let reply = asked.ok()?.ok()?;
    match Verdict::on(&reply, world) {
        Verdict::Done => parse(&reply),
        Verdict::Again(_) | Verdict::Gone => None,
        odd @ (Verdict::DoneBefore(_)
        | Verdict::Unmet
        | Verdict::Lost(_)
        | Verdict::Baseless
        | Verdict::Odd(_)) => {
            let text = format!("the journal: {odd}");
            crowd.history.object(Some(world), None, text);
            None
        }
    }
}

impl Journal {
    /// Whether there is an entry for each number on the way.
    fn is_whole(&self) -> bool {
        let numbers = self.entries.keys().map(|moment| moment.seq);
        numbers.eq(self.from.seq + 1..=self.head.seq)
    }
}

fn parse(reply: &Reply) -> Option<Journal> {
    let text = std::str::from_utf8(&reply.body).ok()?;
    let mut lines = text.lines().map(serde_json::from_str::<Value>);
    let heading = lines.next()?.ok()?;
    let mut entries = BTreeMap::new();
    // The last line may have been cut short.
    for line in lines.map_while(Result::ok) {
        let known = ["seq", "at", "chain", "state_hash", "idempotency_key"];
        let event = line.as_object()?.iter();
        let event = event
            .filter(|(name, _)| !known.contains(&name.as_str()))
            .map(|(name, value)| format!("{name}: {value}"));
        let entry = Entry {
            key: line["idempotency_key"].as_str().map(str::to_owned),
            event: event.collect::<Vec<_>>().join(", "),
            hash: line["state_hash"].as_str()?.to_owned(),
        };
        entries.insert(moment(&line)?, entry);
    }
    let snapshots = heading["snapshots"].as_array().into_iter().flatten();
    Some(Journal {
        from: moment(&heading["from"])?,
        head: moment(&heading["head"])?,
        entries,
        snapshots: snapshots.filter_map(Value::as_u64).collect(),
    })
}

fn moment(told: &Value) -> Option<Moment> {
    Some(Moment {
        seq: told["seq"].as_u64()?,
        chain: u64::from_str_radix(told["chain"].as_str()?, 16).ok()?,
    })
}
