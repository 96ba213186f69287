//! Voxels, merged into as few boxes as a simple way finds.
//!
//! The engine has a shape for them, but it fails where they sink into a plane, does not see them
//! over a mesh, and loses track of a ball that rolls from one to the next. A compound of boxes it
//! can hold against everything.

use super::Cell;

/// Neighbouring cells: from the first on, up to the second and without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) least: [i32; 3],
    pub(super) beyond: [i32; 3],
}

/// Blocks that hold each of the cells once: rows first, then layers of equal rows, then stacks of
/// equal layers.
pub(super) fn blocks(cells: &[Cell]) -> Vec<Block> {
    let block = |&Cell(cell): &Cell| Block {
        least: cell,
        beyond: cell.map(|index| index.saturating_add(1)),
    };
    let mut cells = cells.to_vec();
    cells.sort_unstable();
    cells.dedup();
    let mut blocks: Vec<Block> = cells.iter().map(block).collect();
    for axis in 0..3 {
        blocks.sort_unstable_by_key(|it| (it.beside(axis), it.least[axis]));
        let mut merged: Vec<Block> = Vec::with_capacity(blocks.len());
        for block in blocks {
            match merged.last_mut() {
                Some(last)
                    if last.beside(axis) == block.beside(axis)
                        && last.beyond[axis] == block.least[axis] =>
                {
                    last.beyond[axis] = block.beyond[axis];
                }
                _ => merged.push(block),
            }
        }
        blocks = merged;
    }
    blocks
}

impl Block {
    /// Its extents across an axis.
    fn beside(&self, axis: usize) -> [i32; 4] {
        let [a, b] = [(axis + 1) % 3, (axis + 2) % 3];
        [self.least[a], self.beyond[a], self.least[b], self.beyond[b]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_hold_each_cell_once_and_are_few() {
        let cube = |side: i32| {
            let cell = move |n: i32| Cell([n % side - 2, n / side % side, n / side / side]);
            (0..side.pow(3)).map(cell)
        };
        let hollow: Vec<Cell> = cube(7).filter(|cell| cell.0 != [1, 3, 3]).collect();
        let twice: Vec<Cell> = cube(5).chain(cube(5)).collect();
        for (cells, most) in [(twice, 1), (hollow, 12)] {
            let blocks = blocks(&cells);
            assert!(blocks.len() <= most, "{}", blocks.len());
            let mut held = Vec::new();
            for Block { least, beyond } in blocks {
                for x in least[0]..beyond[0] {
                    for y in least[1]..beyond[1] {
                        held.extend((least[2]..beyond[2]).map(|z| Cell([x, y, z])));
                    }
                }
            }
            held.sort_unstable();
            let mut cells = cells;
            cells.sort_unstable();
            cells.dedup();
            assert_eq!(held, cells);
        }
    }
}
