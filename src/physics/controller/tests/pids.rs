//! PID controllers and their targets.

use serde_json::{Value, json};

use super::*;

pub(super) fn ball() -> Value {
    json!([{"id": "ball", "shape": "sphere", "radius": 0.2, "position": [0, 5, 0]}])
}

pub(super) fn pid(settings: &Value) -> Value {
    let mut spec = json!({"id": "pid", "type": "pid", "body_id": "ball"});
    spec.as_object_mut()
        .unwrap()
        .extend(settings.as_object().unwrap().clone());
    json!([spec])
}

#[test]
fn a_pid_reaches_its_target_but_for_g_dt_over_kp_and_with_ki_exactly() {
    let target = json!([3, 8, -2]);
    let settings = json!({"target_position": target, "kp": 5, "kd": 0.8});
    let mut drooping = world(&ball(), &pid(&settings));
    step(&mut drooping, 600);
    let found = position(&drooping, "ball");
    close(found[0], 3.0, 1e-3);
    // What the engine's four substeps leave of a fall of one step.
    let droop = (1.0 - 0.375 * 0.8) * G * DT / 5.0;
    close(found[1], 8.0 - droop, 1e-3);
    close(found[2], -2.0, 1e-3);
    let error = triple(&seen(&drooping, "pid")["position_error"]);
    close(error[1], droop, 1e-3);

    let settings = json!({"target_position": target, "kp": 5, "ki": 5, "kd": 0.8});
    let mut exact = world(&ball(), &pid(&settings));
    step(&mut exact, 1500);
    for (axis, wanted) in [3.0, 8.0, -2.0].into_iter().enumerate() {
        close(position(&exact, "ball")[axis], wanted, 2e-3);
    }
    assert_eq!(body(&exact, "ball")["sleeping"], true);

    patch(&mut exact, "pid", &json!({"target_position": [0, 9, 0]}));
    step(&mut exact, 1500);
    close(position(&exact, "ball")[1], 9.0, 2e-3);
}

#[test]
fn a_pid_turns_its_body_to_its_target_orientation_and_acts_on_its_axes_alone() {
    let quarter = std::f64::consts::FRAC_1_SQRT_2;
    let settings =
        json!({"target_orientation": [0, quarter, 0, quarter], "angular_kp": 5, "angular_kd": 0.5});
    let mut turning = world(&ball(), &pid(&settings));
    step(&mut turning, 300);
    let found = body(&turning, "ball")["orientation"].clone();
    close(found[1].as_f64().unwrap(), quarter, 1e-3);
    close(found[3].as_f64().unwrap(), quarter, 1e-3);
    assert!(position(&turning, "ball")[1] < -50.0, "nothing holds it up");

    let settings = json!({"target_position": [1, 7, 1], "axes": ["y"]});
    let mut lifted = world(&ball(), &pid(&settings));
    step(&mut lifted, 300);
    let found = position(&lifted, "ball");
    close(found[1], 7.0, 1e-2);
    close(found[0], 0.0, 1e-6);
}
