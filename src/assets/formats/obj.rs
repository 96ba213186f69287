//! Wavefront OBJ: lines of text, of which those with vertices and faces count. Materials, other
//! files and everything else are passed over.

use super::{UnreadableMesh, malformed};
use crate::physics::{Mesh, check_counts};

pub(super) fn read(bytes: &[u8]) -> Result<Mesh, UnreadableMesh> {
    let text = str::from_utf8(bytes).map_err(|_| malformed("this is no OBJ"))?;
    let (mut vertices, mut triangles) = (Vec::new(), Vec::new());
    for (number, line) in (1..).zip(text.lines()) {
        let bad = |what| malformed(format!("line {number} is no {what}"));
        let mut words = line.split_whitespace();
        match words.next() {
            Some("v") => {
                let mut next = || words.next()?.parse().ok();
                let vertex = (|| Some([next()?, next()?, next()?]))();
                vertices.push(vertex.ok_or_else(|| bad("vertex"))?);
            }
            Some("f") => {
                let mut corner = || Some(corner(words.next()?, vertices.len()));
                let (first, mut last) = (corner(), corner());
                let first = first.flatten().ok_or_else(|| bad("face"))?;
                let mut count = 2;
                while let Some(next) = corner() {
                    let (Some(before), Some(next)) = (last.flatten(), next) else {
                        return Err(bad("face"));
                    };
                    triangles.push([first, before, next]);
                    check_counts(vertices.len(), triangles.len())?;
                    last = Some(Some(next));
                    count += 1;
                }
                if count < 3 {
                    return Err(bad("face"));
                }
            }
            Some(_) | None => {}
        }
        check_counts(vertices.len(), triangles.len())?;
    }
    Ok(Mesh::new(vertices, triangles)?)
}

/// The vertex that a corner such as `7`, `7/1`, `7//3` or `-1` names: counted from one, or back
/// from the last that there is yet.
fn corner(word: &str, vertices: usize) -> Option<u32> {
    let name = word.split('/').next()?.parse::<i64>().ok()?;
    let known = i64::try_from(vertices).ok()?;
    let index = if name < 0 { known + name } else { name - 1 };
    u32::try_from(index).ok()
}
