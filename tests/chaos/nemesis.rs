//! Inflicts faults, alone and in pairs, has them put right, and waits until everything answers.

use std::{
    collections::BTreeSet,
    iter::repeat_n,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IteratorRandom};

use crate::{
    checks::losses,
    client::Crowd,
    faults::{Fault, Scar, Target},
    figures::{Strike, ms},
    history::World,
    options::Plan,
    report::say,
    scribe::answered,
    stage::{INSTANCES, Stage, name},
    verdict::Verdict,
};

/// How much longer than a lease it may take until everything answers again.
const SLACK: Duration = Duration::from_secs(10);
/// How long one answer may take.
const GLANCE: Duration = Duration::from_secs(5);
const SOON: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(30);

/// What was done.
#[derive(Default)]
pub(crate) struct Deeds {
    pub(crate) strikes: Vec<Strike>,
    /// What happened when, for whoever reads logs.
    pub(crate) diary: Vec<String>,
}

/// Goes on for as long as planned.
pub(crate) async fn rage(plan: &Plan, stage: &mut Stage, crowd: &Arc<Crowd>) -> Deeds {
    let mut random = StdRng::seed_from_u64(plan.seed);
    let mut deeds = Deeds::default();
    let end = Instant::now() + Duration::from_secs(plan.seconds);
    while Instant::now() < end {
        let calm = Duration::from_millis(random.random_range(200..800));
        tokio::time::sleep(calm).await;
        let faults = choose(plan, &mut random);
        strike(&faults, stage, crowd, &mut random, &mut deeds).await;
    }
    deeds
}

/// One fault, or two that go together.
fn choose(plan: &Plan, random: &mut StdRng) -> Vec<Fault> {
    let all = plan.faults.iter();
    let lots: Vec<_> = all
        .flat_map(|&fault| repeat_n(fault, fault.weight()))
        .collect();
    let Some(first) = lots.iter().copied().choose(random) else {
        return Vec::new();
    };
    let is_pair = random.random_bool(0.4);
    let others = plan.faults.iter().copied();
    let others = others.filter(|other| is_pair && first.goes_with(*other));
    let second = others.choose(random);
    [first].into_iter().chain(second).collect()
}

/// Inflicts these faults at once, has them put right, and sees to it that everything answers.
pub(crate) async fn strike(
    faults: &[Fault],
    stage: &mut Stage,
    crowd: &Arc<Crowd>,
    random: &mut StdRng,
    deeds: &mut Deeds,
) {
    let names: Vec<_> = faults.iter().map(|fault| fault.name()).collect();
    let mut target = Target {
        stage: &mut *stage,
        crowd,
        random,
        hit: BTreeSet::new(),
    };
    let mut scars: Vec<Scar> = Vec::new();
    let mut lasts = Duration::ZERO;
    let begun = crowd.history.now();
    crowd.history.longest_wait_of_late_ms();
    for fault in faults {
        lasts = lasts.max(fault.lasts(target.stage.lease, target.random));
        if fault.is_unseen() {
            allow_unknown(crowd, SOON);
        }
        scars.push(fault.inflict(&mut target).await);
        if fault.is_unseen() {
            allow_unknown(crowd, target.stage.lease);
        }
    }
    if faults.iter().any(|fault| fault.may_lose()) {
        doubt_ends(crowd);
    }
    let hit = target.hit;
    let may_lose = faults.iter().any(|fault| fault.may_lose());
    // While it is found out what is left nobody is to add anything to it.
    let gate = if may_lose {
        Some(crowd.gate.write().await)
    } else {
        None
    };
    let limit = stage.lease + SLACK;
    let others = async {
        if may_lose {
            return None;
        }
        let whole: Vec<_> = (0..INSTANCES).filter(|it| !hit.contains(it)).collect();
        Some(until_everything_answers(crowd, &whole, lasts + limit).await)
    };
    let mended = async {
        if !may_lose {
            tokio::time::sleep(lasts).await;
        }
        for scar in scars.into_iter().rev() {
            scar.heal(stage).await;
        }
        stage.heal_links().await;
        let healed = crowd.history.now();
        let all: Vec<_> = (0..INSTANCES).collect();
        let since = Instant::now();
        until_everything_answers(crowd, &all, limit).await;
        if faults.iter().any(|fault| fault.forgets()) {
            until_told_again(crowd, limit).await;
        }
        (healed, since.elapsed())
    };
    let (others, (healed, took)) = tokio::join!(others, mended);
    let strike = Strike {
        faults: faults.to_vec(),
        hit: hit.iter().map(|&place| name(place)).collect(),
        others_ms: others.map(ms),
        all_ms: ms(took),
        wait_ms: crowd.history.longest_wait_of_late_ms(),
    };
    let told = format!(
        "{begun:.1?} to {healed:.1?}: {} {:?}, answered again after {took:.1?}",
        names.join(" + "),
        strike.hit
    );
    say(&format!("  {told}"));
    deeds.diary.push(told);
    deeds.strikes.push(strike);
    if gate.is_some() {
        losses::find(crowd, limit).await;
    }
    for place in stage.fallen() {
        let text = format!("instance {} has ended by itself", name(place));
        crowd.history.object(None, None, text);
        stage.start(place).await;
    }
}

/// Until owners have found out that Redis is another one, nobody else need know of what was created
/// just before.
fn allow_unknown(crowd: &Crowd, time: Duration) {
    for world in crowd.history.living() {
        world.notes().unknown_until = Some(Instant::now() + time);
    }
}

/// An end that is forgotten together with whoever has told it: what was destroyed may be back.
fn doubt_ends(crowd: &Crowd) {
    for world in crowd.history.worlds() {
        let mut notes = world.notes();
        notes.may_return |= notes.is_being_deleted;
    }
}

/// Waits until every simulation answers at each of these instances, by an owner that is sure of
/// itself; how long that took.
async fn until_everything_answers(
    crowd: &Arc<Crowd>,
    places: &[usize],
    limit: Duration,
) -> Duration {
    let begun = Instant::now();
    let worlds = crowd.history.living();
    join_all(worlds.iter().map(async |world| {
        for &door in places {
            if let Err(last) = until_answered(crowd, world, door, begun + limit).await {
                let text = format!("no answer within {limit:?}, but {last}");
                crowd.history.object(Some(world), None, text);
                return;
            }
        }
    }))
    .await;
    begun.elapsed()
}

/// Waits until every owner has told Redis again what it forgot: before, they alone know, and an owner
/// that is struck next takes it with it.
async fn until_told_again(crowd: &Crowd, limit: Duration) {
    let worlds = crowd.history.living();
    join_all(worlds.iter().map(async |world| {
        let journal = ("/journal?limit=1", &[][..]);
        if let Err(last) = answered(crowd, world, journal, limit).await {
            let text = format!("its journal is not whole again, {last}");
            crowd.history.object(Some(world), None, text);
        }
    }))
    .await;
}

async fn until_answered(
    crowd: &Crowd,
    world: &World,
    door: usize,
    deadline: Instant,
) -> Result<(), String> {
    loop {
        let call = crowd.door(door).call("GET", world.path("/state"));
        let call = call.header("sim-consistency", "fenced");
        let trouble = match tokio::time::timeout(GLANCE, call.try_send()).await {
            Ok(Ok(reply)) => match Verdict::on(&reply, world) {
                Verdict::Done | Verdict::Gone => return Ok(()),
                Verdict::Again(code) => code,
                verdict @ (Verdict::DoneBefore(_)
                | Verdict::Unmet
                | Verdict::Lost(_)
                | Verdict::Baseless
                | Verdict::Odd(_)) => return Err(verdict.to_string()),
            },
            Ok(Err(error)) => format!("a broken connection: {error}"),
            Err(_) => "nothing in time".to_owned(),
        };
        if Instant::now() >= deadline {
            return Err(trouble);
        }
        tokio::time::sleep(PAUSE).await;
    }
}
