//! XML as it may come from anybody: read whole, within limits, and nothing opened that it names.

use std::fmt;

use mjcf_rs::glam::DVec3;
use roxmltree::{Document, Node, ParsingOptions};

use super::notes::{Notes, shortened};
use crate::physics::PhysicsError;

/// How many elements, texts and comments a description may consist of.
const MAX_IMPORT_NODES: u32 = 50_000;
/// How deep its elements may be nested.
const MAX_IMPORT_DEPTH: usize = 64;
/// How many attributes one element may have; the parser compares them all with each other.
const MAX_ATTRIBUTES: usize = 256;
/// How long the value of an attribute may be, except where an element holds data: the parser of
/// MJCF copies the values of its defaults to whatever has them.
const MAX_VALUE_BYTES: usize = 1024;
/// The elements that hold data.
const DATA: [&str; 7] = ["mesh", "hfield", "key", "numeric", "text", "skin", "flex"];
/// The greatest number that is read.
const GREATEST: f64 = 1e9;

/// Reads `text` and refuses what no description of a robot needs.
pub(super) fn read(text: &str) -> Result<Document<'_>, PhysicsError> {
    check_tags(text)?;
    let options = ParsingOptions {
        allow_dtd: false,
        nodes_limit: MAX_IMPORT_NODES,
    };
    let document = Document::parse_with_options(text, options).map_err(|error| unread(&error))?;
    let mut notes = Notes::default();
    check_elements(&document, &mut notes);
    notes.check().map(|()| document)
}

/// What it means that the parser gave up.
fn unread(error: &roxmltree::Error) -> PhysicsError {
    if matches!(error, roxmltree::Error::NodesLimitReached) {
        let maximum = MAX_IMPORT_NODES as usize;
        return PhysicsError::LimitExceeded {
            limit: "MAX_IMPORT_NODES",
            maximum,
            used: maximum + 1,
        };
    }
    if matches!(error, roxmltree::Error::DtdDetected) {
        return refused("a document type and its entities are not read");
    }
    let error = shortened(&error.to_string(), 200);
    refused(format_args!("is not XML: {error}"))
}

/// What is wrong with the description as a whole.
pub(super) fn refused(detail: impl fmt::Display) -> PhysicsError {
    let mut notes = Notes::default();
    notes.refuse(detail);
    notes.into_result().expect_err("something is wrong")
}

/// Refuses what the parser must not be given: it calls itself for every level of nesting, and
/// compares all attributes of an element with each other.
fn check_tags(text: &str) -> Result<(), PhysicsError> {
    let mut depth: usize = 0;
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        rest = &rest[start..];
        let verbatim = [("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>")];
        if let Some((begin, end)) = verbatim.iter().find(|(begin, _)| rest.starts_with(begin)) {
            // What ends it stands behind what begins it: `<!-->` is no comment.
            let inside = &rest[begin.len()..];
            rest = inside.find(end).map_or("", |at| &inside[at..]);
            continue;
        }
        let tag = tag(rest);
        rest = &rest[tag.text.len()..];
        if tag.attributes > MAX_ATTRIBUTES {
            return Err(refused(format_args!(
                "an element has more than {MAX_ATTRIBUTES} attributes"
            )));
        }
        if tag.text.starts_with("</") {
            depth = depth.saturating_sub(1);
        } else if !tag.text.ends_with("/>") {
            depth += 1;
        }
        if depth > MAX_IMPORT_DEPTH {
            return Err(PhysicsError::LimitExceeded {
                limit: "MAX_IMPORT_DEPTH",
                maximum: MAX_IMPORT_DEPTH,
                used: depth,
            });
        }
    }
    Ok(())
}

struct Tag<'a> {
    text: &'a str,
    attributes: usize,
}

/// The tag that `text` begins with; values of attributes may hold anything.
fn tag(text: &str) -> Tag<'_> {
    let mut quote = None;
    let mut attributes = 0;
    for (at, byte) in text.bytes().enumerate() {
        match (byte, quote) {
            (b'>', None) => {
                let text = &text[..=at];
                return Tag { text, attributes };
            }
            (b'"' | b'\'', None) => {
                quote = Some(byte);
                attributes += 1;
            }
            (_, Some(open)) if open == byte => quote = None,
            _ => {}
        }
    }
    Tag { text, attributes }
}

/// Refuses elements that would have files read, or more of them than the parser of MJCF is made for.
fn check_elements(document: &Document<'_>, notes: &mut Notes) {
    for node in document.descendants().filter(Node::is_element) {
        let name = node.tag_name().name();
        if matches!(name, "include" | "mujocoinclude" | "attach") {
            notes.refuse(format_args!(
                "{}: other files are not read, put everything into one",
                Place(node)
            ));
        }
        if node.tag_name().namespace().is_some_and(is_macro) {
            notes.refuse(format_args!(
                "{}: xacro is not carried out, send what it expands to",
                Place(node)
            ));
        }
        let longest = node.attributes().map(|it| it.value().len()).max();
        if longest.unwrap_or_default() > MAX_VALUE_BYTES && !DATA.contains(&name) {
            notes.refuse(format_args!(
                "{}: an attribute is longer than {MAX_VALUE_BYTES} bytes",
                Place(node)
            ));
        }
        if notes.is_full() {
            break;
        }
    }
}

fn is_macro(namespace: &str) -> bool {
    namespace.contains("xacro")
}

/// Where an element stands, for people: its line, its name, and that of the link or joint it
/// belongs to.
pub(super) struct Place<'a, 'input>(pub(super) Node<'a, 'input>);

impl fmt::Display for Place<'_, '_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let node = self.0;
        let line = node.document().text_pos_at(node.range().start).row;
        let tag = shortened(node.tag_name().name(), 32);
        write!(formatter, "line {line}, <{tag}>")?;
        let named = node.ancestors().find(|it| it.has_attribute("name"));
        match named.and_then(|it| Some((it, it.attribute("name")?))) {
            Some((owner, name)) if owner != node => {
                let tag = shortened(owner.tag_name().name(), 32);
                write!(formatter, " of {tag} \"{}\"", shortened(name, 64))
            }
            Some((_, name)) => write!(formatter, " \"{}\"", shortened(name, 64)),
            None => Ok(()),
        }
    }
}

/// The first child element of that name.
pub(super) fn child<'a, 'input>(node: Node<'a, 'input>, name: &str) -> Option<Node<'a, 'input>> {
    children(node, name).next()
}

/// All child elements of that name.
pub(super) fn children<'a, 'input>(
    node: Node<'a, 'input>,
    name: &str,
) -> impl Iterator<Item = Node<'a, 'input>> {
    node.children()
        .filter(move |it| it.is_element() && it.tag_name().name() == name)
}

/// The number in an attribute, if it is there; whatever is wrong with it is noted.
pub(super) fn number(node: Node<'_, '_>, attribute: &str, notes: &mut Notes) -> Option<f64> {
    let [number] = numbers(node, attribute, notes)?;
    Some(number)
}

/// The vector in an attribute, if it is there.
pub(super) fn vector(node: Node<'_, '_>, attribute: &str, notes: &mut Notes) -> Option<DVec3> {
    numbers(node, attribute, notes).map(DVec3::from_array)
}

fn numbers<const N: usize>(
    node: Node<'_, '_>,
    attribute: &str,
    notes: &mut Notes,
) -> Option<[f64; N]> {
    let text = node.attribute(attribute)?;
    let mut numbers = [0.0; N];
    let mut count = 0;
    for word in text.split_ascii_whitespace() {
        let number = finite(word);
        if let (Some(slot), Some(number)) = (numbers.get_mut(count), number) {
            *slot = number;
        } else {
            count = N;
        }
        count += 1;
    }
    if count == N {
        return Some(numbers);
    }
    notes.refuse(format_args!(
        "{}: {attribute} must hold {N} finite number(s)",
        Place(node)
    ));
    None
}

/// Whether every number in an attribute of numbers is one, and finite.
pub(super) fn check_numbers(node: Node<'_, '_>, attribute: &str, notes: &mut Notes) {
    let Some(text) = node.attribute(attribute) else {
        return;
    };
    let mut words = text.split_ascii_whitespace();
    if let Some(word) = words.find(|word| finite(word).is_none()) {
        notes.refuse(format_args!(
            "{}: {attribute} must hold finite numbers, not \"{}\"",
            Place(node),
            shortened(word, 32)
        ));
    }
}

fn finite(word: &str) -> Option<f64> {
    let number: f64 = word.parse().ok()?;
    (number.abs() <= GREATEST).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> String {
        match read(text) {
            Err(PhysicsError::Invalid(faults)) => faults[0].detail.clone(),
            Err(other) => other.to_string(),
            Ok(_) => panic!("taken"),
        }
    }

    #[test]
    fn entities_are_not_expanded() {
        let laughs = "<!DOCTYPE r [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;\">]><r>&b;</r>";
        assert!(fault(laughs).contains("entities"), "{}", fault(laughs));
    }

    #[test]
    fn what_is_nested_deeper_than_robots_are_is_refused() {
        let nested = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
        assert!(read(&nested(MAX_IMPORT_DEPTH)).is_ok());
        assert!(fault(&nested(MAX_IMPORT_DEPTH + 1)).contains("MAX_IMPORT_DEPTH"));
        assert!(fault(&nested(20_000)).contains("MAX_IMPORT_DEPTH"));
    }

    #[test]
    fn what_looks_like_a_comment_that_is_over_hides_no_nesting() {
        let hidden = |begin: &str, end: &str| {
            let level = format!("{}{begin}{}{end}", "<a>".repeat(60), "</a>".repeat(60));
            fault(&format!("<r>{}</r>", level.repeat(700)))
        };
        for (begin, end) in [("<!-->", "-->"), ("<?>", "?>"), ("<![CDATA[>", "]]>")] {
            let told = hidden(begin, end);
            assert!(told.contains("MAX_IMPORT_DEPTH"), "{begin}: {told}");
        }
    }

    #[test]
    fn more_attributes_than_any_element_has_are_refused_at_once() {
        let attributes: Vec<_> = (0..100_000).map(|n| format!(" a{n}='>'")).collect();
        let attributes = attributes.concat();
        assert!(fault(&format!("<r{attributes}/>")).contains("attributes"));
    }

    #[test]
    fn a_fault_names_its_line() {
        assert!(
            fault("<r>\n<a>\n</r>").contains("3:"),
            "{}",
            fault("<r>\n<a>\n</r>")
        );
        assert!(fault("<r>\n\n<include file='/etc/passwd'/></r>").starts_with("line 3, <include>"));
    }
}
