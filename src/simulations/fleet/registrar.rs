//! Tells the registry what happened to simulations here, in batches and apart from requests.

use std::{
    collections::VecDeque,
    sync::{Mutex, atomic::Ordering},
};

use tokio::{
    sync::{Notify, oneshot},
    time::Instant,
};

use crate::{
    id::SimulationId,
    registry::{Event, FencingToken, Reasserted, RegistryError, Release, Touched},
    simulations::{SimulationHandle, Simulations},
};

use super::Fleet;

/// How many ends wait at most for a registry that cannot be reached. Entries whose end is
/// forgotten run out by themselves.
const MAX_RELEASES: usize = 100_000;
/// How many events wait at most to be announced. Those who miss one look again.
const MAX_EVENTS: usize = 10_000;

/// How many ends are remembered that the registry was told of, as it may forget them.
const MAX_REMEMBERED: usize = 1_000;

/// What the registry is to be told.
#[derive(Default)]
pub(super) struct Registrar {
    /// Simulations that were used since they were last written down, each once.
    used: Mutex<Vec<SimulationHandle>>,
    /// Each with whoever waits for it to be told.
    releases: Mutex<VecDeque<(Release, oneshot::Sender<()>)>>,
    /// The last ends that it was told of.
    told: Mutex<VecDeque<Release>>,
    events: Mutex<VecDeque<Event>>,
    /// Whether all simulations are to be written down again.
    reasserts_all: std::sync::atomic::AtomicBool,
    /// Told when there is something that should not wait for the next flush.
    hurry: Notify,
}

impl Registrar {
    /// Notes that a simulation was used.
    pub(super) fn note(&self, simulation: &SimulationHandle) {
        let is_noted = &simulation.shared.claim.is_noted;
        if !is_noted.load(Ordering::Relaxed) && !is_noted.swap(true, Ordering::AcqRel) {
            self.used().push(simulation.clone());
        }
    }

    /// Notes that a simulation came to an end. The receiver completes when the registry has been
    /// told, or could not be at the first attempt.
    pub(super) fn release(&self, release: Release) -> oneshot::Receiver<()> {
        let (sender, told) = oneshot::channel();
        self.wait_for_registry(release, sender);
        self.hurry.notify_one();
        told
    }

    /// Notes an end that the registry was told of.
    pub(super) fn remember(&self, release: Release) {
        let mut told = self.told.lock().expect("no holder panics");
        if told.len() >= MAX_REMEMBERED {
            told.pop_front();
        }
        told.push_back(release);
    }

    /// The end that the claim under this token has come to.
    pub(super) fn end_of(&self, id: &SimulationId, token: &FencingToken) -> Option<Release> {
        let told = self.told.lock().expect("no holder panics");
        let mut told = told.iter();
        told.find(|end| end.id == *id && end.token == *token)
            .cloned()
    }

    /// Tells the registry once more of the last ends, in case that it has forgotten them.
    fn retell_ends(&self) {
        let told = self.told.lock().expect("no holder panics").clone();
        for release in told {
            self.wait_for_registry(release, oneshot::channel().0);
        }
    }

    fn wait_for_registry(&self, release: Release, told: oneshot::Sender<()>) {
        let mut releases = self.releases.lock().expect("no holder panics");
        if releases.len() >= MAX_RELEASES {
            releases.pop_front();
        }
        releases.push_back((release, told));
    }

    /// Notes that something is to be announced.
    pub(super) fn announce(&self, event: Event) {
        let mut events = self.events.lock().expect("no holder panics");
        if events.len() >= MAX_EVENTS {
            events.pop_front();
        }
        events.push_back(event);
        self.hurry.notify_one();
    }

    /// Has all simulations written down again, and the last ends.
    pub(super) fn reassert_all(&self) {
        self.reasserts_all.store(true, Ordering::Release);
        self.retell_ends();
        self.hurry.notify_one();
    }

    /// Keeps the registry up to date for as long as it is polled.
    pub(super) async fn run(fleet: std::sync::Arc<Fleet>, simulations: Simulations) {
        let registrar = &fleet.registrar;
        let mut next_flush = Instant::now() + fleet.settings.ttl_flush;
        loop {
            // Ends and events are told at once, uses are gathered.
            let hurry = registrar.hurry.notified();
            let is_due = tokio::time::timeout_at(next_flush, hurry).await.is_err();
            let flushes = is_due || registrar.reasserts_all.load(Ordering::Acquire);
            let told = async {
                registrar.tell_ends(&fleet).await?;
                if flushes {
                    next_flush = Instant::now() + fleet.settings.ttl_flush;
                    registrar.flush_once(&fleet, &simulations).await?;
                }
                Ok::<_, RegistryError>(flushes)
            };
            match told.await {
                Ok(true) => fleet.note_refusal(None),
                Ok(false) => {}
                Err(error) => {
                    tracing::debug!(%error, "the registry was not told");
                    fleet.note_refusal(Some(&error));
                    fleet.nudge.notify_one();
                    tokio::time::sleep(fleet.settings.ttl_flush.min(super::RETRY)).await;
                }
            }
        }
    }

    /// Tells of ends and events.
    pub(super) async fn tell_ends(&self, fleet: &Fleet) -> Result<(), RegistryError> {
        let (releases, waiting): (Vec<_>, Vec<_>) = {
            let mut releases = self.releases.lock().expect("no holder panics");
            releases.drain(..).unzip()
        };
        if !releases.is_empty()
            && let Err(error) = fleet.registry.release(&releases).await
        {
            for release in releases {
                // Nobody waits any longer; the registry is told when it is back.
                self.wait_for_registry(release, oneshot::channel().0);
            }
            return Err(error);
        }
        for told in waiting {
            // Whoever waited may have gone.
            let _ = told.send(());
        }
        let events: Vec<_> = {
            let mut waiting = self.events.lock().expect("no holder panics");
            waiting.drain(..).collect()
        };
        if events.is_empty() {
            return Ok(());
        }
        fleet.registry.announce(&events).await
    }

    /// Writes down the simulations that were used, and those whose entries are gone.
    async fn flush_once(
        &self,
        fleet: &Fleet,
        simulations: &Simulations,
    ) -> Result<(), RegistryError> {
        let writes_all = self.reasserts_all.swap(false, Ordering::AcqRel);
        if writes_all {
            simulations
                .all()
                .iter()
                .for_each(|simulation| self.note(simulation));
        }
        let used = std::mem::take(&mut *self.used());
        if used.is_empty() {
            return Ok(());
        }
        for simulation in &used {
            // Before its last access is read: a later one is noted again.
            let claim = &simulation.shared.claim;
            claim.is_noted.store(false, Ordering::Release);
        }
        fleet.metrics.flush_size.observe_size(used.len());
        let written = self.write(fleet, simulations, &used, writes_all).await;
        if written.is_err() {
            for simulation in used.iter().filter(|used| !used.shared.claim.has_ended()) {
                let claim = &simulation.shared.claim;
                claim.is_outdated.store(true, Ordering::Release);
                self.note(simulation);
            }
            self.reasserts_all.fetch_or(writes_all, Ordering::AcqRel);
        }
        written
    }

    async fn write(
        &self,
        fleet: &Fleet,
        simulations: &Simulations,
        used: &[SimulationHandle],
        writes_all: bool,
    ) -> Result<(), RegistryError> {
        let life = fleet.lease.life();
        let stands = |simulation: &&SimulationHandle| {
            let claim = &simulation.shared.claim;
            let is_outdated = claim.is_outdated.swap(false, Ordering::AcqRel);
            !writes_all && !is_outdated && claim.confirmed_in() == life
        };
        let here = used
            .iter()
            .filter(|simulation| !simulation.shared.claim.has_ended());
        let (standing, mut to_write): (Vec<_>, Vec<_>) = here.partition(stands);
        let before: Vec<_> = standing.iter().map(|it| it.position().head).collect();
        let touches: Vec<_> = standing
            .iter()
            .map(|simulation| simulation.to_touch(fleet.settings.ttl_flush))
            .collect();
        let touched = if touches.is_empty() {
            Vec::new()
        } else {
            fleet.registry.touch(&touches).await?
        };
        let mut is_missing = false;
        for ((simulation, before), touched) in standing.into_iter().zip(before).zip(touched) {
            match touched {
                Touched::Kept(found) => simulation.compare_journal(before, found),
                Touched::Missing => {
                    is_missing = true;
                    to_write.push(simulation);
                }
                Touched::Lost => simulations.lose_to_another(simulation),
            }
        }
        if is_missing {
            // If entries are gone the lease may be, too, and the entries of idle simulations.
            fleet.nudge.notify_one();
        }
        to_write.retain(|simulation| !simulation.shared.claim.has_ended());
        fleet.reassert(simulations, &to_write).await
    }

    fn used(&self) -> std::sync::MutexGuard<'_, Vec<SimulationHandle>> {
        self.used.lock().expect("no holder of this lock panics")
    }
}

impl Fleet {
    /// Registers simulations again, and drops those that somebody else has claimed.
    pub(in crate::simulations) async fn reassert(
        &self,
        simulations: &Simulations,
        to_write: &[&SimulationHandle],
    ) -> Result<(), RegistryError> {
        // What has left is somebody else's to write down.
        let has_left = |simulation: &&SimulationHandle| simulation.shared.claim.has_left();
        let to_write: Vec<_> = to_write
            .iter()
            .copied()
            .filter(|it| !has_left(it))
            .collect();
        if to_write.is_empty() {
            return Ok(());
        }
        let (life, me) = (self.lease.life(), self.lease.owner());
        let before: Vec<_> = to_write.iter().map(|it| it.position().head).collect();
        let registrations: Vec<_> = to_write
            .iter()
            .map(|simulation| simulation.registration(self.settings.ttl_flush))
            .collect();
        let answers = self.registry.reassert(&me, &registrations).await?;
        for ((simulation, before), answer) in to_write.iter().zip(before).zip(answers) {
            match answer {
                Reasserted::Kept(token, found) => {
                    simulation.shared.claim.confirm(token, life);
                    simulation.compare_journal(before, found);
                }
                Reasserted::Lost => simulations.lose_to_another(simulation),
            }
        }
        Ok(())
    }
}
