//! Settings wherever they are named: documents and deployment files say of them what the code says.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use clap::{Command, CommandFactory};
use rapier_physics_service::Config;

use crate::packaging::{composed_instances, manifests};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Variables of others that the documents name: of Fly, Cargo, shells, containers beside ours, clients.
const FOREIGN: &[&str] = &[
    "CARGO_PROFILE_RELEASE_STRIP",
    "GF_ANALYTICS_CHECK_FOR_UPDATES",
    "GF_ANALYTICS_REPORTING_ENABLED",
    "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH",
    "GF_SECURITY_ADMIN_PASSWORD",
    "GRAFANA_PASSWORD",
    "PHYSICS_PROVIDER",
    "POD_IP",
    "PUBLIC_PORT",
    "RAPIER_SERVICE_URL",
    "REDISCLI_AUTH",
    "REDIS_PASSWORD",
];

/// Fixed limits that carry a name like a setting, in replies and documents.
const FIXED: &[&str] = &[
    "MAX_ASSETS_PER_REQUEST",
    "MAX_BUNDLE_BYTES",
    "MAX_CHANGES_WITHOUT_STEP",
    "MAX_COLLIDERS_PER_BODY",
    "MAX_CONDITIONS",
    "MAX_DECOMPOSITION_VOXELS_PER_REQUEST",
    "MAX_DECOMPOSITION_VOXELS_PER_SIMULATION",
    "MAX_HULL_POINTS",
    "MAX_IMPORT_DEPTH",
    "MAX_IMPORT_NODES",
    "MAX_IMPORT_POINTS",
    "MAX_IK_ITERATIONS_PER_REQUEST",
    "MAX_MULTIBODY_LINKS",
    "MAX_SHAPES_PER_COMPOUND",
    "MAX_SPECTATORS",
    "MAX_VERTICES_PER_SHAPE",
    "MAX_VERTICES_PER_SIMULATION",
    "MAX_VOXELS_PER_SHAPE",
    "MAX_VOXEL_BOXES_PER_SHAPE",
];

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(file)).unwrap_or_else(|e| panic!("{file}: {e}"))
}

fn service() -> Command {
    let mut command = Config::command();
    command.build();
    command
}

/// A setting as the code has it.
#[derive(Debug)]
struct Setting {
    flag: String,
    /// What it is when nobody sets it; `None` if that is no fixed value.
    default: Option<String>,
    /// Set by a platform, not by people.
    hidden: bool,
    /// Whether it takes a value, or stands alone.
    takes_value: bool,
}

/// Every setting in the code, by the name of its variable.
fn settings() -> BTreeMap<String, Setting> {
    let command = service();
    let mut settings = BTreeMap::new();
    for argument in command.get_arguments() {
        let Some(name) = argument.get_env() else {
            continue;
        };
        let defaults = argument.get_default_values();
        let default = defaults
            .first()
            .map(|value| value.to_string_lossy().into_owned());
        let flag = argument.get_long().expect("every setting has a flag");
        let setting = Setting {
            flag: format!("--{flag}"),
            default: default.filter(|value| !value.is_empty()),
            hidden: argument.is_hide_set(),
            takes_value: argument.get_action().takes_values(),
        };
        settings.insert(name.to_string_lossy().into_owned(), setting);
    }
    assert!(settings.len() > 20, "{settings:?}");
    settings
}

fn shown() -> BTreeMap<String, Setting> {
    let settings = settings().into_iter();
    settings.filter(|(_, setting)| !setting.hidden).collect()
}

/// Whether the code takes this value; other settings and what lies between two are left aside.
fn takes(setting: &Setting, value: &str) -> bool {
    let flag = format!("{}={value}", setting.flag);
    service().try_get_matches_from(["service", &flag]).is_ok()
}

/// The rows of the table of settings, as cells: name, unit, default, range, meaning.
fn manual() -> BTreeMap<String, Vec<String>> {
    let manual = read("docs/operations.md");
    let section = manual
        .split("\n## ")
        .find(|section| section.starts_with("Settings\n"))
        .expect("operations.md has a section Settings");
    let table = section.split("\n### ").next().unwrap_or_default();
    let mut rows = BTreeMap::new();
    for line in table.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = line.split('|').map(|cell| cell.trim().to_owned()).collect();
        assert_eq!(cells.len(), 7, "five cells: {line}");
        let name = cells[1].trim_matches('`').to_owned();
        let before = rows.insert(name, cells[2..6].to_vec());
        assert!(before.is_none(), "twice in the manual: {line}");
    }
    rows
}

/// The value that a cell gives, if it gives one: a number, or something in backticks.
fn value_in(cell: &str) -> Option<String> {
    if let Some(quoted) = cell.strip_prefix('`') {
        return quoted.strip_suffix('`').map(str::to_owned);
    }
    let word = cell.split_whitespace().next()?;
    word.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| word.to_owned())
}

#[test]
fn the_example_shows_every_setting_once_with_its_default() {
    let example = read(".env.example");
    let mut listed = BTreeMap::new();
    for line in example.lines() {
        let Some((name, value)) = line
            .strip_prefix("# ")
            .and_then(|line| line.split_once('='))
        else {
            continue;
        };
        if is_variable(name) {
            let before = listed.insert(name.to_owned(), value.to_owned());
            assert!(before.is_none(), "{name} stands there twice");
        }
    }

    let settings = shown();
    assert_eq!(names(&listed), names(&settings));
    for (name, setting) in settings {
        let value = &listed[&name];
        match setting.default {
            Some(default) => assert_eq!(*value, default, "{name}"),
            // An example; the code must take it.
            None if setting.takes_value => {
                assert!(takes(&setting, value), "{name}={value} is refused");
            }
            None => {}
        }
    }
}

#[test]
fn the_manual_lists_every_setting_with_its_default() {
    let (settings, manual) = (shown(), manual());

    assert_eq!(names(&manual), names(&settings));
    for (name, setting) in settings {
        let cell = &manual[&name][1];
        assert_eq!(value_in(cell), setting.default, "{name}: {cell}");
    }
}

#[test]
fn the_ranges_in_the_manual_are_those_of_the_code() {
    let settings = shown();
    let mut ranges = 0;

    for (name, cells) in manual() {
        let setting = &settings[&name];
        let bounds = cells[2].split(',').next().and_then(|range| {
            let (low, high) = range.split_once(" – ")?;
            Some((low.parse::<i64>().ok()?, high.parse::<i64>().ok()?))
        });
        if let Some((low, high)) = bounds {
            ranges += 1;
            for (value, taken) in [
                (low - 1, false),
                (low, true),
                (high, true),
                (high + 1, false),
            ] {
                let value = value.to_string();
                assert_eq!(takes(setting, &value), taken, "{name}={value}");
            }
        } else if let Some(words) = quoted_words(&cells[2]) {
            for value in words.iter().filter(|_| setting.takes_value) {
                assert!(takes(setting, value), "{name}={value} is refused");
            }
            assert!(!takes(setting, "something-else"), "{name}");
        }
    }

    assert!(ranges > 15, "{ranges} ranges were found in the manual");
}

/// The words of a cell that is nothing but words in backticks: `` `text`, `json` ``.
fn quoted_words(cell: &str) -> Option<Vec<String>> {
    let words = cell.split(", ").map(|word| {
        let word = word.strip_prefix('`')?.strip_suffix('`')?;
        let plain = word
            .chars()
            .all(|c| c.is_ascii_lowercase() || matches!(c, '-' | '_'));
        plain.then(|| word.to_owned())
    });
    words.collect()
}

#[test]
fn the_readme_repeats_what_the_manual_says() {
    let (settings, readme) = (shown(), read("README.md"));
    let section = readme
        .split("\n## ")
        .find(|section| section.starts_with("Configuration\n"))
        .expect("the README has a section Configuration");
    let mut rows = 0;

    for line in section.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let name = cells[1].trim_matches('`');
        let setting = settings
            .get(name)
            .unwrap_or_else(|| panic!("{name} is no setting"));
        if let Some(value) = value_in(cells[2]) {
            assert_eq!(Some(value), setting.default, "{name}");
        }
        rows += 1;
    }

    assert!(rows > 5, "{rows} settings were found in the README");
}

#[test]
fn deployment_files_set_what_the_service_reads_to_what_it_takes() {
    let settings = settings();
    let mut set = Vec::new();

    let fly: toml::Table = read("fly.toml").parse().unwrap();
    for (name, value) in fly["env"].as_table().unwrap() {
        set.push(("fly.toml", name.clone(), value.as_str().map(str::to_owned)));
    }
    for (_, service) in composed_instances() {
        for (name, value) in service["environment"].as_object().unwrap() {
            let value = value
                .as_str()
                .unwrap_or_else(|| panic!("{name}: strings only"));
            let literal = (!value.contains("${")).then(|| value.to_owned());
            set.push(("compose.yaml", name.clone(), literal));
        }
    }
    for (_, object) in manifests() {
        for part in ["data", "stringData"] {
            for (name, value) in object[part].as_object().into_iter().flatten() {
                let value = value
                    .as_str()
                    .unwrap_or_else(|| panic!("{name}: strings only"));
                set.push(("kubernetes", name.clone(), Some(value.to_owned())));
            }
        }
        let containers = object.pointer("/spec/template/spec/containers");
        for container in containers
            .and_then(|list| list.as_array())
            .into_iter()
            .flatten()
        {
            for entry in container["env"].as_array().unwrap() {
                let name = entry["name"].as_str().unwrap().to_owned();
                set.push(("kubernetes", name, None));
            }
        }
    }
    for line in read("Dockerfile").lines() {
        if let Some((name, value)) = line
            .strip_prefix("ENV ")
            .and_then(|line| line.split_once('='))
        {
            set.push(("Dockerfile", name.to_owned(), Some(value.to_owned())));
        }
    }

    assert!(set.len() > 30, "{set:?}");
    for (file, name, value) in set {
        if FOREIGN.contains(&name.as_str()) {
            continue;
        }
        let setting = settings
            .get(&name)
            .unwrap_or_else(|| panic!("{file} sets {name}, which the service does not read"));
        if let Some(value) = value.filter(|_| setting.takes_value) {
            assert!(takes(setting, &value), "{file}: {name}={value} is refused");
        }
    }
}

/// Names of one word (`HOST`, `ROUTING`) look like any other word and are not looked for.
#[test]
fn no_document_names_a_setting_that_does_not_exist() {
    let settings = settings();
    let mut files = vec![
        PathBuf::from("README.md"),
        PathBuf::from(".env.example"),
        PathBuf::from("fly.toml"),
        PathBuf::from("Dockerfile"),
    ];
    for folder in ["docs", "deploy"] {
        files.extend(files_below(Path::new(folder)));
    }
    let (mut known, mut faults) = (BTreeSet::new(), Vec::new());

    for file in files {
        let text = read(&file.to_string_lossy());
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        for word in words.filter(|word| word.contains('_') && is_variable(word)) {
            if settings.contains_key(word) {
                known.insert(word.to_owned());
            } else if !FOREIGN.contains(&word) && !FIXED.contains(&word) && !word.ends_with('_') {
                faults.push(format!("{}: {word}", file.display()));
            }
        }
    }

    assert!(faults.is_empty(), "{faults:#?}");
    assert!(known.len() > 15, "{known:?}");
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(Path::new(ROOT).join(folder)).expect("the folder is there");
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry.expect("a readable entry");
        let path = folder.join(entry.file_name());
        if entry.path().is_dir() {
            files.extend(files_below(&path));
        } else if entry.file_name() != ".env" && entry.file_name() != "secret.yaml" {
            files.push(path);
        }
    }
    files
}

fn names<T>(map: &BTreeMap<String, T>) -> BTreeSet<&str> {
    map.keys().map(String::as_str).collect()
}

fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase())
        && name
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}
