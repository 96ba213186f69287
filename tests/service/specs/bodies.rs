//! Random bodies: every shape, every setting.

use serde_json::{Value, json};

use super::random::Random;

const SOLIDS: [&str; 10] = [
    "sphere",
    "box",
    "capsule",
    "segment_capsule",
    "cylinder",
    "cone",
    "convex_hull",
    "convex_decomposition",
    "compound",
    "voxels",
];

const OTHERS: [&str; 7] = [
    "plane",
    "segment",
    "triangle",
    "polyline",
    "mesh",
    "heightfield",
    "box",
];

/// A body to add.
pub(super) fn body(random: &mut Random, id: &str, kind: &str) -> Value {
    let shape = if kind == "dynamic" || random.chance(0.5) {
        random.pick(&SOLIDS)
    } else {
        random.pick(&OTHERS)
    };
    let mut body = if random.chance(0.15) {
        let collider = |random: &mut Random| {
            let shape = random.pick(&SOLIDS);
            let mut collider = self::shape(random, shape);
            collider["position"] = random.vector(1.0, 1e5);
            collider["orientation"] = random.orientation();
            surface(random, &mut collider);
            random.may(&mut collider, 0.1, "enabled", |_| json!(false));
            collider
        };
        json!({"colliders": random.some(4, collider), "mass": 1})
    } else {
        self::shape(random, shape)
    };
    body["id"] = json!(id);
    body["kind"] = json!(kind);
    body["position"] = random.vector(4.0, 1e6);
    body["orientation"] = random.orientation();
    settings(random, &mut body);
    if random.chance(0.2) {
        body["density"] = random.number([10.0, 2000.0], [1e-3, 1e6]);
    } else if random.chance(0.3) {
        body["mass"] = random.number([0.2, 20.0], [1e-6, 1e9]);
    }
    random.may(&mut body, 0.1, "sleeping", |_| json!(true));
    body
}

/// What to change of a body.
pub(super) fn patch(random: &mut Random, kind: &str) -> Value {
    let mut patch = json!({});
    if random.chance(0.1) {
        let shape = random.pick(&SOLIDS);
        patch = self::shape(random, shape);
    }
    settings(random, &mut patch);
    random.may(&mut patch, 0.3, "position", |random| {
        random.vector(4.0, 1e6)
    });
    random.may(&mut patch, 0.2, "orientation", Random::orientation);
    random.may(&mut patch, 0.1, "mass", |random| {
        random.number([0.2, 20.0], [1e-6, 1e9])
    });
    random.may(&mut patch, 0.1, "sleeping", |random| {
        json!(random.chance(0.5))
    });
    random.may(&mut patch, 0.05, "kind", |random| {
        json!(random.pick(&["static", "dynamic", "kinematic", "kinematic_position", kind]))
    });
    patch
}

/// A shape with the fields that belong to it.
pub(super) fn shape(random: &mut Random, kind: &str) -> Value {
    let points = |random: &mut Random| match random.below(6) {
        0 => random.vector(1.0, 1e5),
        1 => random.vector(0.01, 1.0),
        _ => random.corner(),
    };
    let cloud = |random: &mut Random| -> Value {
        let corners = [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]].map(|corner| json!(corner));
        let more = (0..random.below(5)).map(|_| points(random));
        corners.into_iter().chain(more).collect()
    };
    let closed = json!([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]);
    let mut shape = match kind {
        "sphere" => json!({"shape": "sphere", "radius": random.length()}),
        "box" => {
            json!({"shape": "box", "size": [random.length(), random.length(), random.length()]})
        }
        "capsule" | "cylinder" | "cone" => {
            json!({"shape": kind, "size": [random.length(), random.length()], "axis": random.axis()})
        }
        "segment_capsule" => {
            json!({"shape": "capsule", "point_a": random.vector(1.0, 1e5), "point_b": random.vector(1.0, 1e5), "radius": random.length()})
        }
        "convex_hull" => json!({"shape": kind, "vertices": cloud(random)}),
        "convex_decomposition" => {
            json!({"shape": kind, "vertices": cloud(random), "indices": closed, "resolution": 8 + random.below(8)})
        }
        "compound" => {
            let part = |random: &mut Random| {
                let shape = random.pick(&[
                    "sphere",
                    "box",
                    "capsule",
                    "cylinder",
                    "cone",
                    "convex_hull",
                ]);
                let mut part = self::shape(random, shape);
                part["position"] = random.vector(1.0, 1e5);
                part["orientation"] = random.orientation();
                part
            };
            return json!({"shape": kind, "shapes": random.some(3, part)});
        }
        "voxels" => {
            return json!({"shape": kind, "voxel_size": [random.length(), random.length(), random.length()],
                "voxels": random.some(12, Random::corner)});
        }
        "plane" => return json!({"shape": kind, "normal": random.vector(1.0, 1e5), "offset": -3}),
        "segment" => {
            return json!({"shape": kind, "point_a": random.vector(2.0, 1e5), "point_b": random.vector(2.0, 1e5)});
        }
        "triangle" => {
            json!({"shape": kind, "vertices": [random.vector(2.0, 1e5), random.vector(2.0, 1e5), random.vector(2.0, 1e5)]})
        }
        "polyline" => return json!({"shape": kind, "vertices": random.some(6, points)}),
        "mesh" => {
            let triangle = |random: &mut Random| json!([(); 3].map(|()| random.below(5)));
            return json!({"shape": kind, "vertices": cloud(random), "indices": random.some(6, triangle)});
        }
        _ => {
            let columns = 2 + random.below(3);
            let row = |random: &mut Random| -> Value {
                (0..columns)
                    .map(|_| random.number([-1.0, 1.0], [-1e5, 1e5]))
                    .collect()
            };
            return json!({"shape": "heightfield", "heights": [row(random), row(random), row(random)], "scale": [random.length(), 1, random.length()]});
        }
    };
    let is_rounded = !matches!(kind, "sphere" | "capsule" | "segment_capsule");
    if is_rounded && random.chance(0.2) {
        shape["border_radius"] = random.number([0.01, 0.2], [1e-4, 1e5]);
    }
    shape
}

/// How what it is made of meets others.
fn surface(random: &mut Random, object: &mut Value) {
    let rules = [
        "average",
        "min",
        "multiply",
        "max",
        "clamped_sum",
        "geometric_mean",
    ];
    random.may(object, 0.3, "restitution", |random| {
        json!(random.between(0.0, 1.0))
    });
    random.may(object, 0.3, "friction", Random::share);
    random.may(object, 0.1, "is_sensor", |_| json!(true));
    random.may(object, 0.1, "friction_combine_rule", |random| {
        json!(random.pick(&rules))
    });
    random.may(object, 0.1, "restitution_combine_rule", |random| {
        json!(random.pick(&rules))
    });
    for groups in ["collision_groups", "solver_groups"] {
        random.may(
            object,
            0.1,
            groups,
            |random| json!({"memberships": random.below(8), "filter": random.below(8)}),
        );
    }
    random.may(object, 0.1, "contact_skin", |random| {
        random.number([0.0, 0.1], [0.0, 1e2])
    });
}

/// What a body can have besides its shape and its place.
fn settings(random: &mut Random, body: &mut Value) {
    surface(random, body);
    for motion in ["velocity", "angular_velocity"] {
        random.may(body, 0.3, motion, |random| random.vector(5.0, 1e5));
    }
    for damping in ["linear_damping", "angular_damping"] {
        random.may(body, 0.1, damping, Random::share);
    }
    random.may(body, 0.1, "can_sleep", |_| json!(false));
    if random.chance(0.15) {
        body["drag_coefficient"] = random.share();
        body["drag_area"] = random.share();
        random.may(body, 0.5, "drag_axis_ratios", |random| {
            json!([random.share(), random.share(), random.share()])
        });
        random.may(body, 0.3, "fluid_density", Random::share);
    }
    random.may(body, 0.1, "gravity_scale", |random| {
        random.number([-1.0, 2.0], [-1e3, 1e3])
    });
    random.may(body, 0.1, "locked_axes", |random| {
        json!([random.pick(&["translation_x", "translation_y", "rotation_x", "rotation_z"])])
    });
    random.may(body, 0.1, "dominance", |random| {
        json!(i64::try_from(random.below(255)).expect("it is small") - 127)
    });
    random.may(body, 0.1, "ccd", |_| json!(true));
    random.may(body, 0.1, "soft_ccd_prediction", Random::length);
    random.may(body, 0.05, "enabled", |random| json!(random.chance(0.5)));
    random.may(body, 0.1, "contact_force_threshold", Random::share);
    random.may(body, 0.1, "additional_solver_iterations", |random| {
        json!(random.below(17))
    });
    random.may(body, 0.05, "mass_properties", |random| {
        let moments = [(); 3].map(|()| random.number([0.1, 0.15], [1e-9, 1e9]));
        json!({"mass": random.number([0.2, 20.0], [1e-6, 1e9]), "inertia": moments,
               "center_of_mass": random.vector(0.2, 1e5)})
    });
}

/// A push at once, or one that lasts.
pub(super) fn push(random: &mut Random, [along, about]: [&str; 2]) -> Value {
    let mut push = json!({});
    push[along] = random.vector(10.0, 1e15);
    random.may(&mut push, 0.3, about, |random| random.vector(3.0, 1e15));
    random.may(&mut push, 0.3, "point", |random| random.vector(3.0, 1e6));
    push
}
