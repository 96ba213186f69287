//! A whole simulation as bytes: the snapshot of its world, the commands since, and all that was
//! promised to its clients.

use std::collections::BTreeSet;

use rmp_serde::{from_slice, to_vec_named};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use super::{
    committed::Position,
    history::History,
    idempotency::{IdempotencyTable, Remembered},
};
use crate::{
    physics::{AssetId, Assets, Command, Snapshot, WorldConfig},
    registry::Head,
};

/// What every image begins with, the layout's number last.
const MAGIC: [u8; 4] = *b"RPI\x01";
/// The longest name of an engine, in bytes.
const MAX_FINGERPRINT: usize = 255;

/// A simulation, ready to be written down.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Image {
    /// The last command in it.
    pub(super) head: Head,
    /// The hash of the world's state, which what is in here is to lead to.
    pub(super) state_hash: Option<u64>,
    config: WorldConfig,
    /// [`Snapshot::as_bytes`].
    #[serde(with = "serde_bytes")]
    snapshot: Option<Vec<u8>>,
    commands: Vec<Command>,
    /// What its world and the commands are made of.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) assets: BTreeSet<AssetId>,
    keys: Vec<Remembered>,
    /// The keyed request that created it, and its reply.
    pub(super) creation: Option<Remembered>,
}

/// Bytes that hold no simulation, or none that can go on here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ImageError {
    /// They are not those that were written.
    #[error("the snapshot is damaged")]
    Damaged,
    /// They are of another layout.
    #[error("the snapshot has another format")]
    OtherFormat,
    /// Another engine would not do the same with it.
    #[error("it was computed by {0}")]
    OtherEngine(String),
}

impl Image {
    /// A simulation at `head`.
    pub(super) fn new(
        Position {
            head, state_hash, ..
        }: Position,
        history: &History,
        applied: Option<&IdempotencyTable>,
        creation: Option<Remembered>,
    ) -> Self {
        let (config, snapshot, commands) = history.parts();
        Self {
            head,
            state_hash,
            config,
            snapshot: snapshot.map(|snapshot| snapshot.as_bytes().to_vec()),
            commands: commands.to_vec(),
            assets: history.assets().ids().cloned().collect(),
            keys: applied.map_or_else(Vec::new, IdempotencyTable::to_remembered),
            creation,
        }
    }

    /// The simulation as bytes; `fingerprint` is the engine that computed it.
    pub(super) fn encode(&self, fingerprint: &str) -> Vec<u8> {
        let plain = to_vec_named(self).expect("images hold nothing that cannot be written");
        seal(&plain, fingerprint)
    }

    /// The simulation behind some bytes.
    pub(super) fn decode(bytes: &[u8], fingerprint: &str) -> Result<Self, ImageError> {
        let damaged = || ImageError::Damaged;
        let (magic, rest) = bytes.split_first_chunk::<4>().ok_or_else(damaged)?;
        if *magic != MAGIC {
            return Err(ImageError::OtherFormat);
        }
        let (sum, rest) = rest.split_first_chunk().ok_or_else(damaged)?;
        let (length, rest) = rest.split_first().ok_or_else(damaged)?;
        let (engine, packed) = rest
            .split_at_checked(usize::from(*length))
            .ok_or_else(damaged)?;
        if u128::from_le_bytes(*sum) != xxh3_128(packed) {
            return Err(ImageError::Damaged);
        }
        if engine != fingerprint.as_bytes() {
            let engine = String::from_utf8_lossy(engine).into_owned();
            return Err(ImageError::OtherEngine(engine));
        }
        let plain = unpack(packed).ok_or_else(damaged)?;
        from_slice(&plain).map_err(|_| ImageError::Damaged)
    }

    /// The same without what was promised to clients: for others, who were promised nothing.
    pub(super) fn without_keys(self) -> Self {
        Self {
            keys: Vec::new(),
            creation: None,
            ..self
        }
    }

    /// How many bytes its world says that it takes unpacked.
    pub(super) fn unpacked_len(&self) -> usize {
        self.snapshot.as_deref().map_or(0, Snapshot::unpacked_len)
    }

    /// How its world came about, and what was answered; `assets` are those that it names.
    pub(super) fn into_parts(self, assets: Assets) -> (History, IdempotencyTable) {
        let snapshot = self.snapshot.map(Snapshot::from_bytes);
        let history = History::from_parts(self.config, snapshot, self.commands, assets);
        (history, IdempotencyTable::from_remembered(self.keys))
    }
}

/// Packs an image, and says what it is and who computed it.
fn seal(plain: &[u8], fingerprint: &str) -> Vec<u8> {
    let packed = lz4_flex::compress_prepend_size(plain);
    let engine = &fingerprint.as_bytes()[..fingerprint.len().min(MAX_FINGERPRINT)];
    let length = u8::try_from(engine.len()).expect("it was cut to fit");
    let mut bytes = MAGIC.to_vec();
    bytes.extend(xxh3_128(&packed).to_le_bytes());
    bytes.push(length);
    bytes.extend(engine);
    bytes.extend(packed);
    bytes
}

/// Unpacks what must not be larger than LZ4 can make of it, whatever it says of itself.
fn unpack(packed: &[u8]) -> Option<Vec<u8>> {
    const MOST_PER_BYTE: usize = 255;
    let (size, _) = packed.split_first_chunk::<4>()?;
    let size = usize::try_from(u32::from_le_bytes(*size)).ok()?;
    if size > packed.len().saturating_mul(MOST_PER_BYTE) {
        return None;
    }
    lz4_flex::decompress_size_prepended(packed).ok()
}

#[cfg(test)]
mod tests {
    use proptest::{collection, option, prelude::*, sample::Index};

    use super::*;
    use crate::{
        physics::{Steps, World, WorldLimits},
        simulations::{idempotency::IdempotencyKey, reply::Reply},
    };

    const ENGINE: &str = "an engine";

    /// Bytes to be put where others are, where to cut, and what to add at the end.
    type Harm = (Vec<(Index, u8)>, Option<Index>, Vec<u8>);

    fn harm() -> impl Strategy<Value = Harm> {
        (
            collection::vec((any::<Index>(), any::<u8>()), 1..4),
            option::weighted(0.3, any::<Index>()),
            collection::vec(any::<u8>(), 0..4),
        )
    }

    fn harmed(whole: &[u8], (wounds, cut, more): Harm) -> Vec<u8> {
        let mut bytes = whole.to_vec();
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        bytes.extend(more);
        for (place, byte) in wounds {
            if !bytes.is_empty() {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
        }
        bytes
    }

    fn keyed(number: usize, size: usize) -> (IdempotencyKey, Reply) {
        let key = IdempotencyKey {
            key: number.to_string().into(),
            fingerprint: 7,
        };
        let position = Position {
            head: Head { seq: 2, chain: 3 },
            step: 1,
            state_hash: Some(4),
        };
        let body = vec![b'x'; size].into();
        let reply = Reply {
            body,
            position,
            is_replayed: false,
        };
        (key, reply)
    }

    /// A world with a ball that took a step, two keys and the request that it came from.
    fn image() -> Image {
        let config = WorldConfig::default();
        let ball = r#"{"id": "ball", "shape": "sphere", "radius": 0.5}"#;
        let add = Command::AddBody(serde_json::from_str(ball).unwrap());
        let step = Command::Step(Steps { count: 1, dt: None });
        let mut world = World::new(config);
        for command in [&add, &step] {
            world.apply(command, &WorldLimits::unlimited()).unwrap();
        }
        let snapshot = Some(Snapshot::take(&world));
        let history = History::from_parts(config, snapshot, vec![step], Assets::default());
        let mut table = IdempotencyTable::default();
        for number in 0..2 {
            let (key, reply) = keyed(number, 20);
            table.remember(key, &reply, 5);
        }
        let (key, reply) = keyed(2, 10);
        let creation = Remembered::new(&key, &reply, 5);
        Image::new(reply.position, &history, Some(&table), Some(creation))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn damage_is_refused(harm in harm()) {
            let whole = image().encode(ENGINE);
            let harmed = harmed(&whole, harm);
            prop_assume!(harmed != whole);
            prop_assert!(Image::decode(&harmed, ENGINE).is_err());
        }

        #[test]
        fn damage_under_a_new_checksum_is_refused_or_another_image(harm in harm()) {
            let plain = harmed(&to_vec_named(&image()).unwrap(), harm);
            let Ok(read) = Image::decode(&seal(&plain, ENGINE), ENGINE) else {
                return Ok(());
            };
            let written = read.encode(ENGINE);
            let again = Image::decode(&written, ENGINE).map(|again| again.encode(ENGINE));
            prop_assert_eq!(again, Ok(written));
            // Whatever it believes to remember, it goes on remembering.
            let (_, mut table) = read.into_parts(Assets::default());
            for number in 0..4 {
                let (key, reply) = keyed(number, 30_000);
                table.remember(key.clone(), &reply, u64::MAX);
                let recalled = table.recall(&key).unwrap().unwrap();
                prop_assert_eq!(recalled.body, reply.body);
            }
        }

        #[test]
        fn bytes_from_anywhere_are_no_image(bytes in collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Image::decode(&bytes, ENGINE).is_err());
            prop_assert!(Image::decode(&[&MAGIC, &bytes[..]].concat(), ENGINE).is_err());
        }
    }
}
