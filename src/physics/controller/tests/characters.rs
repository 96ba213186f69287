//! Characters on floors, slopes and steps, at walls and boxes.

use serde_json::{Value, json};

use super::*;

/// A capsule 1.8 m tall whose feet are at `feet`, with the gap it keeps.
pub(super) fn walker([x, y, z]: [f64; 3]) -> Value {
    json!({"id": "walker", "kind": "kinematic", "shape": "capsule", "half_height": 0.6, "radius": 0.3,
           "position": [x, y + 0.91, z], "mass": 80})
}

/// A slab whose surface rises from the origin towards x at this angle, rad.
fn ramp(angle: f64) -> Value {
    let (sin, cos) = angle.sin_cos();
    let (half, thick) = (20.0, 1.0);
    let along = 0.0;
    let centre = [along * cos + thick * sin, along * sin - thick * cos, 0.0];
    json!({"id": "ramp", "kind": "static", "shape": "box", "size": [2.0 * half, 2.0 * thick, 20],
           "position": centre, "orientation": [0, 0, (angle / 2.0).sin(), (angle / 2.0).cos()]})
}

pub(super) fn character(settings: &Value) -> Value {
    let mut spec = json!({"id": "walk", "type": "character", "body_id": "walker"});
    spec.as_object_mut()
        .unwrap()
        .extend(settings.as_object().unwrap().clone());
    json!([spec])
}

#[test]
fn a_character_walks_at_the_asked_speed_and_stops_when_told() {
    let mut world = world(
        &json!([floor(), walker([0.0, 0.0, 0.0])]),
        &character(&json!({"velocity": [1.5, 0, 0.5]})),
    );
    step(&mut world, 5);
    let before = position(&world, "walker");
    step(&mut world, 100);
    let after = position(&world, "walker");
    close(after[0] - before[0], 1.5 * 100.0 * DT, 1e-2);
    close(after[2] - before[2], 0.5 * 100.0 * DT, 1e-2);
    close(after[1], 0.91, 1e-2);
    let view = seen(&world, "walk");
    assert_eq!(view["grounded"], true, "{view}");
    assert_eq!(view["sliding_down_slope"], false, "{view}");
    assert_eq!(view["collisions"], json!(["floor"]), "{view}");

    patch(&mut world, "walk", &json!({"velocity": [0, 0, 0]}));
    step(&mut world, 1);
    let stopped = position(&world, "walker");
    step(&mut world, 100);
    // The gap to the ground is kept about as wide as it is asked for.
    for (axis, tolerance) in [2e-3, 1e-2, 2e-3].into_iter().enumerate() {
        close(position(&world, "walker")[axis], stopped[axis], tolerance);
    }
    assert_eq!(body(&world, "walker")["sleeping"], true);
}

#[test]
fn a_character_falls_freely_and_lands() {
    let mut world = world(
        &json!([floor(), walker([0.0, 10.0, 0.0])]),
        &character(&json!({})),
    );
    step(&mut world, 50);
    let time = 50.0 * DT;
    let fallen = 0.5 * G * time * (time + DT);
    close(position(&world, "walker")[1], 10.91 - fallen, 1e-2);
    assert_eq!(seen(&world, "walk")["grounded"], false);
    step(&mut world, 100);
    close(position(&world, "walker")[1], 0.91, 1e-2);
    assert_eq!(seen(&world, "walk")["grounded"], true);
}

#[test]
fn a_character_climbs_a_slope_within_its_limit_and_slides_down_a_steeper_one() {
    let standing = |angle: f64| {
        // The foot of the capsule touches the slope off its axis.
        let height = 0.31 / angle.cos() - 0.31;
        walker([0.0, height, 0.0])
    };
    let limits =
        json!({"velocity": [1, 0, 0], "max_slope_climb_angle": 0.8, "min_slope_slide_angle": 0.7});
    let gentle = 30f64.to_radians();
    let mut climbing = world(
        &json!([ramp(gentle), standing(gentle)]),
        &character(&limits),
    );
    step(&mut climbing, 10);
    let before = position(&climbing, "walker");
    step(&mut climbing, 200);
    let after = position(&climbing, "walker");
    let (run, rise) = (after[0] - before[0], after[1] - before[1]);
    assert!(run > 1.0, "{before:?} {after:?}");
    close(rise / run, gentle.tan(), 0.02);

    let steep = 60f64.to_radians();
    let mut sliding = world(&json!([ramp(steep), standing(steep)]), &character(&limits));
    step(&mut sliding, 60);
    let after = position(&sliding, "walker");
    assert!(after[0] < -0.2 && after[1] < 0.0, "{after:?}");
    assert_eq!(seen(&sliding, "walk")["sliding_down_slope"], true);

    let mut resting = world(
        &json!([ramp(steep), standing(steep)]),
        &character(&json!({"max_slope_climb_angle": 0.8})),
    );
    step(&mut resting, 60);
    let time = 60.0 * DT;
    let down = 0.5 * G * steep.sin() * time * time;
    let after = position(&resting, "walker");
    close(after[0], -down * steep.cos(), 0.1 * down);
}

#[test]
fn a_character_stands_on_a_slope_it_need_not_slide_down() {
    let angle = 20f64.to_radians();
    let mut world = world(
        &json!([ramp(angle), walker([0.0, 0.31 / angle.cos() - 0.31, 0.0])]),
        &character(&json!({})),
    );
    step(&mut world, 10);
    let before = position(&world, "walker");
    step(&mut world, 200);
    for (now, before) in position(&world, "walker").into_iter().zip(before) {
        close(now, before, 1e-2);
    }
}

#[test]
fn a_character_steps_onto_what_is_no_higher_than_it_may() {
    let step_of = |height: f64| {
        json!({"id": "step", "kind": "static", "shape": "box", "size": [10, height, 10],
               "position": [6, height / 2.0, 0]})
    };
    let settings = |snap: f64| {
        json!({"velocity": [1, 0, 0], "autostep": {"max_height": 0.25, "min_width": 0.1},
               "snap_to_ground": snap})
    };
    for (height, climbs, snap) in [(0.2, true, 0.0), (0.2, true, 0.1), (0.5, false, 0.0)] {
        let mut world = world(
            &json!([floor(), step_of(height), walker([0.0, 0.0, 0.0])]),
            &character(&settings(snap)),
        );
        step(&mut world, 150);
        let [x, y, _] = position(&world, "walker");
        if climbs {
            assert!(x > 1.5, "{x} {y}");
            close(y, 0.91 + height, 2e-2);
        } else {
            close(x, 1.0 - 0.31, 1e-2);
            close(y, 0.91, 1e-2);
        }
    }
}

#[test]
fn a_character_that_snaps_keeps_to_the_ground_downhill() {
    let angle = 25f64.to_radians();
    let settings = json!({"velocity": [-3, 0, 0], "snap_to_ground": 0.3});
    let mut world = world(
        &json!([ramp(angle), walker([0.0, 0.31 / angle.cos() - 0.31, 0.0])]),
        &character(&settings),
    );
    step(&mut world, 10);
    for _ in 0..100 {
        step(&mut world, 1);
        assert_eq!(seen(&world, "walk")["grounded"], true);
        let [x, y, _] = position(&world, "walker");
        let height = 0.91 + 0.31 / angle.cos() - 0.31 + x * angle.tan();
        close(y, height, 2e-2);
    }
    assert!(position(&world, "walker")[0] < -3.0);
}

#[test]
fn a_character_stops_at_a_wall_and_slides_along_an_oblique_one() {
    let wall = |angle: f64| {
        json!({"id": "wall", "kind": "static", "shape": "box", "size": [2, 10, 100],
               "position": [4, 5, 0], "orientation": [0, (angle / 2.0).sin(), 0, (angle / 2.0).cos()]})
    };
    let settings = json!({"velocity": [2, 0, 0]});
    let mut straight = world(
        &json!([floor(), wall(0.0), walker([0.0, 0.0, 0.0])]),
        &character(&settings),
    );
    step(&mut straight, 200);
    close(position(&straight, "walker")[0], 3.0 - 0.31, 1e-2);
    let met = seen(&straight, "walk")["collisions"].clone();
    assert!(met.as_array().unwrap().contains(&json!("wall")), "{met}");

    // Turned by 60° the wall is met at 30°: of the speed, the cosine of that is left along it.
    let angle = 60f64.to_radians();
    let mut oblique = world(
        &json!([floor(), wall(angle), walker([0.0, 0.0, 0.0])]),
        &character(&settings),
    );
    step(&mut oblique, 200);
    let before = position(&oblique, "walker");
    step(&mut oblique, 100);
    let after = position(&oblique, "walker");
    let way = (after[0] - before[0]).hypot(after[2] - before[2]);
    let slope = 30f64.to_radians();
    close(way, 2.0 * slope.cos() * 100.0 * DT, 0.05);
}

#[test]
fn a_character_pushes_what_is_in_its_way_unless_told_otherwise() {
    let crate_ = json!({"id": "crate", "shape": "box", "size": [0.8, 0.8, 0.8],
                        "position": [2, 0.4, 0], "mass": 5, "friction": 0.1});
    for pushes in [true, false] {
        let mut world = world(
            &json!([floor(), crate_, walker([0.0, 0.0, 0.0])]),
            &character(&json!({"velocity": [1, 0, 0], "push_dynamic_bodies": pushes})),
        );
        step(&mut world, 250);
        let moved = position(&world, "crate")[0] - 2.0;
        if pushes {
            assert!(moved > 0.5, "{moved}");
        } else {
            close(moved, 0.0, 0.1);
        }
    }
}
