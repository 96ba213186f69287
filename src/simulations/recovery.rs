//! Going on with a simulation that nobody has: its owner is dead, or has put it to rest.

use std::{collections::BTreeSet, sync::Arc};

use tokio::sync::oneshot;

use super::{
    assembly::Parts,
    asset_keeping::MissingAsset,
    committed::Committed,
    core::Core,
    directory::Simulations,
    error::SimulationError,
    fleet::Fleet,
    handle::SimulationHandle,
    image::{Image, ImageError},
    journalling::Journalling,
    replaying::{Advance, Past, ReplayError, Replaying, read},
    settling::append_to,
    shared::Creation,
    step_pool::CHUNK,
};
use crate::{
    id::SimulationId,
    journal::{Entry, Event, Journal, JournalError, Standing, Verdict, Written},
    physics::{Assets, Command, World},
    registry::{FencingToken, Happening, Head, Holding, Inheritance, Takeover},
    shutdown::spawn,
};

/// How many instances may end while they make a simulation again, or right after: what ends a
/// process cannot be contained, and is not to end all of them.
const MAX_ATTEMPTS: u32 = 4;
/// How many entries are read at a time.
const PAGE: usize = 128;

/// Why nobody can go on with a simulation.
enum Unfit {
    /// There is nothing: its creation was never acknowledged, or everything is gone.
    Nothing,
    /// What there is does not lead to where it led before; nobody is to try again.
    Faulty(String),
    /// Another engine has computed it: instances that have that one can go on with it.
    Foreign(String),
    /// There is not all that it is made of; with that anybody can go on with it.
    Incomplete(MissingAsset),
    /// It cannot be found out now.
    Unknown(JournalError),
}

/// A simulation, made again.
struct Recovered {
    world: Box<World>,
    past: Past,
    creation: Option<Creation>,
    snapshots: Vec<u64>,
    /// The last command, if the engine has failed on it now.
    poison: Option<u64>,
}

impl Simulations {
    /// Goes on with a simulation that nobody has. It may be here afterwards, or elsewhere: whoever
    /// asks looks again.
    pub(super) async fn recover(
        &self,
        id: &SimulationId,
        holding: Holding,
    ) -> Result<(), SimulationError> {
        if let Some(fault) = &holding.fault {
            return Err(unreplayable(id, fault));
        }
        let waits = self.services().request_timeout;
        let late = |_| SimulationError::OwnerUnreachable(id.clone());
        let Some(passage) = self.inner.transit.enter(id) else {
            self.wait_for_transit(id).await?;
            return Ok(());
        };
        let (sender, receiver) = oneshot::channel();
        let (simulations, of) = (self.clone(), id.clone());
        // Apart from the request, whose client may leave.
        spawn(async move {
            let recovered = Box::pin(simulations.recover_now(&of, &holding)).await;
            drop(passage);
            // Whoever waited may have gone.
            drop(sender.send(recovered));
        });
        let recovered = tokio::time::timeout(waits, receiver).await.map_err(late)?;
        recovered.unwrap_or(Err(SimulationError::OwnerUnreachable(id.clone())))
    }

    async fn recover_now(
        &self,
        id: &SimulationId,
        holding: &Holding,
    ) -> Result<(), SimulationError> {
        let (Some(fleet), Some(journal)) = (&self.inner.fleet, &self.services().journal) else {
            return Err(SimulationError::NotFound(id.clone()));
        };
        if self.has(id) {
            // It came while this was looked for.
            return Ok(());
        }
        // Worlds that are here are not to starve while many are made again.
        let turn = self.inner.recoveries.acquire().await;
        if self.is_draining() {
            return Err(SimulationError::Draining);
        }
        let place = self.take_place()?;
        // Whoever takes over without a lease is taken for dead.
        fleet.await_lease().await;
        let life = fleet.life();
        let inheritance = match fleet.take_over(id, holding).await? {
            Takeover::Granted(inheritance) => inheritance,
            Takeover::Changed => return Ok(()),
        };
        let token = inheritance.token.clone();
        let loaded = if attempts(&inheritance) > MAX_ATTEMPTS {
            let text = "instances have ended one after the other over it".to_owned();
            Err(Unfit::Faulty(text))
        } else {
            self.load(journal, id).await
        };
        // What follows is waiting.
        drop(turn);
        let made = match loaded {
            Ok(recovered) => {
                self.move_in(fleet, id, holding, (inheritance, life), recovered)
                    .await
            }
            Err(Unfit::Nothing) => {
                fleet.bury(id, holding, &token);
                return Err(SimulationError::Lost(id.clone()));
            }
            Err(Unfit::Faulty(fault)) => {
                return give_up(journal, id, &token, &fault).await;
            }
            Err(Unfit::Foreign(engine)) => Err(unreplayable(id, &engine)),
            Err(Unfit::Incomplete(missing)) => Err(missing.refusal(id)),
            Err(Unfit::Unknown(error)) => Err(error.into()),
        };
        if let Err(error) = made {
            drop(journal.let_go(id, &token, None).await);
            return Err(error);
        }
        // The place is given back when the simulation leaves or ends.
        std::mem::forget(place);
        Ok(())
    }

    /// Puts a simulation that was made again where it is found.
    async fn move_in(
        &self,
        fleet: &Arc<Fleet>,
        id: &SimulationId,
        holding: &Holding,
        (inheritance, life): (Inheritance, u64),
        recovered: Recovered,
    ) -> Result<(), SimulationError> {
        let Recovered {
            world,
            past,
            creation,
            snapshots,
            poison,
        } = recovered;
        let Past {
            head,
            history,
            applied,
        } = past;
        let has_entries = snapshots.first().is_none_or(|&seq| seq < head.seq);
        let committed = Committed {
            head,
            ..Committed::of(&world, true)
        };
        let journalling = Journalling::new(head, snapshots, has_entries);
        let core = Core::new(world, history, Some(applied), Some(journalling));
        let parts = Parts::inherited(&inheritance, self.services(), holding.tenant.clone(), life);
        let (simulation, task) = self.assemble(id, parts, core, committed);
        if let Some(creation) = creation {
            drop(simulation.shared.creation.set(Box::new(creation)));
        }
        // They were fetched without knowing for how long.
        self.keep_assets_of(&simulation).await;
        if let Some(seq) = poison {
            self.append(&simulation, Event::Voided(seq)).await?;
        }
        if holding.owner.is_some() {
            // Proves that this instance can write, before anybody is answered.
            let me = self.services().instance_id.as_str().to_owned();
            self.append(&simulation, Event::Takeover(me)).await?;
        }
        // It has not ended this instance. If nobody can be told, the next flush tells.
        drop(self.write_down(&simulation).await);
        if simulation.shared.claim.has_left() {
            // Somebody else has gone on with it meanwhile: nobody is to find it here.
            return Err(SimulationError::OwnershipLost(id.clone()));
        }
        self.insert(simulation.clone());
        spawn(task.run());
        fleet.note(&simulation);
        fleet.announce(id, Happening::Created);
        self.services().metrics.recoveries.inc();
        tracing::info!(sim_id = %id, seq = simulation.position().head.seq, "goes on with simulation {id}");
        Ok(())
    }

    /// Makes a simulation again from the newest snapshot that can be read.
    async fn load(
        &self,
        journal: &Arc<dyn Journal>,
        id: &SimulationId,
    ) -> Result<Recovered, Unfit> {
        let standing = journal.standing(id).await?;
        let Some(standing) = standing.filter(|standing| !standing.snapshots.is_empty()) else {
            return Err(Unfit::Nothing);
        };
        let mut fault = "there is no snapshot".to_owned();
        for &seq in &standing.snapshots {
            let Some(bytes) = journal.snapshot(id, seq).await? else {
                continue;
            };
            match self.load_from(journal, id, &standing, bytes.to_vec()).await {
                Err(Unfit::Faulty(found)) => {
                    tracing::warn!(sim_id = %id, seq, "a snapshot is of no use: {found}");
                    fault = found;
                }
                loaded => return loaded,
            }
        }
        Err(Unfit::Faulty(fault))
    }

    async fn load_from(
        &self,
        journal: &Arc<dyn Journal>,
        id: &SimulationId,
        standing: &Standing,
        bytes: Vec<u8>,
    ) -> Result<Recovered, Unfit> {
        let fingerprint = Arc::clone(&self.services().fingerprint);
        let pool = &self.services().pool;
        let decode = move || Image::decode(&bytes, &fingerprint);
        let image = match pool.run(decode).await.map_err(faulty)? {
            Err(error @ ImageError::OtherEngine(_)) => {
                return Err(Unfit::Foreign(error.to_string()));
            }
            image => image.map_err(faulty)?,
        };
        let written = entries_behind(journal, id, image.head.seq).await?;
        let entries = read(image.head, standing.head, &written).map_err(faulty)?;
        let assets = self
            .assets_of(&image, entries.iter().map(|(_, entry)| entry))
            .await?;
        let creation = image.creation.clone().map(Creation::of);
        let mut voided = BTreeSet::new();
        loop {
            let remade = self.remake(
                id,
                (image.clone(), assets.clone()),
                entries.clone(),
                voided.clone(),
            );
            match remade.await {
                Ok((world, past)) => {
                    return Ok(Recovered {
                        world,
                        past,
                        creation,
                        snapshots: standing.snapshots.clone(),
                        poison: voided.first().copied(),
                    });
                }
                // Whoever gave the command has not been told that it was carried out.
                Err(ReplayError::Poison(seq)) if voided.insert(seq) => {}
                Err(error) => return Err(faulty(error)),
            }
        }
    }

    /// Makes a simulation again from an image, the assets it takes and the entries behind it.
    pub(super) async fn remake(
        &self,
        id: &SimulationId,
        (image, assets): (Image, Assets),
        entries: Vec<(Head, Entry)>,
        voided: BTreeSet<u64>,
    ) -> Result<(Box<World>, Past), ReplayError> {
        let services = Arc::clone(&self.inner.services);
        let (head, expected) = (image.head, image.state_hash);
        let (history, applied) = image.into_parts(assets);
        let damaged = |_| ReplayError::Damaged(head.seq);
        let clock = services.clock;
        let replay = services.pool.run(move || history.replay(clock));
        let mut replay = replay.await.map_err(damaged)?.map_err(damaged)?;
        loop {
            let chunk = move || {
                let is_complete = replay.advance(CHUNK);
                (replay, is_complete)
            };
            let (rest, is_complete) = services.pool.run(chunk).await.map_err(damaged)?;
            replay = rest;
            if is_complete.map_err(damaged)? {
                break;
            }
        }
        let (world, history) = replay.into_parts();
        if expected.is_some_and(|expected| world.state_hash() != expected) {
            return Err(ReplayError::Nondeterminism(head.seq));
        }
        let past = Past {
            head,
            history,
            applied,
        };
        let mut replaying = Replaying::new(
            (services.writer(id.clone()), clock),
            world,
            past,
            entries,
            voided,
        );
        loop {
            let of = Arc::clone(&services);
            let chunk = move || replaying.advance(CHUNK, &of.metrics);
            // What the engine panics on is contained below; this is for what nobody thought of.
            match services.pool.run(chunk).await.map_err(damaged)? {
                Advance::Unfinished(rest) => replaying = *rest,
                Advance::Done(world, past) => return Ok((world, past)),
                Advance::Failed(error) => return Err(error),
            }
        }
    }

    /// Writes down what happened to a simulation that is not in the directory yet.
    async fn append(
        &self,
        simulation: &SimulationHandle,
        event: Event<&Command>,
    ) -> Result<(), SimulationError> {
        let shared = &simulation.shared;
        let Some(journal) = shared.journal() else {
            return Ok(());
        };
        let append = shared.core().append_of(shared, event, None);
        let head = append.head();
        match append_to(journal, append).await? {
            Verdict::Kept => {
                let mut core = shared.core();
                let committed = *shared.committed();
                core.go_on(shared, Committed { head, ..committed });
                Ok(())
            }
            Verdict::Fenced | Verdict::Elsewhere(_) => {
                Err(SimulationError::OwnershipLost(shared.id.clone()))
            }
        }
    }
}

/// All entries behind `seq`.
pub(super) async fn entries_behind(
    journal: &Arc<dyn Journal>,
    id: &SimulationId,
    seq: u64,
) -> Result<Vec<Written>, JournalError> {
    let mut entries: Vec<Written> = Vec::new();
    loop {
        let after = entries.last().map_or(seq, |last| last.head.seq);
        let page = journal.entries(id, after, PAGE).await?;
        let is_last = page.len() < PAGE;
        entries.extend(page);
        if is_last {
            return Ok(entries);
        }
    }
}

/// Keeps the reason why nobody is to go on with a simulation, as whoever comes next would find the
/// same; unless somebody else has gone on with it, who has changed what was being read.
async fn give_up(
    journal: &Arc<dyn Journal>,
    id: &SimulationId,
    token: &FencingToken,
    fault: &str,
) -> Result<(), SimulationError> {
    match journal.let_go(id, token, Some(fault)).await? {
        Verdict::Kept => {
            tracing::error!(sim_id = %id, "simulation {id} cannot be made again as it was: {fault}");
            Err(unreplayable(id, fault))
        }
        Verdict::Fenced | Verdict::Elsewhere(_) => Ok(()),
    }
}

/// How often a simulation was taken over since it was last written down or given up.
fn attempts(inheritance: &Inheritance) -> u32 {
    let noted = inheritance
        .details
        .iter()
        .find(|(name, _)| name == "attempts");
    noted.map_or(0, |(_, count)| count.parse().unwrap_or(0))
}

fn unreplayable(id: &SimulationId, fault: &str) -> SimulationError {
    SimulationError::Unreplayable {
        id: id.clone(),
        reason: fault.to_owned(),
    }
}

impl From<JournalError> for Unfit {
    fn from(error: JournalError) -> Self {
        Self::Unknown(error)
    }
}

impl From<MissingAsset> for Unfit {
    fn from(missing: MissingAsset) -> Self {
        Self::Incomplete(missing)
    }
}

fn faulty(error: impl std::fmt::Display) -> Unfit {
    Unfit::Faulty(error.to_string())
}
