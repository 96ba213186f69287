//! Meshes come out of every format as they went in, and nothing comes out of what is damaged.

use std::fmt::Write;

use base64::{Engine, engine::general_purpose::STANDARD};
use proptest::{collection::vec, prelude::*, sample::Index};
use serde_json::{Value, json};

use super::*;
use crate::physics::{MAX_VERTICES_PER_SHAPE, Mesh};

/// A tetrahedron with its corner at the origin.
const VERTICES: [[f32; 3]; 4] = [
    [0.0, 0.0, 0.0],
    [1.5, 0.0, 0.0],
    [0.0, 2.5, 0.0],
    [0.0, 0.0, -3.5],
];
const TRIANGLES: [[u32; 3]; 4] = [[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]];

fn binary_stl() -> Vec<u8> {
    let mut bytes = b"solid, says the header of some programs".to_vec();
    bytes.resize(80, 0);
    bytes.extend(4_u32.to_le_bytes());
    for triangle in TRIANGLES {
        bytes.extend([0; 12]);
        let corners = triangle.into_iter().flat_map(|n| VERTICES[n as usize]);
        bytes.extend(corners.flat_map(f32::to_le_bytes));
        bytes.extend([0; 2]);
    }
    bytes
}

fn text_stl() -> Vec<u8> {
    let mut text = "solid t\n".to_owned();
    for triangle in TRIANGLES {
        text += "facet normal 0 0 0\nouter loop\n";
        for [x, y, z] in triangle.map(|n| VERTICES[n as usize]) {
            writeln!(text, "  vertex {x} {y:e} {z}").unwrap();
        }
        text += "endloop\nendfacet\n";
    }
    (text + "endsolid t\n").into()
}

/// With one face that has four corners, counted back from the last.
fn obj() -> Vec<u8> {
    b"mtllib ../../etc/passwd\no t\nv 0 0 0\nv 1.5 0 0 1\nv 0 2.5 0\nv 0 0 -3.5\nvn 0 1 0\n\
      f 1 3 2\nf 1/1 2//1 4/1/1\nf -4 -1 -2\n# quad\nf 2 3 4\n"
        .to_vec()
}

fn buffer() -> Vec<u8> {
    let corners = TRIANGLES.as_flattened().iter();
    let mut bytes: Vec<u8> = corners.map(|&n| u8::try_from(n).unwrap()).collect();
    // The scale of the node makes twice of it.
    let vertices = VERTICES.as_flattened().iter();
    bytes.extend(vertices.flat_map(|coordinate| (coordinate / 2.0).to_le_bytes()));
    bytes
}

fn document(uri: Option<&str>) -> Value {
    let buffer = match uri {
        Some(uri) => json!({"byteLength": 60, "uri": uri}),
        None => json!({"byteLength": 60}),
    };
    json!({
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [
            {"children": [1], "translation": [0.0, 1.0, 0.0], "rotation": [0.0, 0.0, 1.0, 0.0]},
            {"mesh": 0, "matrix": [-2, 0, 0, 0, 0, -2, 0, 0, 0, 0, 2, 0, 0, 1, 0, 1]},
        ],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 1}, "indices": 0}]}],
        "accessors": [
            {"bufferView": 0, "componentType": 5121, "count": 12, "type": "SCALAR"},
            {"bufferView": 1, "componentType": 5126, "count": 4, "type": "VEC3",
             "min": [0.0, 0.0, -1.75], "max": [0.75, 1.25, 0.0]},
        ],
        "bufferViews": [
            {"buffer": 0, "byteOffset": 0, "byteLength": 12},
            {"buffer": 0, "byteOffset": 12, "byteLength": 48},
        ],
        "buffers": [buffer],
    })
}

fn text_gltf() -> Vec<u8> {
    let uri = format!(
        "data:application/octet-stream;base64,{}",
        STANDARD.encode(buffer())
    );
    document(Some(&uri)).to_string().into()
}

fn binary_gltf() -> Vec<u8> {
    let mut json = document(None).to_string().into_bytes();
    json.resize(json.len().next_multiple_of(4), b' ');
    let length = |part: &[u8]| u32::try_from(part.len()).unwrap().to_le_bytes();
    let mut chunks = [&length(&json)[..], b"JSON", &json].concat();
    chunks.extend([&length(&buffer())[..], b"BIN\0", &buffer()].concat());
    let whole = u32::try_from(chunks.len() + 12).unwrap();
    [&b"glTF\x02\0\0\0"[..], &whole.to_le_bytes(), &chunks].concat()
}

fn raw() -> Vec<u8> {
    json!({"vertices": VERTICES, "indices": TRIANGLES})
        .to_string()
        .into()
}

fn files() -> [(Format, Vec<u8>); 6] {
    [
        (Format::Stl, binary_stl()),
        (Format::Stl, text_stl()),
        (Format::Obj, obj()),
        (Format::Gltf, text_gltf()),
        (Format::Glb, binary_gltf()),
        (Format::Json, raw()),
    ]
}

/// The corners of all triangles, whatever the vertices are called.
fn corners(mesh: &Mesh) -> Vec<[[f32; 3]; 3]> {
    let vertex = |n: u32| mesh.vertices[n as usize].0;
    mesh.indices.iter().map(|it| it.map(vertex)).collect()
}

#[test]
fn every_format_is_recognised_and_tells_of_the_same_triangles() {
    let expected = Mesh::new(VERTICES.to_vec(), TRIANGLES.to_vec()).unwrap();
    for (format, bytes) in files() {
        assert_eq!(Format::of_bytes(&bytes), format);
        let mesh = read(format, &bytes).unwrap();
        assert_eq!(mesh.vertices.len(), 4, "{format:?}");
        assert_eq!(corners(&mesh), corners(&expected), "{format:?}");
        assert_eq!(Format::of_letter(format.letter()), Some(format));
        assert_eq!(Format::of_media_type(format.media_type()), Some(format));
    }
}

#[test]
fn a_face_of_many_corners_becomes_a_fan() {
    let square = b"v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nf 1 2 3 4\n";
    let mesh = read(Format::Obj, square).unwrap();
    assert_eq!(mesh.indices, [[0, 1, 2], [0, 2, 3]]);
}

#[test]
fn other_files_are_never_opened() {
    for uri in [
        "/etc/passwd",
        "mesh.bin",
        "file:///etc/passwd",
        "data:text/plain,abc",
    ] {
        let refused = read(Format::Gltf, document(Some(uri)).to_string().as_bytes());
        let text = refused.unwrap_err().to_string();
        assert!(text.contains("buffer 0 must be inside"), "{uri}: {text}");
    }
}

#[test]
fn nodes_that_lead_in_circles_are_refused() {
    let mut circle = document(None);
    circle["nodes"][1]["children"] = json!([0]);
    let refused = read(Format::Gltf, circle.to_string().as_bytes());
    assert!(matches!(refused, Err(UnreadableMesh::Malformed(_))));
}

#[test]
fn what_is_too_large_is_refused_before_all_of_it_is_read() {
    let vertices = "v 0 0 0\n".repeat(MAX_VERTICES_PER_SHAPE + 1);
    let refused = read(Format::Obj, vertices.as_bytes()).unwrap_err();
    assert!(
        refused.to_string().contains("MAX_VERTICES_PER_SHAPE"),
        "{refused}"
    );
    let face = format!("v 0 0 0\nf {}\n", "1 ".repeat(300_000));
    let refused = read(Format::Obj, face.as_bytes()).unwrap_err();
    assert!(
        refused.to_string().contains("MAX_VERTICES_PER_SHAPE"),
        "{refused}"
    );
    let mut many = document(None);
    many["accessors"][1]["count"] = json!(4_000_000_000_u64);
    let refused = read(Format::Gltf, many.to_string().as_bytes()).unwrap_err();
    assert!(
        refused.to_string().contains("MAX_VERTICES_PER_SHAPE"),
        "{refused}"
    );
}

/// Something done to a file: a byte is another one, some are missing, or some come twice.
fn damage() -> impl Strategy<Value = Vec<(Index, u8, u8)>> {
    vec((any::<Index>(), any::<u8>(), any::<u8>()), 1..8)
}

fn damaged(mut bytes: Vec<u8>, damage: Vec<(Index, u8, u8)>) -> Vec<u8> {
    for (at, kind, byte) in damage {
        if bytes.is_empty() {
            break;
        }
        let at = at.index(bytes.len());
        match kind % 5 {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..(at + usize::from(byte)).min(bytes.len()))),
            2 => bytes.insert(at, byte),
            // Numbers that are longer, or negative, are likelier to be wrong in a way that matters.
            3 => bytes[at] = b"0123456789-e.,[]{}\"/ "[usize::from(byte) % 21],
            _ => bytes[at] = byte,
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_files_of_every_format_are_refused_or_are_meshes(damage in damage()) {
        for (format, bytes) in files() {
            let bytes = damaged(bytes, damage.clone());
            for format in [format, Format::of_bytes(&bytes)] {
                if let Ok(mesh) = read(format, &bytes) {
                    let count = u32::try_from(mesh.vertices.len()).unwrap();
                    prop_assert!(mesh.vertices.iter().all(|vertex| vertex.is_finite()));
                    prop_assert!(mesh.indices.as_flattened().iter().all(|n| *n < count));
                }
            }
        }
    }
}
