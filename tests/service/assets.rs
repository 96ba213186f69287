//! Meshes that are uploaded once: what is taken, what is made of them, and how long they live.

use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::harness::{
    Client, Fleet, Instance, RedisServer, Reply, eventually_true, find_body, sphere, triple,
};

const SOON: Duration = Duration::from_secs(30);
const BUNDLE: &str = "application/vnd.rapier-bundle";
const JOURNAL: [(&str, &str); 4] = [
    ("DEFAULT_DURABILITY", "journal"),
    ("STATE_HASH", "true"),
    ("LEASE_TTL_MS", "1500"),
    ("ASSET_TTL_SECONDS", "1"),
];

/// So many squares along each side of a landscape that dips towards its middle.
const SQUARES: usize = 100;

fn landscape() -> (Vec<[f32; 3]>, Vec<[usize; 3]>) {
    let side = SQUARES + 1;
    let at = |n: usize| f32::from(u16::try_from(n).expect("a small number")) - 50.0;
    let vertices = (0..side * side).map(|n| {
        let (x, z) = (at(n % side), at(n / side));
        [x, 0.01 * (x * x + z * z), z]
    });
    let squares = (0..SQUARES * SQUARES).flat_map(|n| {
        let a = n / SQUARES * side + n % SQUARES;
        [[a, a + side, a + 1], [a + 1, a + side, a + side + 1]]
    });
    (vertices.collect(), squares.collect())
}

fn obj() -> Vec<u8> {
    let (vertices, triangles) = landscape();
    let vertices = vertices.iter().map(|[x, y, z]| format!("v {x} {y} {z}\n"));
    let faces = triangles.iter().map(|it| {
        let [a, b, c] = it.map(|corner| corner + 1);
        format!("f {a} {b} {c}\n")
    });
    vertices.chain(faces).collect::<String>().into()
}

/// An octahedron of radius 0.5.
fn gem() -> Vec<u8> {
    "v 0.5 0 0\nv -0.5 0 0\nv 0 0.5 0\nv 0 -0.5 0\nv 0 0 0.5\nv 0 0 -0.5\n\
     f 1 3 5\nf 3 2 5\nf 2 4 5\nf 4 1 5\nf 3 1 6\nf 2 3 6\nf 4 2 6\nf 1 4 6\n"
        .into()
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    let digits = Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<Vec<_>>();
    digits.concat()
}

async fn put(client: &Client, bytes: &[u8], media_type: &str) -> Reply {
    let call = client.call("PUT", format!("/assets/{}", sha256(bytes)));
    call.header("content-type", media_type)
        .bytes(bytes)
        .send()
        .await
}

/// Uploads a mesh; its name.
async fn uploaded(client: &Client, bytes: &[u8]) -> String {
    let reply = put(client, bytes, "model/obj").await;
    assert!(matches!(reply.status, 200 | 201), "{}", reply.text());
    sha256(bytes)
}

fn land(asset: &str) -> Value {
    json!({"id": "land", "kind": "static", "shape": "mesh", "asset": asset})
}

/// A landscape with things that roll about in it.
async fn valley(client: &Client, more: &Value) -> String {
    let (land_asset, gem_asset) = (
        uploaded(client, &obj()).await,
        uploaded(client, &gem()).await,
    );
    let mut world = json!({"dt": 0.01, "bodies": [
        land(&land_asset),
        sphere("ball", 0.5, [6.0, 3.0, 2.0]),
        {"id": "gem", "shape": "convex_hull", "asset": gem_asset, "position": [-4, 2, 1]},
        {"id": "parts", "shape": "convex_decomposition", "asset": gem_asset, "position": [0, 2, -5]},
    ]});
    for (member, value) in more.as_object().into_iter().flatten() {
        world[member] = value.clone();
    }
    client.simulation(&world).await
}

async fn hash_after(client: &Client, sim: &str, steps: u32) -> String {
    let reply = client.step(sim, steps).await.expect_status(200);
    reply.header("sim-state-hash").expect("a hash").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_uploaded_once_and_read_as_it_was_sent() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let (bytes, id) = (gem(), sha256(&gem()));
    let path = format!("/assets/{id}");
    client
        .get(&path)
        .await
        .expect_problem(404, "asset_not_found");

    let made = put(&client, &bytes, "application/octet-stream")
        .await
        .expect_status(201);
    let again = put(&client, &bytes, "model/obj").await.expect_status(200);
    let read = client.get(&path).await.expect_status(200);
    let tag = format!("\"{id}\"");
    let known = client
        .call("GET", &path)
        .header("if-none-match", &tag)
        .send()
        .await;
    let head = client.call("HEAD", &path).send().await.expect_status(200);

    assert_eq!(
        made.json(),
        json!({
            "sha256": id, "format": "obj", "bytes": bytes.len(), "vertices": 6, "triangles": 8,
            "bounds": {"min": [-0.5, -0.5, -0.5], "max": [0.5, 0.5, 0.5]},
        })
    );
    assert_eq!(again.json(), made.json());
    assert_eq!(read.body, bytes);
    assert_eq!(read.header("content-type"), Some("model/obj"));
    assert_eq!(read.header("etag"), Some(tag.as_str()));
    assert_eq!((known.status, known.body.len()), (304, 0));
    assert_eq!(head.header_number("content-length"), bytes.len() as u64);
    assert_eq!(head.header("content-type"), Some("model/obj"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_mesh_of_its_name_is_refused() {
    let instance = Instance::in_process(&["--max-asset-bytes", "2000", "--max-assets", "1"]).await;
    let client = instance.client();
    let other = client.call("PUT", format!("/assets/{}", sha256(b"other")));
    let other = other
        .header("content-type", "model/obj")
        .bytes(gem())
        .send()
        .await;
    other
        .expect_problem(422, "invalid_value")
        .expect_pointers(&["/sha256"]);
    for name in ["", "abc", &sha256(&gem()).to_uppercase()] {
        let reply = client
            .call("PUT", format!("/assets/{name}"))
            .bytes(gem())
            .send()
            .await;
        assert!(
            matches!(reply.status, 404 | 422),
            "{name}: {}",
            reply.text()
        );
    }
    put(&client, &gem(), "image/png")
        .await
        .expect_problem(415, "unsupported_media_type");
    put(&client, &gem(), "model/stl")
        .await
        .expect_problem(422, "invalid_value");
    put(&client, b"", "application/octet-stream")
        .await
        .expect_problem(422, "invalid_value");
    let too_large = put(&client, &obj(), "model/obj").await;
    let too_large = too_large.expect_problem(413, "body_too_large");
    assert_eq!(too_large.body["limit"], "MAX_ASSET_BYTES");

    put(&client, &gem(), "model/obj").await.expect_status(201);
    put(&client, &gem(), "model/obj").await.expect_status(200);
    let one_more = [gem(), b"# another\n".to_vec()].concat();
    let full = put(&client, &one_more, "model/obj").await;
    let full = full.expect_problem(429, "quota_exceeded");
    assert_eq!(
        (&full.body["limit"], &full.body["used"]),
        (&json!("MAX_ASSETS"), &json!(2))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shape_of_an_asset_is_the_same_as_one_of_its_vertices() {
    let instance = Instance::in_process(&["--state-hash", "true"]).await;
    let client = instance.client();
    let asset = uploaded(&client, &obj()).await;
    let (vertices, indices) = landscape();
    let given = json!({"id": "land", "kind": "static", "shape": "mesh",
        "vertices": vertices, "indices": indices});
    let ball = || sphere("ball", 0.5, [6.0, 3.0, 2.0]);
    let named = client
        .simulation(&json!({"bodies": [land(&asset), ball()]}))
        .await;
    let inline = client.simulation(&json!({"bodies": [given, ball()]})).await;

    for steps in [1, 99, 400] {
        let hash = hash_after(&client, &named, steps).await;
        assert_eq!(hash, hash_after(&client, &inline, steps).await);
    }
    let state = client.state(&named).await.json();
    let height = triple(&find_body(&state, "ball")["position"])[1];
    assert!(
        (0.3..3.0).contains(&height),
        "it rolls about in the valley: {height}"
    );
    let shown = client
        .get(format!("/simulations/{named}/bodies/land"))
        .await
        .json();
    assert_eq!(shown["asset"], asset);
    assert_eq!(shown.get("vertices"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_asset_that_does_not_exist_is_named_where_it_stands() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let (sim, missing) = (client.simulation(&json!({})).await, sha256(b"missing"));
    let bodies = format!("/simulations/{sim}/bodies");
    let refused = async |path: &str, body: &Value, pointer: &str| {
        let reply = client.post(path, body).await;
        reply
            .expect_problem(422, "invalid_value")
            .expect_pointers(&[pointer]);
    };
    refused(
        "/simulations",
        &json!({"bodies": [land(&missing)]}),
        "/bodies/0/asset",
    )
    .await;
    refused(&bodies, &land(&missing), "/asset").await;
    refused(&bodies, &json!([land(&missing)]), "/0/asset").await;
    refused(&bodies, &land("abc"), "/asset").await;

    let asset = uploaded(&client, &gem()).await;
    client.post(&bodies, &land(&asset)).await.expect_status(201);
    let patch = json!({"shape": "mesh", "asset": missing});
    let patched = client.patch(format!("{bodies}/land"), &patch).await;
    patched
        .expect_problem(422, "invalid_value")
        .expect_pointers(&["/asset"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_world_of_assets_is_frozen_and_thawed_bit_for_bit() {
    let flags = [
        "--state-hash",
        "true",
        "--freeze-after-seconds",
        "1",
        "--asset-ttl-seconds",
        "1",
    ];
    let instance = Instance::in_process(&flags).await;
    let client = instance.client();
    let (frozen, awake) = (
        valley(&client, &json!({})).await,
        valley(&client, &json!({})).await,
    );
    hash_after(&client, &frozen, 50).await;
    eventually_true(
        SOON,
        "the world is frozen",
        |status| *status == "frozen",
        async || {
            let listed = client.get("/simulations").await.json();
            let all = listed["simulations"].as_array().unwrap().clone();
            let found = all.into_iter().find(|one| one["sim_id"] == frozen.as_str());
            found.unwrap()["status"].clone()
        },
    )
    .await;

    hash_after(&client, &awake, 50).await;
    for steps in [1, 300] {
        let hash = hash_after(&client, &frozen, steps).await;
        assert_eq!(hash, hash_after(&client, &awake, steps).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_takes_a_simulation_over_finds_its_assets_and_its_journal_holds_none() {
    let redis = RedisServer::start().await;
    let mut fleet = Fleet::start(2, &redis.url(), &JOURNAL).await;
    let clients = fleet.clients();
    let alone = Instance::in_process(&["--state-hash", "true"]).await;
    let asset = uploaded(&clients[0], &obj()).await;
    let kept = format!("asset:{{{asset}}}");
    let sim = valley(&clients[0], &json!({"ttl_seconds": 600})).await;
    let twin = valley(&alone.client(), &json!({"ttl_seconds": 600})).await;
    hash_after(&clients[0], &sim, 120).await;
    hash_after(&alone.client(), &twin, 120).await;

    // Its own time was over long before that of its user.
    let (asset_left, sim_left) = (
        redis.ttl_ms(&kept).await,
        redis.ttl_ms(&format!("sim:{{{sim}}}:meta")).await,
    );
    assert!(
        asset_left > sim_left && sim_left > 500_000,
        "{asset_left} and {sim_left} ms"
    );
    let mut written: usize = 0;
    for key in redis
        .keys_of(&sim)
        .await
        .iter()
        .filter(|key| key.contains(":snapshot:"))
    {
        written += redis.ask::<usize>(&["STRLEN", key]).await;
    }
    assert!(
        (1..20_000).contains(&written),
        "{written} bytes of snapshots"
    );

    fleet[0].kill();
    let there = |reply: &Reply| reply.status == 200;
    let path = format!("/simulations/{sim}/state");
    eventually_true(SOON, "it goes on elsewhere", there, async || {
        clients[1].get(&path).await
    })
    .await;
    let hash = hash_after(&clients[1], &sim, 77).await;
    assert_eq!(hash, hash_after(&alone.client(), &twin, 77).await);
    let verified = clients[1]
        .post(format!("/simulations/{sim}/verify"), &json!({}))
        .await;
    assert_eq!(verified.expect_status(200).json()["ok"], true);

    // Redis forgets the mesh, and is told again by whoever uses it.
    redis.delete(std::slice::from_ref(&kept)).await;
    let is_back = |left: &i64| *left > 0;
    eventually_true(SOON, "Redis has it again", is_back, async || {
        redis.ttl_ms(&kept).await
    })
    .await;
    clients[1]
        .get(format!("/assets/{asset}"))
        .await
        .expect_status(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simulation_wakes_up_elsewhere_at_the_end_of_its_life() {
    let redis = RedisServer::start().await;
    let tired = [
        ("FREEZE_AFTER_SECONDS", "1"),
        ("HIBERNATE_AFTER_SECONDS", "1"),
    ];
    let fleet = Fleet::start(2, &redis.url(), &[&JOURNAL[..], &tired[..]].concat()).await;
    let clients = fleet.clients();
    let sim = valley(&clients[0], &json!({"ttl_seconds": 8})).await;
    hash_after(&clients[0], &sim, 10).await;
    // By then it has been at rest for several lifetimes of assets.
    let meta = format!("sim:{{{sim}}}:meta");
    let is_late = |left: &i64| (1..3000).contains(left);
    eventually_true(SOON, "it is about to expire", is_late, async || {
        redis.ttl_ms(&meta).await
    })
    .await;
    assert_eq!(clients[0].health().await.json()["simulations"], 0);

    let state = clients[1].state(&sim).await.expect_status(200).json();
    assert_eq!(state["step"], 10, "{state}");
    hash_after(&clients[1], &sim, 10).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn assets_are_used_until_a_simulation_has_a_million_vertices_of_them() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let asset = uploaded(&client, &obj()).await;
    let vertices = (SQUARES + 1) * (SQUARES + 1);
    let most = 1_000_000 / vertices;
    let named = |n: usize| {
        let mut body = land(&asset);
        body["id"] = json!(format!("land-{n}"));
        body
    };
    let lands: Vec<_> = (0..most).map(named).collect();
    let sim = client.simulation(&json!({"bodies": lands})).await;

    let more = client.add_body(&sim, &named(most)).await;
    let more = more.expect_problem(422, "limit_exceeded");
    assert_eq!(more.body["limit"], "MAX_VERTICES_PER_SIMULATION");
    assert_eq!(more.body["used"], (most + 1) * vertices);
    // What is there already does not count again.
    let patch = json!({"friction": 0.1});
    let patched = client.patch_body(&sim, "land-0", &patch).await;
    patched.expect_status(200);
    client.remove_body(&sim, "land-1").await.expect_status(204);
    let another = client.add_body(&sim, &named(most)).await;
    another.expect_status(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_brings_its_assets_along() {
    let redis = RedisServer::start().await;
    let fleet = Fleet::start(1, &redis.url(), &JOURNAL).await;
    let from = &fleet.clients()[0];
    let to = Instance::in_process(&["--state-hash", "true"]).await;
    let to = to.client();
    let sim = valley(from, &json!({})).await;
    hash_after(from, &sim, 60).await;
    let added = json!({"id": "late", "shape": "convex_hull", "position": [0, 6, 0],
        "asset": uploaded(from, &gem()).await});
    from.post(format!("/simulations/{sim}/bodies"), &added)
        .await
        .expect_status(201);
    let last = hash_after(from, &sim, 20).await;
    let path = format!("/simulations/{sim}/bundle");
    let bundle = from.call("GET", path).header("accept", BUNDLE).send().await;
    let bundle = bundle.expect_status(200).body;

    let told = crate::bundles::replay(&bundle, &["--quiet"]);
    assert!(told.status.success(), "{told:?}");
    let text = String::from_utf8(told.stdout).unwrap();
    assert!(text.contains(&format!("state_hash={last}")), "{text}");
    let import = to
        .call("POST", "/simulations?id=copy")
        .header("content-type", BUNDLE);
    import.bytes(bundle).send().await.expect_status(201);
    for steps in [1, 200] {
        assert_eq!(
            hash_after(&to, "copy", steps).await,
            hash_after(from, &sim, steps).await
        );
    }
    let read = to.get(format!("/assets/{}", sha256(&obj()))).await;
    assert_eq!(read.expect_status(200).body, obj());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_nothing_is_uploaded_and_what_is_at_hand_is_used() {
    let mut redis = RedisServer::start().await;
    let fleet = Fleet::start(1, &redis.url(), &[("DEFAULT_DURABILITY", "registry")]).await;
    let client = &fleet.clients()[0];
    let sim = valley(client, &json!({})).await;
    redis.kill();

    let upload = put(client, b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "model/obj").await;
    assert!(upload.header("retry-after").is_some());
    upload.expect_problem(503, "registry_unavailable");
    let bodies = format!("/simulations/{sim}/bodies");
    let unknown = client.post(&bodies, &land(&sha256(b"unknown"))).await;
    unknown.expect_problem(503, "registry_unavailable");
    let known = json!({"id": "second", "kind": "static", "shape": "mesh",
        "asset": sha256(&obj()), "position": [0, -20, 0]});
    client.post(&bodies, &known).await.expect_status(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_names_what_is_not_there_is_refused_as_a_whole_and_done_once_it_is() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client.simulation(&json!({})).await;
    let path = format!("/simulations/{sim}/commands");
    let mut added = land(&sha256(&gem()));
    added["op"] = json!("add_body");
    let batch = json!({"atomic": false, "commands": [
        {"op": "remove_body", "body_id": "nobody"}, added, {"op": "step", "steps": 1},
    ]});

    let refused = client.post(&path, &batch).await;
    let refused = refused.expect_problem(422, "invalid_value");
    assert_eq!(refused.body["errors"][0]["pointer"], "/commands/1");
    let untouched = client.state(&sim).await.json();
    assert_eq!(
        (&untouched["step"], &untouched["bodies"]),
        (&json!(0), &json!([]))
    );

    uploaded(&client, &gem()).await;
    let done = client.post(&path, &batch).await.expect_status(200).json();
    assert_eq!(done["results"][1], json!({"ok": {"body_id": "land"}}));
    assert_eq!(done["step"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn too_much_is_refused_before_any_of_it_is_looked_at() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let asset = uploaded(&client, &obj()).await;
    let bad = json!({"shape": "sphere", "radius": -1});
    let many = json!({"id": "many", "kind": "static", "colliders": vec![bad; 65]});
    let land = json!({"shape": "mesh", "asset": asset, "position": [0, 1e9, 0]});
    let full = |n: usize| json!({"id": format!("full-{n}"), "kind": "static", "colliders": vec![land.clone(); 50]});
    let full: Value = (0..2).map(full).collect();

    let refused = client
        .post("/simulations", &json!({"bodies": [many]}))
        .await;
    let refused = refused.expect_problem(422, "limit_exceeded");
    assert_eq!(refused.body["limit"], "MAX_COLLIDERS_PER_BODY");
    let refused = client.post("/simulations", &json!({"bodies": full})).await;
    let refused = refused.expect_problem(422, "limit_exceeded");
    assert_eq!(refused.body["limit"], "MAX_VERTICES_PER_SIMULATION");
    assert_eq!(refused.body["used"], 1_020_100);
}
