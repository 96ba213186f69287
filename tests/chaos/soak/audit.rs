//! Checks simulations once they have ended and forgets them, so that a long run takes no more memory
//! than a short one.

use std::{sync::Arc, time::Duration};

use crate::{checks, client::Crowd};

/// How long after the end of a simulation nobody is told anything about it any more.
const SETTLED: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(500);

/// Goes on until it is over; what has not been checked by then is left to the end.
pub(super) async fn follow(crowd: Arc<Crowd>) {
    let (_alone, client) = checks::reference().await;
    while !*crowd.over.borrow() {
        let until = crowd.history.now().saturating_sub(SETTLED);
        for world in crowd.history.ended_before(until) {
            if *crowd.over.borrow() {
                return;
            }
            let checked = checks::one(&crowd, &client, &world, SETTLED).await;
            if crowd.history.objects_to(&world) {
                // It is to be shown in the end.
                world.notes().ended = None;
            } else {
                crowd.history.forget(&world, checked);
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}
