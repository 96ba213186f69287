//! The layers of the sources, read as text, and the documents against the code they describe.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Which parts of the crate a part may import. What is not listed may import everything.
const LAYERS: &[(&str, &[&str])] = &[
    (
        "http",
        &[
            "simulations",
            "imports",
            "physics",
            "id",
            "config",
            "clock",
            "memory",
            "metrics",
            "shutdown",
        ],
    ),
    (
        "simulations",
        &[
            "physics", "registry", "journal", "assets", "id", "clock", "memory", "metrics",
            "shutdown",
        ],
    ),
    ("imports", &["physics", "id"]),
    (
        "journal",
        &[
            "physics",
            "registry",
            "redis_store",
            "id",
            "clock",
            "shutdown",
        ],
    ),
    ("assets", &["physics", "redis_store", "id", "clock"]),
    ("registry", &["redis_store", "id", "clock"]),
    ("redis_store", &["metrics", "id"]),
    ("physics", &["id"]),
    ("telemetry", &["config"]),
    ("config", &["redis_store", "id"]),
    ("clock", &[]),
    ("memory", &[]),
    ("metrics", &[]),
    ("id", &[]),
    ("shutdown", &[]),
];

/// The parts that put everything together.
const UNBOUND: &[&str] = &["main", "lib", "app"];

/// In which parts a dependency may be named.
const CRATES: &[(&str, &[&str])] = &[
    ("async_trait", &["registry", "journal", "assets"]),
    ("axum", &["http"]),
    ("base64", &["assets"]),
    (
        "bytes",
        &[
            "http",
            "simulations",
            "journal",
            "assets",
            "registry/memory/known.rs",
        ],
    ),
    ("clap", &["config"]),
    ("deadpool", &["redis_store"]),
    (
        "deadpool_redis",
        &[
            "redis_store",
            "registry/redis/mod.rs",
            "registry/redis/hints.rs",
            "journal/redis/mod.rs",
            "journal/redis/appends.rs",
        ],
    ),
    ("form_urlencoded", &["http"]),
    (
        "futures_util",
        &["http", "simulations", "registry", "redis_store"],
    ),
    ("headers_accept", &["http"]),
    ("http_body_util", &["http"]),
    ("hmac", &["http"]),
    ("httparse", &["http/server/head.rs"]),
    ("hyper", &["http"]),
    ("hyper_util", &["http"]),
    ("indexmap", &["http", "simulations", "imports", "physics"]),
    ("ipnet", &["config.rs", "http"]),
    ("lz4_flex", &["physics/snapshot.rs", "simulations/image.rs"]),
    ("mediatype", &["http"]),
    ("mjcf_rs", &["imports"]),
    ("memchr", &["physics/cuts.rs", "http/server/head.rs"]),
    ("percent_encoding", &["http"]),
    ("postcard", &["physics/snapshot.rs", "physics/cuts.rs"]),
    ("prometheus_client", &["metrics"]),
    ("rapier3d", &["physics"]),
    ("rmp_serde", &["physics", "journal", "simulations"]),
    ("roxmltree", &["imports"]),
    (
        "rustix",
        &["clock.rs", "main.rs", "simulations/step_pool.rs"],
    ),
    ("rustls", &["main.rs", "redis_store"]),
    ("scalar_api_reference", &["http"]),
    (
        "serde",
        &[
            "http",
            "simulations",
            "imports",
            "physics",
            "journal",
            "registry",
            "assets",
            "id.rs",
        ],
    ),
    ("serde_bytes", &["simulations"]),
    (
        "serde_json",
        &[
            "http",
            "simulations",
            "physics",
            "assets",
            "imports/tests.rs",
            "imports/tests/damage.rs",
        ],
    ),
    ("serde_path_to_error", &["http"]),
    ("sha2", &["config.rs", "http", "id.rs", "assets"]),
    ("socket2", &["app.rs"]),
    ("subtle", &["http"]),
    (
        "thiserror",
        &[
            "simulations",
            "registry",
            "journal",
            "redis_store",
            "physics",
            "assets",
            "id.rs",
        ],
    ),
    ("tikv_jemallocator", &["main.rs"]),
    ("time", &["clock.rs"]),
    (
        "tokio",
        &[
            "http",
            "simulations",
            "registry",
            "journal",
            "redis_store",
            // Which worker of the runtime is counting.
            "metrics",
            "app.rs",
            // Its time, which deadlines are told in.
            "clock.rs",
            "main.rs",
            "memory.rs",
            "shutdown.rs",
        ],
    ),
    ("tokio_util", &["shutdown.rs"]),
    ("tower", &["http"]),
    ("tower_http", &["http"]),
    (
        "tracing",
        &[
            "http",
            "simulations",
            "redis_store",
            "app.rs",
            "main.rs",
            "telemetry.rs",
        ],
    ),
    ("tracing_subscriber", &["telemetry.rs", "config.rs"]),
    ("unicode_normalization", &["http"]),
    // Annotations, so that a specification is written down once and not once for each layer.
    (
        "utoipa",
        &[
            "http",
            "imports/request.rs",
            "simulations/record.rs",
            "simulations/durability.rs",
            "simulations/library.rs",
            "physics",
            "id.rs",
        ],
    ),
    ("utoipa_axum", &["http"]),
    ("uuid", &["id.rs", "http/request_id.rs"]),
    (
        "xxhash_rust",
        &["http/extract.rs", "physics", "journal", "simulations"],
    ),
    ("zmij", &["physics/state.rs"]),
];

/// Parts of the standard library that only some files may name, and why.
const STD: &[(&str, &[&str], &str)] = &[
    (
        "std::env",
        &["config.rs", "main.rs"],
        "every setting is listed in config.rs",
    ),
    (
        "std::time::SystemTime",
        &["clock.rs"],
        "the wall clock is read in one place",
    ),
    (
        "std::thread",
        &[
            "simulations/step_pool.rs",
            "simulations/lull.rs",
            "shutdown.rs",
            "config.rs",
        ],
        "one pool of threads computes, and one thread renews the lease",
    ),
    (
        "std::process",
        &["main.rs"],
        "main.rs alone ends the process",
    ),
    (
        "std::fs",
        &["config/redis.rs", "main.rs", "memory.rs"],
        "nothing is kept in files; one setting names one, and so does a replay; the kernel tells of memory in some",
    ),
    (
        "std::net",
        &["app.rs", "config.rs", "http"],
        "one place listens",
    ),
    (
        "tokio::spawn",
        &["shutdown.rs"],
        "every task hears of the shutdown",
    ),
    (
        "tokio::task::spawn",
        &["shutdown.rs"],
        "every task hears of the shutdown",
    ),
    (
        "tokio::task::spawn_blocking",
        &[],
        "worlds are computed on the one pool",
    ),
    (
        "tokio::task::JoinSet",
        &["http/server/mod.rs"],
        "connections alone are tasks of a set, which ends with the accept loop",
    ),
    (
        "tokio::net",
        &["app.rs", "http", "simulations/bell.rs"],
        "one place listens; and threads that compute are heard through a pipe",
    ),
    ("tokio::signal", &["shutdown.rs"], "one place hears signals"),
];

/// What would make a world depend on more than its commands.
const IMPURE: &[&str] = &[
    "std::time",
    "std::thread",
    "std::env",
    "std::fs",
    "std::net",
    "std::io",
    "std::process",
    "std::sync::Mutex",
    "std::sync::RwLock",
    "std::sync::atomic",
    "std::collections::HashMap",
];

/// Files that may be longer than [`MAX_LINES`], and why.
const LONG: &[(&str, &str)] = &[];
const MAX_LINES: usize = 500;

#[test]
fn parts_import_only_what_lies_below_them() {
    let mut faults = Vec::new();
    for source in sources() {
        let part = source.part();
        let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == part) else {
            if !UNBOUND.contains(&part) {
                faults.push(format!(
                    "{}: {part} has no place among the layers",
                    source.name
                ));
            }
            continue;
        };
        for path in &source.paths {
            let imported = match path.as_slice() {
                [head, module, ..] if head == "crate" => module.as_str(),
                _ => continue,
            };
            if imported != part && !allowed.contains(&imported) {
                faults.push(format!("{} imports {}", source.name, path.join("::")));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn every_dependency_is_named_only_where_it_belongs() {
    let mut faults = Vec::new();
    let dependencies = dependencies();
    for name in &dependencies {
        if !CRATES.iter().any(|(known, _)| known == name) {
            faults.push(format!(
                "Cargo.toml: say in CRATES where {name} may be named"
            ));
        }
    }
    for source in sources() {
        for path in &source.paths {
            let head = path[0].as_str();
            if !dependencies.contains(head) {
                continue;
            }
            let allowed = CRATES.iter().find(|(name, _)| *name == head);
            if !allowed.is_some_and(|(_, places)| source.is_in(places)) {
                faults.push(format!("{} names {}", source.name, path.join("::")));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn physics_is_pure() {
    let mut faults = Vec::new();
    for source in sources().iter().filter(|source| source.part() == "physics") {
        for path in &source.paths {
            let path = path.join("::");
            if IMPURE.iter().any(|impure| is_within(&path, impure)) {
                faults.push(format!("{} names {path}", source.name));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn tasks_threads_clocks_and_settings_each_have_one_place() {
    let mut faults = Vec::new();
    for source in sources() {
        for path in &source.paths {
            let path = path.join("::");
            for (guarded, places, reason) in STD {
                if is_within(&path, guarded) && !source.is_in(places) {
                    faults.push(format!("{} names {path}, but {reason}", source.name));
                }
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn files_say_what_they_are_for_and_stay_short() {
    let mut faults = Vec::new();
    for source in sources() {
        if !source.text.starts_with("//! ") {
            faults.push(format!("{} does not begin with //!", source.name));
        }
        let lines = source.text.lines().count();
        let is_excused = LONG.iter().any(|(name, _)| *name == source.name);
        if lines >= MAX_LINES && !is_excused {
            faults.push(format!("{} has {lines} lines", source.name));
        }
    }
    for (name, _) in LONG {
        if !sources().iter().any(|source| source.name == *name) {
            faults.push(format!("{name} is excused and does not exist"));
        }
    }
    assert_none(&faults);
}

/// A file of tests that nobody names is never compiled, and never fails.
#[test]
fn every_file_is_a_module_of_the_one_above_it() {
    let mut faults = Vec::new();
    for folder in ["src", "tests", "benches"] {
        for file in files_below(folder, "rs") {
            let module = match file.file_name() {
                Some(name) if name == "mod.rs" => file.parent(),
                _ => Some(file.as_path()),
            };
            let (Some(name), Some(home)) = (
                module.and_then(Path::file_stem),
                module.and_then(Path::parent),
            ) else {
                continue;
            };
            let parents = ["mod.rs", "main.rs", "lib.rs"].map(|parent| home.join(parent));
            let parents = parents
                .iter()
                .filter(|it| Path::new(ROOT).join(it).exists());
            let parents: Vec<_> = parents.map(|parent| tokens(&read(parent))).collect();
            let is_named = |parent: &Vec<String>| {
                let mut pairs = parent.windows(2);
                pairs.any(|pair| pair[0] == "mod" && *name == *pair[1])
            };
            // Where nobody could name it, it is a program or a test of its own.
            let is_alone = parents.is_empty() || name == "main" || name == "lib";
            if !is_alone && !parents.iter().any(is_named) {
                faults.push(format!("{} is in no module", file.display()));
            }
        }
    }
    assert_none(&faults);
}

/// Paths of parents hide which layer is meant, at the top of a layer most of all.
#[test]
fn no_path_climbs_out_of_its_layer() {
    let mut faults = Vec::new();
    for source in sources() {
        let is_top = !source.name.contains('/')
            || (source.name.ends_with("/mod.rs") && source.name.matches('/').count() == 1);
        for path in &source.paths {
            let climbs = path
                .iter()
                .take_while(|segment| *segment == "super")
                .count();
            if climbs > 1 || (climbs == 1 && is_top && !source.has_inline_tests()) {
                faults.push(format!("{} names {}", source.name, path.join("::")));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn every_problem_code_has_its_section_and_every_section_its_code() {
    let code = read("src/http/problem_code.rs");
    let all = code
        .split("const ALL:")
        .nth(1)
        .expect("ProblemCode::ALL lists the codes");
    let all = all.split("];").next().unwrap_or_default();
    let codes: BTreeSet<String> = all
        .split("Self::")
        .skip(1)
        .filter_map(|rest| rest.split(',').next())
        .map(snake_case)
        .collect();
    let manual = read("docs/problems.md");
    let sections: Vec<&str> = manual
        .lines()
        .filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`'))
        .collect();

    let distinct: BTreeSet<String> = sections.iter().copied().map(str::to_owned).collect();
    assert!(codes.len() > 20, "{codes:?}");
    assert_eq!(sections.len(), distinct.len(), "a section stands twice");
    assert_eq!(
        codes, distinct,
        "src/http/problem_code.rs and docs/problems.md differ"
    );
}

#[test]
fn every_relative_link_of_the_documents_leads_somewhere() {
    let mut faults = Vec::new();
    let mut documents = vec![PathBuf::from("README.md"), PathBuf::from("CHANGELOG.md")];
    documents.extend(files_below("docs", "md"));
    for document in &documents {
        let folder = document.parent().unwrap_or(Path::new(""));
        for link in links(&read(document)) {
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = match file {
                "" => document.clone(),
                file => folder.join(file),
            };
            let path = Path::new(ROOT).join(&target);
            if !path.exists() {
                faults.push(format!("{}: {link} leads nowhere", document.display()));
            } else if !anchor.is_empty() && !anchors(&read(&target)).contains(anchor) {
                faults.push(format!(
                    "{}: {link} has no such heading",
                    document.display()
                ));
            }
        }
    }
    assert_none(&faults);
}

/// A source file and the paths it names.
struct Source {
    /// Its path below `src`.
    name: String,
    text: String,
    /// Each from a `use` or from the code, with imported names resolved.
    paths: Vec<Vec<String>>,
}

impl Source {
    fn new(file: &Path) -> Self {
        let name = file.strip_prefix("src").expect("files are below src");
        let text = read(file);
        Self {
            name: name.display().to_string(),
            paths: paths_of(&text),
            text,
        }
    }

    /// The part of the crate it belongs to: its folder, or its own name.
    fn part(&self) -> &str {
        let first = self.name.split('/').next().unwrap_or_default();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// Whether it is one of `places`: parts, or files.
    fn is_in(&self, places: &[&str]) -> bool {
        places
            .iter()
            .any(|place| *place == self.part() || *place == self.name)
    }

    fn has_inline_tests(&self) -> bool {
        self.text.contains("\nmod tests {")
    }
}

fn sources() -> Vec<Source> {
    let files = files_below("src", "rs");
    assert!(files.len() > 20, "the sources were not found");
    files.iter().map(|file| Source::new(file)).collect()
}

/// Every path that `text` names, `use` trees unfolded. Generated code and macro bodies count too.
fn paths_of(text: &str) -> Vec<Vec<String>> {
    let tokens = tokens(text);
    let mut uses = Vec::new();
    let mut others = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        if token == "use" {
            at = use_tree(&tokens, at + 1, &[], &mut uses);
            continue;
        }
        let continues = at > 0 && matches!(tokens[at - 1].as_str(), "::" | ".");
        if continues || !is_name(token) {
            at += 1;
            continue;
        }
        let mut path = vec![token.clone()];
        while tokens.get(at + 1).is_some_and(|token| token == "::")
            && tokens.get(at + 2).is_some_and(|token| is_name(token))
        {
            path.push(tokens[at + 2].clone());
            at += 2;
        }
        if path.len() > 1 {
            others.push(path);
        }
        at += 1;
    }
    let imported: BTreeMap<String, Vec<String>> = uses
        .iter()
        .filter_map(|path| Some((path.last()?.clone(), path.clone())))
        .collect();
    for path in &mut others {
        if let Some(full) = imported.get(&path[0]).filter(|full| full.len() > 1) {
            path.splice(..1, full.iter().cloned());
        }
    }
    uses.into_iter().chain(others).collect()
}

/// Reads one tree of a `use` from `at` on; where it ends.
fn use_tree(
    tokens: &[String],
    mut at: usize,
    prefix: &[String],
    found: &mut Vec<Vec<String>>,
) -> usize {
    let mut path = prefix.to_vec();
    while let Some(token) = tokens.get(at) {
        match token.as_str() {
            "::" => at += 1,
            "{" => {
                at += 1;
                while tokens.get(at).is_some_and(|token| token != "}") {
                    at = use_tree(tokens, at, &path, found);
                    if tokens.get(at).is_some_and(|token| token == ",") {
                        at += 1;
                    }
                }
                return at + 1;
            }
            // The name it is given is not followed; no file needs it.
            "as" => at += 2,
            name if is_name(name) || name == "*" => {
                if name != "self" || path.is_empty() {
                    path.push(name.to_owned());
                }
                at += 1;
            }
            _ => break,
        }
    }
    if path.len() > prefix.len() || !prefix.is_empty() {
        found.push(path);
    }
    at
}

/// The names and signs of `text`, without comments, literals and lifetimes.
fn tokens(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    let mut tokens: Vec<String> = Vec::new();
    let mut at = 0;
    while let Some(&character) = characters.get(at) {
        let rest = &characters[at..];
        at += if rest.starts_with(&['/', '/']) {
            rest.iter().take_while(|c| **c != '\n').count()
        } else if let Some(hashes) = raw_string(rest) {
            let end: String = std::iter::once('"')
                .chain(std::iter::repeat_n('#', hashes))
                .collect();
            let body: String = rest[hashes + 2..].iter().collect();
            let length = body.find(&end).expect("raw strings end");
            hashes + 2 + body[..length].chars().count() + end.len()
        } else if character == '"' {
            literal(rest, '"')
        } else if character == '\'' {
            let is_literal = rest.get(1) == Some(&'\\') || rest.get(2) == Some(&'\'');
            if is_literal { literal(rest, '\'') } else { 1 }
        } else if character.is_alphanumeric() || character == '_' {
            let is_part = |c: &&char| c.is_alphanumeric() || **c == '_';
            let name: String = rest.iter().take_while(is_part).collect();
            let length = name.chars().count();
            tokens.push(name);
            length
        } else if rest.starts_with(&[':', ':']) {
            tokens.push("::".to_owned());
            2
        } else {
            if !character.is_whitespace() {
                tokens.push(character.to_string());
            }
            1
        };
    }
    tokens
}

/// How many `#` a raw string begins with, if one begins here.
fn raw_string(rest: &[char]) -> Option<usize> {
    let after = rest.strip_prefix(&['r'])?;
    let hashes = after.iter().take_while(|c| **c == '#').count();
    (after.get(hashes) == Some(&'"')).then_some(hashes)
}

/// How long the literal is that begins here with `quote`.
fn literal(rest: &[char], quote: char) -> usize {
    let mut at = 1;
    while let Some(character) = rest.get(at) {
        if *character == quote {
            break;
        }
        at += if *character == '\\' { 2 } else { 1 };
    }
    at + 1
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

fn is_within(path: &str, guarded: &str) -> bool {
    path == guarded
        || path
            .strip_prefix(guarded)
            .is_some_and(|rest| rest.starts_with("::"))
}

/// The names of the dependencies, as code writes them.
fn dependencies() -> BTreeSet<String> {
    let manifest = read("Cargo.toml");
    let section = manifest
        .split("\n[dependencies]\n")
        .nth(1)
        .expect("there are dependencies");
    let section = section.split("\n[").next().unwrap_or_default();
    let names = section.lines().filter_map(|line| line.split_once('='));
    names
        .map(|(name, _)| name.trim().replace('-', "_"))
        .collect()
}

/// The targets of the links in a document that are no addresses.
fn links(document: &str) -> Vec<String> {
    let prose: String = document
        .split("```")
        .step_by(2)
        .flat_map(|text| text.split('`').step_by(2))
        .collect();
    let targets = prose
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next());
    let relative = targets.filter(|target| !target.contains("://"));
    relative.map(str::to_owned).collect()
}

/// The anchors of a document's headings, as GitHub makes them.
fn anchors(document: &str) -> BTreeSet<String> {
    let headings = document.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let text = line.trim_start_matches('#').trim().to_lowercase();
            let kept = text
                .chars()
                .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

fn snake_case(variant: &str) -> String {
    let mut name = String::new();
    for character in variant.chars() {
        if character.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.extend(character.to_lowercase());
    }
    name
}

/// The files below a folder with this extension, by their paths from the root, sorted.
fn files_below(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from(folder)];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(Path::new(ROOT).join(&folder)).expect("the folder exists");
        for entry in entries {
            let entry = entry.expect("the folder can be read");
            let path = folder.join(entry.file_name());
            if entry.path().is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn read(file: impl AsRef<Path>) -> String {
    let file = file.as_ref();
    fs::read_to_string(Path::new(ROOT).join(file))
        .unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn assert_none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn this_test_sees_paths_wherever_they_stand() {
    let text = r##"
        //! crate::comment
        use std::{sync::Arc, time::{Duration, Instant}};
        use crate::{id::{BodyId, self}, physics};
        pub use tokio::sync as channels;
        fn f<'a>(c: char) -> physics::World { let s = "crate::text"; let r = r#"crate::"raw" text"#;
            if c == '"' || c == '\'' { tokio::spawn(Arc::new(s.time::<u8>())); } }
    "##;
    let found: BTreeSet<String> = paths_of(text).iter().map(|path| path.join("::")).collect();
    let expected = [
        "crate::id",
        "crate::id::BodyId",
        "crate::physics",
        "crate::physics::World",
        "std::sync::Arc",
        "std::sync::Arc::new",
        "std::time::Duration",
        "std::time::Instant",
        "tokio::spawn",
        "tokio::sync",
    ];
    assert_eq!(found, expected.map(str::to_owned).into());
}
