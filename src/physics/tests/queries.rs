//! What may be asked with, and what there is to be met.

use super::*;
use crate::physics::QuerySpec;

#[test]
fn a_shape_to_ask_with_is_as_limited_as_one_of_a_body() {
    let overlap = |points: usize| -> QuerySpec {
        let points: Vec<_> = (0..points).map(|n| [n, n * n % 7, n % 5]).collect();
        read(
            &json!({"type": "overlap", "shape": "convex_hull", "position": [0, 0, 0],
            "vertices": points}),
        )
    };
    assert!(overlap(10_000).check_limits().is_ok());
    assert!(matches!(
        overlap(10_001).check_limits(),
        Err(PhysicsError::LimitExceeded {
            limit: "MAX_HULL_POINTS",
            used: 10_001,
            ..
        })
    ));
}

#[test]
fn meshes_count_by_their_triangles_for_who_asks_about_them() {
    let world = world_of(&[
        add_body(&ball("ball", 9.0)),
        add_body(
            &json!({"id": "slope", "kind": "static", "shape": "mesh", "indices": [[0, 1, 2], [0, 2, 3]],
            "vertices": [[0, 0, 0], [0, 0, 1], [1, 0, 1], [1, 0, 0]]}),
        ),
    ]);
    assert_eq!(world.view().facet_count(), 3);
}
