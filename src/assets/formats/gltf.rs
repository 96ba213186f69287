//! glTF 2.0: the triangles of all meshes of the scene, each where its node puts it. Buffers have
//! to be inside: no other file is opened.

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, de::DeserializeOwned};

use super::{UnreadableMesh, malformed};
use crate::physics::{Mesh, check_counts};

/// What a file of bytes begins with.
pub(super) const MAGIC: &[u8] = b"glTF";
const VERSION: u32 = 2;
const JSON_CHUNK: [u8; 4] = *b"JSON";
const BINARY_CHUNK: [u8; 4] = *b"BIN\0";

// What numbers are made of, and how corners make triangles.
const UNSIGNED_BYTE: u32 = 5121;
const UNSIGNED_SHORT: u32 = 5123;
const UNSIGNED_INT: u32 = 5125;
const FLOAT: u32 = 5126;
const TRIANGLES: u32 = 4;
const TRIANGLE_STRIP: u32 = 5;
const TRIANGLE_FAN: u32 = 6;

/// A matrix by its columns.
type Matrix = [[f32; 4]; 4];

const IDENTITY: Matrix = [
    [1.0, 0.0, 0.0, 0.0],
    [0.0, 1.0, 0.0, 0.0],
    [0.0, 0.0, 1.0, 0.0],
    [0.0, 0.0, 0.0, 1.0],
];

/// As much of the JSON as leads to triangles.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    #[serde(default)]
    extensions_required: Vec<String>,
    scene: Option<usize>,
    #[serde(default)]
    scenes: Vec<Scene>,
    #[serde(default)]
    nodes: Vec<Node>,
    #[serde(default)]
    meshes: Vec<Primitives>,
    #[serde(default)]
    accessors: Vec<Accessor>,
    #[serde(default)]
    buffer_views: Vec<View>,
    #[serde(default)]
    buffers: Vec<Buffer>,
}

#[derive(Deserialize)]
struct Scene {
    #[serde(default)]
    nodes: Vec<usize>,
}

#[derive(Deserialize)]
struct Node {
    #[serde(default)]
    children: Vec<usize>,
    mesh: Option<usize>,
    matrix: Option<[f32; 16]>,
    #[serde(default)]
    translation: [f32; 3],
    rotation: Option<[f32; 4]>,
    scale: Option<[f32; 3]>,
}

#[derive(Deserialize)]
struct Primitives {
    primitives: Vec<Primitive>,
}

#[derive(Deserialize)]
struct Primitive {
    attributes: Attributes,
    indices: Option<usize>,
    #[serde(default = "triangles_mode")]
    mode: u32,
}

#[derive(Deserialize)]
struct Attributes {
    #[serde(rename = "POSITION")]
    position: usize,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Accessor {
    buffer_view: Option<usize>,
    #[serde(default)]
    byte_offset: usize,
    component_type: u32,
    count: usize,
    #[serde(rename = "type")]
    kind: String,
    sparse: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct View {
    buffer: usize,
    #[serde(default)]
    byte_offset: usize,
    byte_length: usize,
    byte_stride: Option<usize>,
}

#[derive(Deserialize)]
struct Buffer {
    uri: Option<String>,
}

/// The mesh as far as it has been read.
struct Reader<'a> {
    document: &'a Document,
    buffers: Vec<Cow<'a, [u8]>>,
    /// Nodes that were met: each has one parent at most.
    seen: Vec<bool>,
    vertices: Vec<[f32; 3]>,
    triangles: Vec<[u32; 3]>,
}

/// Reads a file of bytes.
pub(super) fn read_binary(bytes: &[u8]) -> Result<Mesh, UnreadableMesh> {
    let no_glb = || malformed("this is no binary glTF 2.0");
    let rest = bytes.strip_prefix(MAGIC).ok_or_else(no_glb)?;
    let (version, rest) = number(rest).ok_or_else(no_glb)?;
    let (_, rest) = number(rest).ok_or_else(no_glb)?;
    let (json, rest) = chunk(rest, JSON_CHUNK).ok_or_else(no_glb)?;
    if version != VERSION {
        return Err(no_glb());
    }
    let binary = chunk(rest, BINARY_CHUNK).map_or(&[][..], |(binary, _)| binary);
    read_document(json, binary)
}

/// Reads JSON that brings its buffers along.
pub(super) fn read_text(bytes: &[u8]) -> Result<Mesh, UnreadableMesh> {
    if bytes.starts_with(MAGIC) {
        return Err(malformed(
            "this is a binary glTF: send it as model/gltf-binary",
        ));
    }
    read_document(bytes, &[])
}

fn read_document(json: &[u8], binary: &[u8]) -> Result<Mesh, UnreadableMesh> {
    let document: Document = parse(json)?;
    if let Some(name) = document.extensions_required.first() {
        return Err(malformed(format!("the extension {name} is not supported")));
    }
    let mut reader = Reader {
        buffers: buffers(&document, binary)?,
        seen: vec![false; document.nodes.len()],
        document: &document,
        vertices: Vec::new(),
        triangles: Vec::new(),
    };
    match document.scenes.get(document.scene.unwrap_or(0)) {
        Some(scene) => {
            for &node in &scene.nodes {
                reader.add_tree(node)?;
            }
        }
        // A library of meshes.
        None => {
            for mesh in 0..document.meshes.len() {
                reader.add_mesh(mesh, &IDENTITY)?;
            }
        }
    }
    Ok(Mesh::new(reader.vertices, reader.triangles)?)
}

impl Reader<'_> {
    /// Adds what is at a node and below it.
    fn add_tree(&mut self, root: usize) -> Result<(), UnreadableMesh> {
        let mut waiting = vec![(root, IDENTITY)];
        while let Some((index, outer)) = waiting.pop() {
            let node = get(&self.document.nodes, index, "node")?;
            if std::mem::replace(&mut self.seen[index], true) {
                return Err(malformed(format!("node {index} has two parents")));
            }
            let place = product(&outer, &node.place());
            if let Some(mesh) = node.mesh {
                self.add_mesh(mesh, &place)?;
            }
            waiting.extend(node.children.iter().map(|&child| (child, place)));
        }
        Ok(())
    }

    fn add_mesh(&mut self, index: usize, place: &Matrix) -> Result<(), UnreadableMesh> {
        let mesh = get(&self.document.meshes, index, "mesh")?;
        let has_triangles = |it: &&Primitive| (TRIANGLES..=TRIANGLE_FAN).contains(&it.mode);
        for primitive in mesh.primitives.iter().filter(has_triangles) {
            self.add(primitive, place)?;
        }
        Ok(())
    }

    /// Adds triangles at their place.
    fn add(&mut self, primitive: &Primitive, place: &Matrix) -> Result<(), UnreadableMesh> {
        let positions = self.accessor(primitive.attributes.position)?;
        let first = self.vertices.len();
        check_counts(first.saturating_add(positions.count), self.triangles.len())?;
        let vertices = self.elements(positions, "VEC3", |bytes| {
            let (numbers, _) = bytes.as_chunks::<4>();
            let coordinate = |n: usize| numbers.get(n).copied().map(f32::from_le_bytes);
            Some([coordinate(0)?, coordinate(1)?, coordinate(2)?])
        })?;
        let corners: Vec<u32> = match primitive.indices {
            Some(indices) => {
                let indices = self.accessor(indices)?;
                check_counts(self.vertices.len(), indices.count / 3)?;
                self.elements(indices, "SCALAR", index)?
            }
            None => (0..).take(vertices.len()).collect(),
        };
        self.vertices
            .extend(vertices.into_iter().map(|vertex| moved(place, vertex)));
        let first = u32::try_from(first).expect("vertices are counted");
        for triangle in triangles(primitive.mode, &corners) {
            let corners = triangle.map(|corner| corner.checked_add(first));
            let [Some(a), Some(b), Some(c)] = corners else {
                return Err(malformed("an index is too great"));
            };
            self.triangles.push([a, b, c]);
            check_counts(self.vertices.len(), self.triangles.len())?;
        }
        Ok(())
    }

    fn accessor(&self, index: usize) -> Result<&Accessor, UnreadableMesh> {
        get(&self.document.accessors, index, "accessor")
    }

    /// What an accessor leads to.
    fn elements<T>(
        &self,
        accessor: &Accessor,
        kind: &str,
        read: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<Vec<T>, UnreadableMesh> {
        let bad = || malformed("an accessor of positions or indices cannot be read");
        let size = match (accessor.component_type, kind) {
            (UNSIGNED_BYTE, "SCALAR") => 1,
            (UNSIGNED_SHORT, "SCALAR") => 2,
            (UNSIGNED_INT, "SCALAR") => 4,
            (FLOAT, "VEC3") => 12,
            _ => return Err(bad()),
        };
        let view = accessor.buffer_view.ok_or_else(bad)?;
        let view = get(&self.document.buffer_views, view, "buffer view")?;
        if accessor.kind != kind || accessor.sparse.is_some() {
            return Err(bad());
        }
        let end = view.byte_offset.checked_add(view.byte_length);
        let buffer = get(&self.buffers, view.buffer, "buffer")?;
        let bytes = end.and_then(|end| buffer.get(view.byte_offset..end));
        let bytes = bytes.ok_or_else(bad)?;
        let stride = view.byte_stride.unwrap_or(size);
        (0..accessor.count)
            .map(|n| {
                let begin = n.checked_mul(stride)?.checked_add(accessor.byte_offset)?;
                read(bytes.get(begin..begin.checked_add(size)?)?)
            })
            .collect::<Option<_>>()
            .ok_or_else(bad)
    }
}

impl Node {
    /// Where it is, seen from its parent.
    fn place(&self) -> Matrix {
        if let Some(matrix) = &self.matrix {
            let (columns, _) = matrix.as_chunks::<4>();
            return [columns[0], columns[1], columns[2], columns[3]];
        }
        let turned = columns(self.rotation.unwrap_or([0.0, 0.0, 0.0, 1.0]));
        let scale = self.scale.unwrap_or([1.0; 3]);
        let column = |axis: usize| {
            let [right, up, back] = turned[axis].map(|component| component * scale[axis]);
            [right, up, back, 0.0]
        };
        let [right, up, back] = self.translation;
        [column(0), column(1), column(2), [right, up, back, 1.0]]
    }
}

/// Where a rotation takes the axes.
fn columns([x, y, z, w]: [f32; 4]) -> [[f32; 3]; 3] {
    [
        [
            1.0 - 2.0 * (y * y + z * z),
            2.0 * (x * y + w * z),
            2.0 * (x * z - w * y),
        ],
        [
            2.0 * (x * y - w * z),
            1.0 - 2.0 * (x * x + z * z),
            2.0 * (y * z + w * x),
        ],
        [
            2.0 * (x * z + w * y),
            2.0 * (y * z - w * x),
            1.0 - 2.0 * (x * x + y * y),
        ],
    ]
}

/// The buffers of a document, which have to be in it.
fn buffers<'a>(
    document: &Document,
    binary: &'a [u8],
) -> Result<Vec<Cow<'a, [u8]>>, UnreadableMesh> {
    let inside = |uri: &str| {
        let (kind, text) = uri.strip_prefix("data:")?.split_once(',')?;
        kind.strip_suffix(";base64")?;
        STANDARD.decode(text).ok()
    };
    let read = document
        .buffers
        .iter()
        .zip(0..)
        .map(|(buffer, index)| match &buffer.uri {
            None => Ok(Cow::Borrowed(binary)),
            Some(uri) => inside(uri).map(Cow::Owned).ok_or_else(|| {
                let detail = "must be inside the file, as data:…;base64, or the binary chunk";
                malformed(format!("buffer {index} {detail}"))
            }),
        });
    read.collect()
}

fn parse<T: DeserializeOwned>(json: &[u8]) -> Result<T, UnreadableMesh> {
    serde_json::from_slice(json).map_err(|error| malformed(format!("this is no glTF: {error}")))
}

fn get<'a, T>(list: &'a [T], index: usize, what: &str) -> Result<&'a T, UnreadableMesh> {
    let found = list.get(index);
    found.ok_or_else(|| malformed(format!("there is no {what} {index}")))
}

fn triangles_mode() -> u32 {
    TRIANGLES
}

fn number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u32::from_le_bytes(*number), rest))
}

/// A chunk of this kind, and what follows it.
fn chunk(bytes: &[u8], kind: [u8; 4]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = number(bytes)?;
    rest.strip_prefix(&kind)?
        .split_at_checked(usize::try_from(length).ok()?)
}

fn index(bytes: &[u8]) -> Option<u32> {
    match *bytes {
        [byte] => Some(byte.into()),
        [a, b] => Some(u16::from_le_bytes([a, b]).into()),
        [a, b, c, d] => Some(u32::from_le_bytes([a, b, c, d])),
        _ => None,
    }
}

/// The triangles that some corners make.
fn triangles(mode: u32, corners: &[u32]) -> Vec<[u32; 3]> {
    match mode {
        TRIANGLE_STRIP => {
            let strip = corners.windows(3).enumerate();
            // Every other one is turned over, so that all face the same side.
            let faced = |(n, it): (usize, &[u32])| match n % 2 {
                0 => [it[0], it[1], it[2]],
                _ => [it[1], it[0], it[2]],
            };
            strip.map(faced).collect()
        }
        TRIANGLE_FAN => {
            let [first, rim @ ..] = corners else {
                return Vec::new();
            };
            rim.windows(2).map(|it| [*first, it[0], it[1]]).collect()
        }
        _ => corners.as_chunks::<3>().0.to_vec(),
    }
}

fn product(outer: &Matrix, inner: &Matrix) -> Matrix {
    inner.map(|column| [0, 1, 2, 3].map(|row| (0..4).map(|n| outer[n][row] * column[n]).sum()))
}

fn moved(place: &Matrix, [x, y, z]: [f32; 3]) -> [f32; 3] {
    [0, 1, 2].map(|row| place[0][row] * x + place[1][row] * y + place[2][row] * z + place[3][row])
}
