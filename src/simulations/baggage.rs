//! The assets that a simulation takes along when it is carried elsewhere.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::{
    bundle::BundleError, directory::Simulations, error::SimulationError, handle::SimulationHandle,
    image::Image, library::AssetLibrary,
};
use crate::{
    assets::{AssetFile, Format, name_of, read},
    journal::Entry,
    physics::{AssetId, Assets, Mesh},
};

/// An asset in a bundle: the letter of its format, and its bytes.
#[derive(Serialize, Deserialize)]
pub(super) struct CarriedAsset(u8, ByteBuf);

/// An asset that came in a bundle.
pub(super) type Unpacked = (AssetId, AssetFile, Arc<Mesh>);

impl SimulationHandle {
    /// The files of all assets that an image and the entries behind it name.
    pub(super) async fn carried(
        &self,
        simulations: &Simulations,
        image: &Image,
        entries: &[ByteBuf],
    ) -> Result<Vec<CarriedAsset>, SimulationError> {
        let unreadable = |error| self.unreplayable(&error);
        let entries = entries.iter().map(|entry| Entry::decode(entry));
        let entries: Result<Vec<_>, _> = entries.collect();
        let entries = entries.map_err(unreadable)?;
        let assets = simulations.assets_of(image, &entries);
        let assets = assets.await.map_err(|missing| missing.refusal(self.id()))?;
        let files = self.services().assets.files(&assets).into_iter();
        let carried = files.map(|(_, AssetFile { format, bytes })| {
            CarriedAsset(format.letter(), ByteBuf::from(bytes.to_vec()))
        });
        Ok(carried.collect())
    }
}

/// Reads the meshes of a bundle, each under its own name.
pub(super) fn unpacked(carried: Vec<CarriedAsset>) -> Result<Vec<Unpacked>, BundleError> {
    let unpacked = carried.into_iter().map(|CarriedAsset(letter, bytes)| {
        let bytes = Bytes::from(bytes.into_vec());
        let format = Format::of_letter(letter).ok_or(BundleError::Damaged)?;
        let mesh = read(format, &bytes).map_err(|_| BundleError::Damaged)?;
        Ok((name_of(&bytes), AssetFile { format, bytes }, Arc::new(mesh)))
    });
    unpacked.collect()
}

/// The same, but with the meshes that somebody here uses already: of each there is to be one.
pub(super) fn shared(unpacked: Vec<Unpacked>, library: &AssetLibrary) -> Vec<Unpacked> {
    let at_hand = library.at_hand(unpacked.iter().map(|(id, ..)| id));
    let shared = unpacked.into_iter().map(|(id, file, mesh)| {
        let mesh = at_hand.mesh(&id).cloned().unwrap_or(mesh);
        (id, file, mesh)
    });
    shared.collect()
}

pub(super) fn meshes(unpacked: &[Unpacked]) -> Assets {
    let meshes = unpacked.iter();
    meshes
        .map(|(id, _, mesh)| (id.clone(), Arc::clone(mesh)))
        .collect()
}
