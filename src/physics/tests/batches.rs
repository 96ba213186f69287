//! What a batch may hold.

use super::*;
use crate::physics::{Batch, Item, Observe, StateField};

/// A batch that watches some of three bodies at each of ten steps and removes two of them at last.
fn batch(bodies: Option<Vec<&str>>) -> Command {
    let removal = |id| Item {
        at_step: Some(10),
        command: Command::RemoveBody(body_id(id)),
    };
    Batch {
        atomic: true,
        items: vec![removal("b"), removal("c")],
        steps: Steps {
            count: 10,
            dt: None,
        },
        until: Vec::new(),
        observe: Some(Observe {
            bodies: bodies.map(|ids| ids.into_iter().map(body_id).collect()),
            fields: vec![StateField::Position],
            every: 1,
        }),
        limits: None,
    }
    .into()
}

fn three() -> World {
    world_of(&["a", "b", "c"].map(|id| add_body(&ball(id, 1.0))))
}

#[test]
fn bodies_that_leave_at_last_count_for_all_the_moments_they_were_observed() {
    let limits = |max_frames| WorldLimits {
        max_frames,
        ..WorldLimits::unlimited()
    };
    let refused = three().apply(&batch(None), &limits(29));
    assert!(
        matches!(refused, Err(PhysicsError::LimitExceeded { used: 30, .. })),
        "{refused:?}"
    );
    assert!(three().apply(&batch(None), &limits(30)).is_ok());
}

#[test]
fn a_body_is_observed_once() {
    let mut world = three();
    refused(
        &mut world,
        &batch(Some(vec!["a", "b", "a"])),
        &["/observe/bodies/2"],
    );
}
