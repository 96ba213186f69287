//! What goes wrong in a run, and when.

use std::{sync::Arc, time::Duration};

use rapier_physics_service::shutdown::spawn;
use tokio::time::sleep;

use crate::{
    dice::Dice,
    ledger::{Loss, NOTICES},
    life::State,
    process::{LEASE, Process},
    universe::{HOSTS, NAMES, Universe, Weather},
};

/// Before this nothing goes wrong.
const BEGIN: u64 = 2500;

/// Something that goes wrong for a while.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trouble {
    at: Duration,
    lasts: Duration,
    fault: Fault,
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    /// A process is killed; its host goes with it, or refuses connections.
    Kill { host: usize, is_gone: bool },
    /// A process is told to stop, and another one takes its place.
    Stop { host: usize },
    /// A process does nothing.
    Hang { host: usize },
    /// An instance does not reach the store.
    Cut { host: usize },
    /// An instance does not reach the others.
    Alone { host: usize },
    /// The store is not there, and has then forgotten what it was told in the time before.
    Down { forgets: Option<Duration> },
    /// Everything is slow, and much is lost.
    Storm,
}

impl Trouble {
    fn end(&self) -> Duration {
        self.at + self.lasts
    }
}

/// What goes wrong before `until`.
pub(crate) fn plan(dice: &mut Dice, until: Duration) -> Vec<Trouble> {
    let last = u64::try_from(until.as_millis()).expect("runs are short") - 500;
    let kind = dice.below(10);
    let count = match kind {
        0..1 => 0,
        1..4 => 1,
        _ => 1 + dice.below(7),
    };
    let plan = (0..count).map(|_| {
        let at = dice.millis(BEGIN..last);
        let is_short = dice.permille(500);
        let lasts = dice.millis(if is_short { 20..1500 } else { 1000..15_000 });
        let host = dice.index(HOSTS);
        let forgets = dice.permille(600).then(|| dice.millis(10..2500));
        let fault = match if kind < 3 { 95 } else { dice.below(100) } {
            0..22 => Fault::Kill {
                host,
                is_gone: dice.permille(400),
            },
            22..34 => Fault::Stop { host },
            34..48 => Fault::Hang { host },
            48..62 => Fault::Cut { host },
            62..68 => Fault::Alone { host },
            68..76 => Fault::Storm,
            _ => Fault::Down { forgets },
        };
        Trouble {
            at,
            lasts: lasts.min(until.saturating_sub(at)),
            fault,
        }
    });
    plan.collect()
}

/// Whether nothing else is broken around the time when the store forgets something.
fn is_alone(plan: &[Trouble], index: usize, since: Duration) -> bool {
    let begins = since.saturating_sub(2 * LEASE + NOTICES);
    let ends = plan[index].end() + NOTICES;
    let others = plan.iter().enumerate().filter(|(other, _)| *other != index);
    let mut others = others.map(|(_, other)| other);
    others.all(|other| other.end() < begins || other.at > ends)
}

/// Has everything go wrong that is planned.
pub(crate) fn unleash(universe: &Arc<Universe>, plan: &[Trouble]) {
    for (index, trouble) in plan.iter().copied().enumerate() {
        let since = if let Fault::Down {
            forgets: Some(forgets),
        } = trouble.fault
        {
            trouble.at.saturating_sub(forgets)
        } else {
            trouble.at
        };
        let is_alone = is_alone(plan, index, since);
        let universe = Arc::clone(universe);
        spawn(async move { befall(&universe, trouble, since, is_alone).await });
    }
}

async fn befall(universe: &Arc<Universe>, trouble: Trouble, since: Duration, is_alone: bool) {
    let Trouble { at, lasts, fault } = trouble;
    sleep(since.saturating_sub(universe.elapsed())).await;
    match fault {
        Fault::Kill { host, is_gone } => {
            universe.note(NAMES[host], "is killed", 0, u64::from(is_gone));
            universe.change(|weather| weather.is_gone[host] = is_gone);
            if let Some(process) = universe.host(host) {
                process.kill();
            }
            sleep(lasts).await;
            universe.change(|weather| weather.is_gone[host] = false);
            start(universe, host).await;
        }
        Fault::Stop { host } => {
            universe.note(NAMES[host], "is told to stop", 0, 0);
            if let Some(process) = universe.host(host) {
                process.stop().await;
            }
            start(universe, host).await;
        }
        Fault::Hang { host } => {
            universe.note(NAMES[host], "hangs", 0, 0);
            let Some(process) = universe.host(host) else {
                return;
            };
            process.life.set(State::Hangs);
            sleep(lasts).await;
            universe.note(NAMES[host], "goes on", 0, 0);
            process.life.set(State::Runs);
        }
        Fault::Cut { host } => {
            universe.note(NAMES[host], "is cut off", 0, 0);
            universe.change(|weather| weather.is_cut[host] = true);
            sleep(lasts).await;
            universe.note(NAMES[host], "is cut off no more", 0, 0);
            universe.change(|weather| weather.is_cut[host] = false);
        }
        Fault::Alone { host } => {
            universe.note(NAMES[host], "is alone", 0, 0);
            universe.change(|weather| weather.is_alone[host] = true);
            sleep(lasts).await;
            universe.change(|weather| weather.is_alone[host] = false);
        }
        Fault::Down { forgets } => {
            let memory = forgets.map(|_| universe.recollect());
            sleep(at.saturating_sub(universe.elapsed())).await;
            universe.note("store", "goes down", 0, u64::from(is_alone));
            universe.change(|weather| {
                weather.is_down = true;
                weather.epoch += 1;
            });
            if let Some(memory) = memory {
                let at = universe.elapsed();
                universe.note("store", "forgets since then", 0, millis(since));
                universe.registry.go_back(memory);
                let loss = Loss {
                    since,
                    at,
                    is_alone,
                };
                universe.ledger().losses.push(loss);
            }
            sleep(lasts).await;
            universe.note("store", "is back", 0, 0);
            universe.change(|weather| weather.is_down = false);
        }
        Fault::Storm => {
            universe.note("network", "storm", 0, 0);
            universe.change(|weather| weather.is_stormy = true);
            sleep(lasts).await;
            universe.note("network", "no storm", 0, 0);
            universe.change(|weather| weather.is_stormy = false);
        }
    }
}

/// Starts an instance where none runs.
pub(crate) async fn start(universe: &Arc<Universe>, host: usize) {
    let runs = || {
        universe
            .host(host)
            .is_some_and(|process| !process.is_dead())
    };
    if runs() {
        return;
    }
    let process = Process::start(universe, host).await;
    if runs() {
        process.kill();
    } else {
        universe.set_host(host, Some(process));
    }
}

/// Mends everything.
pub(crate) async fn heal(universe: &Arc<Universe>) {
    universe.note("network", "everything is mended", 0, 0);
    universe.change(|weather| {
        *weather = Weather {
            epoch: weather.epoch,
            ..Weather::default()
        };
    });
    for host in 0..HOSTS {
        if let Some(process) = universe.host(host) {
            process.life.set(State::Runs);
        }
        start(universe, host).await;
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
