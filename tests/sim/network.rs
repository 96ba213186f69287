//! Requests on their way to an instance, from clients and from other instances.

use std::{sync::Arc, time::Duration};

use futures_util::future::{Either, select};
use rapier_physics_service::{registry::Owner, shutdown::spawn};
use tokio::{sync::oneshot, time::sleep};

use crate::{
    process::{Process, Request, Said},
    universe::Universe,
};

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Nobody listens there.
    Refused,
    /// It could not be reached.
    NotThere,
    /// Somebody else was expected there.
    Misdirected,
    /// The connection broke after the request was sent.
    Broken,
    /// It has not answered in time, or lives no longer.
    Silent,
}

impl Failure {
    pub(crate) fn may_be_done(self) -> bool {
        matches!(self, Self::Broken | Self::Silent)
    }

    /// Whether the same request may be sent again, where it may be carried out twice or not.
    pub(crate) fn may_be_repeated(self, is_repeatable: bool) -> bool {
        match self {
            Self::Refused | Self::NotThere | Self::Misdirected => true,
            Self::Broken => is_repeatable,
            Self::Silent => false,
        }
    }
}

/// Sends a request, and waits for what is said to it.
pub(crate) async fn send(
    universe: &Arc<Universe>,
    from: Option<usize>,
    to: usize,
    request: Request,
    expected: Option<Owner>,
) -> Result<Said, Failure> {
    sleep(universe.way()).await;
    let weather = universe.weather();
    if from.is_some_and(|from| weather.is_alone[from] || weather.is_alone[to]) {
        sleep(CONNECT_TIMEOUT).await;
        return Err(Failure::NotThere);
    }
    let process = universe.host(to).filter(|process| !process.is_dead());
    let Some(process) = process else {
        if weather.is_gone[to] {
            sleep(CONNECT_TIMEOUT).await;
            return Err(Failure::NotThere);
        }
        return Err(Failure::Refused);
    };
    let answer = hand_in(universe, &process, request, expected);
    let ended = process.life.ended();
    match select(std::pin::pin!(answer), std::pin::pin!(ended)).await {
        Either::Left((Ok(said), _)) => Ok(said),
        Either::Left((Err(_), _)) | Either::Right(((), _)) => Err(Failure::Broken),
    }
}

/// Has a process answer. Its work is dropped half done where the connection breaks, as a server
/// does whose client is gone.
fn hand_in(
    universe: &Arc<Universe>,
    process: &Arc<Process>,
    request: Request,
    expected: Option<Owner>,
) -> oneshot::Receiver<Said> {
    let (sender, receiver) = oneshot::channel();
    let (universe, process) = (Arc::clone(universe), Arc::clone(process));
    let (breaks, is_unheard) = {
        let mut dice = universe.dice();
        let breaks = dice.permille(15).then(|| dice.millis(0..60));
        (breaks, dice.permille(10))
    };
    spawn(async move {
        process.life.goes_on().await;
        let said = {
            let answer = process.answer(&universe, request, expected);
            let broken = async {
                match breaks {
                    Some(after) => sleep(after).await,
                    None => std::future::pending().await,
                }
            };
            match select(std::pin::pin!(answer), std::pin::pin!(broken)).await {
                Either::Left((said, _)) => said,
                Either::Right(((), _)) => return,
            }
        };
        process.life.goes_on().await;
        sleep(universe.way()).await;
        if !is_unheard {
            // Whoever asked may wait no longer.
            drop(sender.send(said));
        }
    });
    receiver
}
