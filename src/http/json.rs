//! JSON bodies: what is wrong with them, and where.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeOwned},
};
use serde_path_to_error::{Path, Segment};

use super::{problem::Problem, problem_code::ProblemCode};
use crate::physics::Fault;
pub(super) use crate::physics::Object;

/// How much of what a client sent is repeated to it.
const MAX_ECHO: usize = 64;

/// One of something, or an array of it.
pub(super) enum OneOrMany<T> {
    One(Box<T>),
    Many(Vec<T>),
}

/// Parses a body.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // Only a body that is refused is read again, to say where the fault is.
    serde_json::from_slice(bytes).or_else(|_| locate(bytes))
}

/// Deserialises an array of objects.
pub(super) fn objects<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let objects = Vec::<Object<T>>::deserialize(deserializer)?;
    Ok(objects.into_iter().map(|Object(object)| object).collect())
}

/// Parses what stands at `place` in a body that is JSON.
pub(super) fn parse_within<T: DeserializeOwned>(place: &str, bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).or_else(|_| locate_within(place, bytes))
}

fn locate<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // The parser takes a number that does not fit its field, and a null where a word is expected,
    // for faults of syntax: whether the body is JSON must be asked without regard to the type.
    if let Err(error) = serde_json::from_slice::<serde_json::Value>(bytes) {
        return Err(malformed(&error));
    }
    locate_within("", bytes)
}

fn locate_within<T: DeserializeOwned>(place: &str, bytes: &[u8]) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let error = match serde_path_to_error::deserialize(&mut reader) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    let mut pointer = format!("{place}{}", pointer(error.path()));
    let detail = error.inner().to_string();
    let detail = detail.split(" at line ").next().unwrap_or_default();
    let named = |prefix: &str| detail.strip_prefix(prefix)?.split('`').next();
    if let Some(field) = named("unknown field `") {
        // The path already ends in the name where the map was read as such.
        let field = escape(&shortened(field));
        if !pointer.ends_with(&format!("/{field}")) {
            pointer = format!("{pointer}/{field}");
        }
        return Err(Problem::unknown_field(Fault {
            pointer,
            detail: shorten_quotes(detail),
        }));
    }
    if let Some(field) = named("missing field `") {
        pointer = format!("{pointer}/{field}");
    }
    Err(Problem::invalid(vec![Fault {
        pointer,
        detail: shorten_quotes(detail),
    }]))
}

fn malformed(error: &serde_json::Error) -> Problem {
    Problem::new(
        ProblemCode::MalformedJson,
        shorten_quotes(&error.to_string()),
    )
}

fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        let part = match segment {
            Segment::Seq { index } => index.to_string(),
            Segment::Map { key } => escape(&shortened(key)),
            Segment::Enum { .. } | Segment::Unknown => continue,
        };
        pointer.push('/');
        pointer.push_str(&part);
    }
    pointer
}

/// As RFC 6901 writes the parts of a pointer.
fn escape(part: &str) -> String {
    part.replace('~', "~0").replace('/', "~1")
}

fn shortened(text: &str) -> String {
    let mut characters = text.chars();
    let mut short: String = characters.by_ref().take(MAX_ECHO).collect();
    if characters.next().is_some() {
        short.push('…');
    }
    short
}

/// Shortens whatever stands between quotes of either kind.
fn shorten_quotes(text: &str) -> String {
    let parts: Vec<String> = text
        .split_inclusive(['`', '"'])
        .map(|part| match part.char_indices().last() {
            Some((end, quote @ ('`' | '"'))) => format!("{}{quote}", shortened(&part[..end])),
            _ => part.chars().take(2 * MAX_ECHO).collect(),
        })
        .collect();
    parts.concat().chars().take(8 * MAX_ECHO).collect()
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> de::Visitor<'de> for Visitor<T> {
            type Value = OneOrMany<T>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object or an array of objects")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                let one = T::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(OneOrMany::One(Box::new(one)))
            }

            fn visit_seq<A: de::SeqAccess<'de>>(
                self,
                mut list: A,
            ) -> Result<Self::Value, A::Error> {
                let mut many = Vec::new();
                while let Some(Object(one)) = list.next_element()? {
                    many.push(one);
                }
                Ok(OneOrMany::Many(many))
            }
        }

        deserializer.deserialize_any(Visitor(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::{
        http::problem::Circumstances,
        physics::{BodySpec, JointSpec},
    };

    fn problem<T: DeserializeOwned>(text: &str) -> (String, String) {
        let Err(problem) = parse::<T>(text.as_bytes()) else {
            panic!("taken: {text}");
        };
        let circumstances = Circumstances {
            path: "/",
            sim_id: None,
            request_id: "",
        };
        let body: Value = serde_json::from_slice(&problem.to_json(&circumstances)).unwrap();
        let pointer = body["errors"][0]["pointer"].as_str().unwrap_or("none");
        (
            body["error"].as_str().unwrap().to_owned(),
            pointer.to_owned(),
        )
    }

    #[test]
    fn a_fault_is_named_with_its_place() {
        let cases = [
            ("{", "malformed_json", "none"),
            (r#"{"id":"a","shape":"plane"} {}"#, "malformed_json", "none"),
            (r#"{"shape":"plane"}"#, "invalid_value", "/id"),
            (r#"{"id":"a","shape":"blob"}"#, "invalid_value", "/shape"),
            (
                r#"[{"id":"a","shape":"sphere","size":[1],"x/y":1}]"#,
                "unknown_field",
                "/0/x~1y",
            ),
            (
                r#"[{"id":"a","shape":"sphere","position":[1]}]"#,
                "invalid_value",
                "/0/position",
            ),
            (
                r#"{"id":"a","shape":"sphere","radius":null}"#,
                "invalid_value",
                "/radius",
            ),
            (
                r#"{"id":"a","id":"b","shape":"sphere"}"#,
                "invalid_value",
                "",
            ),
            ("3", "invalid_value", ""),
            (r#"{"id":"a","shape":null}"#, "invalid_value", "/shape"),
            (
                r#"{"id":"a","shape":"plane","mass":1e400}"#,
                "malformed_json",
                "none",
            ),
        ];
        for (text, code, pointer) in cases {
            let found = problem::<OneOrMany<BodySpec>>(text);
            assert_eq!(
                (found.0.as_str(), found.1.as_str()),
                (code, pointer),
                "{text}"
            );
        }
        assert_eq!(problem::<JointSpec>("{}").1, "/id");
    }

    #[test]
    fn long_names_are_not_repeated_in_full() {
        let text = format!(r#"{{"id":"a","{}":1}}"#, "x".repeat(5000));
        let Err(problem) = parse::<BodySpec>(text.as_bytes()) else {
            panic!("taken");
        };
        assert!(format!("{problem:?}").len() < 2000);
    }
}
