//! Snapshots of whole simulations on their way to the journal.

use std::sync::Arc;

use super::{image::Image, shared::Shared, task::SimulationTask};
use crate::{
    journal::{JournalError, Purpose, Save, Verdict},
    shutdown::spawn,
};

impl Shared {
    /// Keeps a snapshot in the journal.
    pub(super) async fn keep(
        &self,
        image: Image,
        purpose: Purpose,
    ) -> Result<Verdict, JournalError> {
        let Some(journal) = self.journal() else {
            return Ok(Verdict::Kept);
        };
        let head = image.head;
        let fingerprint = Arc::clone(&self.services.fingerprint);
        let encoded = self
            .services
            .pool
            .run(move || image.encode(&fingerprint))
            .await;
        let image = encoded.map_err(|fault| JournalError::Refused(fault.to_string()))?;
        let others = self
            .core()
            .journalling
            .as_ref()
            .map_or_else(Vec::new, |journalling| journalling.snapshots.clone());
        journal
            .save(Save {
                id: self.id.clone(),
                token: self.claim.token(),
                head,
                image: image.into(),
                purpose,
                others: others.into_iter().filter(|&seq| seq != head.seq).collect(),
                expires_in: self.expires().since(self.services.clock.now()),
            })
            .await
    }
}

impl SimulationTask {
    /// Has the journal keep a snapshot, in the background. Nothing is lost where that fails: the
    /// one before and the entries since are still there.
    pub(super) fn save(&self) {
        let shared = Arc::clone(&self.simulation.shared);
        let image = {
            let mut core = shared.core();
            let image = core.image(&shared);
            let journalling = core.journalling.as_mut();
            image.filter(|image| journalling.is_some_and(|it| it.begin_saving(image.head)))
        };
        let Some(image) = image else { return };
        spawn(async move {
            let seq = image.head.seq;
            let kept = shared.keep(image, Purpose::Bound).await;
            if let Some(journalling) = &mut shared.core().journalling {
                journalling.is_saving = false;
                if matches!(kept, Ok(Verdict::Kept)) {
                    journalling.saved(seq);
                }
            }
        });
    }
}
