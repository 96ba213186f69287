//! `make soak`: an instance that outlives everything around it holds no more in the end than in the
//! beginning.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use rand::{SeedableRng, rngs::StdRng, seq::SliceRandom};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

use self::{
    gauge::{Gauge, Phase, Record},
    growth::Growth,
};
use crate::{client::Crowd, nemesis, nemesis::Deeds, options::Plan, report::say, stage::Stage};

mod audit;
mod gauge;
mod growth;
mod guests;

/// The instance that is never killed, hung or restarted.
pub(crate) const SPARED: usize = 0;
/// Clients that do what those of other runs do not.
const GUESTS: usize = 4;
const MINUTE: Duration = Duration::from_secs(60);
/// When in each minute the fault begins, and when everybody is asked to be quiet.
const FAULT_AT: Duration = Duration::from_secs(5);
const QUIET_AT: Duration = Duration::from_secs(38);

/// Inflicts a fault a minute, each kind in turn, while the spared instance is watched.
pub(crate) async fn endure(plan: &Plan, stage: &mut Stage, crowd: &Arc<Crowd>) -> Deeds {
    let begun = Instant::now();
    let record = Arc::new(Record::of(Gauge::on(stage, SPARED)));
    let mut company = JoinSet::new();
    for number in 0..GUESTS {
        company.spawn(guests::visit(Arc::clone(crowd), number, plan.seed));
    }
    company.spawn(audit::follow(Arc::clone(crowd)));
    company.spawn(gauge::watch(Arc::clone(crowd), Arc::clone(&record)));

    let mut random = StdRng::seed_from_u64(plan.seed);
    let mut deeds = Deeds::default();
    let mut coming = Vec::new();
    for minute in 0..u32::try_from(plan.seconds / MINUTE.as_secs()).unwrap_or(u32::MAX) {
        let minute = begun + minute * MINUTE;
        sleep_until(minute + FAULT_AT).await;
        if coming.is_empty() {
            // What is lost is only seen in journals, which those lack that have gone to rest.
            let faults = plan.faults.iter().copied();
            coming.extend(faults.filter(|fault| !fault.may_lose()));
            coming.shuffle(&mut random);
        }
        let fault = coming.pop();
        record.enter(Phase::Fault);
        nemesis::strike(fault.as_slice(), stage, crowd, &mut random, &mut deeds).await;
        record.enter(Phase::Load);
        sleep_until(minute + QUIET_AT).await;
        be_quiet(stage, crowd, &record).await;
        sleep_until(minute + MINUTE).await;
    }
    crowd.over.send_replace(true);
    while let Some(ended) = company.join_next().await {
        if let Err(error) = ended {
            let text = format!("the company: {error}");
            crowd.history.object(None, None, text);
        }
    }
    let growth = Growth::of(Duration::from_secs(plan.seconds), record.samples());
    say(&growth.to_string());
    if let Some(file) = &plan.growth
        && let Err(error) = growth.write(file)
    {
        say(&format!("  not written to {}: {error}", file.display()));
    }
    for text in growth.violations() {
        crowd.history.object(None, None, text);
    }
    deeds
}

/// Looks at the instance while nobody asks for anything, nobody is connected and every simulation
/// has gone to rest: what it holds then it holds for nobody.
async fn be_quiet(stage: &mut Stage, crowd: &Crowd, record: &Record) {
    let _nobody_asks = crowd.gate.write().await;
    record.enter(Phase::Fault);
    for proxy in stage.doors.iter_mut().chain(&mut stage.peers) {
        proxy.cut().await;
        proxy.heal().await;
    }
    if let Err(last) = record.look_at_rest().await {
        let text = format!("simulations do not go to rest: {last:?}");
        crowd.history.object(None, None, text);
    }
    record.enter(Phase::Load);
}

/// Processes that a fault may not meet.
pub(crate) fn spared(plan: &Plan) -> BTreeSet<usize> {
    plan.is_soak.then_some(SPARED).into_iter().collect()
}
