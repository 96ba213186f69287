//! What is gone after Redis has forgotten something together with an owner: only what may be, and
//! whoever has seen more is told so.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;

use crate::{
    client::Crowd,
    history::{Moment, World},
    scribe::{answered, whole},
};

/// Finds out what is left of every simulation, while nobody asks for anything.
pub(crate) async fn find(crowd: &Arc<Crowd>, patience: Duration) {
    let worlds = crowd.history.living();
    join_all(worlds.iter().map(|world| of_one(crowd, world, patience))).await;
    let mut used = crowd.worlds.lock().expect("no holder panics");
    used.retain(|world| world.is_living());
}

async fn of_one(crowd: &Crowd, world: &World, patience: Duration) {
    let object = |text: String| crowd.history.object(Some(world), None, text);
    // What was lost before and carried out anew may be lost again.
    world.notes().settle();
    if is_gone(crowd, world, patience).await {
        let mut notes = world.notes();
        notes.is_gone = true;
        for answer in &mut notes.acks {
            answer.is_lost = true;
        }
        return;
    }
    let Some(journal) = whole(crowd, world, patience).await else {
        return object("its journal cannot be read after a loss".to_owned());
    };
    let newest_lost = {
        let mut notes = world.notes();
        let mut newest: Option<Moment> = None;
        for answer in notes.acks.iter_mut().filter(|answer| !answer.is_lost) {
            let Some(moment) = answer.moment.filter(|it| it.seq >= journal.from.seq) else {
                continue;
            };
            if moment != journal.from && !journal.entries.contains_key(&moment) {
                answer.is_lost = true;
                newest = newest.max(Some(moment));
            }
        }
        newest
    };
    let Some(seen) = newest_lost else {
        return;
    };
    if !world.notes().may_lose {
        object(format!("{seen} is lost although its owner was alive"));
    }
    let witness = seen.to_string();
    let headers: &[_] = &[("sim-witness", witness.as_str())];
    match answered(crowd, world, ("/state", headers), patience).await {
        Ok(reply) if reply.status == 409 => {}
        Ok(reply) => {
            let (status, head) = (reply.status, journal.head);
            object(format!(
                "whoever has seen {seen}, which is lost, is answered {status} at {head}"
            ));
        }
        Err(error) => object(format!("no answer about a loss: {error}")),
    }
}

/// Whether nothing is left of it.
async fn is_gone(crowd: &Crowd, world: &World, patience: Duration) -> bool {
    let reply = answered(crowd, world, ("/state", &[]), patience).await;
    reply.is_ok_and(|reply| reply.status == 404) && world.notes().may_lose
}
