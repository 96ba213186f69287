//! A simulation as one file that can be carried elsewhere: what it was, and the commands since,
//! so that whoever has it can see for themselves that they lead to where it says.

use std::{collections::BTreeSet, fmt, ops::RangeInclusive, sync::Arc, time::Duration};

use bytes::Bytes;
use rmp_serde::{from_slice, to_vec_named};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use serde_json::value::RawValue;
use xxhash_rust::xxh3::xxh3_128;

use super::{
    baggage::{CarriedAsset, meshes, shared, unpacked},
    chronicle::Kept,
    creation::NewSimulation,
    directory::Simulations,
    error::SimulationError,
    handle::SimulationHandle,
    history::History,
    image::Image,
    record::Labels,
    replaying::{Advance, Past, ReplayError, Replaying, read},
    reply::ReplyWriter,
};
use crate::{
    clock::Clock,
    id::SimulationId,
    journal::{Entry, Event, Written},
    metrics::Metrics,
    physics::{EngineFault, Fault, Fingerprint, PhysicsError, World},
    registry::Head,
};

/// What every bundle begins with, the layout's number last.
const MAGIC: [u8; 4] = *b"RPB\x01";
/// The largest bundle that is made, in bytes.
const MAX_BUNDLE: usize = 64 << 20;
/// The largest world that is unpacked from one, in bytes: a few forged ones may claim far more.
const MAX_WORLD: usize = 256 << 20;
/// The greatest number of an entry: Redis reckons with no greater ones.
const MAX_SEQ: u64 = 1 << 53;
/// How often a world that is on its way somewhere is waited for.
const MAX_ATTEMPTS: usize = 3;

/// What a bundle holds.
#[derive(Serialize, Deserialize)]
struct Contents {
    labels: Labels,
    ttl_seconds: u64,
    /// The simulation before the entries.
    image: Image,
    /// Encoded, in order.
    entries: Vec<ByteBuf>,
    /// Where they lead.
    head: Head,
    state_hash: u64,
    /// The assets that all of this names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    assets: Vec<CarriedAsset>,
}

/// A world that was made elsewhere, for a simulation to begin with.
pub struct Origin {
    pub(super) head: Head,
    pub(super) world: Box<World>,
    pub(super) history: History,
}

/// Where a simulation stands after a command that was carried out again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stage {
    /// The number of the command.
    pub seq: u64,
    /// Steps since the beginning.
    pub step: u64,
    /// Simulated seconds since the beginning.
    pub time: f64,
    /// The hash of the world's state.
    pub state_hash: u64,
}

/// Why a bundle is of no use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// It is none.
    #[error("this is no bundle")]
    NoBundle,
    /// It is not what was written.
    #[error("the bundle is damaged")]
    Damaged,
    /// Another engine would not do the same with it.
    #[error("the bundle was computed by {theirs}, this is {ours}")]
    OtherEngine {
        /// The engine that computed it.
        theirs: String,
        /// The engine here.
        ours: String,
    },
    /// Its commands do not lead to where it says.
    #[error("entry {seq} of the bundle does not lead to where it led before")]
    Diverged {
        /// The first one that does not follow.
        seq: u64,
    },
}

impl SimulationHandle {
    /// The simulation as a bundle: with every command that is kept where it is written down, as it
    /// stands now where it is not.
    pub async fn bundle(&self, simulations: &Simulations) -> Result<Bytes, SimulationError> {
        let (image, entries, head, state_hash) = if self.shared.journal().is_some() {
            self.past().await?
        } else {
            self.present(simulations).await?
        };
        let assets = self.carried(simulations, &image, &entries).await?;
        let contents = Contents {
            assets,
            labels: Labels::clone(&self.labels()),
            ttl_seconds: self.shared.ttl().as_secs(),
            image: image.without_keys(),
            entries,
            head,
            state_hash,
        };
        let fingerprint = Arc::clone(&self.services().fingerprint);
        let pool = &self.services().pool;
        let bytes = pool.run(move || contents.encode(&fingerprint)).await?;
        if bytes.len() > MAX_BUNDLE {
            return Err(SimulationError::Physics(PhysicsError::LimitExceeded {
                limit: "MAX_BUNDLE_BYTES",
                maximum: MAX_BUNDLE,
                used: bytes.len(),
            }));
        }
        Ok(bytes.into())
    }

    async fn past(&self) -> Result<(Image, Vec<ByteBuf>, Head, u64), SimulationError> {
        let Kept {
            image,
            written,
            now,
            ..
        } = self.kept().await?;
        let fingerprint = Arc::clone(&self.services().fingerprint);
        let decode = move || Image::decode(&image, &fingerprint);
        let image = self.services().pool.run(decode).await?;
        let image = image.map_err(|error| self.unreplayable(&error))?;
        let entries = written.iter().map(|one| ByteBuf::from(one.entry.to_vec()));
        let state_hash = now.state_hash.unwrap_or_default();
        Ok((image, entries.collect(), now.head, state_hash))
    }

    async fn present(
        &self,
        simulations: &Simulations,
    ) -> Result<(Image, Vec<ByteBuf>, Head, u64), SimulationError> {
        for _ in 0..MAX_ATTEMPTS {
            let seen = {
                let core = self.shared.core();
                let hash = core.world.as_ref().map(|world| world.state_hash());
                let image = core.image(&self.shared);
                image.map(|image| (image, self.shared.committed().state_hash.or(hash)))
            };
            match seen {
                Some((image, Some(hash))) => {
                    let head = image.head;
                    return Ok((image, Vec::new(), head, hash));
                }
                Some((image, None)) => {
                    let (id, head) = (self.id(), image.head);
                    let assets = simulations.assets_of(&image, &[]).await;
                    let assets = assets.map_err(|missing| missing.refusal(id))?;
                    let past = (image.clone(), assets);
                    let again = simulations.remake(id, past, Vec::new(), BTreeSet::new());
                    let (world, _) = again.await.map_err(|_| EngineFault)?;
                    return Ok((image, Vec::new(), head, world.state_hash()));
                }
                // Whoever asks for the state waits until the world is there.
                None => drop(self.state().await?),
            }
        }
        Err(SimulationError::Overloaded)
    }
}

impl Simulations {
    /// What a bundle says that a simulation is to be, once its commands were carried out again and
    /// have led to where it says.
    /// Its TTL is made to fit into `ttls`: it may come from where simulations live longer.
    pub async fn unpack(
        &self,
        bytes: Bytes,
        ttls: RangeInclusive<Duration>,
    ) -> Result<NewSimulation, SimulationError> {
        let services = self.services();
        let (fingerprint, pool) = (Arc::clone(&services.fingerprint), &services.pool);
        let opened = pool.run(move || {
            let (mut contents, entries) = open(&bytes, &fingerprint)?;
            let carried = unpacked(std::mem::take(&mut contents.assets))?;
            Ok((contents, entries, carried))
        });
        let opened: Result<_, BundleError> = opened.await?;
        let (contents, entries, carried) = opened.map_err(|error| refused(&error))?;
        let Contents {
            labels,
            ttl_seconds,
            image,
            head,
            state_hash,
            ..
        } = contents;
        let ttl = Duration::from_secs(ttl_seconds).clamp(*ttls.start(), *ttls.end());
        let carried = shared(carried, &services.assets);
        let (id, assets) = (SimulationId::random(), meshes(&carried));
        let past = (image, assets);
        let remade = self.remake(&id, past, entries, BTreeSet::new()).await;
        let (world, past) = remade.map_err(|error| refused(&diverged(&error)))?;
        if world.state_hash() != state_hash {
            return Err(refused(&BundleError::Diverged { seq: head.seq }));
        }
        // Entries are carried out whatever the limits: they were those of somebody else.
        services.limits.check_bodies(world.body_count())?;
        services.limits.check_colliders(world.collider_count())?;
        services.limits.check_joints(world.joint_count())?;
        let controllers = world.controller_count();
        services.limits.check_controllers(controllers)?;
        for (id, file, mesh) in &carried {
            services.assets.take_in(id, file.clone(), mesh, ttl).await?;
        }
        Ok(NewSimulation {
            config: *world.config(),
            ttl: Some(ttl),
            labels,
            origin: Some(Origin {
                head,
                world,
                history: past.history,
            }),
            ..NewSimulation::default()
        })
    }
}

/// Carries the commands of a bundle out again, here and now, and shows where each of them leads;
/// the last place is the answer.
pub fn replay(bytes: &[u8], mut show: impl FnMut(Stage)) -> Result<Stage, BundleError> {
    let fingerprint = Fingerprint::compute();
    let (contents, entries) = open(bytes, fingerprint.as_str())?;
    let Contents {
        image,
        head,
        state_hash,
        assets: carried,
        ..
    } = contents;
    let (begin, metrics, clock) = (image.head, Metrics::default(), Clock::start());
    let broken = |_| BundleError::Diverged { seq: begin.seq };
    let carried = unpacked(carried)?;
    let (history, applied) = image.into_parts(meshes(&carried));
    let mut replay = history.replay(clock).map_err(broken)?;
    while !replay.advance(Duration::MAX).map_err(broken)? {}
    let (mut world, history) = replay.into_parts();
    let mut past = Past {
        head: begin,
        history,
        applied,
    };
    let voided: BTreeSet<u64> = entries.iter().filter_map(voided_by).collect();
    // Nobody is shown what was answered.
    let writer = ReplyWriter {
        sim_id: SimulationId::random(),
        describe: |_| RawValue::NULL.to_owned(),
    };
    for entry in entries {
        let mut one = Replaying::new(
            (writer.clone(), clock),
            world,
            past,
            vec![entry],
            voided.clone(),
        );
        (world, past) = loop {
            match one.advance(Duration::MAX, &metrics) {
                Advance::Unfinished(rest) => one = *rest,
                Advance::Done(world, past) => break (world, past),
                Advance::Failed(error) => return Err(diverged(&error)),
            }
        };
        show(Stage::of(&world, past.head));
    }
    if world.state_hash() == state_hash {
        Ok(Stage::of(&world, past.head))
    } else {
        Err(BundleError::Diverged { seq: head.seq })
    }
}

impl Stage {
    fn of(world: &World, head: Head) -> Self {
        Self {
            seq: head.seq,
            step: world.steps(),
            time: world.time(),
            state_hash: world.state_hash(),
        }
    }
}

impl Contents {
    /// The bundle as bytes; `engine` is what computed it.
    fn encode(&self, engine: &str) -> Vec<u8> {
        let length = u8::try_from(engine.len()).expect("engines have short names");
        let mut rest = vec![length];
        rest.extend(engine.as_bytes());
        rest.extend(to_vec_named(self).expect("bundles hold nothing that cannot be written"));
        let mut bytes = MAGIC.to_vec();
        bytes.extend(xxh3_128(&rest).to_le_bytes());
        bytes.extend(rest);
        bytes
    }

    /// What some bytes hold.
    fn decode(bytes: &[u8], engine: &str) -> Result<Self, BundleError> {
        let rest = bytes.strip_prefix(&MAGIC).ok_or(BundleError::NoBundle)?;
        let (sum, rest) = rest.split_first_chunk().ok_or(BundleError::Damaged)?;
        if u128::from_le_bytes(*sum) != xxh3_128(rest) {
            return Err(BundleError::Damaged);
        }
        let (length, rest) = rest.split_first().ok_or(BundleError::Damaged)?;
        let named = rest.split_at_checked(usize::from(*length));
        let (theirs, contents) = named.ok_or(BundleError::Damaged)?;
        if theirs != engine.as_bytes() {
            return Err(BundleError::OtherEngine {
                theirs: String::from_utf8_lossy(theirs).into_owned(),
                ours: engine.to_owned(),
            });
        }
        from_slice(contents).map_err(|_| BundleError::Damaged)
    }
}

/// What a bundle holds, and its entries. Nothing of it is carried out yet.
fn open(bytes: &[u8], engine: &str) -> Result<(Contents, Vec<(Head, Entry)>), BundleError> {
    let mut contents = Contents::decode(bytes, engine)?;
    let is_too_far = contents.head.seq > MAX_SEQ || contents.image.head.seq > contents.head.seq;
    if is_too_far || contents.image.unpacked_len() > MAX_WORLD {
        return Err(BundleError::Damaged);
    }
    let mut last = contents.image.head;
    let mut written = Vec::with_capacity(contents.entries.len());
    // No more than there is memory for, so their numbers stay in bounds.
    for entry in std::mem::take(&mut contents.entries) {
        last = last.followed_by(&entry);
        written.push(Written {
            head: last,
            entry: entry.into_vec().into(),
        });
    }
    let entries = read(contents.image.head, contents.head, &written);
    Ok((contents, entries.map_err(|_| BundleError::Damaged)?))
}

fn voided_by((_, entry): &(Head, Entry)) -> Option<u64> {
    match entry.event {
        Event::Voided(seq) => Some(seq),
        Event::Command(_) | Event::Takeover(_) => None,
    }
}

fn diverged(error: &ReplayError) -> BundleError {
    BundleError::Diverged { seq: error.seq() }
}

fn refused(error: &BundleError) -> SimulationError {
    SimulationError::Invalid(vec![Fault {
        pointer: String::new(),
        detail: error.to_string(),
    }])
}

impl fmt::Debug for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Origin").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::physics::{Assets, Command, Snapshot, Steps, WorldConfig, WorldLimits};
    use crate::simulations::Position;

    /// A world that got a ball and took five steps; `tamper` may change what is told of each.
    const BEGINNING: Position = Position {
        head: Head { seq: 0, chain: 0 },
        step: 0,
        state_hash: None,
    };

    fn forged(tamper: impl Fn(&mut Entry)) -> Contents {
        let config = WorldConfig::default();
        let ball = r#"{"id": "ball", "shape": "sphere", "radius": 0.5}"#;
        let steps = Steps { count: 5, dt: None };
        let mut world = World::new(config);
        let (mut head, mut entries) = (Head::default(), Vec::new());
        for command in [
            Command::AddBody(serde_json::from_str(ball).unwrap()),
            Command::Step(steps),
        ] {
            let mut entry = Entry {
                at: 0,
                state_hash: world.state_hash(),
                key: None,
                event: Event::Command(command.clone()),
            };
            tamper(&mut entry);
            let entry = entry.encode();
            head = head.followed_by(&entry);
            entries.push(ByteBuf::from(entry));
            world.apply(&command, &WorldLimits::unlimited()).unwrap();
        }
        Contents {
            labels: Labels::new(),
            ttl_seconds: 60,
            image: Image::new(BEGINNING, &History::new(config), None, None),
            entries,
            head,
            state_hash: world.state_hash(),
            assets: Vec::new(),
        }
    }

    fn replayed(contents: &Contents) -> Result<Stage, BundleError> {
        let bytes = contents.encode(Fingerprint::compute().as_str());
        replay(&bytes, |_| ())
    }

    #[test]
    fn commands_lead_to_where_they_led_before() {
        let bytes = forged(|_| ()).encode(Fingerprint::compute().as_str());
        let mut shown = Vec::new();
        let last = replay(&bytes, |stage| shown.push(stage)).unwrap();
        let seen: Vec<_> = shown.iter().map(|stage| (stage.seq, stage.step)).collect();
        assert_eq!(seen, [(1, 0), (2, 5)]);
        assert_eq!(shown.last(), Some(&last));
    }

    #[test]
    fn what_does_not_follow_is_found_under_a_checksum_that_is_right() {
        let lie = |entry: &mut Entry| {
            if matches!(entry.event, Event::Command(Command::Step(_))) {
                entry.state_hash ^= 1;
            }
        };
        let diverged = Err(BundleError::Diverged { seq: 2 });
        assert_eq!(replayed(&forged(lie)), diverged);
        let elsewhere = Contents {
            state_hash: 7,
            ..forged(|_| ())
        };
        assert_eq!(replayed(&elsewhere), diverged);
    }

    #[test]
    fn what_cannot_be_is_not_tried() {
        let damaged = |change: fn(&mut Contents)| {
            let mut contents = forged(|_| ());
            change(&mut contents);
            assert_eq!(replayed(&contents), Err(BundleError::Damaged));
        };
        damaged(|contents| drop(contents.entries.remove(0)));
        damaged(|contents| contents.entries[1] = ByteBuf::from(*b"\x01nonsense"));
        damaged(|contents| contents.head.chain ^= 1);
        damaged(|contents| contents.image.head.seq = u64::MAX);
        damaged(|contents| {
            let claim = [&[0; 8][..], &u32::MAX.to_le_bytes(), &[0; 64]].concat();
            let snapshot = Some(Snapshot::from_bytes(claim));
            let history = History::from_parts(
                WorldConfig::default(),
                snapshot,
                Vec::new(),
                Assets::default(),
            );
            contents.image = Image::new(BEGINNING, &history, None, None);
        });
    }

    #[test]
    fn a_bundle_of_another_engine_is_refused_by_both_names() {
        let bytes = forged(|_| ()).encode("an engine of long ago");
        let refused = replay(&bytes, |_| ()).unwrap_err().to_string();
        let ours = Fingerprint::compute();
        assert!(refused.contains("an engine of long ago"), "{refused}");
        assert!(refused.contains(ours.as_str()), "{refused}");
    }
}
