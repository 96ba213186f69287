//! A mesh as JSON: `{"vertices": [[x, y, z]], "indices": [[a, b, c]]}`.

use serde::{Deserialize, de::IgnoredAny};

use super::{UnreadableMesh, malformed};
use crate::physics::Mesh;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    vertices: Vec<[f32; 3]>,
    indices: Vec<[u32; 3]>,
}

/// Whether some JSON has what such a mesh has.
pub(super) fn is_raw(bytes: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Outline {
        #[serde(rename = "vertices")]
        _vertices: IgnoredAny,
        #[serde(rename = "indices")]
        _indices: IgnoredAny,
    }
    serde_json::from_slice::<Outline>(bytes).is_ok()
}

pub(super) fn read(bytes: &[u8]) -> Result<Mesh, UnreadableMesh> {
    let raw = serde_json::from_slice(bytes);
    let Raw { vertices, indices } = raw.map_err(|error| malformed(error.to_string()))?;
    Ok(Mesh::new(vertices, indices)?)
}
