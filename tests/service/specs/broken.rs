//! Requests with something about them that nobody asked for.

use serde_json::{Map, Value, json};

use super::random::Random;

/// The text of `value` with something wrong about it, more or less.
pub(super) fn broken(random: &mut Random, mut value: Value) -> String {
    for _ in 0..=random.below(2) {
        let mut places = Vec::new();
        collect(&value, String::new(), &mut places);
        let place = random.pick(&places);
        let found = value.pointer_mut(&place).expect("the place was found");
        *found = other(random, found.take());
    }
    let text = value.to_string();
    match random.below(20) {
        0 => text.chars().take(random.below(text.len())).collect(),
        1 => text.replacen("1.0", "NaN", 1),
        2 => text.replacen("0.", "1e400", 1),
        3 => text.replacen(']', ",]", 1),
        4 => format!("{text}{text}"),
        _ => text,
    }
}

fn collect(value: &Value, place: String, places: &mut Vec<String>) {
    match value {
        Value::Array(items) => {
            // Long lists would leave nothing to chance but what is in them.
            for (index, item) in items.iter().enumerate().take(4) {
                collect(item, format!("{place}/{index}"), places);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                collect(field, format!("{place}/{name}"), places);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    places.push(place);
}

/// Something else in place of `value`.
fn other(random: &mut Random, value: Value) -> Value {
    if random.chance(0.1) {
        let others = [
            json!(null),
            json!(true),
            json!({}),
            json!([]),
            json!(0),
            json!("x"),
        ];
        return random.pick(&others);
    }
    match value {
        Value::Number(number) => other_number(random, number.as_f64().unwrap_or_default()),
        Value::String(word) => other_word(random, &word),
        Value::Array(items) => other_list(random, items),
        Value::Object(fields) => other_object(random, fields),
        Value::Bool(flag) => json!(!flag),
        Value::Null => json!(0),
    }
}

fn other_number(random: &mut Random, number: f64) -> Value {
    let others = [
        json!(0.0),
        json!(-0.0),
        json!(-1.0),
        json!(-number),
        json!(1e-46),
        json!(1e-30),
        json!(1e-7),
        json!(1e3),
        json!(1e7),
        json!(1e12),
        json!(1e20),
        json!(1e30),
        json!(3.4e38),
        json!(-3.4e38),
        json!(3.5e38),
        json!(1e300),
        json!(-1e300),
        json!(0.5),
        json!(2),
        json!(4_294_967_296_u64),
        json!(number * 1e4),
        json!(number * 1e-4),
    ];
    random.pick(&others)
}

fn other_word(random: &mut Random, word: &str) -> Value {
    let others = [
        "", "x", "box", "plane", "mesh", "dynamic", "static", "revolute", "b0", "nobody", "../x",
        "\u{0}", "é", "y", "force", "free",
    ];
    match random.below(3) {
        0 => json!(format!("{word}x")),
        1 => json!("x".repeat(70)),
        _ => json!(random.pick(&others)),
    }
}

fn other_list(random: &mut Random, mut items: Vec<Value>) -> Value {
    match random.below(5) {
        0 => items.clear(),
        1 => drop(items.pop()),
        2 => items.extend(items.first().cloned()),
        3 => items.push(json!(null)),
        _ => items = vec![items.first().cloned().unwrap_or_default(); 70],
    }
    items.into()
}

fn other_object(random: &mut Random, mut fields: Map<String, Value>) -> Value {
    let names: Vec<String> = fields.keys().cloned().collect();
    if names.is_empty() || random.chance(0.2) {
        fields.insert("colour".to_owned(), json!("red"));
    } else if random.chance(0.6) {
        fields.remove(&random.pick(&names));
    } else {
        // A value under the name of another.
        let value = fields.remove(&random.pick(&names)).unwrap_or_default();
        fields.insert(random.pick(&names), value);
    }
    fields.into()
}
