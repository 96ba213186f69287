//! Random queries and descriptions of robots.

use serde_json::{Value, json};

use super::{bodies::shape, random::Random};

/// Several queries.
pub(super) fn queries(random: &mut Random, bodies: [&str; 2]) -> Value {
    let query = |random: &mut Random| query(random, bodies);
    json!({"queries": random.some(6, query)})
}

fn query(random: &mut Random, bodies: [&str; 2]) -> Value {
    let kinds = ["ray", "shape_cast", "point", "overlap", "aabb", "distance"];
    let kind = random.pick(&kinds);
    let mut query = match kind {
        "ray" => {
            json!({"type": kind, "origin": random.vector(4.0, 1e6), "direction": random.vector(1.0, 1e6)})
        }
        "shape_cast" | "overlap" => {
            let shapes = [
                "sphere",
                "box",
                "capsule",
                "cone",
                "cylinder",
                "convex_hull",
                "compound",
                "segment",
                "triangle",
            ];
            let shape_kind = random.pick(&shapes);
            let mut query = shape(random, shape_kind);
            query["type"] = json!(kind);
            query["position"] = random.vector(4.0, 1e6);
            random.may(&mut query, 0.5, "orientation", Random::orientation);
            if kind == "shape_cast" {
                query["direction"] = random.vector(1.0, 1e6);
                if random.chance(0.2) {
                    query["end_orientation"] = random.orientation();
                    query["max_distance"] = random.number([0.0, 10.0], [0.0, 1e7]);
                }
            }
            query
        }
        "point" => json!({"type": kind, "point": random.vector(4.0, 1e6)}),
        "aabb" => json!({"type": kind, "min": random.vector(2.0, 1e6), "max": [5, 5, 5]}),
        _ => return json!({"type": kind, "body_a": bodies[0], "body_b": bodies[1]}),
    };
    if matches!(kind, "ray" | "shape_cast" | "point") {
        random.may(&mut query, 0.3, "max_distance", |random| {
            random.number([0.0, 10.0], [0.0, 1e7])
        });
        random.may(&mut query, 0.3, "all", |_| json!(true));
    }
    random.may(
        &mut query,
        0.2,
        "filter",
        |random| json!({"sensors": random.chance(0.5), "exclude": [bodies[0]]}),
    );
    query
}

/// A robot of some links, in one of the two formats.
pub(super) fn import(random: &mut Random, prefix: &str) -> Value {
    let links = 1 + random.below(3);
    let format = random.pick(&["urdf", "mjcf"]);
    let content = if format == "urdf" {
        urdf(random, links)
    } else {
        mjcf(random, links)
    };
    let content = if random.chance(0.2) {
        damaged(random, &content)
    } else {
        content
    };
    let mut import = json!({"format": format, "content": content, "prefix": prefix, "position": random.vector(3.0, 1e6)});
    random.may(&mut import, 0.3, "orientation", Random::orientation);
    random.may(&mut import, 0.2, "scale", |random| {
        random.number([0.5, 2.0], [1e-3, 1e3])
    });
    random.may(&mut import, 0.3, "fixed_base", |random| {
        json!(random.chance(0.5))
    });
    random.may(&mut import, 0.3, "joints", |random| {
        json!(random.pick(&["multibody", "impulse"]))
    });
    import
}

fn urdf(random: &mut Random, links: usize) -> String {
    let mut text = String::from(r#"<robot name="r"><link name="l0"/>"#);
    for n in 1..=links {
        let mass = random.number([0.1, 5.0], [1e-6, 1e9]);
        let moment = random.number([0.01, 0.1], [1e-9, 1e9]);
        let size = random.length();
        let geometry = random.pick(&[
            format!(r#"<sphere radius="{size}"/>"#),
            format!(r#"<box size="{size} 0.2 0.3"/>"#),
            format!(r#"<cylinder radius="{size}" length="0.4"/>"#),
        ]);
        let kind = random.pick(&[
            "revolute",
            "continuous",
            "prismatic",
            "fixed",
            "floating",
            "planar",
        ]);
        let parent = random.below(n);
        let piece = format!(
            r#"<link name="l{n}"><inertial><mass value="{mass}"/><inertia ixx="{moment}" iyy="{moment}" izz="{moment}" ixy="0" ixz="0" iyz="0"/></inertial><collision><geometry>{geometry}</geometry></collision></link>
            <joint name="j{n}" type="{kind}"><parent link="l{parent}"/><child link="l{n}"/><origin xyz="0.3 0 0.2" rpy="0 0.4 0"/><axis xyz="0 0 1"/><limit lower="-1" upper="1" effort="10" velocity="3"/></joint>"#
        );
        text.push_str(&piece);
    }
    text + "</robot>"
}

fn mjcf(random: &mut Random, links: usize) -> String {
    let mut text = String::from("<mujoco><worldbody>");
    for n in 1..=links {
        let size = random.length();
        let joint = random.pick(&["hinge", "slide", "ball", "free"]);
        let geom = random.pick(&["sphere", "box", "capsule", "cylinder"]);
        let piece = format!(
            r#"<body name="l{n}" pos="0.2 0 0.3"><joint name="j{n}" type="{joint}" axis="0 1 0" range="-45 45"/><geom type="{geom}" size="{size} 0.2 0.3"/>"#
        );
        text.push_str(&piece);
    }
    text + &"</body>".repeat(links) + "</worldbody></mujoco>"
}

/// A description with a number that is none, or without a piece of it.
fn damaged(random: &mut Random, text: &str) -> String {
    let nasty = ["NaN", "inf", "-1", "1e39", "1e300", "0", "", "x"];
    let numbers: Vec<usize> = text.match_indices('0').map(|(at, _)| at).collect();
    match random.below(3) {
        0 => {
            let at = random.pick(&numbers);
            format!("{}{}{}", &text[..at], random.pick(&nasty), &text[at + 1..])
        }
        1 => text[..random.below(text.len())].to_owned(),
        _ => {
            let from = random.below(text.len());
            let to = (from + random.below(30)).min(text.len());
            format!("{}{}", &text[..from], &text[to..])
        }
    }
}
