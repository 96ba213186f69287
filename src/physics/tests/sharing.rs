//! Worlds that are stepped by one thread in turn have its workspace in common, and nothing else.

use super::*;
use crate::physics::workspace;

const ROUNDS: usize = 30;
const STEPS: u32 = 5;

/// Boxes and balls that fall onto each other, and more.
fn pile(count: u32, more: &[Value]) -> Vec<Value> {
    let floor = json!({"id": "floor", "shape": "plane", "kind": "static"});
    let pieces = (0..count).map(|number| {
        let (layer, place) = (f64::from(number / 4), f64::from(number % 4));
        let mut piece = if number % 3 == 0 {
            json!({"shape": "sphere", "radius": 0.5})
        } else {
            json!({"shape": "box", "size": [1, 1, 1]})
        };
        piece["id"] = json!(format!("piece-{number}"));
        piece["position"] = json!([
            place * 0.9 - 1.5 + layer * 0.2,
            0.6 + layer * 1.1,
            layer * 0.1
        ]);
        piece
    });
    [floor]
        .into_iter()
        .chain(pieces)
        .chain(more.iter().cloned())
        .collect()
}

/// A world, and what is hinged on what in it, from time to time.
struct Scene {
    world: World,
    hinge: Option<Command>,
}

impl Scene {
    fn of(bodies: &[Value], hinge: Option<[&str; 2]>) -> Self {
        let mut world = World::new(read(&json!({})));
        apply(&mut world, &Command::AddBodies(read(&json!(bodies))));
        let hinge = hinge.map(|[a, b]| {
            add_joint(&json!({
                "id": "hinge", "joint_type": "revolute", "body_a": a, "body_b": b, "axis": [0, 0, 1],
                "anchor_a": [0.5, 0, 0], "anchor_b": [-0.5, 0, 0],
            }))
        });
        Self { world, hinge }
    }

    /// Goes on; answers where that has led to.
    fn go_on(&mut self, round: usize) -> u64 {
        if let Some(hinge) = &self.hinge {
            match round % 8 {
                2 => {
                    apply(&mut self.world, hinge);
                }
                6 => {
                    let hinge = JointId::parse("hinge").unwrap();
                    apply(&mut self.world, &Command::RemoveJoint(hinge));
                }
                _ => {}
            }
        }
        step(&mut self.world, STEPS);
        self.world.state_hash()
    }
}

/// Worlds that have little in common: with and without joints, small and large, slow and fast.
fn scenes() -> Vec<Scene> {
    let bullet = json!({
        "id": "bullet", "shape": "sphere", "radius": 0.05, "position": [-30, 1, 0], "velocity": [300, 0, 0], "ccd": true,
    });
    let bullet = std::slice::from_ref(&bullet);
    vec![
        Scene::of(&pile(4, &[]), None),
        Scene::of(&pile(40, bullet), None),
        Scene::of(&pile(12, &[]), Some(["piece-1", "piece-2"])),
        Scene::of(&pile(90, &[]), None),
        Scene::of(&pile(12, bullet), Some(["piece-4", "piece-5"])),
        Scene::of(&pile(300, &[]), None),
    ]
}

#[test]
fn worlds_stepped_in_turn_go_the_way_they_go_alone() {
    let alone: Vec<Vec<u64>> = scenes()
        .into_iter()
        .map(|mut scene| {
            workspace::forget();
            let rounds = (0..ROUNDS).map(|round| scene.go_on(round));
            rounds.collect()
        })
        .collect();

    let mut scenes = scenes();
    let mut in_turn = vec![Vec::new(); scenes.len()];
    for round in 0..ROUNDS {
        for (scene, rounds) in scenes.iter_mut().zip(&mut in_turn) {
            rounds.push(scene.go_on(round));
        }
    }

    assert_eq!(in_turn, alone);
}
