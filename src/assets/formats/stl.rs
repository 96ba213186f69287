//! STL: triangles one by one, as text or as bytes. Corners at the same place become one vertex.

use std::collections::HashMap;

use super::{UnreadableMesh, malformed};
use crate::physics::{Mesh, check_counts};

/// What stands before the number of triangles, in bytes; it says nothing.
const HEADER: usize = 80;
/// A normal, three corners and two bytes that nobody agrees on.
const TRIANGLE: usize = 50;

/// The mesh as far as it has been read.
#[derive(Default)]
struct Soup {
    vertices: Vec<[f32; 3]>,
    triangles: Vec<[u32; 3]>,
    known: HashMap<[u32; 3], u32>,
}

impl Soup {
    fn add(&mut self, corners: [[f32; 3]; 3]) -> Result<(), UnreadableMesh> {
        let triangle = corners.map(|corner| {
            // Zero has two signs, and is one place.
            let bits = corner.map(|coordinate| (coordinate + 0.0).to_bits());
            *self.known.entry(bits).or_insert_with(|| {
                self.vertices.push(corner);
                u32::try_from(self.vertices.len() - 1).expect("vertices are counted below")
            })
        });
        self.triangles.push(triangle);
        Ok(check_counts(self.vertices.len(), self.triangles.len())?)
    }
}

/// Whether some bytes look like it: as text they begin with a word, as bytes they say how many
/// they are. Some bytes begin with that word, too.
pub(super) fn is_stl(bytes: &[u8]) -> bool {
    is_binary(bytes) || bytes.trim_ascii_start().starts_with(b"solid")
}

pub(super) fn read(bytes: &[u8]) -> Result<Mesh, UnreadableMesh> {
    let mut soup = Soup::default();
    if is_binary(bytes) {
        let (triangles, _) = bytes[HEADER + 4..].as_chunks::<TRIANGLE>();
        for triangle in triangles {
            let (numbers, _) = triangle.as_chunks::<4>();
            let number = |n: usize| f32::from_le_bytes(numbers[n]);
            soup.add([3, 6, 9].map(|n| [number(n), number(n + 1), number(n + 2)]))?;
        }
    } else {
        read_text(bytes, &mut soup)?;
    }
    Ok(Mesh::new(soup.vertices, soup.triangles)?)
}

/// Whether the number of triangles fits the length.
fn is_binary(bytes: &[u8]) -> bool {
    let count = bytes.get(HEADER..).and_then(<[u8]>::first_chunk);
    let length = |count: u32| (HEADER + 4) as u64 + u64::from(count) * TRIANGLE as u64;
    count.is_some_and(|count| length(u32::from_le_bytes(*count)) == bytes.len() as u64)
}

/// Of the text only the corners count; every three of them are a triangle.
fn read_text(bytes: &[u8], soup: &mut Soup) -> Result<(), UnreadableMesh> {
    let text = str::from_utf8(bytes).map_err(|_| malformed("this is no STL"))?;
    if !text.trim_start().starts_with("solid") {
        return Err(malformed("this is no STL"));
    }
    let mut corners = Vec::with_capacity(3);
    for (number, line) in (1..).zip(text.lines()) {
        let mut words = line.split_whitespace();
        if !words
            .next()
            .is_some_and(|word| word.eq_ignore_ascii_case("vertex"))
        {
            continue;
        }
        let mut next = || words.next()?.parse().ok();
        let corner = (|| Some([next()?, next()?, next()?]))();
        corners.push(corner.ok_or_else(|| malformed(format!("line {number} is no vertex")))?);
        if let [a, b, c] = corners[..] {
            soup.add([a, b, c])?;
            corners.clear();
        }
    }
    if corners.is_empty() {
        Ok(())
    } else {
        Err(malformed("the last triangle has too few corners"))
    }
}
