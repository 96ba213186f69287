//! What ships the service: `fly.toml`, the `Dockerfile` and `deploy/`, read by parsers, against each other and the code.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use clap::{Arg, CommandFactory};
use parse_dockerfile::{Command as Arguments, CopyInstruction, Dockerfile, Instruction, Source};
use rapier_physics_service::Config;
use serde::Deserialize;
use serde_json::Value as Json;
use toml::{Table, Value};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// `SHUTDOWN_GRACE_MS` when nobody sets it.
const DEFAULT_SHUTDOWN_GRACE_MS: i64 = 20_000;

/// `REQUEST_TIMEOUT_MS` when nobody sets it.
const DEFAULT_REQUEST_TIMEOUT_MS: i64 = 25_000;

/// Where `/metrics` is.
const METRICS_PATH: &str = "/metrics";

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

/// The way to no machine at all is in the manual, as the file is for those without Redis, too.
#[test]
fn fly_stops_idle_machines_by_the_signal_that_hands_simulations_over() {
    let manual = read("docs/redis-fly.md");
    let section = manual
        .split("\n### Scale to zero\n")
        .nth(1)
        .expect("the manual has a section on it");
    let example = section.split("```toml\n").nth(1).unwrap_or_default();
    let example = example.split("```").next().unwrap_or_default();
    let zero = Value::Table(example.parse().expect("the example is TOML"));
    let fly = toml("fly.toml");

    assert_eq!(text(&zero, "http_service.auto_stop_machines"), "stop");
    assert_eq!(number(&zero, "http_service.min_machines_running"), 0);
    let own = [
        "http_service.auto_stop_machines",
        "http_service.min_machines_running",
    ];
    let mut named = BTreeSet::new();
    keys(&zero, "", &mut named);
    named.retain(|key| !at(&zero, key).is_table() && !own.contains(&key.as_str()));
    for key in &named {
        assert_eq!(at(&zero, key), at(&fly, key), "{key}");
    }
    assert!(named.contains("kill_signal") && named.contains("kill_timeout"));
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

#[test]
fn fly_collects_metrics_where_the_service_shows_them() {
    let fly = toml("fly.toml");

    assert_eq!(
        number(&fly, "metrics.port").to_string(),
        text(&fly, "env.METRICS_PORT")
    );
    assert_eq!(text(&fly, "metrics.path"), METRICS_PATH);
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

/// The documents of a YAML file. A key that stands twice is refused, `<<` is resolved.
pub(crate) fn yaml(file: &str) -> Vec<Json> {
    let text = read(file);
    yaml_serde::Deserializer::from_str(&text)
        .map(|document| {
            let mut document =
                yaml_serde::Value::deserialize(document).unwrap_or_else(|e| panic!("{file}: {e}"));
            document
                .apply_merge()
                .unwrap_or_else(|e| panic!("{file}: {e}"));
            serde_json::to_value(document).unwrap_or_else(|e| panic!("{file}: {e}"))
        })
        .collect()
}

fn one_yaml(file: &str) -> Json {
    let mut documents = yaml(file);
    assert_eq!(documents.len(), 1, "{file}");
    documents.remove(0)
}

/// The value at a JSON pointer.
fn pick<'a>(value: &'a Json, pointer: &str) -> &'a Json {
    value
        .pointer(pointer)
        .unwrap_or_else(|| panic!("no {pointer} in {value}"))
}

fn string<'a>(value: &'a Json, pointer: &str) -> &'a str {
    pick(value, pointer)
        .as_str()
        .unwrap_or_else(|| panic!("{pointer} is no string in {value}"))
}

fn whole(value: &Json, pointer: &str) -> i64 {
    pick(value, pointer)
        .as_i64()
        .unwrap_or_else(|| panic!("{pointer} is no whole number in {value}"))
}

fn members<'a>(value: &'a Json, pointer: &str) -> &'a serde_json::Map<String, Json> {
    pick(value, pointer)
        .as_object()
        .unwrap_or_else(|| panic!("{pointer} is no mapping in {value}"))
}

fn items<'a>(value: &'a Json, pointer: &str) -> &'a Vec<Json> {
    pick(value, pointer)
        .as_array()
        .unwrap_or_else(|| panic!("{pointer} is no list in {value}"))
}

const COMPOSE: &str = "deploy/compose/compose.yaml";

/// The services of Compose that are built from this repository, by name.
pub(crate) fn composed_instances() -> BTreeMap<String, Json> {
    let compose = one_yaml(COMPOSE);
    let services = members(&compose, "/services").iter();
    let built = services.filter(|(_, service)| service.get("build").is_some());
    built
        .map(|(name, service)| (name.clone(), service.clone()))
        .collect()
}

#[test]
fn compose_runs_three_instances_that_differ_in_nothing_but_their_name() {
    let mut instances = composed_instances();
    assert_eq!(instances.len(), 3);

    let mut alike = BTreeSet::new();
    for (name, service) in &mut instances {
        let environment = service["environment"].as_object_mut().unwrap();
        let id = environment.remove("INSTANCE_ID").unwrap();
        assert_eq!(id.as_str(), Some(name.as_str()));
        assert_eq!(environment["STORAGE_BACKEND"], "redis");
        alike.insert(service.to_string());
    }

    assert_eq!(alike.len(), 1, "{alike:#?}");
}

#[test]
fn compose_builds_the_image_of_this_repository_and_lets_it_finish() {
    let dockerfile = Path::new(ROOT).join("Dockerfile").canonicalize().unwrap();

    for (name, service) in composed_instances() {
        let context = Path::new(ROOT)
            .join("deploy/compose")
            .join(string(&service, "/build/context"));
        let built = context.join(string(&service, "/build/dockerfile"));
        assert_eq!(built.canonicalize().unwrap(), dockerfile, "{name}");

        let grace_ms = string(&service, "/environment/SHUTDOWN_GRACE_MS");
        let patience = string(&service, "/stop_grace_period");
        assert!(
            seconds(patience) * 1000 > grace_ms.parse().unwrap(),
            "{name}: {patience} against {grace_ms} ms"
        );
        assert_eq!(string(&service, "/stop_signal"), "SIGTERM", "{name}");
    }
}

/// The image holds one program and no shell, so nothing inside can be asked how it is.
#[test]
fn compose_asks_for_health_only_where_something_can_answer() {
    let compose = one_yaml(COMPOSE);

    for (name, service) in members(&compose, "/services") {
        if service.get("build").is_some() {
            assert_eq!(pick(service, "/healthcheck/disable"), true, "{name}");
        }
        assert_eq!(string(service, "/restart"), "unless-stopped", "{name}");
        let limits = members(service, "/deploy/resources/limits");
        assert!(
            limits.contains_key("cpus") && limits.contains_key("memory"),
            "{name}"
        );

        let needed = service.get("depends_on").and_then(Json::as_object);
        for (other, how) in needed.into_iter().flatten() {
            let other = pick(&compose, &format!("/services/{other}"));
            match string(how, "/condition") {
                "service_started" => {}
                "service_healthy" => assert!(
                    other.pointer("/healthcheck/test").is_some(),
                    "{name} waits for the health of a service that has none"
                ),
                condition => panic!("{name}: {condition}"),
            }
        }
    }
}

#[test]
fn compose_opens_one_port_to_the_world() {
    let compose = one_yaml(COMPOSE);
    let mut open = Vec::new();

    for (name, service) in members(&compose, "/services") {
        let ports = service.get("ports").and_then(Json::as_array);
        for port in ports.into_iter().flatten() {
            let port = port.as_str().unwrap();
            if !port.starts_with("127.0.0.1:") {
                open.push((name.as_str(), port));
            }
        }
    }

    assert_eq!(open, [("balancer", "${PUBLIC_PORT:-9000}:9000")]);
}

#[test]
fn compose_mounts_files_that_exist_where_their_readers_look() {
    let compose = one_yaml(COMPOSE);
    let mut unused: BTreeSet<_> = ["configs", "volumes", "networks"]
        .into_iter()
        .flat_map(|kind| {
            members(&compose, &format!("/{kind}"))
                .keys()
                .map(move |name| (kind, name.as_str()))
        })
        .collect();
    let defined = unused.clone();
    let mut mounted = BTreeSet::new();

    for (service, settings) in members(&compose, "/services") {
        let list = |kind| {
            settings
                .get(kind)
                .and_then(Json::as_array)
                .into_iter()
                .flatten()
        };
        let mut used = Vec::new();
        for config in list("configs") {
            used.push(("configs", string(config, "/source")));
            mounted.insert((service.as_str(), string(config, "/target").to_owned()));
        }
        for volume in list("volumes") {
            used.push((
                "volumes",
                volume.as_str().unwrap().split(':').next().unwrap(),
            ));
        }
        for network in list("networks") {
            used.push(("networks", network.as_str().unwrap()));
        }
        for part in used {
            assert!(
                defined.contains(&part),
                "{service}: {part:?} is nowhere defined"
            );
            unused.remove(&part);
        }
    }
    assert!(unused.is_empty(), "{unused:?}");

    let folder = Path::new(ROOT).join("deploy/compose");
    for (name, config) in members(&compose, "/configs") {
        match config.get("file") {
            Some(file) => assert!(folder.join(file.as_str().unwrap()).is_file(), "{name}"),
            None => assert!(config.get("content").is_some(), "{name}"),
        }
    }

    let rules = one_yaml("deploy/compose/prometheus.yml");
    let mut looked_for: Vec<_> = items(&rules, "/rule_files")
        .iter()
        .map(|file| ("prometheus", file.as_str().unwrap().to_owned()))
        .collect();
    for line in read("deploy/compose/redis.conf").lines() {
        if let Some(file) = line.strip_prefix("include ") {
            looked_for.push(("redis", file.to_owned()));
        }
    }
    let providers = one_yaml("deploy/compose/grafana/provisioning/dashboards/rapier.yml");
    looked_for.push((
        "grafana",
        format!(
            "{}/rapier.json",
            string(&providers, "/providers/0/options/path")
        ),
    ));
    let home = "/services/grafana/environment/GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH";
    looked_for.push(("grafana", string(&compose, home).to_owned()));
    assert!(looked_for.len() >= 4);
    for place in looked_for {
        assert!(mounted.contains(&place), "{place:?} is not mounted");
    }
}

#[test]
fn compose_takes_secrets_from_an_env_file_whose_example_names_them_all() {
    let compose = read(COMPOSE);
    let mut required = BTreeSet::new();
    let mut optional = BTreeSet::new();
    for (start, _) in compose.match_indices("${") {
        let expression = compose[start + 2..].split('}').next().unwrap();
        match expression.split_once(":?") {
            Some((name, _)) => required.insert(name),
            None => optional.insert(expression.split_once(":-").unwrap().0),
        };
    }

    let example = read("deploy/compose/.env.example");
    let lines = example.lines().filter(|line| !line.starts_with('#'));
    let listed: BTreeMap<_, _> = lines.filter_map(|line| line.split_once('=')).collect();

    let names: BTreeSet<_> = listed.keys().copied().collect();
    assert_eq!(&required | &optional, names);
    for secret in ["REDIS_PASSWORD", "INTERNAL_SECRET", "GRAFANA_PASSWORD"] {
        assert!(required.contains(secret), "{secret} has a default");
        assert_eq!(listed[secret], "", "{secret} is given away");
    }
    assert!(
        read("deploy/compose/.gitignore")
            .lines()
            .any(|line| line == "/.env")
    );
}

#[test]
fn redis_in_compose_forgets_and_evicts_nothing() {
    let conf = read("deploy/compose/redis.conf");
    let settings: BTreeMap<_, _> = conf
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(' '))
        .collect();

    assert_eq!(settings["maxmemory-policy"], "noeviction");
    assert_eq!(settings["appendonly"], "yes");
    assert_eq!(settings["appendfsync"], "everysec");
    let own = settings["maxmemory"].strip_suffix("mb").unwrap();
    let compose = one_yaml(COMPOSE);
    let limit = string(&compose, "/services/redis/deploy/resources/limits/memory");
    let limit = limit.strip_suffix('m').unwrap();
    assert!(
        limit.parse::<u32>().unwrap() >= 2 * own.parse::<u32>().unwrap(),
        "rewriting the log may double what Redis needs: {own} MB of {limit} MB"
    );
    let content = string(&compose, "/configs/redis-auth/content");
    assert!(
        content.starts_with("requirepass ${REDIS_PASSWORD"),
        "{content}"
    );
}

/// The words that follow these at the start of a line.
fn after<'a, 'b>(lines: &'a [Vec<&'b str>], start: &[&str]) -> &'a [&'b str] {
    let line = lines.iter().find(|line| line.starts_with(start));
    let line = line.unwrap_or_else(|| panic!("no line starts with {start:?}"));
    &line[start.len()..]
}

#[test]
fn the_balancer_knows_every_instance_and_asks_whether_it_is_ready() {
    let config = read("deploy/compose/haproxy.cfg");
    let words: Vec<Vec<_>> = config
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();

    let servers: BTreeSet<_> = words
        .iter()
        .filter_map(|line| line.strip_prefix(&["server"]))
        .map(|server| format!("{} {}", server[0], server[1]))
        .collect();
    let instances = composed_instances().into_keys();
    let expected: BTreeSet<_> = instances
        .map(|name| format!("{name} {name}:9000"))
        .collect();
    assert_eq!(servers, expected);
    assert_eq!(
        after(&words, &["http-check", "send"]),
        ["meth", "GET", "uri", "/ready"]
    );
    assert!(after(&words, &["default-server"]).contains(&"check"));
    assert!(
        seconds(after(&words, &["timeout", "server"])[0]) * 1000 > DEFAULT_REQUEST_TIMEOUT_MS,
        "the balancer gives up before the service does"
    );
    assert_eq!(
        after(&words, &["retry-on"]),
        ["conn-failure"],
        "the rest is not safe to repeat"
    );

    let header = after(&words, &["http-request", "set-header"])[0];
    for (name, service) in composed_instances() {
        assert_eq!(
            string(&service, "/environment/CLIENT_IP_HEADER"),
            header,
            "{name}"
        );
    }
    let compose = one_yaml(COMPOSE);
    let subnet = pick(&compose, "/networks/fleet/ipam/config/0/subnet");
    for (name, service) in composed_instances() {
        assert_eq!(
            pick(&service, "/environment/TRUSTED_PROXIES"),
            subnet,
            "{name}"
        );
    }
}

#[test]
fn prometheus_scrapes_every_instance() {
    let prometheus = one_yaml("deploy/compose/prometheus.yml");
    let job = pick(&prometheus, "/scrape_configs/0");

    let targets: BTreeSet<_> = items(job, "/static_configs/0/targets")
        .iter()
        .map(|target| target.as_str().unwrap().to_owned())
        .collect();
    let expected: BTreeSet<_> = composed_instances()
        .iter()
        .map(|(name, service)| format!("{name}:{}", string(service, "/environment/METRICS_PORT")))
        .collect();

    assert_eq!(targets, expected);
    assert_eq!(string(job, "/metrics_path"), METRICS_PATH);
    let alerts = read("deploy/prometheus/alerts.yml");
    let selector = format!("up{{job=\"{}\"}}", string(job, "/job_name"));
    assert!(alerts.contains(&selector), "no alert on {selector}");
}

const KUBERNETES: &str = "deploy/kubernetes";

/// Every object in the Kubernetes files, with the name of its file.
pub(crate) fn manifests() -> Vec<(String, Json)> {
    let folder = Path::new(ROOT).join(KUBERNETES);
    let entries = fs::read_dir(folder).expect("the folder is there");
    let mut files: Vec<_> = entries
        .map(|entry| PathBuf::from(entry.expect("a readable entry").file_name()))
        .filter(|file| file.extension() == Some(OsStr::new("yaml")))
        .map(|file| file.display().to_string())
        .filter(|file| file != "secret.yaml")
        .collect();
    files.sort();
    let mut objects = Vec::new();
    for file in files {
        for object in yaml(&format!("{KUBERNETES}/{file}")) {
            objects.push((file.clone(), object));
        }
    }
    objects
}

/// The one object of this kind.
fn manifest(kind: &str, name: &str) -> Json {
    let mut found: Vec<_> = manifests()
        .into_iter()
        .map(|(_, object)| object)
        .filter(|object| object["kind"] == kind && object["metadata"]["name"] == name)
        .collect();
    assert_eq!(found.len(), 1, "{kind} {name}");
    found.remove(0)
}

const NAME: &str = env!("CARGO_PKG_NAME");

fn container() -> Json {
    let deployment = manifest("Deployment", NAME);
    let containers = items(&deployment, "/spec/template/spec/containers");
    assert_eq!(containers.len(), 1);
    containers[0].clone()
}

#[test]
fn every_kubernetes_object_says_what_it_is_and_is_applied() {
    let kustomization = manifest("Kustomization", NAME);
    let applied: BTreeSet<_> = items(&kustomization, "/resources")
        .iter()
        .map(|file| file.as_str().unwrap().to_owned())
        .collect();
    // The first two by hand, as they say; the third applies the others.
    let mut files = applied.clone();
    for other in [
        "secret.example.yaml",
        "servicemonitor.yaml",
        "kustomization.yaml",
    ] {
        assert!(
            files.insert(other.to_owned()),
            "{other} is applied with the others"
        );
    }

    let mut seen = BTreeSet::new();
    for (file, object) in manifests() {
        let group = string(&object, "/apiVersion");
        let kind = string(&object, "/kind");
        let expected = match kind {
            "Deployment" => "apps/v1",
            "Service" | "ConfigMap" | "Secret" => "v1",
            "PodDisruptionBudget" => "policy/v1",
            "NetworkPolicy" => "networking.k8s.io/v1",
            "ServiceMonitor" => "monitoring.coreos.com/v1",
            "Kustomization" => "kustomize.config.k8s.io/v1beta1",
            kind => panic!("{file}: {kind}"),
        };
        assert_eq!(group, expected, "{file}");
        assert!(
            string(&object, "/metadata/name").starts_with(NAME),
            "{file}"
        );
        if kind != "Kustomization" {
            assert_eq!(
                object["metadata"]["labels"]["app.kubernetes.io/name"], NAME,
                "{file}"
            );
        }
        seen.insert(file);
    }
    assert_eq!(seen, files);
    assert_eq!(
        container()["image"],
        pick(&kustomization, "/images/0/name").clone()
    );
    assert!(
        read("deploy/kubernetes/.gitignore")
            .lines()
            .any(|line| line == "/secret.yaml")
    );
}

#[test]
fn kubernetes_selects_the_pods_it_starts() {
    let deployment = manifest("Deployment", NAME);
    let labels = members(&deployment, "/spec/template/metadata/labels");
    let carried = |wanted: &Json| {
        let wanted = wanted.as_object().unwrap();
        !wanted.is_empty()
            && wanted
                .iter()
                .all(|(label, value)| labels.get(label) == Some(value))
    };

    assert!(carried(pick(&deployment, "/spec/selector/matchLabels")));
    for spread in items(&deployment, "/spec/template/spec/topologySpreadConstraints") {
        assert!(carried(pick(spread, "/labelSelector/matchLabels")));
    }
    let budget = manifest("PodDisruptionBudget", NAME);
    assert!(carried(pick(&budget, "/spec/selector/matchLabels")));
    let policy = manifest("NetworkPolicy", NAME);
    assert!(carried(pick(&policy, "/spec/podSelector/matchLabels")));

    let container = container();
    let ports: BTreeSet<_> = items(&container, "/ports")
        .iter()
        .map(|port| string(port, "/name"))
        .collect();
    let internal = format!("{NAME}-internal");
    for service in [manifest("Service", NAME), manifest("Service", &internal)] {
        assert!(carried(pick(&service, "/spec/selector")));
        for port in items(&service, "/spec/ports") {
            assert!(ports.contains(string(port, "/targetPort")), "{port}");
        }
    }
    let internal = manifest("Service", &internal);
    assert_eq!(pick(&internal, "/spec/clusterIP"), "None");
    assert_eq!(pick(&internal, "/spec/publishNotReadyAddresses"), true);

    let monitor = manifest("ServiceMonitor", NAME);
    let watched = members(&monitor, "/spec/selector/matchLabels");
    let offered = members(&internal, "/metadata/labels");
    assert!(
        watched
            .iter()
            .all(|(label, value)| offered.get(label) == Some(value))
    );
    let endpoint = pick(&monitor, "/spec/endpoints/0");
    assert_eq!(string(endpoint, "/path"), METRICS_PATH);
    let listed = items(&internal, "/spec/ports");
    assert!(listed.iter().any(|port| port["name"] == endpoint["port"]));
}

#[test]
fn kubernetes_opens_the_ports_that_the_service_listens_on() {
    let settings = manifest("ConfigMap", NAME);
    let container = container();
    let port = |name: &str| {
        let ports = items(&container, "/ports").iter();
        let mut named = ports.filter(|port| port["name"] == name);
        whole(named.next().unwrap(), "/containerPort").to_string()
    };

    for (name, setting) in [
        ("http", "PORT"),
        ("internal", "INTERNAL_PORT"),
        ("metrics", "METRICS_PORT"),
    ] {
        assert_eq!(
            port(name),
            string(&settings, &format!("/data/{setting}")),
            "{setting}"
        );
    }
    let environment = items(&container, "/env");
    let value = |name: &str| {
        environment
            .iter()
            .find(|entry| entry["name"] == name)
            .unwrap()
    };
    assert_eq!(
        string(value("ADVERTISE_URL"), "/value"),
        format!("http://$(POD_IP):{}", port("internal"))
    );
    assert_eq!(
        string(value("POD_IP"), "/valueFrom/fieldRef/fieldPath"),
        "status.podIP"
    );
    assert_eq!(
        string(value("INSTANCE_ID"), "/valueFrom/fieldRef/fieldPath"),
        "metadata.name"
    );
    for source in items(&container, "/envFrom") {
        let (kind, source) = source.as_object().unwrap().iter().next().unwrap();
        let kind = match kind.as_str() {
            "configMapRef" => "ConfigMap",
            "secretRef" => "Secret",
            kind => panic!("{kind}"),
        };
        manifest(kind, string(source, "/name"));
    }
}

#[test]
fn kubernetes_probes_what_each_probe_is_for() {
    let container = container();

    for (probe, path) in [
        ("startupProbe", "/health"),
        ("livenessProbe", "/health"),
        ("readinessProbe", "/ready"),
    ] {
        assert_eq!(string(&container, &format!("/{probe}/httpGet/path")), path);
        assert_eq!(
            string(&container, &format!("/{probe}/httpGet/port")),
            "http"
        );
    }
}

#[test]
fn kubernetes_replaces_one_pod_at_a_time_and_lets_it_finish() {
    let deployment = manifest("Deployment", NAME);
    let settings = manifest("ConfigMap", NAME);
    let container = container();

    assert_eq!(whole(&deployment, "/spec/replicas"), 3);
    assert_eq!(
        whole(&deployment, "/spec/strategy/rollingUpdate/maxUnavailable"),
        1
    );
    assert_eq!(
        whole(
            &manifest("PodDisruptionBudget", NAME),
            "/spec/maxUnavailable"
        ),
        1
    );
    let patience = whole(
        &deployment,
        "/spec/template/spec/terminationGracePeriodSeconds",
    );
    let before = whole(&container, "/lifecycle/preStop/sleep/seconds");
    let grace_ms: i64 = string(&settings, "/data/SHUTDOWN_GRACE_MS")
        .parse()
        .unwrap();
    assert!(
        (patience - before) * 1000 > grace_ms,
        "{patience} s, {before} s, {grace_ms} ms"
    );
}

#[test]
fn kubernetes_gives_the_pods_no_rights() {
    let deployment = manifest("Deployment", NAME);
    let pod = pick(&deployment, "/spec/template/spec");
    let container = container();
    let dockerfile = read("Dockerfile");
    let user = dockerfile
        .lines()
        .find_map(|line| line.strip_prefix("USER "))
        .unwrap();

    assert_eq!(pick(pod, "/automountServiceAccountToken"), false);
    assert_eq!(pick(pod, "/securityContext/runAsNonRoot"), true);
    assert_eq!(
        format!(
            "{}:{}",
            whole(pod, "/securityContext/runAsUser"),
            whole(pod, "/securityContext/runAsGroup")
        ),
        user
    );
    assert_eq!(
        pick(pod, "/securityContext/seccompProfile/type"),
        "RuntimeDefault"
    );
    let rights = pick(&container, "/securityContext");
    assert_eq!(pick(rights, "/allowPrivilegeEscalation"), false);
    assert_eq!(pick(rights, "/readOnlyRootFilesystem"), true);
    assert_eq!(items(rights, "/capabilities/drop"), &["ALL"]);
    assert!(container.pointer("/resources/limits/memory").is_some());
}

#[test]
fn only_pods_reach_the_internal_port_and_only_prometheus_the_metrics() {
    let policy = manifest("NetworkPolicy", NAME);
    let mut rules = BTreeMap::new();
    for rule in items(&policy, "/spec/ingress") {
        for port in items(rule, "/ports") {
            let before = rules.insert(string(port, "/port"), rule.get("from"));
            assert!(before.is_none(), "{port} has two rules");
        }
    }

    assert_eq!(
        rules.keys().copied().collect::<Vec<_>>(),
        ["http", "internal", "metrics"]
    );
    assert_eq!(rules["http"], None, "clients may come from anywhere");
    let own = pick(&policy, "/spec/podSelector");
    assert_eq!(
        rules["internal"],
        Some(&serde_json::json!([{ "podSelector": own }]))
    );
    let namespace = "/0/namespaceSelector/matchLabels/kubernetes.io~1metadata.name";
    assert_eq!(string(rules["metrics"].unwrap(), namespace), "monitoring");
}

const DASHBOARD: &str = "deploy/grafana/dashboard.json";
const ALERTS: &str = "deploy/prometheus/alerts.yml";

fn dashboard() -> Json {
    serde_json::from_str(&read(DASHBOARD)).expect("the dashboard is JSON")
}

/// The metrics that a query names, without what a histogram adds.
fn metrics(query: &str) -> BTreeSet<String> {
    query
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with("rapier_"))
        .map(|word| {
            let endings = ["_bucket", "_sum", "_count"];
            let base = endings.iter().find_map(|ending| word.strip_suffix(ending));
            base.unwrap_or(word).to_owned()
        })
        .collect()
}

/// Those of the first column of the table in the manual.
fn documented_metrics() -> BTreeSet<String> {
    let manual = read("docs/monitoring.md");
    let rows = manual.lines().filter(|line| line.starts_with("| `rapier_"));
    rows.flat_map(|row| metrics(row.split('|').nth(1).unwrap_or_default()))
        .collect()
}

#[test]
fn the_dashboard_shows_every_metric_and_no_other() {
    let dashboard = dashboard();
    let mut shown = BTreeSet::new();

    for panel in items(&dashboard, "/panels") {
        if panel["type"] == "row" {
            continue;
        }
        for target in items(panel, "/targets") {
            let query = string(target, "/expr");
            let named = metrics(query);
            assert!(!named.is_empty(), "{query} asks for nothing of the service");
            assert_eq!(
                query
                    .matches(r#"{job=~"$job",instance=~"$instance""#)
                    .count(),
                query.matches("rapier_").count(),
                "{query} forgets the choice of instances"
            );
            shown.extend(named);
        }
    }

    assert!(shown.len() > 20);
    assert_eq!(
        shown,
        documented_metrics(),
        "the dashboard and docs/monitoring.md differ"
    );
}

#[test]
fn no_panel_of_the_dashboard_covers_another() {
    let dashboard = dashboard();
    let mut covered = BTreeSet::new();
    let mut ids = BTreeSet::new();

    for panel in items(&dashboard, "/panels") {
        assert!(ids.insert(whole(panel, "/id")), "{panel}");
        let [x, y, w, h] =
            ["x", "y", "w", "h"].map(|side| whole(panel, &format!("/gridPos/{side}")));
        assert!(x + w <= 24, "{panel}");
        for place in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            assert!(covered.insert(place), "{} covers another", panel["title"]);
        }
    }
}

#[test]
fn alerts_ask_for_metrics_of_the_dashboard_and_the_manual_says_what_to_do() {
    let manual = read("docs/monitoring.md");
    let rules = one_yaml(ALERTS);
    let known = documented_metrics();
    let mut names = BTreeSet::new();

    for rule in items(&rules, "/groups/0/rules") {
        let name = string(rule, "/alert");
        let query = string(rule, "/expr");
        let named = metrics(query);
        assert!(named.is_subset(&known), "{name}: {named:?}");
        assert!(
            !named.is_empty() || query.starts_with("up{"),
            "{name}: {query}"
        );
        assert!(
            ["critical", "warning"].contains(&string(rule, "/labels/severity")),
            "{name}"
        );
        assert!(!string(rule, "/annotations/summary").is_empty());
        names.insert(name);
    }

    let rows = manual
        .lines()
        .filter_map(|line| line.strip_prefix("| `Rapier"));
    let explained: BTreeSet<_> = rows.filter_map(|row| row.split('`').next()).collect();
    let raised: BTreeSet<_> = names
        .iter()
        .filter_map(|name| name.strip_prefix("Rapier"))
        .collect();
    assert_eq!(raised, explained);
}

/// `30s` as a number.
fn seconds(text: &str) -> i64 {
    let digits = text
        .strip_suffix('s')
        .unwrap_or_else(|| panic!("{text} is not in seconds"));
    digits.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
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

fn rust_files(folder: &Path) -> Vec<PathBuf> {
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
