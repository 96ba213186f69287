//! A world with every shape and every setting of a body.

use serde_json::{Value, json};

use super::scenes::{Scene, patch, push};

pub(super) fn scene() -> Scene {
    Scene {
        name: "every shape and setting",
        moment: 90,
        config: json!({"dt": 0.01}),
        bodies: grounds().into_iter().chain(loose()).chain(told()).collect(),
        joints: Vec::new(),
        script: |steps| match steps {
            20 => vec![push("ball", [1.0, 0.0, 2.0])],
            30..80 => {
                let x = -6.0 + 0.02 * f64::from(steps - 30);
                vec![patch("piston", &json!({"position": [x, 0.5, 0]}))]
            }
            89 => vec![patch(
                "piston",
                &json!({"position": [-4.5, 0.5, 0], "orientation": [0, 0.6, 0, 0.8]}),
            )],
            95 => vec![patch("sleeper", &json!({"sleeping": false}))],
            120 => vec![patch("ghost", &json!({"enabled": true}))],
            150 => vec![patch("hull", &json!({"shape": "sphere", "radius": 0.3}))],
            170 => vec![patch(
                "pair",
                &json!({"colliders": [{"shape": "box", "size": [0.4, 0.4, 0.4]}], "density": 300}),
            )],
            _ => Vec::new(),
        },
    }
}

fn grounds() -> Vec<Value> {
    let heights: Vec<Vec<f64>> = (0..5)
        .map(|z| (0..5).map(|x| 0.1 * f64::from((x * z) % 3)).collect())
        .collect();
    vec![
        json!({"id": "floor", "shape": "plane", "friction": 0.7, "position": [0, -1, 0]}),
        json!({"id": "land", "kind": "static", "shape": "heightfield", "heights": heights, "scale": [8, 1, 8]}),
        json!({"id": "mesh", "kind": "static", "shape": "mesh", "position": [8, 0, 0],
            "vertices": [[-3, 0, -3], [-3, 0.5, 3], [3, 0, 3], [3, 0.2, -3]], "indices": [[0, 1, 2], [0, 2, 3]]}),
        json!({"id": "blocks", "kind": "static", "shape": "voxels", "voxel_size": [1, 1, 1], "position": [0, -1, 8],
            "voxels": [[-1, 0, 0], [0, 0, 0], [1, 0, 0], [0, 0, 1], [0, 1, 1]]}),
        json!({"id": "wire", "kind": "static", "shape": "polyline", "vertices": [[-3, 0, 4.5], [3, 0.2, 4.5]]}),
        json!({"id": "blade", "kind": "static", "shape": "segment", "point_a": [-3, 0, -4.5], "point_b": [3, 0, -4.5]}),
        json!({"id": "sail", "kind": "static", "shape": "triangle", "vertices": [[5, 1, -2], [6, 2, 2], [7, 1, -2]], "border_radius": 0.1}),
        json!({"id": "piston", "kind": "kinematic_position", "shape": "box", "size": [1, 1, 4], "position": [-6, 0.5, 0]}),
    ]
}

fn loose() -> Vec<Value> {
    let shapes = [
        ("ball", json!({"shape": "sphere", "radius": 0.3})),
        (
            "round-box",
            json!({"shape": "box", "size": [0.4, 0.3, 0.5], "border_radius": 0.05}),
        ),
        (
            "can",
            json!({"shape": "cylinder", "axis": "z", "size": [0.3, 0.2], "border_radius": 0.05}),
        ),
        ("cone", json!({"shape": "cone", "size": [0.4, 0.3]})),
        (
            "round-cone",
            json!({"shape": "cone", "axis": "x", "size": [0.3, 0.3], "border_radius": 0.05}),
        ),
        (
            "pill",
            json!({"shape": "capsule", "point_a": [-0.2, 0, 0], "point_b": [0.3, 0.1, 0], "radius": 0.2}),
        ),
        (
            "hull",
            json!({"shape": "convex_hull", "vertices": [[0, 0, 0], [0.6, 0, 0], [0, 0.5, 0], [0, 0, 0.7], [0.4, 0.4, 0.4]]}),
        ),
        (
            "round-hull",
            json!({"shape": "convex_hull", "vertices": [[0, 0, 0], [0.6, 0, 0], [0, 0.5, 0], [0, 0, 0.7]], "border_radius": 0.05}),
        ),
        (
            "parts",
            json!({"shape": "convex_decomposition", "vertices": [[0, 0, 0], [0.6, 0, 0], [0, 0.6, 0], [0, 0, 0.6]],
            "indices": [[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], "resolution": 16}),
        ),
        (
            "compound",
            json!({"shape": "compound", "shapes": [{"shape": "sphere", "radius": 0.2, "position": [-0.3, 0, 0]},
            {"shape": "cylinder", "axis": "x", "size": [0.3, 0.1]}]}),
        ),
        (
            "voxels",
            json!({"shape": "voxels", "voxel_size": [0.25, 0.25, 0.25], "voxels": [[0, 0, 0], [1, 0, 0], [1, 1, 0]]}),
        ),
        (
            "pair",
            json!({"colliders": [{"shape": "sphere", "radius": 0.2, "position": [-0.3, 0, 0], "friction": 0.1},
            {"shape": "box", "size": [0.3, 0.3, 0.3], "position": [0.2, 0, 0], "density": 50},
            {"shape": "sphere", "radius": 0.6, "is_sensor": true}], "density": 200}),
        ),
    ];
    let drop = |(n, (id, mut body)): (u32, (&str, Value))| {
        let (x, z) = (f64::from(n % 4) * 1.2 - 2.0, f64::from(n / 4) * 1.5 - 2.0);
        body["id"] = json!(id);
        body["position"] = json!([x, 1.2 + 0.1 * f64::from(n), z]);
        body["angular_velocity"] = json!([0.3, 0.1 * f64::from(n), -0.2]);
        body
    };
    (0..).zip(shapes).map(drop).collect()
}

fn told() -> Vec<Value> {
    let body = |id: &str, x: f64| json!({"id": id, "shape": "box", "size": [0.5, 0.5, 0.5], "position": [x, 1.5, 0]});
    let settings = [
        json!({"gravity_scale": 0.3, "friction_combine_rule": "geometric_mean"}),
        json!({"locked_axes": ["rotation_x", "rotation_z"], "restitution_combine_rule": "max"}),
        json!({"dominance": 3, "contact_skin": 0.02}),
        json!({"collision_groups": {"memberships": 2}, "solver_groups": {"filter": 3}}),
        json!({"ccd": true, "soft_ccd_prediction": 0.5, "additional_solver_iterations": 4}),
        json!({"contact_force_threshold": 1.0, "mass_properties": {"mass": 2, "center_of_mass": [0, -0.1, 0], "inertia": [0.1, 0.2, 0.3]}}),
    ];
    let named = (0..).zip(settings).map(|(n, settings): (u32, _)| {
        let mut body = body(&format!("told-{n}"), 6.0 + 0.6 * f64::from(n));
        for (name, value) in settings.as_object().expect("it is an object") {
            body[name] = value.clone();
        }
        body
    });
    let mut bodies: Vec<Value> = named.collect();
    bodies.push(json!({"id": "sleeper", "shape": "sphere", "radius": 0.3, "position": [0, 4, 0], "sleeping": true}));
    bodies.push(json!({"id": "ghost", "shape": "sphere", "radius": 0.3, "position": [0, 2, 1], "enabled": false}));
    bodies.push(json!({"id": "frame", "colliders": [], "mass": 3, "position": [0, 9, 0]}));
    bodies
}
