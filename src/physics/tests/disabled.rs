//! Bodies that take no part.

use super::*;

#[test]
fn a_joint_of_a_disabled_body_holds_nobody() {
    let mut off = ball("off", 100.0);
    off["enabled"] = json!(false);
    let mut world = world_of(&[add_body(&off), add_body(&ball("free", 102.0))]);
    step(&mut world, 1);
    let fixed = json!({"id": "joint", "joint_type": "fixed", "body_a": "off", "body_b": "free",
        "anchor_a": [2, 0, 0]});
    apply(&mut world, &add_joint(&fixed));
    step(&mut world, 20);
    assert_eq!(body(&world, "free")["position"], json!([102.0, 0.0, 0.0]));
    keeps(&world);

    let id = JointId::parse("joint").unwrap();
    for enabled in [false, true] {
        let patch = read(&json!({"enabled": enabled}));
        apply(&mut world, &Command::PatchJoint(id.clone(), patch));
        step(&mut world, 20);
    }
    assert_eq!(body(&world, "free")["position"], json!([102.0, 0.0, 0.0]));

    // It holds once its body takes part: then the two move as one.
    apply(
        &mut world,
        &patch_body("off", &json!({"enabled": true, "velocity": [0, 1, 0]})),
    );
    step(&mut world, 20);
    let [off, free] = ["off", "free"].map(|id| place(&world, id));
    let apart = [0, 1, 2].map(|axis| (free[axis] - off[axis]).powi(2));
    assert!(
        (apart.iter().sum::<f64>().sqrt() - 2.0).abs() < 1e-2,
        "{off:?} {free:?}"
    );
    assert!(free[1] > 0.01, "{free:?}");
}

#[test]
fn a_disabled_body_stays_away_with_another_shape() {
    let mut thrown = ball("thrown", -3.0);
    thrown["velocity"] = json!([10, 0, 0]);
    let mut world = world_of(&[add_body(&ball("off", 0.0)), add_body(&thrown)]);
    apply(&mut world, &patch_body("off", &json!({"enabled": false})));
    step(&mut world, 1);
    apply(
        &mut world,
        &patch_body("off", &json!({"shape": "box", "size": [2, 2, 2]})),
    );
    step(&mut world, 60);
    assert!((place(&world, "thrown")[0] - (10.0 * world.time() - 3.0)).abs() < 1e-3);
}
