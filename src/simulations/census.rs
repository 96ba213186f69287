//! How many simulations are here, by what they are doing.

use super::{
    directory::Simulations,
    record::{Status, status_of},
};

/// How many simulations are here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Those that wait for commands.
    pub active: usize,
    /// Those that are being stepped.
    pub stepping: usize,
    /// Those that are packed away.
    pub frozen: usize,
    /// Those that other instances cannot find yet, whatever they are doing.
    pub unregistered: usize,
}

impl Simulations {
    /// Counts all simulations that are here.
    pub fn census(&self) -> Census {
        let mut census = Census::default();
        self.each(|simulation| {
            match status_of(&simulation.shared) {
                Status::Active => census.active += 1,
                Status::Stepping => census.stepping += 1,
                Status::Frozen | Status::Resting => census.frozen += 1,
            }
            if simulation.shared.claim.confirmed_in() == 0 {
                census.unregistered += 1;
            }
        });
        census
    }
}
