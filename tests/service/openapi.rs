//! The `OpenAPI` document: valid, complete, and true of the service that publishes it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::harness::{Client, Fleet, Instance, RedisServer, Reply, sphere};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

#[tokio::test(flavor = "multi_thread")]
async fn the_document_is_well_formed() {
    let document = document().await;

    assert!(
        document["openapi"]
            .as_str()
            .is_some_and(|version| version.starts_with("3.1.")),
        "{}",
        document["openapi"]
    );
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    assert!(document["info"]["title"].is_string());
    let mut broken = Vec::new();
    each_reference(&document, &mut |reference| {
        if resolve(&document, reference).is_none() {
            broken.push(reference.to_owned());
        }
    });
    assert!(broken.is_empty(), "references to nowhere: {broken:?}");
    let mut ids = BTreeSet::new();
    let mut twice = Vec::new();
    for operation in operations(&document) {
        let id = operation.spec["operationId"].as_str().unwrap_or("");
        assert!(!id.is_empty(), "{} has no operationId", operation.name());
        if !ids.insert(id.to_owned()) {
            twice.push(operation.name());
        }
        assert!(
            operation.spec["summary"].is_string() || operation.spec["description"].is_string(),
            "{} says nothing about itself",
            operation.name()
        );
        let declared: BTreeSet<_> = operation.spec["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|parameter| parameter["in"] == "path")
            .filter_map(|parameter| parameter["name"].as_str())
            .collect();
        let in_path: BTreeSet<_> = operation
            .path
            .split(['{', '}'])
            .skip(1)
            .step_by(2)
            .collect();
        assert_eq!(declared, in_path, "path parameters of {}", operation.name());
    }
    assert!(twice.is_empty(), "operationId used before: {twice:?}");
    let mut unfit = Vec::new();
    each_default(&document, "", &mut |at, schema| {
        unfit.extend(
            misfits(&document, schema, &schema["default"])
                .iter()
                .map(|fault| format!("{at}: default{fault}")),
        );
    });
    assert!(unfit.is_empty(), "{}", unfit.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_has_examples_that_fit_its_schemas() {
    let document = document().await;
    let mut wrong = Vec::new();

    for operation in operations(&document) {
        let name = operation.name();
        for (kind, content) in contents(&operation.spec["requestBody"]) {
            let is_binary = kind.starts_with("model/") || kind == "application/octet-stream";
            if is_binary || kind == "application/vnd.rapier-bundle" {
                // The bytes of a bundle belong to one version of the engine.
                continue;
            }
            let examples = examples(content);
            if examples.is_empty() {
                wrong.push(format!("{name}: no example of {kind}"));
            }
            for example in examples {
                let faults = misfits(&document, &content["schema"], &example);
                wrong.extend(
                    faults
                        .iter()
                        .map(|fault| format!("{name}: request: {fault}")),
                );
            }
        }
        let responses = operation.spec["responses"].as_object().unwrap();
        if !responses.keys().any(|status| status.starts_with('2')) {
            wrong.push(format!("{name} never succeeds"));
        }
        for (status, response) in responses {
            for (kind, content) in contents(deref(&document, response)) {
                let examples = examples(content);
                if status.starts_with('2') {
                    let is_needed = kind == "application/json" && operation.path != "/openapi.json";
                    if is_needed && examples.is_empty() {
                        wrong.push(format!("{name}: no example of {status}"));
                    }
                } else if operation.path != "/ready" && kind != "application/problem+json" {
                    wrong.push(format!("{name}: {status} is {kind}"));
                }
                for example in examples {
                    let faults = misfits(&document, &content["schema"], &example);
                    wrong.extend(
                        faults
                            .iter()
                            .map(|fault| format!("{name}: {status}: {fault}")),
                    );
                }
            }
        }
    }

    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_takes_its_own_examples_and_answers_as_documented() {
    let document = document().await;
    let redis = RedisServer::start().await;
    let fleet = Fleet::start(1, &redis.url(), &[("DEFAULT_DURABILITY", "journal")]).await;
    let client = fleet[0].client();
    let asset = uploaded(&client, &document).await;
    let mut documented = BTreeSet::new();
    let mut called = BTreeSet::new();

    for operation in operations(&document) {
        documented.insert(operation.name());
        let mut requests: Vec<Option<Value>> = contents(&operation.spec["requestBody"])
            .into_iter()
            .filter(|(kind, _)| *kind == "application/json")
            .flat_map(|(_, content)| examples(content))
            .map(Some)
            .collect();
        if requests.is_empty() {
            requests.push(None);
        }
        for body in requests {
            let sim = prepared(&client, operation.path, body.as_ref()).await;
            let path = operation
                .path
                .replace("{sim_id}", &sim)
                .replace("{body_id}", "ball")
                .replace("{joint_id}", "hinge")
                .replace("{code}", "body_not_found")
                .replace("{sha256}", &asset)
                .replace("{controller_id}", "autopilot");
            assert!(
                !path.contains('{'),
                "an unknown parameter in {}",
                operation.name()
            );
            let mut call = client.call(&operation.method.to_uppercase(), path);
            if let Some(body) = &body {
                call = call.json(body);
            }
            let reply = call.send().await;
            assert_documented(&document, &operation, &reply);
            assert!(
                (200..300).contains(&reply.status),
                "{} refuses its own example {body:?}: {}",
                operation.name(),
                reply.text()
            );
            called.insert(operation.name());
            if operation.name() == "post /simulations" {
                let made = reply.json()["sim_id"].as_str().unwrap().to_owned();
                client.destroy(&made).await.expect_status(204);
            }
        }
    }

    assert_eq!(called, documented);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_lists_every_route_and_no_other() {
    let document = document().await;
    let found: BTreeSet<_> = operations(&document).iter().map(Operation::name).collect();

    let expected: BTreeSet<_> = [
        "get /health",
        "get /ready",
        "get /capabilities",
        "get /assets/{sha256}",
        "put /assets/{sha256}",
        "get /simulations",
        "post /simulations",
        "get /simulations/{sim_id}",
        "patch /simulations/{sim_id}",
        "delete /simulations/{sim_id}",
        "post /simulations/{sim_id}/keepalive",
        "get /simulations/{sim_id}/events",
        "post /simulations/{sim_id}/commands",
        "get /simulations/{sim_id}/journal",
        "post /simulations/{sim_id}/verify",
        "get /simulations/{sim_id}/bundle",
        "get /simulations/{sim_id}/state",
        "get /simulations/{sim_id}/contacts",
        "get /simulations/{sim_id}/energy",
        "post /simulations/{sim_id}/queries",
        "post /simulations/{sim_id}/step",
        "get /simulations/{sim_id}/bodies",
        "post /simulations/{sim_id}/bodies",
        "get /simulations/{sim_id}/bodies/{body_id}",
        "patch /simulations/{sim_id}/bodies/{body_id}",
        "delete /simulations/{sim_id}/bodies/{body_id}",
        "post /simulations/{sim_id}/bodies/{body_id}/impulse",
        "put /simulations/{sim_id}/bodies/{body_id}/force",
        "delete /simulations/{sim_id}/bodies/{body_id}/force",
        "post /simulations/{sim_id}/bodies/{body_id}/trajectory",
        "post /simulations/{sim_id}/imports",
        "get /simulations/{sim_id}/joints",
        "post /simulations/{sim_id}/joints",
        "get /simulations/{sim_id}/joints/{joint_id}",
        "patch /simulations/{sim_id}/joints/{joint_id}",
        "delete /simulations/{sim_id}/joints/{joint_id}",
        "get /simulations/{sim_id}/controllers",
        "post /simulations/{sim_id}/controllers",
        "get /simulations/{sim_id}/controllers/{controller_id}",
        "patch /simulations/{sim_id}/controllers/{controller_id}",
        "delete /simulations/{sim_id}/controllers/{controller_id}",
        "post /simulations/{sim_id}/inverse_kinematics",
    ]
    .map(str::to_owned)
    .into();

    let missing: Vec<_> = expected.difference(&found).collect();
    assert!(missing.is_empty(), "not documented: {missing:?}");
    for extra in found.difference(&expected) {
        assert!(
            ["get /openapi.json", "get /docs", "get /problems/{code}"].contains(&extra.as_str()),
            "documented, but promised nowhere: {extra}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn problems_fit_the_schema_they_are_documented_with() {
    let document = document().await;
    let instance = Instance::in_process(&["--max-bodies-per-simulation", "2"]).await;
    let client = instance.client();
    let sim = prepared_in(&client, json!({"bodies": [sphere("ball", 0.5, [0.0; 3])]})).await;
    let all = operations(&document);
    let find = |name: &str| {
        all.iter()
            .find(|operation| operation.name() == name)
            .unwrap()
    };

    for (name, reply) in [
        (
            "get /simulations/{sim_id}/state",
            client.state("nobody").await,
        ),
        (
            "post /simulations/{sim_id}/step",
            client.step_with(&sim, &json!({"steps": -1})).await,
        ),
        (
            "post /simulations/{sim_id}/step",
            client
                .post_text(format!("/simulations/{sim}/step"), "{")
                .await,
        ),
        (
            "post /simulations",
            client
                .create_simulation(&json!({"dt": 0, "gravity": [0, 1e9, 1e300]}))
                .await,
        ),
        (
            "post /simulations/{sim_id}/bodies",
            client.add_body(&sim, &sphere("ball", 0.5, [0.0; 3])).await,
        ),
        (
            "post /simulations/{sim_id}/bodies",
            client
                .add_body(
                    &sim,
                    &json!([sphere("b", 0.5, [0.0; 3]), sphere("c", 0.5, [0.0; 3])]),
                )
                .await,
        ),
    ] {
        assert!(reply.status >= 400, "{}", reply.text());
        assert_documented(&document, find(name), &reply);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documentation_page_works_offline() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();

    let page = client.get("/docs").await.expect_status(200);

    let html = String::from_utf8(page.body.clone()).unwrap();
    assert!(
        page.header("content-type")
            .is_some_and(|kind| kind.starts_with("text/html")),
        "{:?}",
        page.header("content-type")
    );
    for piece in html
        .split(['"', '\'', '('])
        .filter(|piece| piece.starts_with("http"))
    {
        let loads = html.contains(&format!("src=\"{piece}\""))
            || html.contains(&format!("<link rel=\"stylesheet\" href=\"{piece}\""));
        assert!(!loads, "the page loads {piece}");
    }
    for script in html.split("<script").skip(1) {
        let Some(source) = script
            .split('>')
            .next()
            .and_then(|tag| tag.split("src=\"").nth(1))
            .and_then(|rest| rest.split('"').next())
        else {
            continue;
        };
        let script = client.get(source.replace("./", "/")).await;
        assert_eq!(script.status, 200, "{source}");
    }
}

struct Operation<'a> {
    method: &'a str,
    path: &'a str,
    spec: &'a Value,
}

impl Operation<'_> {
    fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

async fn document() -> Value {
    let instance = Instance::in_process(&[]).await;
    let reply = instance
        .client()
        .get("/openapi.json")
        .await
        .expect_status(200);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    reply.json()
}

fn operations(document: &Value) -> Vec<Operation<'_>> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().expect("a document has paths") {
        for method in METHODS {
            if let Some(spec) = item.get(method) {
                all.push(Operation { method, path, spec });
            }
        }
    }
    all
}

/// A world in which the example of a request makes sense and takes no name twice.
/// Uploads the mesh that the document shows; its name.
async fn uploaded(client: &Client, document: &Value) -> String {
    let upload = &document["paths"]["/assets/{sha256}"]["put"];
    let mesh = &upload["requestBody"]["content"]["application/json"]["example"];
    let digest = Sha256::digest(mesh.to_string());
    let digits: Vec<_> = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let name = digits.concat();
    let made = client.put(format!("/assets/{name}"), mesh).await;
    made.expect_status(201);
    name
}

async fn prepared(client: &Client, path: &str, example: Option<&Value>) -> String {
    if path.contains("/controllers") {
        return prepared_for_controllers(client, path, example).await;
    }
    if path.ends_with("/bodies") && example.is_some() {
        return client.simulation(&json!({})).await;
    }
    let mut bodies = BTreeMap::from([("ball", [0.0, 5.0, 0.0]), ("partner", [3.0, 5.0, 0.0])]);
    let joints = match example {
        Some(Value::Array(items)) => items.iter().collect(),
        Some(item) => vec![item],
        None => Vec::new(),
    };
    for (n, joint) in (2_i32..).zip(joints) {
        for end in ["body_a", "body_b"] {
            if let Some(id) = joint[end].as_str() {
                let x = if end == "body_a" { 0.0 } else { 3.0 };
                bodies.entry(id).or_insert([x, f64::from(n) * 5.0, 0.0]);
            }
        }
    }
    let bodies: Vec<_> = bodies
        .into_iter()
        .map(|(id, at)| sphere(id, 0.5, at))
        .collect();
    if path.ends_with("/joints") && example.is_some() {
        return prepared_in(client, json!({"bodies": bodies})).await;
    }
    prepared_in(
        client,
        json!({"bodies": bodies, "joints": [
            {"id": "hinge", "joint_type": "revolute", "body_a": "ball", "body_b": "partner",
             "anchor_a": [3, 0, 0], "limits": [-1, 1],
             "multibody": path.ends_with("/inverse_kinematics")}]}),
    )
    .await
}

/// A simulation with the bodies that the examples of controllers move, and one controller unless
/// others are to be added.
async fn prepared_for_controllers(client: &Client, path: &str, example: Option<&Value>) -> String {
    let walker = json!({"id": "walker", "kind": "kinematic", "shape": "capsule", "size": [0.6, 0.3],
                        "position": [5, 1, 0]});
    let bodies = json!([sphere("ball", 0.5, [0.0, 5.0, 0.0]), walker]);
    let sim = prepared_in(client, json!({"bodies": bodies})).await;
    if !(path.ends_with("/controllers") && example.is_some()) {
        let pilot = json!({"id": "autopilot", "type": "pid", "body_id": "ball",
                           "target_position": [0, 9, 0]});
        let path = format!("/simulations/{sim}/controllers");
        client.post(path, &pilot).await.expect_status(201);
    }
    sim
}

async fn prepared_in(client: &Client, world: Value) -> String {
    client.simulation(&world).await
}

/// Fails unless the reply is one that the document announces for this operation.
#[track_caller]
fn assert_documented(document: &Value, operation: &Operation<'_>, reply: &Reply) {
    let name = operation.name();
    let responses = &operation.spec["responses"];
    let status = reply.status.to_string();
    let response = responses
        .get(&status)
        .or_else(|| responses.get(format!("{}XX", &status[..1])))
        .or_else(|| responses.get("default"))
        .unwrap_or_else(|| panic!("{name}: {status} is not documented: {}", reply.text()));
    let contents = contents(deref(document, response));
    if reply.body.is_empty() {
        assert!(contents.is_empty(), "{name}: {status} should have a body");
        return;
    }
    let kind = reply.header("content-type").unwrap_or("");
    let kind = kind.split(';').next().unwrap_or("");
    let content = contents
        .iter()
        .find(|(documented, _)| *documented == kind)
        .unwrap_or_else(|| panic!("{name}: {status} as {kind} is not documented"))
        .1;
    if kind == "application/json" || kind.ends_with("+json") {
        let faults = misfits(document, &content["schema"], &reply.json());
        assert!(
            faults.is_empty(),
            "{name}: {status}: {faults:?}: {}",
            reply.text()
        );
    }
}

fn contents(part: &Value) -> Vec<(&str, &Value)> {
    part["content"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(kind, content)| (kind.as_str(), content))
        .collect()
}

fn examples(content: &Value) -> Vec<Value> {
    let single = content.get("example").cloned();
    let several = content["examples"]
        .as_object()
        .into_iter()
        .flat_map(Map::values)
        .filter_map(|example| example.get("value").cloned());
    single.into_iter().chain(several).collect()
}

fn each_reference<'a>(value: &'a Value, visit: &mut impl FnMut(&'a str)) {
    match value {
        Value::Object(members) => {
            if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
                visit(reference);
            }
            for member in members.values() {
                each_reference(member, visit);
            }
        }
        Value::Array(items) => {
            for item in items {
                each_reference(item, visit);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Visits every schema that has a default.
fn each_default(value: &Value, at: &str, visit: &mut impl FnMut(&str, &Value)) {
    match value {
        Value::Object(members) => {
            if members.contains_key("default") && members.contains_key("type") {
                visit(at, value);
            }
            for (name, member) in members {
                if name != "example" && name != "examples" {
                    each_default(member, &format!("{at}/{name}"), visit);
                }
            }
        }
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                each_default(item, &format!("{at}/{n}"), visit);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn resolve<'a>(document: &'a Value, reference: &str) -> Option<&'a Value> {
    document.pointer(reference.strip_prefix('#')?)
}

fn deref<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => deref(
            document,
            resolve(document, reference).expect("references were checked"),
        ),
        None => value,
    }
}

/// What about a value contradicts a schema, as far as this service's schemas go.
fn misfits(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    fit(document, schema, value, "", &mut faults);
    if let Value::Object(members) = value {
        undocumented(document, schema, members, "", &mut faults);
    }
    faults
}

fn fit(document: &Value, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
    let schema = deref(document, schema);
    for part in schema["allOf"].as_array().into_iter().flatten() {
        fit(document, part, value, at, faults);
    }
    for choice in ["oneOf", "anyOf"] {
        if let Some(parts) = schema[choice].as_array() {
            let fits = |part: &&Value| {
                let mut faults = Vec::new();
                fit(document, part, value, at, &mut faults);
                faults.is_empty()
            };
            if !parts.iter().any(|part| fits(&part)) {
                faults.push(format!("{at}: none of the alternatives fits {value}"));
            }
        }
    }
    if !has_type(&schema["type"], value) {
        faults.push(format!("{at}: {value} is not of type {}", schema["type"]));
        return;
    }
    if let Some(words) = schema["enum"].as_array()
        && !words.contains(value)
    {
        faults.push(format!("{at}: {value} is none of {words:?}"));
    }
    match value {
        Value::Object(members) => {
            for name in schema["required"].as_array().into_iter().flatten() {
                if !members.contains_key(name.as_str().unwrap_or("")) {
                    faults.push(format!("{at}: {name} is missing"));
                }
            }
            for (name, member) in members {
                let known = schema["properties"].get(name);
                if let Some(inner) = known.or(schema
                    .get("additionalProperties")
                    .filter(|inner| inner.is_object()))
                {
                    let at = format!("{at}/{name}");
                    fit(document, inner, member, &at, faults);
                    if let Value::Object(members) = member {
                        undocumented(document, inner, members, &at, faults);
                    }
                }
            }
        }
        Value::Array(items) => {
            let count = items.len() as u64;
            if schema["minItems"]
                .as_u64()
                .is_some_and(|least| count < least)
                || schema["maxItems"].as_u64().is_some_and(|most| count > most)
            {
                faults.push(format!("{at}: {count} items"));
            }
            for (n, item) in items.iter().enumerate() {
                let inner = schema["prefixItems"].get(n).unwrap_or(&schema["items"]);
                if inner.is_object() {
                    let at = format!("{at}/{n}");
                    fit(document, inner, item, &at, faults);
                    if let Value::Object(members) = item {
                        undocumented(document, inner, members, &at, faults);
                    }
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Names members of an object that no part of its schema mentions.
fn undocumented(
    document: &Value,
    schema: &Value,
    members: &Map<String, Value>,
    at: &str,
    faults: &mut Vec<String>,
) {
    let mut known = BTreeSet::new();
    if mentioned(document, schema, &mut known) || known.is_empty() {
        return;
    }
    for name in members.keys().filter(|name| !known.contains(name.as_str())) {
        faults.push(format!("{at}: {name} is not documented"));
    }
}

/// Collects the properties of a schema; true when it allows any others.
fn mentioned<'a>(document: &'a Value, schema: &'a Value, known: &mut BTreeSet<&'a str>) -> bool {
    let schema = deref(document, schema);
    let mut open = schema["additionalProperties"].is_object()
        || schema["additionalProperties"] == true
        || schema["additionalProperties"] == json!({});
    for (name, _) in schema["properties"].as_object().into_iter().flatten() {
        known.insert(name);
    }
    for group in ["allOf", "oneOf", "anyOf"] {
        for part in schema[group].as_array().into_iter().flatten() {
            open |= mentioned(document, part, known);
        }
    }
    open
}

fn has_type(expected: &Value, value: &Value) -> bool {
    let is = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        _ => false,
    };
    match expected {
        Value::String(name) => is(name),
        Value::Array(names) => names.iter().filter_map(Value::as_str).any(is),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => true,
    }
}
