//! Making a simulation again beside the one that lives, to see whether it comes out the same.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    chronicle::Kept,
    directory::Simulations,
    error::SimulationError,
    handle::SimulationHandle,
    image::Image,
    replaying::{ReplayError, read},
};

/// What came of making a simulation again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verification {
    /// The last command in the snapshot that it began with.
    pub checked_from: u64,
    /// The last command that was carried out again.
    pub checked_to: u64,
    /// The first entry that does not follow from those before it, or cannot be read.
    pub first_divergence: Option<u64>,
}

impl ReplayError {
    /// The first entry that does not follow from those before it, or cannot be read.
    pub(super) fn seq(&self) -> u64 {
        match self {
            Self::Damaged(seq) | Self::Nondeterminism(seq) | Self::Poison(seq) => *seq,
        }
    }
}

impl Simulations {
    /// Makes a simulation again from the oldest snapshot that is kept, and compares every state on
    /// the way. The simulation itself goes on meanwhile.
    pub async fn verify(
        &self,
        simulation: &SimulationHandle,
    ) -> Result<Verification, SimulationError> {
        let Kept {
            image,
            from,
            written,
            now,
        } = simulation.kept().await?;
        let (services, head) = (simulation.services(), now.head);
        let fingerprint = Arc::clone(&services.fingerprint);
        let decoded = services.pool.run(move || {
            let image = Image::decode(&image, &fingerprint);
            let image = image.map_err(|_| ReplayError::Damaged(from))?;
            let entries = read(image.head, head, &written)?;
            Ok((image, entries))
        });
        let remade = match decoded.await? {
            Ok((image, entries)) => {
                let id = simulation.id();
                let assets = self
                    .assets_of(&image, entries.iter().map(|(_, entry)| entry))
                    .await;
                let assets = assets.map_err(|missing| missing.refusal(id))?;
                self.remake(id, (image, assets), entries, BTreeSet::new())
                    .await
            }
            Err(error) => Err(error),
        };
        let first_divergence = match remade {
            Ok((world, _)) if Some(world.state_hash()) == now.state_hash => None,
            Ok(_) => Some(head.seq),
            Err(error) => Some(error.seq()),
        };
        Ok(Verification {
            checked_from: from,
            checked_to: head.seq,
            first_divergence,
        })
    }
}
