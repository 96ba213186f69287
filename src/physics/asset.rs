//! Meshes that are kept as files of their own and named by the hash of their bytes.

use std::{
    collections::BTreeMap,
    fmt,
    panic::RefUnwindSafe,
    sync::{Arc, OnceLock},
};

use rapier3d::parry::shape::{SharedShape, TriMesh};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{ObjectBuilder, Schema, Type},
    },
};

use super::{limits::MAX_VERTICES_PER_SHAPE, vector::Vec3};

/// The farthest a vertex may be from the origin along each axis, m.
const MAX_COORDINATE: f32 = 1e5;

/// What the name of an asset looks like, as clients are told.
pub const ASSET_RULE: &str = "must be 64 lower-case hexadecimal digits";

/// The name of an asset: the SHA-256 of its bytes, in 64 lower-case hexadecimal digits.
///
/// Deserialising takes any text: a specification is checked as a whole afterwards.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct AssetId(Arc<str>);

/// Triangles.
#[derive(Debug, Default)]
pub struct Mesh {
    /// m.
    pub vertices: Vec<Vec3>,
    /// The corners of each triangle, counterclockwise seen from outside.
    pub indices: Vec<[u32; 3]>,
    bounds: (Vec3, Vec3),
    /// How far its farthest vertex is from the origin, m.
    reach: f64,
    /// Rapier's shape, which all bodies share that are made of it.
    trimesh: OnceLock<Option<SharedShape>>,
}

/// Why some triangles are no mesh.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MeshError {
    /// There are more vertices, or half triangles, than a shape may have.
    #[error("MAX_VERTICES_PER_SHAPE is {MAX_VERTICES_PER_SHAPE}, this would make {used}")]
    TooLarge {
        /// How many there are, as far as they were counted.
        used: usize,
    },
    /// There is nothing to touch.
    #[error("there are no triangles in it")]
    Empty,
    /// A vertex is nowhere.
    #[error("vertex {0} must be finite and within {MAX_COORDINATE:e} along each axis")]
    BadVertex(usize),
    /// A triangle has a corner that does not exist.
    #[error("triangle {0} has a corner that does not exist")]
    BadTriangle(usize),
}

/// The assets that shapes can name.
#[derive(Clone, Debug, Default)]
pub struct Assets(BTreeMap<AssetId, Arc<Mesh>>);

/// None at all.
pub static NO_ASSETS: Assets = Assets(BTreeMap::new());

impl AssetId {
    /// The name, if it is well-formed.
    pub fn parse(text: &str) -> Option<Self> {
        let id = Self(text.into());
        id.is_well_formed().then_some(id)
    }

    /// The name of what has this SHA-256.
    pub fn of_hash(hash: [u8; 32]) -> Self {
        let digits = hash.iter().map(|byte| format!("{byte:02x}"));
        Self(digits.collect::<String>().into())
    }

    /// Whether it is 64 lower-case hexadecimal digits.
    pub fn is_well_formed(&self) -> bool {
        let is_digit = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        self.0.len() == 64 && self.0.bytes().all(is_digit)
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Mesh {
    /// A mesh, if it is one.
    pub fn new(vertices: Vec<[f32; 3]>, indices: Vec<[u32; 3]>) -> Result<Self, MeshError> {
        check_counts(vertices.len(), indices.len())?;
        if indices.is_empty() {
            return Err(MeshError::Empty);
        }
        let is_near = |vertex: &[f32; 3]| vertex.iter().all(|c| c.abs() <= MAX_COORDINATE);
        if let Some(bad) = vertices.iter().position(|vertex| !is_near(vertex)) {
            return Err(MeshError::BadVertex(bad));
        }
        let exists = |corner: &u32| (*corner as usize) < vertices.len();
        if let Some(bad) = indices.iter().position(|it| !it.iter().all(exists)) {
            return Err(MeshError::BadTriangle(bad));
        }
        let vertices: Vec<Vec3> = vertices.into_iter().map(Vec3).collect();
        Ok(Self {
            bounds: bounds(&vertices),
            reach: vertices.iter().map(|it| it.length()).fold(0.0, f64::max),
            vertices,
            indices,
            trimesh: OnceLock::new(),
        })
    }

    /// Rapier's shape of the triangles, if it can be made.
    pub(super) fn trimesh(&self) -> Option<SharedShape> {
        let made = self.trimesh.get_or_init(|| {
            let vertices = self.vertices.iter().map(|&vertex| vertex.into());
            let mesh = TriMesh::new(vertices.collect(), self.indices.clone());
            mesh.ok().map(SharedShape::new)
        });
        made.clone()
    }

    /// How much of what a shape may have it takes, in vertices.
    pub(super) fn weight(&self) -> usize {
        mesh_weight(self.vertices.len(), self.indices.len())
    }

    /// The corners of the box around it.
    pub fn bounds(&self) -> (Vec3, Vec3) {
        self.bounds
    }

    /// How far its farthest vertex is from the origin, m.
    pub(super) fn reach(&self) -> f64 {
        self.reach
    }
}

/// The shape it keeps is made once and never changed.
impl RefUnwindSafe for Mesh {}

/// Refuses more than a shape may have, before all of it is read.
pub fn check_counts(vertices: usize, triangles: usize) -> Result<(), MeshError> {
    let used = mesh_weight(vertices, triangles);
    if used > MAX_VERTICES_PER_SHAPE {
        return Err(MeshError::TooLarge { used });
    }
    Ok(())
}

fn bounds(vertices: &[Vec3]) -> (Vec3, Vec3) {
    let first = vertices.first().copied().unwrap_or_default();
    vertices.iter().fold((first, first), |(min, max), v| {
        let each = |pick: fn(f32, f32) -> f32, of: Vec3| {
            Vec3([0, 1, 2].map(|axis| pick(of.0[axis], v.0[axis])))
        };
        (each(f32::min, min), each(f32::max, max))
    })
}

/// What counts of a mesh: there are about twice as many triangles as vertices in a closed one.
pub(super) fn mesh_weight(vertices: usize, triangles: usize) -> usize {
    vertices.max(triangles.div_ceil(2))
}

impl Assets {
    /// The mesh of that name, if there is one.
    pub fn mesh(&self, id: &AssetId) -> Option<&Arc<Mesh>> {
        self.0.get(id)
    }

    /// What is wrong with naming that mesh, if anything is.
    pub(super) fn fault_of(&self, id: &AssetId) -> Option<&'static str> {
        if !id.is_well_formed() {
            Some(ASSET_RULE)
        } else if self.mesh(id).is_none() {
            Some("no such asset: upload it with PUT /assets/{sha256}")
        } else {
            None
        }
    }

    /// Adds a mesh.
    pub fn insert(&mut self, id: AssetId, mesh: Arc<Mesh>) {
        self.0.insert(id, mesh);
    }

    /// Adds all of `others`.
    pub fn extend(&mut self, others: &Self) {
        let others = others.0.iter();
        self.0
            .extend(others.map(|(id, mesh)| (id.clone(), Arc::clone(mesh))));
    }

    /// Lets go of what is not needed.
    pub fn retain(&mut self, is_needed: impl Fn(&AssetId) -> bool) {
        self.0.retain(|id, _| is_needed(id));
    }

    /// The names, in order.
    pub fn ids(&self) -> impl Iterator<Item = &AssetId> {
        self.0.keys()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(AssetId, Arc<Mesh>)> for Assets {
    fn from_iter<I: IntoIterator<Item = (AssetId, Arc<Mesh>)>>(meshes: I) -> Self {
        Self(meshes.into_iter().collect())
    }
}

impl From<&str> for AssetId {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for AssetId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for AssetId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for AssetId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(text.into()))
    }
}

impl PartialSchema for AssetId {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some("^[0-9a-f]{64}$"))
            .into()
    }
}

impl ToSchema for AssetId {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_sixty_four_hexadecimal_digits() {
        let id = AssetId::of_hash([0xa7; 32]);
        assert_eq!(AssetId::parse(id.as_str()), Some(id.clone()));
        let text = id.as_str();
        let upper = text.to_uppercase();
        for bad in ["", &text[1..], &format!("{text}0"), &upper, &"é".repeat(32)] {
            assert_eq!(AssetId::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_mesh_is_finite_near_and_of_corners_that_exist() {
        let corners = |far| vec![[0.0; 3], [1.0, 0.0, 0.0], [0.0, far, -2.0]];
        let mesh = Mesh::new(corners(3.0), vec![[0, 1, 2]]).unwrap();
        let bounds = (Vec3([0.0, 0.0, -2.0]), Vec3([1.0, 3.0, 0.0]));
        assert_eq!(mesh.bounds(), bounds);
        for far in [f32::NAN, f32::INFINITY, -1.1e5] {
            let refused = Mesh::new(corners(far), vec![[0, 1, 2]]);
            assert_eq!(refused.err(), Some(MeshError::BadVertex(2)), "{far}");
        }
        let refused = Mesh::new(corners(1.0), vec![[0, 1, 2], [0, 1, 3]]);
        assert_eq!(refused.err(), Some(MeshError::BadTriangle(1)));
        let refused = Mesh::new(corners(1.0), vec![]);
        assert_eq!(refused.err(), Some(MeshError::Empty));
        let many = vec![[0, 1, 2]; 2 * MAX_VERTICES_PER_SHAPE + 1];
        let refused = Mesh::new(corners(1.0), many);
        assert!(matches!(
            refused,
            Err(MeshError::TooLarge { used: 100_001 })
        ));
    }
}
