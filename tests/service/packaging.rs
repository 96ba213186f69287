//! What ships the service: `fly.toml` and the `Dockerfile`, read by parsers, against the code they ship.

use std::{collections::BTreeSet, ffi::OsStr, fs, path::Path, process::Command};

use clap::{Arg, CommandFactory};
use parse_dockerfile::{Command as Arguments, CopyInstruction, Dockerfile, Instruction, Source};
use rapier_physics_service::Config;
use toml::{Table, Value};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// `SHUTDOWN_GRACE_MS` when nobody sets it.
const DEFAULT_SHUTDOWN_GRACE_MS: i64 = 20_000;

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(file)).unwrap_or_else(|e| panic!("{file}: {e}"))
}

fn toml(file: &str) -> Value {
    let table: Table = read(file).parse().unwrap_or_else(|e| panic!("{file}: {e}"));
    Value::Table(table)
}

/// The value at a dotted path; a number picks from an array of tables.
fn at<'a>(value: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(value, |value, step| {
        let next = match step.parse::<usize>() {
            Ok(index) => value.get(index),
            Err(_) => value.get(step),
        };
        next.unwrap_or_else(|| panic!("no {path} in fly.toml"))
    })
}

fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    at(value, path)
        .as_str()
        .unwrap_or_else(|| panic!("{path} is no string"))
}

fn number(value: &Value, path: &str) -> i64 {
    at(value, path)
        .as_integer()
        .unwrap_or_else(|| panic!("{path} is no integer"))
}

/// Every key with its path, without the positions in arrays.
fn keys(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    if let Some(table) = value.as_table() {
        for (key, inner) in table {
            let path = if path.is_empty() {
                key.clone()
            } else {
                format!("{path}.{key}")
            };
            keys(inner, &path, found);
            found.insert(path);
        }
    } else if let Some(array) = value.as_array() {
        for inner in array {
            keys(inner, path, found);
        }
    }
}

/// The arguments in exec form; the image has no shell for the other one.
fn exec_form(arguments: &Arguments<'_>) -> Vec<String> {
    let Arguments::Exec(words) = arguments else {
        panic!("not in exec form: {arguments:?}")
    };
    words
        .value
        .iter()
        .map(|word| word.value.to_string())
        .collect()
}

/// The paths that a COPY takes from the build context; none for a copy from another stage.
fn context_sources(copy: &CopyInstruction<'_>) -> Vec<String> {
    if copy.options.iter().any(|flag| flag.name.value == "from") {
        return Vec::new();
    }
    let path = |source: &Source<'_>| {
        let Source::Path(path) = source else {
            panic!("a COPY of something other than a path: {source:?}")
        };
        path.value.to_string()
    };
    copy.src.iter().map(path).collect()
}

fn copied_from_the_context(dockerfile: &Dockerfile<'_>) -> Vec<String> {
    let mut sources = Vec::new();
    for instruction in &dockerfile.instructions {
        if let Instruction::Copy(copy) = instruction {
            sources.extend(context_sources(copy));
        }
    }
    assert!(!sources.is_empty(), "the build stage copies nothing");
    sources
}

#[test]
fn fly_sends_sigterm_and_waits_longer_than_the_service_drains() {
    let fly = toml("fly.toml");

    let grace_ms = match at(&fly, "env").get("SHUTDOWN_GRACE_MS") {
        Some(set) => set.as_str().unwrap().parse().unwrap(),
        None => DEFAULT_SHUTDOWN_GRACE_MS,
    };

    assert_eq!(text(&fly, "kill_signal"), "SIGTERM");
    let kill_timeout = number(&fly, "kill_timeout");
    assert!(
        kill_timeout * 1000 > grace_ms,
        "{kill_timeout} s against {grace_ms} ms"
    );
    assert!(kill_timeout <= 300, "Fly waits 300 s at most");
}

#[test]
fn fly_leaves_machines_with_live_simulations_running() {
    let fly = toml("fly.toml");

    assert_eq!(text(&fly, "http_service.auto_stop_machines"), "off");
    assert_eq!(
        at(&fly, "http_service.auto_start_machines"),
        &Value::Boolean(true)
    );
    assert!(number(&fly, "http_service.min_machines_running") >= 1);
    assert_eq!(text(&fly, "deploy.strategy"), "rolling");
    assert_eq!(number(&fly, "deploy.max_unavailable"), 1);
}

#[test]
fn fly_checks_health_on_the_port_the_service_listens_on() {
    let fly = toml("fly.toml");

    assert_eq!(
        number(&fly, "http_service.internal_port").to_string(),
        text(&fly, "env.PORT")
    );
    assert_eq!(at(&fly, "http_service.force_https"), &Value::Boolean(true));
    assert_eq!(text(&fly, "http_service.concurrency.type"), "requests");
    assert_eq!(text(&fly, "http_service.checks.0.method"), "GET");
    assert_eq!(text(&fly, "http_service.checks.0.path"), "/health");
}

/// Fly takes a misspelt key without a word, so each one is compared with its documented names.
#[test]
fn fly_knows_every_key_in_its_file() {
    let documented = "app primary_region kill_signal kill_timeout env build build.dockerfile \
        deploy deploy.strategy deploy.max_unavailable deploy.wait_timeout \
        http_service http_service.internal_port http_service.force_https http_service.auto_stop_machines \
        http_service.auto_start_machines http_service.min_machines_running http_service.concurrency \
        http_service.concurrency.type http_service.concurrency.soft_limit http_service.concurrency.hard_limit \
        http_service.checks http_service.checks.method http_service.checks.path http_service.checks.interval \
        http_service.checks.timeout http_service.checks.grace_period metrics metrics.port metrics.path \
        vm vm.size vm.memory";
    let documented: BTreeSet<_> = documented.split_whitespace().collect();

    let mut found = BTreeSet::new();
    keys(&toml("fly.toml"), "", &mut found);

    for key in found {
        assert!(
            key.starts_with("env.") || documented.contains(key.as_str()),
            "{key}: not a key that Fly documents"
        );
    }
}

#[test]
fn every_setting_in_fly_toml_is_one_the_service_reads() {
    let service = Config::command();
    let settings: Vec<_> = service.get_arguments().filter_map(Arg::get_env).collect();
    let fly = toml("fly.toml");

    for (name, value) in at(&fly, "env").as_table().unwrap() {
        assert!(value.is_str(), "{name}: Fly takes strings only");
        assert!(
            settings.contains(&OsStr::new(name)),
            "{name} is no setting of the service"
        );
    }
}

#[test]
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "whatever else stands in the final stage is the failure"
)]
fn the_image_starts_the_service_directly_as_a_numeric_user() {
    let file = read("Dockerfile");
    let dockerfile = parse_dockerfile::parse(&file).unwrap();
    let last = dockerfile.stages().last().unwrap();
    let (mut entrypoint, mut user, mut exposed, mut stop_signal) = (None, None, Vec::new(), None);

    for instruction in last.instructions {
        match instruction {
            Instruction::Entrypoint(entry) => entrypoint = Some(exec_form(&entry.arguments)),
            Instruction::User(named) => user = Some(named.arguments.value.to_string()),
            Instruction::Expose(ports) => {
                exposed.extend(ports.arguments.iter().map(|port| port.value.to_string()));
            }
            Instruction::Stopsignal(signal) => {
                stop_signal = Some(signal.arguments.value.to_string());
            }
            Instruction::Copy(copy) => {
                assert_eq!(context_sources(copy), [""; 0], "only the program goes in");
            }
            other => panic!("the final stage needs a shell or holds a surprise: {other:?}"),
        }
    }

    let program = format!("/usr/local/bin/{}", env!("CARGO_PKG_NAME"));
    assert_eq!(entrypoint, Some(vec![program]));
    let user = user.expect("a USER, or the service runs as root");
    assert!(
        user.split(':')
            .all(|id| id.parse::<u32>().is_ok_and(|id| id > 0)),
        "USER {user}"
    );
    assert_eq!(exposed, ["9000"]);
    assert_eq!(stop_signal.as_deref(), Some("SIGTERM"));
}

#[test]
fn the_image_is_built_in_stages_from_the_lock_file() {
    let file = read("Dockerfile");
    let dockerfile = parse_dockerfile::parse(&file).unwrap();

    let mut builds = Vec::new();
    for instruction in &dockerfile.instructions {
        if let Instruction::Run(run) = instruction
            && let Arguments::Shell(command) = &run.arguments
            && command.value.contains("cargo build")
        {
            builds.push((run, command.value));
        }
    }

    assert!(dockerfile.stages().len() >= 2);
    let [(build, command)] = builds[..] else {
        panic!("{} cargo builds", builds.len())
    };
    assert!(
        command.contains("cargo build --release --locked"),
        "{command}"
    );
    let caches = build.options.iter().filter_map(|flag| flag.value.as_ref());
    assert_eq!(
        caches
            .filter(|mount| mount.value.contains("type=cache"))
            .count(),
        2
    );
}

#[test]
fn both_stages_have_the_same_debian_and_a_compiler_the_manifest_accepts() {
    let file = read("Dockerfile");
    let dockerfile = parse_dockerfile::parse(&file).unwrap();
    let images: Vec<_> = dockerfile
        .stages()
        .map(|stage| stage.from.image.value.to_string())
        .collect();

    let (version, suite) = images[0]
        .strip_prefix("rust:")
        .unwrap()
        .split_once('-')
        .unwrap();
    let minor = |version: &str| version.split('.').nth(1).unwrap().parse::<u32>().unwrap();

    assert!(
        minor(version) >= minor(env!("CARGO_PKG_RUST_VERSION")),
        "{version}"
    );
    assert_eq!(suite, "bookworm");
    assert!(
        images[images.len() - 1].contains("debian12"),
        "bookworm is Debian 12: {images:?}"
    );
}

#[test]
fn the_build_context_holds_what_the_dockerfile_copies() {
    let file = read("Dockerfile");
    let ignored = read(".dockerignore");
    let lines: Vec<_> = ignored.lines().collect();
    let sources = copied_from_the_context(&parse_dockerfile::parse(&file).unwrap());

    assert!(
        lines.contains(&"*"),
        ".dockerignore lets nothing in by default"
    );
    for source in sources {
        assert!(
            Path::new(ROOT).join(&source).exists(),
            "COPY {source}: no such file"
        );
        assert!(
            lines.contains(&format!("!{source}").as_str()),
            "COPY {source}: kept out by .dockerignore"
        );
    }
}

/// The manifest may name files (benches, tests) and the code may include some; the image must have them.
#[test]
fn the_build_stage_has_every_file_that_cargo_wants() {
    let file = read("Dockerfile");
    let sources = copied_from_the_context(&parse_dockerfile::parse(&file).unwrap());
    let context = Path::new(env!("CARGO_TARGET_TMPDIR")).join("build-context");
    if context.exists() {
        fs::remove_dir_all(&context).unwrap();
    }
    fs::create_dir_all(&context).unwrap();
    for source in &sources {
        let place = context.join(source);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(Path::new(ROOT).join(source), place).unwrap();
    }

    // `cargo fetch` is the quickest command that insists on every file the manifest names.
    let host = cargo(&context, &["-vV"]);
    let host = host.lines().find_map(|line| line.strip_prefix("host: "));
    cargo(
        &context,
        &["fetch", "--locked", "--offline", "--target", host.unwrap()],
    );

    for source in rust_files(&Path::new(ROOT).join("src")) {
        let code = fs::read_to_string(&source).unwrap();
        for (_, rest) in code
            .match_indices("include_")
            .map(|(start, found)| code.split_at(start + found.len()))
        {
            let Some((_, path)) = rest.lines().next().and_then(|line| line.split_once("!(\""))
            else {
                continue;
            };
            let path = path.split('"').next().unwrap_or_default();
            let target = source.parent().unwrap().join(path).canonicalize().unwrap();
            let copied = sources
                .iter()
                .any(|source| target.starts_with(Path::new(ROOT).join(source)));
            assert!(
                copied,
                "{} includes {path}, which the Dockerfile does not copy",
                source.display()
            );
        }
    }
}

fn cargo(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("cargo runs the tests, so it is there");
    let fault = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo {arguments:?}: {fault}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn rust_files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).expect("src is there, with all its folders");
    let entries = entries.map(|entry| entry.expect("a readable entry").path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let files = files
        .into_iter()
        .filter(|path| path.extension().is_some_and(|e| e == "rs"));
    files
        .chain(folders.iter().flat_map(|folder| rust_files(folder)))
        .collect()
}
