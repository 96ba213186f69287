//! Processes of the service end, hang or are replaced.

use rand::RngExt;

use super::{Scar, Target};
use crate::stage::INSTANCES;

pub(super) async fn kill(target: &mut Target<'_>) -> Scar {
    let place = target.pick_process();
    let is_host_gone = target.random.random_bool(0.4);
    target.stage.kill(place).await;
    if is_host_gone {
        // Nothing refuses any more, and nothing answers.
        for proxy in [
            &mut target.stage.doors[place],
            &mut target.stage.peers[place],
        ] {
            proxy.heal().await;
            proxy.blackhole();
        }
    }
    Scar::Ended(place)
}

pub(super) fn hang(target: &mut Target<'_>) -> Scar {
    let place = target.pick_process();
    target.stage.fleet[place].stop();
    Scar::Stopped(place)
}

pub(super) async fn roll(target: &mut Target<'_>) -> Scar {
    let spared = target.stage.spared.clone();
    for place in (0..INSTANCES).filter(|place| !spared.contains(place)) {
        target.stage.stop(place).await;
        target.stage.start(place).await;
    }
    Scar::Links
}
