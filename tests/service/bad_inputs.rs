//! Hostile and mistaken requests: each is answered as the table of bad inputs says, row by row.

use std::{
    fmt::Write,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::harness::{Client, Instance, Reply, ground, raw, sphere, zero_gravity};

/// One request and the answers that are right for it.
struct Case {
    row: u8,
    what: &'static str,
    method: &'static str,
    path: &'static str,
    body: Vec<u8>,
    expected: &'static [(u16, &'static str)],
}

const INVALID: &[(u16, &str)] = &[(422, "invalid_value")];
const UNKNOWN: &[(u16, &str)] = &[(422, "unknown_field")];
const MALFORMED: &[(u16, &str)] = &[(400, "malformed_json")];

const CREATE: &str = "/simulations";
const BODIES: &str = "/simulations/s/bodies";
const JOINTS: &str = "/simulations/s/joints";
const STEP: &str = "/simulations/s/step";
const FLIGHT: &str = "/simulations/s/bodies/a/trajectory";
const BALL: &str = "/simulations/s/bodies/a";

fn post(
    row: u8,
    what: &'static str,
    path: &'static str,
    body: impl Into<Vec<u8>>,
    expected: &'static [(u16, &'static str)],
) -> Case {
    Case {
        row,
        what,
        method: "POST",
        path,
        body: body.into(),
        expected,
    }
}

/// Sends every case to one world, which must not change, on a server that must stay healthy.
async fn check(cases: Vec<Case>) {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let before = world(&client).await;

    let mut wrong = Vec::new();
    for case in cases {
        let asked = Instant::now();
        let reply = client
            .call(case.method, case.path)
            .bytes(case.body)
            .header("content-type", "application/json")
            .send()
            .await;
        let context = format!("row {}, {}, {}", case.row, case.what, reply.request);
        if asked.elapsed() > Duration::from_secs(10) {
            wrong.push(format!("slow: {context}"));
        }
        wrong.extend(fault(&reply, case.expected, &context));
    }

    assert!(
        wrong.is_empty(),
        "{} wrong answers:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert_eq!(snapshot(&client).await, before);
    assert_eq!(
        client.health().await.expect_status(200).json()["simulations"],
        1
    );
}

#[track_caller]
fn assert_answer(reply: &Reply, expected: &[(u16, &str)], context: &str) {
    let wrong = fault(reply, expected, context);
    assert!(wrong.is_none(), "{}", wrong.unwrap_or_default());
}

/// What is wrong with an answer, if anything.
#[track_caller]
fn fault(reply: &Reply, expected: &[(u16, &str)], context: &str) -> Option<String> {
    let code = if reply.status < 400 {
        String::new()
    } else {
        reply.problem().code().to_owned()
    };
    let right = expected
        .iter()
        .any(|(status, wanted)| *status == reply.status && *wanted == code);
    (!right).then(|| {
        let text: String = reply.text().chars().take(300).collect();
        format!(
            "{} {code} instead of {expected:?}: {context}: {text}",
            reply.status
        )
    })
}

/// A world `s` with the bodies `a`, `b` and the joint `j`.
async fn world(client: &Client) -> Value {
    client
        .simulation(&json!({
            "id": "s",
            "bodies": [sphere("a", 0.5, [0.0; 3]), sphere("b", 0.5, [3.0, 0.0, 0.0])],
            "joints": [{"id": "j", "joint_type": "spherical", "body_a": "a", "body_b": "b",
                        "anchor_a": [3, 0, 0]}],
        }))
        .await;
    snapshot(client).await
}

async fn snapshot(client: &Client) -> Value {
    json!([
        client.state("s").await.expect_status(200).json(),
        client.bodies("s").await.expect_status(200).json(),
        client.joints("s").await.expect_status(200).json(),
        client.describe("s").await.expect_status(200).json()["config"],
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn row_28_a_wrong_method_is_refused_with_the_right_ones() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    world(&client).await;

    for (path, allowed) in [
        ("/health", &["GET"][..]),
        ("/ready", &["GET"]),
        ("/openapi.json", &["GET"]),
        (CREATE, &["GET", "POST"]),
        ("/simulations/s", &["GET", "PATCH", "DELETE"]),
        ("/simulations/s/state", &["GET"]),
        ("/simulations/s/keepalive", &["POST"]),
        (STEP, &["POST"]),
        (BODIES, &["GET", "POST"]),
        (BALL, &["GET", "PATCH", "DELETE"]),
        (FLIGHT, &["POST"]),
        ("/simulations/s/bodies/a/impulse", &["POST"]),
        ("/simulations/s/bodies/a/force", &["PUT", "DELETE"]),
        (JOINTS, &["GET", "POST"]),
        ("/simulations/s/joints/j", &["GET", "PATCH", "DELETE"]),
    ] {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "PURGE"] {
            if allowed.contains(&method) {
                continue;
            }
            let reply = client.call(method, path).send().await;
            assert_eq!(
                reply.status,
                405,
                "row 28, {method} {path}: {}",
                reply.text()
            );
            assert_eq!(reply.problem().code(), "method_not_allowed");
            let allow = reply.header("allow").unwrap_or("").to_owned();
            let mut offered: Vec<_> = allow.split(',').map(str::trim).collect();
            offered.retain(|method| !["HEAD", "OPTIONS"].contains(method));
            offered.sort_unstable();
            let mut expected = allowed.to_vec();
            expected.sort_unstable();
            assert_eq!(offered, expected, "row 28, {method} {path}");
        }
    }
    client
        .get("/nowhere")
        .await
        .expect_problem(404, "route_not_found");
    client
        .get("/simulations/s/nowhere")
        .await
        .expect_problem(404, "route_not_found");
    for path in [
        "/simulations/",
        "/simulations/s/state/",
        "//simulations",
        "/",
        "",
    ] {
        let reply = client.get(path).await;
        assert!(
            (400..500).contains(&reply.status),
            "row 28, {path}: {}, and clients follow no redirect",
            reply.status
        );
        reply.problem();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn row_37_a_body_over_the_cap_is_refused_before_it_is_read() {
    let cap = 64 * 1024;
    let instance = Instance::in_process(&["--max-request-bytes", "65536"]).await;
    let client = instance.client();
    let padded = |bytes: usize| format!("{{}}{}", " ".repeat(bytes - 2));

    client
        .post_text(CREATE, padded(cap))
        .await
        .expect_status(201);
    let over = client
        .post_text(CREATE, padded(cap + 1))
        .await
        .expect_problem(413, "body_too_large");
    client
        .post_text(CREATE, padded(5 << 20))
        .await
        .expect_problem(413, "body_too_large");
    let declared = raw(
        instance.address(),
        "POST /simulations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
         Content-Length: 10000000000\r\nConnection: close\r\n\r\n{}",
    )
    .await;
    let mut chunks = String::from(
        "POST /simulations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
         Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
    );
    for _ in 0..70 {
        write!(chunks, "400\r\n{}\r\n", " ".repeat(0x400)).unwrap();
    }
    let chunked = raw(instance.address(), chunks + "2\r\n{}\r\n0\r\n\r\n").await;

    assert_eq!(
        (declared.status, declared.code()),
        (413, "body_too_large".to_owned()),
        "row 37, declared"
    );
    assert_eq!(
        (chunked.status, chunked.code()),
        (413, "body_too_large".to_owned()),
        "row 37, chunked"
    );
    assert_eq!(client.health().await.json()["simulations"], 1);
    assert_eq!(
        over.body["limit"], "MAX_REQUEST_BYTES",
        "row 37: {}",
        over.body
    );
    assert_eq!(over.body["maximum"], cap, "row 37");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_39_to_41_only_plain_json_is_read() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    world(&client).await;
    let json = "application/json";

    for (row, what, path, headers) in [
        (
            39,
            "gzip",
            CREATE,
            &[("content-type", json), ("content-encoding", "gzip")][..],
        ),
        (
            39,
            "br",
            STEP,
            &[("content-type", json), ("content-encoding", "br")],
        ),
        (40, "no content type", CREATE, &[]),
        (40, "no content type", STEP, &[]),
        (40, "text", CREATE, &[("content-type", "text/plain")]),
        (
            40,
            "form",
            BODIES,
            &[("content-type", "multipart/form-data; boundary=x")],
        ),
        (
            40,
            "urlencoded",
            STEP,
            &[("content-type", "application/x-www-form-urlencoded")],
        ),
        (40, "nonsense", STEP, &[("content-type", ";;")]),
        (
            41,
            "vendor json",
            CREATE,
            &[("content-type", "application/vnd.x+json")],
        ),
        (
            41,
            "utf-16",
            CREATE,
            &[("content-type", "application/json; charset=utf-16")],
        ),
        (
            41,
            "merge patch on a post",
            STEP,
            &[("content-type", "application/merge-patch+json")],
        ),
    ] {
        let mut call = client.call("POST", path).bytes(r#"{"steps": 0}"#);
        for (name, value) in headers {
            call = call.header(name, value);
        }
        let reply = call.send().await;
        let context = format!("row {row}, {what}: {}", reply.text());
        assert_answer(&reply, &[(415, "unsupported_media_type")], &context);
    }
    let bomb = client
        .call("POST", STEP)
        .bytes(vec![0x1f_u8, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3])
        .header("content-type", json)
        .header("content-encoding", "gzip")
        .send()
        .await;
    assert_answer(&bomb, &[(415, "unsupported_media_type")], "row 39, packed");
    for kind in [
        "application/json; charset=utf-8",
        "Application/JSON",
        "application/json;charset=\"UTF-8\"",
    ] {
        let reply = client
            .call("POST", STEP)
            .bytes(r#"{"steps": 0}"#)
            .header("content-type", kind)
            .send()
            .await;
        assert_eq!(reply.status, 200, "row 41, {kind}: {}", reply.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn row_42_a_client_that_wants_pictures_gets_json_or_a_refusal() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();

    let reply = client
        .call("GET", "/simulations")
        .header("accept", "image/png")
        .send()
        .await;

    if reply.status == 200 {
        assert_eq!(
            reply.header("content-type"),
            Some("application/json"),
            "row 42"
        );
    } else {
        reply.expect_problem(406, "not_acceptable");
    }
    for accept in [
        "*/*",
        "application/*",
        "application/json",
        "text/html, */*;q=0.1",
    ] {
        let reply = client
            .call("GET", "/simulations")
            .header("accept", accept)
            .send()
            .await;
        assert_eq!(reply.status, 200, "row 42, {accept}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn row_47_nobody_assigns_what_the_service_decides() {
    let mut cases = Vec::new();
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    world(&client).await;

    for field in [
        "owner",
        "epoch",
        "fence",
        "token",
        "seq",
        "tenant",
        "status",
        "step",
        "created_at",
    ] {
        for (method, path, body) in [
            ("POST", CREATE, json!({})),
            ("PATCH", "/simulations/s", json!({})),
            ("POST", STEP, json!({"steps": 0})),
            ("POST", FLIGHT, json!({"steps": 0})),
            ("POST", BODIES, sphere("c", 0.5, [9.0, 0.0, 0.0])),
            ("PATCH", BALL, json!({})),
            (
                "POST",
                JOINTS,
                json!({"id": "k", "joint_type": "fixed", "body_a": "a", "body_b": "b"}),
            ),
            (
                "POST",
                "/simulations/s/bodies/a/impulse",
                json!({"impulse": [0, 0, 0]}),
            ),
            ("PUT", "/simulations/s/bodies/a/force", json!({})),
        ] {
            cases.push((method, path, field, body));
        }
    }
    for (method, path, field, mut body) in cases {
        body[field] = json!("me");
        let reply = client.call(method, path).json(&body).send().await;
        let context = format!("row 47, {method} {path} with {field}: {}", reply.text());
        assert_answer(&reply, UNKNOWN, &context);
        assert_eq!(
            reply.problem().pointers(),
            [format!("/{field}")],
            "{context}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn row_48_nothing_answers_after_a_delete() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    world(&client).await;
    client.destroy("s").await.expect_status(204);

    for (method, path, body) in [
        ("GET", "/simulations/s", None),
        ("PATCH", "/simulations/s", Some(json!({"dt": 0.1}))),
        ("DELETE", "/simulations/s", None),
        ("GET", "/simulations/s/state", None),
        ("POST", "/simulations/s/keepalive", None),
        ("POST", STEP, Some(json!({"steps": 1}))),
        ("GET", BODIES, None),
        ("POST", BODIES, Some(sphere("c", 0.5, [0.0; 3]))),
        ("GET", BALL, None),
        ("PATCH", BALL, Some(json!({"friction": 0.1}))),
        ("DELETE", BALL, None),
        ("POST", FLIGHT, Some(json!({"steps": 1}))),
        (
            "POST",
            "/simulations/s/bodies/a/impulse",
            Some(json!({"impulse": [1, 0, 0]})),
        ),
        (
            "PUT",
            "/simulations/s/bodies/a/force",
            Some(json!({"force": [1, 0, 0]})),
        ),
        ("DELETE", "/simulations/s/bodies/a/force", None),
        ("GET", JOINTS, None),
        (
            "POST",
            JOINTS,
            Some(json!({"id": "k", "joint_type": "fixed", "body_a": "a", "body_b": "b"})),
        ),
        ("GET", "/simulations/s/joints/j", None),
        (
            "PATCH",
            "/simulations/s/joints/j",
            Some(json!({"collide": true})),
        ),
        ("DELETE", "/simulations/s/joints/j", None),
    ] {
        let mut call = client.call(method, path);
        if let Some(body) = &body {
            call = call.json(body);
        }
        let reply = call.send().await;
        let context = format!("row 48, {method} {path}: {}", reply.text());
        assert_answer(&reply, &[(404, "simulation_not_found")], &context);
        assert_eq!(reply.problem().body["sim_id"], "s", "{context}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_49_and_81_pages_and_batches_are_bounded() {
    let instance = Instance::in_process(&["--max-bodies-per-simulation", "10"]).await;
    let client = instance.client();
    world(&client).await;

    for query in [
        "limit=1000000000",
        "limit=1001",
        "limit=0",
        "limit=-1",
        "limit=ten",
        "limit=",
        "cursor=%00",
        "cursor=nonsense!",
        "cursor=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "page=2",
        "label=novalue",
    ] {
        let reply = client.list(query).await;
        assert!(
            [400, 422].contains(&reply.status),
            "row 49, {query}: {} {}",
            reply.status,
            reply.text()
        );
        reply.problem();
    }
    let crowd: Vec<_> = (0..9)
        .map(|n| sphere(&format!("c{n}"), 0.1, [9.0, f64::from(n), 0.0]))
        .collect();
    let problem = client
        .add_body("s", &json!(crowd))
        .await
        .expect_problem(422, "limit_exceeded");
    assert_eq!(problem.body["maximum"], 10, "row 81");
    client
        .add_body("s", &json!(crowd[..8]))
        .await
        .expect_status(201);
    client
        .add_body("s", &crowd[8])
        .await
        .expect_problem(422, "limit_exceeded");
    let mut million = String::from("[");
    for n in 0..1_000_000 {
        write!(million, "{}{{}}", if n == 0 { "" } else { "," }).unwrap();
    }
    let reply = client.post_text(BODIES, million + "]").await;
    assert_answer(
        &reply,
        &[
            (413, "body_too_large"),
            (422, "limit_exceeded"),
            (422, "invalid_value"),
        ],
        "row 81, a million bodies",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_51_to_56_what_is_not_the_documented_json_is_refused() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let mut cases = Vec::new();
    for (path, legal, number) in [
        (CREATE, "{}", r#"{"dt": NUMBER}"#),
        (STEP, r#"{"steps": 0}"#, r#"{"steps": 0, "dt": NUMBER}"#),
        (FLIGHT, r#"{"steps": 0}"#, r#"{"steps": 0, "dt": NUMBER}"#),
        (
            BODIES,
            r#"{"id": "c", "shape": "sphere", "size": [1]}"#,
            r#"{"id": "c", "shape": "sphere", "size": [1], "mass": NUMBER}"#,
        ),
        (
            JOINTS,
            r#"{"id": "k", "joint_type": "fixed", "body_a": "a", "body_b": "b"}"#,
            r#"{"id": "k", "joint_type": "fixed", "body_a": "a", "body_b": "b", "anchor_a": [NUMBER,0,0]}"#,
        ),
    ] {
        cases.extend([
            post(51, "empty", path, "", MALFORMED),
            post(51, "blank", path, " \n", MALFORMED),
            post(51, "half an object", path, "{", MALFORMED),
            post(51, "trailing junk", path, format!("{legal} x"), MALFORMED),
            post(
                51,
                "two documents",
                path,
                format!("{legal}{legal}"),
                MALFORMED,
            ),
            post(
                51,
                "byte order mark",
                path,
                format!("\u{feff}{legal}"),
                MALFORMED,
            ),
            post(51, "single quotes", path, "{'id': 1}", MALFORMED),
            post(51, "comment", path, "{/* */}", MALFORMED),
            post(58, "NaN", path, number.replace("NUMBER", "NaN"), MALFORMED),
            post(
                58,
                "Infinity",
                path,
                number.replace("NUMBER", "-Infinity"),
                MALFORMED,
            ),
            post(
                58,
                "hexadecimal",
                path,
                number.replace("NUMBER", "0x1"),
                MALFORMED,
            ),
            post(
                58,
                "leading plus",
                path,
                number.replace("NUMBER", "+1"),
                MALFORMED,
            ),
            post(
                59,
                "1e400",
                path,
                number.replace("NUMBER", "1e400"),
                MALFORMED,
            ),
            post(
                60,
                "1e308",
                path,
                number.replace("NUMBER", "1e308"),
                INVALID,
            ),
        ]);
    }
    for path in [CREATE, BODIES, JOINTS] {
        cases.extend([
            post(52, "not UTF-8", path, &b"{\"id\": \"\xff\"}"[..], MALFORMED),
            post(52, "lone surrogate", path, r#"{"id": "\ud800"}"#, MALFORMED),
        ]);
    }
    for depth in [200, 100_000] {
        cases.extend([
            post(
                53,
                "nesting in a used field",
                CREATE,
                format!(r#"{{"gravity": {}}}"#, nested(depth)),
                &[(400, "malformed_json"), (422, "invalid_value")],
            ),
            post(
                53,
                "nesting in an ignored field",
                CREATE,
                format!(r#"{{"x": {}}}"#, nested(depth)),
                &[(400, "malformed_json"), (422, "unknown_field")],
            ),
            post(
                53,
                "nesting at the root",
                BODIES,
                nested(depth),
                &[(400, "malformed_json"), (422, "invalid_value")],
            ),
            post(
                53,
                "nesting in labels",
                CREATE,
                format!(r#"{{"labels": {{"a": {}}}}}"#, nested(depth)),
                &[(400, "malformed_json"), (422, "invalid_value")],
            ),
        ]);
    }
    cases.extend([
        post(54, "a key twice", STEP, r#"{"steps": 1, "steps": 2}"#, INVALID),
        post(54, "a key twice, alike", STEP, r#"{"steps": 1, "steps": 1}"#, INVALID),
        post(54, "a key twice", CREATE, r#"{"dt": 0.1, "dt": 0.2}"#, INVALID),
        post(54, "a label twice", CREATE, r#"{"labels": {"a": "1", "a": "2"}}"#, INVALID),
        post(
            54,
            "both words for one thing",
            BODIES,
            r#"{"id": "c", "shape": "sphere", "size": [1], "position": [0,0,0], "translation": [0,0,0]}"#,
            INVALID,
        ),
        post(
            54,
            "size and its name",
            BODIES,
            r#"{"id": "c", "shape": "sphere", "size": [1], "radius": 1}"#,
            INVALID,
        ),
        post(55, "unknown field", CREATE, r#"{"Gravity": [0,0,0]}"#, UNKNOWN),
        post(55, "unknown field", STEP, r#"{"steps": 1, "": 1}"#, UNKNOWN),
        post(55, "unknown field", CREATE, r#"{"bodies": [{"id": "x", "shape": "sphere", "size": [1], "mas": 1}]}"#, UNKNOWN),
        post(56, "missing id", BODIES, r#"{"shape": "sphere", "size": [1]}"#, INVALID),
        post(56, "missing shape", BODIES, r#"{"id": "c"}"#, INVALID),
        post(56, "missing steps", STEP, "{}", INVALID),
        post(56, "missing bodies", JOINTS, r#"{"id": "k", "joint_type": "fixed"}"#, INVALID),
        post(56, "missing impulse", "/simulations/s/bodies/a/impulse", "{}", INVALID),
        post(56, "null", CREATE, r#"{"dt": null}"#, INVALID),
        post(56, "null", CREATE, r#"{"id": null}"#, INVALID),
        post(56, "null", BODIES, r#"{"id": "c", "shape": "sphere", "size": [1], "mass": null}"#, INVALID),
        post(56, "null", BODIES, r#"{"id": "c", "shape": "sphere", "size": null}"#, INVALID),
        post(56, "text for a number", STEP, r#"{"steps": "1"}"#, INVALID),
        post(56, "text for a number", CREATE, r#"{"gravity": ["0", 0, 0]}"#, INVALID),
        post(56, "number for text", CREATE, r#"{"id": 7}"#, INVALID),
        post(56, "object for a list", CREATE, r#"{"bodies": {}}"#, INVALID),
        post(56, "truth for a number", STEP, r#"{"steps": true}"#, INVALID),
        post(56, "unknown word", CREATE, r#"{"integrator": "leapfrog"}"#, INVALID),
        post(56, "unknown word", CREATE, r#"{"durability": "forever"}"#, INVALID),
        post(
            56,
            "an object for a word",
            CREATE,
            r#"{"integrator": {"verlet": null}}"#,
            INVALID,
        ),
        post(
            56,
            "an object for a word",
            BODIES,
            r#"{"id": "c", "shape": {"sphere": null}, "size": [1]}"#,
            INVALID,
        ),
        post(
            56,
            "a number for a word",
            BODIES,
            r#"{"id": "c", "kind": 1, "shape": "sphere", "size": [1]}"#,
            INVALID,
        ),
        post(56, "dimensions", CREATE, r#"{"dimensions": 4}"#, INVALID),
    ]);
    check(cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_57_to_65_numbers_are_what_they_seem_or_are_refused() {
    let gravity = |value: &str| format!(r#"{{"gravity": {value}}}"#);
    let ball = |rest: &str| format!(r#"{{"id": "c", "shape": "sphere", "size": [1], {rest}}}"#);
    let steps = |value: &str| format!(r#"{{"steps": {value}}}"#);
    let zeros = format!("[{}0]", "0,".repeat(1_000_000 - 1));
    let cases = vec![
        post(57, "two axes", CREATE, gravity("[0,0]"), INVALID),
        post(57, "four axes", CREATE, gravity("[0,0,0,0]"), INVALID),
        post(57, "no axes", CREATE, gravity("[]"), INVALID),
        post(
            57,
            "three of a quaternion",
            BODIES,
            ball(r#""orientation": [0,0,1]"#),
            INVALID,
        ),
        post(
            57,
            "five of a quaternion",
            BODIES,
            ball(r#""orientation": [0,0,0,1,0]"#),
            INVALID,
        ),
        post(
            57,
            "a number for a vector",
            CREATE,
            gravity("9.81"),
            INVALID,
        ),
        post(59, "1e400", CREATE, r#"{"dt": 1e400}"#, MALFORMED),
        post(59, "-1e400", CREATE, gravity("[0,-1e400,0]"), MALFORMED),
        post(60, "1e308", CREATE, gravity("[0,1e308,0]"), INVALID),
        post(
            60,
            "just over f32",
            CREATE,
            gravity("[0,3.4028236e38,0]"),
            INVALID,
        ),
        post(60, "1e308", CREATE, r#"{"dt": 1e308}"#, INVALID),
        post(60, "1e308", BODIES, ball(r#""mass": 1e308"#), INVALID),
        post(
            60,
            "1e308",
            "/simulations/s/bodies/a/impulse",
            r#"{"impulse": [1e308,0,0]}"#,
            INVALID,
        ),
        post(
            61,
            "a radius of 1e-46",
            BODIES,
            r#"{"id": "c", "shape": "sphere", "size": [1e-46]}"#,
            INVALID,
        ),
        post(
            61,
            "a mass of 1e-46",
            BODIES,
            ball(r#""mass": 1e-46"#),
            INVALID,
        ),
        post(61, "a dt of 5e-324", CREATE, r#"{"dt": 5e-324}"#, INVALID),
        post(63, "1e9", STEP, steps("1e9"), INVALID),
        post(63, "1.0", STEP, steps("1.0"), INVALID),
        post(63, "-1", STEP, steps("-1"), INVALID),
        post(63, "-0.0", STEP, steps("-0.0"), INVALID),
        post(
            63,
            "2^32",
            STEP,
            steps("4294967296"),
            &[(422, "invalid_value"), (422, "limit_exceeded")],
        ),
        post(
            63,
            "2^64",
            STEP,
            steps("18446744073709551616"),
            &[(422, "invalid_value"), (422, "limit_exceeded")],
        ),
        post(
            64,
            "a tiny number of a million digits",
            STEP,
            format!(r#"{{"steps": 1, "dt": 0.{}1}}"#, "0".repeat(1_000_000)),
            INVALID,
        ),
        post(
            64,
            "a huge number of a million digits",
            STEP,
            steps(&"1".repeat(1_000_000)),
            // Beyond f64 it is also a case of row 59.
            &[
                (400, "malformed_json"),
                (413, "body_too_large"),
                (422, "invalid_value"),
            ],
        ),
        post(64, "a million axes", CREATE, gravity(&zeros), INVALID),
        post(
            64,
            "a million bodies",
            BODIES,
            zeros.clone(),
            &[(422, "invalid_value"), (422, "limit_exceeded")],
        ),
        post(
            64,
            "a million sizes",
            BODIES,
            format!(r#"{{"id": "c", "shape": "sphere", "size": {zeros}}}"#),
            INVALID,
        ),
        post(65, "a list", CREATE, "[]", INVALID),
        post(65, "a list", CREATE, "[[0,0,0],3]", INVALID),
        post(65, "a list", STEP, "[1]", INVALID),
        post(65, "a list", FLIGHT, "[1, 0.1]", INVALID),
        post(65, "a list of lists", BODIES, "[[]]", INVALID),
        post(
            65,
            "a list for a body",
            BODIES,
            r#"[["c", "dynamic", "sphere", [1]]]"#,
            INVALID,
        ),
        post(
            65,
            "a list for a body",
            CREATE,
            r#"{"bodies": [["c", "dynamic", "sphere", [1]]]}"#,
            INVALID,
        ),
        post(
            65,
            "a list for a joint",
            JOINTS,
            r#"[["k", "fixed", "a", "b"]]"#,
            INVALID,
        ),
        post(65, "null", CREATE, "null", INVALID),
        post(65, "a number", STEP, "1", INVALID),
        post(65, "a text", BODIES, "\"a\"", INVALID),
        post(65, "a truth", JOINTS, "true", INVALID),
    ];
    check(cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_61_and_62_tiny_numbers_round_and_zero_has_one_sign() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client.simulation(&zero_gravity()).await;

    client
        .post_text(
            format!("/simulations/{sim}/bodies"),
            r#"[{"id": "tiny", "shape": "sphere", "size": [1], "position": [1e-46, -1e-46, 1e-300]},
                {"id": "sub", "shape": "sphere", "size": [1], "position": [9, 1e-40, 0]},
                {"id": "minus", "shape": "sphere", "size": [1], "position": [20, -0.0, -0],
                 "velocity": [-0.0, 0, 0], "angular_velocity": [0, -0.0, 0],
                 "orientation": [-0.0, 0, 0, 1]}]"#,
        )
        .await
        .expect_status(201);
    let created = client
        .post_text("/simulations", r#"{"gravity": [-0.0, -0, 0]}"#)
        .await
        .expect_status(201);

    let state = client.state(&sim).await.expect_status(200);
    let shown = client.body(&sim, "minus").await.expect_status(200);
    for reply in [&state, &shown, &created] {
        assert!(!reply.text().contains("-0.0"), "row 62: {}", reply.text());
        assert!(!reply.text().contains("-0,"), "row 62: {}", reply.text());
    }
    assert_eq!(
        state.json()["bodies"][0]["position"],
        json!([0.0, 0.0, 0.0]),
        "row 61"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_66_to_70_only_plain_ids_are_ids() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let before = world(&client).await;
    let long = "x".repeat(65);
    let longer = "x".repeat(129);

    for (row, id) in [
        (66, long.as_str()),
        (66, longer.as_str()),
        (66, ""),
        (67, ".."),
        (67, "../../etc"),
        (68, "a\0b"),
        (68, "a\r\nX-Evil: 1"),
        (69, "😀"),
        (69, "a\u{202e}b"),
        (69, "e\u{301}"),
        (69, "\u{e9}"),
        (69, "\u{430}"),
        (70, "{a}"),
        (70, "a:b"),
        (70, "*"),
        (70, "a b"),
        (70, "a.b"),
        (70, "a/b"),
    ] {
        for (path, body) in [
            (CREATE, json!({"id": id})),
            (BODIES, json!({"id": id, "shape": "sphere", "size": [1]})),
            (
                JOINTS,
                json!({"id": id, "joint_type": "fixed", "body_a": "a", "body_b": "b"}),
            ),
        ] {
            let reply = client.post(path, &body).await;
            let context = format!("row {row}, {id:?} to {path}: {}", reply.text());
            assert_answer(&reply, INVALID, &context);
            assert_eq!(reply.problem().pointers(), ["/id"], "{context}");
            assert_eq!(reply.header("x-evil"), None, "{context}");
        }
    }
    client
        .create_simulation(&json!({"id": "x".repeat(10 << 20)}))
        .await
        .expect_problem(413, "body_too_large");
    client
        .create_simulation(&json!({"id": "x".repeat(64)}))
        .await
        .expect_status(201);

    assert_eq!(snapshot(&client).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_66_to_70_paths_with_other_ids_are_refused_and_inject_nothing() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    world(&client).await;
    let long = format!("/simulations/{}/state", "x".repeat(65));

    for (row, path) in [
        (66, long.as_str()),
        (67, "/simulations/..%2f..%2fetc"),
        (67, "/simulations/../state"),
        (67, "/simulations/%2e%2e/state"),
        (67, "/simulations/s/bodies/..%2fa"),
        (67, "/simulations/s/joints/%2e%2e"),
        (68, "/simulations/%00"),
        (68, "/simulations/a%0d%0aX-Evil:%201"),
        (68, "/simulations/%ff"),
        (68, "/simulations/s/bodies/%ff%fe"),
        (69, "/simulations/%F0%9F%98%80"),
        (69, "/simulations/s/bodies/e%CC%81"),
        (70, "/simulations/%7Ba%7D"),
        (70, "/simulations/a:b"),
        (70, "/simulations/*"),
        (70, "/simulations/s/bodies/a%20b"),
    ] {
        let reply = raw(
            instance.address(),
            format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
        )
        .await;
        let answer = (reply.status, reply.code());
        assert!(
            [
                (422, "invalid_value".to_owned()),
                (400, "malformed_request".to_owned())
            ]
            .contains(&answer),
            "row {row}, {path}: {answer:?}"
        );
        assert_eq!(reply.header("x-evil"), None, "row {row}, {path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_71_and_72_no_id_is_used_twice() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let before = world(&client).await;

    client
        .create_simulation(&json!({"id": "s"}))
        .await
        .expect_problem(409, "simulation_exists");
    client
        .add_body(
            "s",
            &json!([sphere("c", 1.0, [9.0; 3]), sphere("c", 1.0, [5.0; 3])]),
        )
        .await
        .expect_problem(422, "invalid_value")
        .expect_pointers(&["/1/id"]);
    client
        .create_simulation(&json!({"id": "t", "bodies": [ground("g"), ground("g")]}))
        .await
        .expect_problem(422, "invalid_value")
        .expect_pointers(&["/bodies/1/id"]);

    assert_eq!(snapshot(&client).await, before, "rows 71, 72");
    client
        .describe("t")
        .await
        .expect_problem(404, "simulation_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_73_and_74_idempotency_keys_are_short_plain_and_single() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    world(&client).await;
    let step = |steps: u32| client.call("POST", STEP).json(&json!({"steps": steps}));
    let bad = &[(400, "bad_idempotency_key")];

    for (what, key) in [
        ("empty", Vec::new()),
        ("129 bytes", vec![b'k'; 129]),
        ("not ASCII", "clé".as_bytes().to_vec()),
        ("a tab", b"one\tkey".to_vec()),
        ("a space", b"one key".to_vec()),
    ] {
        let reply = step(1).header("idempotency-key", key).send().await;
        assert_answer(&reply, bad, &format!("row 73, {what}"));
    }
    let twice = step(1)
        .header("idempotency-key", "one")
        .header("idempotency-key", "two")
        .send()
        .await;
    assert_answer(&twice, bad, "row 73, two fields");
    let create = client
        .call("POST", CREATE)
        .json(&json!({}))
        .header("idempotency-key", "")
        .send()
        .await;
    assert_answer(&create, bad, "row 73, create");
    assert_eq!(client.state("s").await.json()["step"], 0, "row 73");
    step(1)
        .header("idempotency-key", "k".repeat(128))
        .send()
        .await
        .expect_status(200);
    let reused = step(2)
        .header("idempotency-key", "k".repeat(128))
        .send()
        .await;
    assert_answer(&reused, &[(422, "idempotency_key_reused")], "row 74");
    assert_eq!(client.state("s").await.json()["step"], 1, "row 74");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_75_to_79_physics_out_of_range_is_refused() {
    let body = |rest: &str| format!(r#"{{"id": "c", "shape": "sphere", "size": [1], {rest}}}"#);
    let shaped = |rest: &str| format!(r#"{{"id": "c", {rest}}}"#);
    let mut cases = Vec::new();
    for (row, what, text) in [
        (75, "zero quaternion", body(r#""orientation": [0,0,0,0]"#)),
        (
            75,
            "long quaternion",
            body(r#""orientation": [0,0,0,1.002]"#),
        ),
        (
            75,
            "short quaternion",
            body(r#""orientation": [0,0,0,0.998]"#),
        ),
        (
            75,
            "huge quaternion",
            body(r#""orientation": [1e30,0,0,0]"#),
        ),
        (76, "no mass", body(r#""mass": 0"#)),
        (76, "negative mass", body(r#""mass": -1"#)),
        (76, "tiny mass", body(r#""mass": 1e-40"#)),
        (76, "huge mass", body(r#""mass": 1e38"#)),
        (77, "no radius", shaped(r#""shape": "sphere", "size": [0]"#)),
        (
            77,
            "negative radius",
            shaped(r#""shape": "sphere", "radius": -1"#),
        ),
        (
            77,
            "tiny radius",
            shaped(r#""shape": "sphere", "size": [1e-30]"#),
        ),
        (
            77,
            "huge radius",
            shaped(r#""shape": "sphere", "size": [1e30]"#),
        ),
        (77, "flat box", shaped(r#""shape": "box", "size": [1,0,1]"#)),
        (
            77,
            "negative half extent",
            shaped(r#""shape": "box", "half_extents": [1,-1,1]"#),
        ),
        (
            77,
            "huge half extent",
            shaped(r#""shape": "box", "half_extents": [1,1,1e30]"#),
        ),
        (
            77,
            "tiny capsule",
            shaped(r#""shape": "capsule", "size": [1,1e-30]"#),
        ),
        (
            77,
            "negative cylinder",
            shaped(r#""shape": "cylinder", "half_height": -1, "radius": 1"#),
        ),
        (78, "far away", body(r#""position": [1e30,0,0]"#)),
        (78, "far below", body(r#""position": [0,-1e30,0]"#)),
        (78, "too fast", body(r#""velocity": [0,0,1.1e5]"#)),
        (
            78,
            "spinning too fast",
            body(r#""angular_velocity": [0,1e6,0]"#),
        ),
    ] {
        cases.push(post(row, what, BODIES, text, INVALID));
    }
    for dt in ["0", "-0.01", "1e-12", "1e3", "1.01"] {
        for (method, path, text) in [
            ("POST", CREATE, format!(r#"{{"dt": {dt}}}"#)),
            ("POST", STEP, format!(r#"{{"steps": 1, "dt": {dt}}}"#)),
            ("POST", FLIGHT, format!(r#"{{"steps": 1, "dt": {dt}}}"#)),
            ("PATCH", "/simulations/s", format!(r#"{{"dt": {dt}}}"#)),
        ] {
            cases.push(Case {
                row: 79,
                what: "dt",
                method,
                path,
                body: text.into_bytes(),
                expected: INVALID,
            });
        }
    }
    cases.push(post(
        80,
        "over the cap",
        STEP,
        r#"{"steps": 10001}"#,
        &[(422, "limit_exceeded")],
    ));
    cases.push(post(
        80,
        "a thousand million",
        STEP,
        r#"{"steps": 1000000000}"#,
        &[(422, "limit_exceeded")],
    ));
    cases.push(post(
        80,
        "over the cap",
        FLIGHT,
        r#"{"steps": 10001}"#,
        &[(422, "limit_exceeded")],
    ));
    cases.push(post(
        83,
        "a joint with itself",
        JOINTS,
        r#"{"id": "k", "joint_type": "fixed", "body_a": "a", "body_b": "a"}"#,
        INVALID,
    ));
    cases.push(post(
        83,
        "a joint to nobody",
        JOINTS,
        r#"{"id": "k", "joint_type": "fixed", "body_a": "a", "body_b": "nobody"}"#,
        INVALID,
    ));
    check(cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_75_78_80_what_is_legal_is_taken() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client.simulation(&zero_gravity()).await;

    client
        .add_body(
            &sim,
            &json!([{"id": "near-unit", "shape": "sphere", "size": [0.5], "orientation": [0.6003, 0, 0, 0.8004]},
                    {"id": "bullet", "shape": "sphere", "size": [0.5], "position": [0, 50, 0],
                     "velocity": [1e5, 0, 0]}]),
        )
        .await
        .expect_status(201);
    let nothing = client.step(&sim, 0).await.expect_status(200).json();
    let moved = client.step(&sim, 1).await.expect_status(200);

    let parts: Vec<f64> = nothing["bodies"][0]["orientation"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| part.as_f64().unwrap())
        .collect();
    let norm = parts.iter().map(|part| part * part).sum::<f64>().sqrt();
    assert!((norm - 1.0).abs() < 1e-6, "row 75: {norm}");
    assert!(!moved.text().contains("null"), "row 78: {}", moved.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn row_83_crowds_and_whirls_stay_finite() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let mut crowd: Vec<_> = (0..120)
        .map(|n| sphere(&format!("c{n}"), 0.5, [0.0; 3]))
        .collect();
    for (n, body) in crowd.iter_mut().enumerate().take(10) {
        body["angular_velocity"] = json!([7e4, -7e4, n]);
    }
    let joints: Vec<_> = (0..30)
        .map(|n| {
            json!({"id": format!("j{n}"), "joint_type": "spherical",
                   "body_a": format!("c{n}"), "body_b": format!("c{}", (n + 1) % 30)})
        })
        .collect();
    let sim = client
        .simulation(&json!({"bodies": crowd, "joints": joints}))
        .await;

    let state = client.step(&sim, 30).await.expect_status(200);

    assert!(
        !String::from_utf8_lossy(&state.body).contains("null"),
        "row 83"
    );
    assert_eq!(
        state.json()["bodies"].as_array().map(Vec::len),
        Some(120),
        "row 83"
    );
    assert_eq!(client.health().await.status, 200, "row 83");
}

#[tokio::test(flavor = "multi_thread")]
async fn row_84_an_overflow_in_mid_step_quarantines_the_same_body_each_time() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let mut runs = Vec::new();

    for calls in [&[10_u32][..], &[5, 5], &[1; 10]] {
        let sim = client
            .simulation(&json!({"id": format!("run-{}", runs.len()), "bodies": [
                {"id": "feather", "shape": "sphere", "size": [0.5], "mass": 1e-6, "position": [0, 9, 0]},
                {"id": "stone", "shape": "sphere", "size": [0.5], "position": [9, 9, 0]},
            ]}))
            .await;
        client
            .set_force(&sim, "feather", &json!({"force": [3e38, -3e38, 3e38]}))
            .await
            .expect_status(204);
        let mut last = Value::Null;
        for steps in calls {
            let reply = client.step(&sim, *steps).await.expect_status(200);
            assert!(!reply.text().contains("null"), "row 84: {}", reply.text());
            last = reply.json();
        }
        assert_eq!(client.state(&sim).await.json(), last, "row 84");
        last["sim_id"] = Value::Null;
        runs.push(last);
    }

    assert_eq!(runs[0]["quarantined"], json!(["feather"]), "row 84");
    assert_eq!(runs[0], runs[1], "row 84");
    assert_eq!(runs[1], runs[2], "row 84");
}

#[tokio::test(flavor = "multi_thread")]
async fn row_85_a_name_used_again_is_a_new_body() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    world(&client).await;
    client
        .add_body("s", &ground("floor"))
        .await
        .expect_status(201);
    client.step("s", 30).await.expect_status(200);
    client
        .set_force("s", "a", &json!({"force": [0, 900, 0]}))
        .await
        .expect_status(204);

    client.remove_body("s", "a").await.expect_status(204);
    for reply in [
        client.body("s", "a").await,
        client
            .impulse("s", "a", &json!({"impulse": [1, 0, 0]}))
            .await,
        client.trajectory("s", "a", &json!({"steps": 1})).await,
        client.clear_force("s", "a").await,
    ] {
        let context = format!("row 85, {}", reply.request);
        assert_answer(&reply, &[(404, "body_not_found")], &context);
    }
    client
        .joint("s", "j")
        .await
        .expect_problem(404, "joint_not_found");
    client
        .add_body("s", &sphere("a", 0.5, [0.0, 60.0, 0.0]))
        .await
        .expect_status(201);
    let state = client.step("s", 10).await.expect_status(200).json();

    let again = state["bodies"].as_array().unwrap().last().unwrap();
    assert_eq!(again["id"], "a", "row 85");
    assert!(
        again["velocity"][1].as_f64().unwrap() < 0.0,
        "row 85: the old force stayed: {again}"
    );
    assert_eq!(again["contacts"], json!([]), "row 85");
}

#[tokio::test(flavor = "multi_thread")]
async fn row_93_an_id_nobody_has_and_one_whose_time_is_over_differ() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    client
        .simulation(&json!({"id": "brief", "ttl_seconds": 1}))
        .await;

    client
        .state("unknown")
        .await
        .expect_problem(404, "simulation_not_found");
    crate::harness::eventually_true(
        Duration::from_secs(20),
        "the simulation expires",
        |count: &Value| *count == 0,
        async || client.health().await.json()["simulations"].clone(),
    )
    .await;
    client
        .state("brief")
        .await
        .expect_problem(404, "simulation_expired");
}

#[tokio::test(flavor = "multi_thread")]
async fn problems_never_echo_long_input() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    world(&client).await;
    let long = "z".repeat(300);

    let named = client
        .call("GET", "/nowhere")
        .header("x-request-id", &long)
        .send()
        .await;
    assert!(!named.text().contains(&long), "{}", named.text());
    for (path, text) in [
        (CREATE, json!({&long: 1}).to_string()),
        (CREATE, json!({"id": long}).to_string()),
        (CREATE, json!({"integrator": long}).to_string()),
        (CREATE, json!({"labels": {&long: 1}}).to_string()),
        (STEP, json!({"steps": long}).to_string()),
        (BODIES, json!({"id": "c", "shape": long}).to_string()),
        (
            BODIES,
            json!({"id": "c", "kind": long, "shape": "sphere"}).to_string(),
        ),
        (
            JOINTS,
            json!({"id": "k", "joint_type": "fixed", "body_a": long, "body_b": "b"}).to_string(),
        ),
        (CREATE, format!("{{{long}")),
    ] {
        let reply = client.post_text(path, text).await;
        assert!((400..500).contains(&reply.status), "{}", reply.text());
        let echoed = "z".repeat(65);
        for member in ["detail", "message", "title", "errors", "request_id"] {
            let said = reply.problem().body[member].to_string();
            assert!(
                !said.contains(&echoed),
                "{path}: `{member}` echoes the input: {said}"
            );
        }
    }
}
