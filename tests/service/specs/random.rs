//! Random values: mostly ordinary ones, now and then those at the ends of what is taken.

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

/// Makes the same choices for the same seed, everywhere.
pub(super) struct Random(StdRng);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// Less than `count`.
    pub(super) fn below(&mut self, count: usize) -> usize {
        self.0.random_range(0..count)
    }

    pub(super) fn chance(&mut self, share: f64) -> bool {
        self.0.random_bool(share)
    }

    pub(super) fn pick<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }

    pub(super) fn between(&mut self, least: f64, most: f64) -> f64 {
        self.0.random_range(least..=most)
    }

    /// A number that is taken where `least` to `most` is, most often one that is `usual`.
    pub(super) fn number(&mut self, usual: [f64; 2], [least, most]: [f64; 2]) -> Value {
        json!(match self.below(40) {
            0 => least,
            1 => most,
            // Of any magnitude.
            2 | 3 if most > 0.0 => {
                let smallest = least.max(1e-6).ln();
                self.between(smallest, most.ln().max(smallest)).exp()
            }
            _ => self.between(usual[0], usual[1]),
        })
    }

    /// A length of a shape, m.
    pub(super) fn length(&mut self) -> Value {
        self.number([0.1, 1.5], [1e-4, 1e5])
    }

    /// A number of at least 0 that has no other bound.
    pub(super) fn share(&mut self) -> Value {
        self.number([0.0, 1.0], [0.0, 3e38])
    }

    /// A vector, most often one of components up to `usual`, never one longer than `most`.
    pub(super) fn vector(&mut self, usual: f64, most: f64) -> Value {
        let reach = match self.below(30) {
            0 => most / 2.0,
            1 => 0.0,
            2 => 1e-6,
            _ => usual,
        };
        json!([(); 3].map(|()| self.between(-reach, reach)))
    }

    /// A vector of whole numbers: what they make up is often flat, straight or twice the same.
    pub(super) fn corner(&mut self) -> Value {
        json!([(); 3].map(|()| self.below(4)))
    }

    pub(super) fn orientation(&mut self) -> Value {
        let parts = [(); 4].map(|()| self.between(-1.0, 1.0));
        let length = parts.iter().map(|part| part * part).sum::<f64>().sqrt();
        if length < 0.1 || self.chance(0.3) {
            return json!([0, 0, 0, 1]);
        }
        json!(parts.map(|part| part / length))
    }

    pub(super) fn axis(&mut self) -> Value {
        json!(self.pick(&["x", "y", "z"]))
    }

    /// `[min, max]` within ±`farthest`.
    pub(super) fn limits(&mut self, farthest: f64) -> Value {
        let usual = farthest.min(2.0);
        let pair = match self.below(8) {
            0 => [0.0, 0.0],
            1 => [-farthest, farthest],
            _ => [self.between(-usual, 0.0), self.between(0.0, usual)],
        };
        json!(pair)
    }

    /// Adds a field to an object, as often as `share` says.
    pub(super) fn may(
        &mut self,
        object: &mut Value,
        share: f64,
        field: &str,
        value: impl FnOnce(&mut Self) -> Value,
    ) {
        if self.chance(share) {
            object[field] = value(self);
        }
    }

    /// Up to `most` of something, and at least one.
    pub(super) fn some(&mut self, most: usize, item: impl Fn(&mut Self) -> Value) -> Value {
        let count = 1 + self.below(most);
        (0..count).map(|_| item(self)).collect()
    }
}
