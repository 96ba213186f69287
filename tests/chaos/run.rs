//! One run: a fleet, clients, a nemesis, and what is to be said of it afterwards.

use std::{sync::Arc, time::Duration};

use tokio::task::JoinSet;

use crate::{
    checks,
    client::{Crowd, Session},
    figures::Figures,
    nemesis,
    options::Plan,
    report, scribe, soak,
    stage::Stage,
};

/// How much longer than a lease what is under way may take once nothing is wrong any more.
const SLACK: Duration = Duration::from_secs(10);
/// How long clients think that are not in a hurry.
const THOUGHT: Duration = Duration::from_millis(30);

pub(crate) async fn run(plan: Plan) -> Figures {
    let mut stage = Stage::set(&plan).await;
    let crowd = Arc::new(Crowd::new(stage.clients(), pace(&plan)));
    let patience = plan.lease + SLACK;
    found(&plan, &crowd).await;
    let mut sessions = JoinSet::new();
    for number in 0..plan.clients {
        let session = Session::new(Arc::clone(&crowd), number, plan.seed);
        sessions.spawn(session.run());
    }
    let mut scribe = JoinSet::new();
    scribe.spawn(scribe::follow(Arc::clone(&crowd)));

    let deeds = if plan.is_soak {
        soak::endure(&plan, &mut stage, &crowd).await
    } else {
        nemesis::rage(&plan, &mut stage, &crowd).await
    };
    crowd.over.send_replace(true);
    let ended = tokio::time::timeout(patience, async {
        while let Some(session) = sessions.join_next().await {
            if let Err(error) = session {
                crowd
                    .history
                    .object(None, None, format!("a client: {error}"));
            }
        }
        while scribe.join_next().await.is_some() {}
    });
    if ended.await.is_err() {
        let waiting = crowd.waiting.lock().expect("no holder panics").clone();
        let text = format!("clients still wait {patience:?} after the last fault: {waiting:?}");
        crowd.history.object(None, None, text);
        sessions.shutdown().await;
    }
    let checked = checks::all(&crowd, patience).await;
    if !crowd.history.violations().is_empty() {
        report::show_failure(&plan, &stage, &crowd.history, &deeds.diary);
    }
    Figures::of(&plan, &stage, &crowd.history, deeds, checked)
}

/// Creates what is there in the beginning.
async fn found(plan: &Plan, crowd: &Arc<Crowd>) {
    let mut founder = Session::new(Arc::clone(crowd), plan.clients, plan.seed);
    for number in 0..plan.worlds {
        founder.create(number).await;
    }
}

/// How long a client thinks before it goes on. Where memory is watched the load is steady rather
/// than all that can be.
fn pace(plan: &Plan) -> Duration {
    if plan.is_soak {
        THOUGHT
    } else {
        Duration::ZERO
    }
}
