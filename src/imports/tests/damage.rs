//! Descriptions that are damaged in many ways, and do no harm.

use std::panic::{AssertUnwindSafe, catch_unwind};

use proptest::prelude::*;
use serde_json::json;

use super::{FIXTURES, LIMITS, request, step, translate};
use crate::physics::{Command, World, WorldLimits};

/// What a number or a word in a file may turn into.
const DAMAGE: [&str; 14] = [
    "",
    "nan",
    "inf",
    "-1",
    "0",
    "1e308",
    "1e-40",
    "-0.5 -0.5 -0.5",
    "0 0 0",
    "world",
    "torso",
    "\"",
    "<",
    "1 1 1 1 1 1",
];

/// A text with some of its pieces cut out, doubled or replaced.
fn damaged(text: &str, wounds: &[(usize, usize, usize)]) -> String {
    let mut pieces: Vec<&str> = text
        .split_inclusive([' ', '"', '\'', '<', '>', '='])
        .collect();
    for &(place, kind, other) in wounds {
        let place = place % pieces.len();
        match kind % 4 {
            0 => drop(pieces.remove(place)),
            1 => pieces.insert(place, pieces[place]),
            2 => pieces[place] = DAMAGE[other % DAMAGE.len()],
            _ => {
                let other = other % pieces.len();
                pieces.swap(place, other);
            }
        }
        if pieces.is_empty() {
            break;
        }
    }
    pieces.concat()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn no_damage_to_a_file_does_harm(
        wounds in proptest::collection::vec((any::<usize>(), any::<usize>(), any::<usize>()), 1..6),
    ) {
        for (format, content) in FIXTURES {
            let text = damaged(content, &wounds);
            let request = request(format, &text, &json!(null));
            let found = catch_unwind(AssertUnwindSafe(|| {
                if let Ok(import) = translate(&request, LIMITS) {
                    let mut world = World::new(serde_json::from_str("{}").unwrap());
                    let command = Command::Import(Box::new(import));
                    if world.apply(&command, &WorldLimits::unlimited()).is_ok() {
                        step(&mut world, 2);
                    }
                }
            }));
            prop_assert!(found.is_ok(), "{format}: {text}");
        }
    }
}
