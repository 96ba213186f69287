//! What is done for every step, from the moment it is asked for to the moment it is not.

use super::*;

fn speed(world: &World) -> f64 {
    body(world, "ball")["velocity"][0].as_f64().unwrap()
}

#[test]
fn a_force_counts_from_the_step_after_it_is_set_to_the_step_before_it_is_cleared() {
    let mut world = world_of(&[add_body(&ball("ball", 0.0))]);
    step(&mut world, 1);
    apply(&mut world, &push("ball", [1.0, 0.0, 0.0]));
    step(&mut world, 1);
    let pushed = speed(&world);
    assert!(pushed > 0.0);

    apply(&mut world, &Command::ClearForce(body_id("ball")));
    step(&mut world, 1);
    assert!((speed(&world) - pushed).abs() < f64::EPSILON);
}
