//! What Prometheus reads: every name, in a form that it understands, and few labels.

use std::{collections::BTreeMap, net::SocketAddr};

use serde_json::json;

use crate::harness::{Client, Instance, Reply, sphere};

/// Every metric of an instance without Redis.
const NAMES: [&str; 27] = [
    "rapier_build",
    "rapier_http_requests",
    "rapier_http_request_duration_seconds",
    "rapier_http_connections",
    "rapier_tasks",
    "rapier_simulations",
    "rapier_simulations_created",
    "rapier_simulations_ended",
    "rapier_steps",
    "rapier_step_chunk_duration_seconds",
    "rapier_queue_delay_seconds",
    "rapier_pool_delay_seconds",
    "rapier_refusals",
    "rapier_memory_held_bytes",
    "rapier_memory_budget_bytes",
    "rapier_freezes",
    "rapier_thaws",
    "rapier_departures",
    "rapier_recoveries",
    "rapier_lease_lapses",
    "rapier_flush_size",
    "rapier_unregistered_simulations",
    "rapier_forwards",
    "rapier_forward_duration_seconds",
    "rapier_replays",
    "rapier_ownership_conflicts",
    "rapier_orphans_swept",
];

/// An instance and its page of metrics.
async fn measured() -> (Instance, Client) {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port exists");
    let port = free.local_addr().expect("it is bound").port();
    drop(free);
    let instance = Instance::spawn(&[("METRICS_PORT", &port.to_string())]).await;
    let metrics = Client::new(SocketAddr::from(([127, 0, 0, 1], port)));
    (instance, metrics)
}

/// What a page says.
#[derive(Default)]
struct Page {
    types: BTreeMap<String, String>,
    /// As written: most are whole numbers.
    samples: BTreeMap<String, String>,
}

impl Page {
    async fn read(metrics: &Client) -> Self {
        let reply = metrics.get("/metrics").await.expect_status(200);
        Self::parse(&String::from_utf8(reply.body).expect("the page is text"))
    }

    fn parse(text: &str) -> Self {
        let mut page = Self::default();
        let lines = text.strip_suffix("# EOF\n").expect("the end is marked");
        for line in lines.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').expect("a name has a type");
                let before = page.types.insert(name.to_owned(), kind.to_owned());
                assert_eq!(before, None, "{name} stands twice");
            } else if !line.starts_with("# HELP ") {
                let (sample, value) = line.rsplit_once(' ').expect("a sample has a value");
                assert!(value.parse::<f64>().is_ok(), "{line}");
                let before = page.samples.insert(sample.to_owned(), value.to_owned());
                assert_eq!(before, None, "{sample} stands twice");
            }
        }
        page
    }

    #[track_caller]
    fn text(&self, sample: &str) -> &str {
        let found = self.samples.get(sample);
        found.unwrap_or_else(|| panic!("no {sample} in {:#?}", self.samples.keys()))
    }

    /// The value of a sample that is a whole number.
    #[track_caller]
    fn count(&self, sample: &str) -> u64 {
        let text = self.text(sample);
        text.parse()
            .unwrap_or_else(|_| panic!("{sample} is {text}"))
    }

    /// How many requests were answered in this way.
    fn requests(&self, route: &str, method: &str, status: &str) -> u64 {
        let labels = format!("route=\"{route}\",method=\"{method}\",status=\"{status}\"");
        let sample = format!("rapier_http_requests_total{{{labels}}}");
        self.samples.get(&sample).map_or(0, |_| self.count(&sample))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_has_every_name_in_the_form_of_openmetrics() {
    let (_instance, metrics) = measured().await;

    let reply = metrics.get("/metrics").await.expect_status(200);
    assert_eq!(
        reply.header("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    let page = Page::read(&metrics).await;
    let names: Vec<_> = page.types.keys().map(String::as_str).collect();
    let mut expected = NAMES;
    expected.sort_unstable();
    assert_eq!(names, expected);
    let build = format!(
        "rapier_build_info{{version=\"{}\"}}",
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(page.count(&build), 1);

    for (name, kind) in &page.types {
        if kind == "histogram" {
            let all = page.count(&format!("{name}_bucket{{le=\"+Inf\"}}"));
            assert_eq!(all, page.count(&format!("{name}_count")), "{name}");
            page.text(&format!("{name}_sum"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_all_there_is_on_its_port() {
    let (instance, metrics) = measured().await;
    for path in ["/", "/health", "/simulations", "/metrics/"] {
        metrics.get(path).await.expect_status(404);
    }
    let refused = metrics.call("POST", "/metrics").send().await;
    assert_eq!(refused.header("allow"), Some("GET, HEAD"));
    refused.expect_status(405);
    let on_the_public_port: Reply = instance.client().get("/metrics").await;
    on_the_public_port.expect_problem(404, "route_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_clients_do_is_counted() {
    let (instance, metrics) = measured().await;
    let client = instance.client();
    let before = Page::read(&metrics).await;

    let kept = client
        .simulation(&json!({"bodies": [sphere("ball", 0.5, [0.0, 5.0, 0.0])]}))
        .await;
    let gone = client.simulation(&json!({})).await;
    for _ in 0..3 {
        client.step(&kept, 1).await.expect_status(200);
    }
    client.step(&kept, 500).await.expect_status(200);
    client.destroy(&gone).await.expect_status(204);
    client.step(&gone, 1).await.expect_status(404);

    let page = Page::read(&metrics).await;
    let step = "/simulations/{sim_id}/step";
    assert_eq!(page.requests(step, "POST", "200"), 4);
    assert_eq!(page.requests(step, "POST", "404"), 1);
    assert_eq!(page.requests("/simulations", "POST", "201"), 2);
    assert_eq!(page.requests("/simulations/{sim_id}", "DELETE", "204"), 1);
    let grown = |sample: &str| page.count(sample) - before.count(sample);
    assert_eq!(grown("rapier_http_request_duration_seconds_count"), 8);
    let sum = page.text("rapier_http_request_duration_seconds_sum");
    assert_ne!(sum, "0.0");
    assert_eq!(grown("rapier_simulations_created_total"), 2);
    let destroyed = "rapier_simulations_ended_total{ending=\"destroyed\"}";
    assert_eq!(grown(destroyed), 1);
    assert_eq!(grown("rapier_simulations{state=\"active\"}"), 1);
    assert_eq!(grown("rapier_steps_total"), 503);
    assert!(grown("rapier_step_chunk_duration_seconds_count") >= 4);
    assert!(grown("rapier_queue_delay_seconds_count") >= 1);
    // A client may open a second one while the first is on its way back to its pool.
    assert!((1..=2).contains(&page.count("rapier_http_connections")));
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_clients_send_there_are_few_labels() {
    let (instance, metrics) = measured().await;
    let client = instance.client();
    for number in 0..20 {
        client
            .get(format!("/unknown/{number}"))
            .await
            .expect_status(404);
        client
            .get(format!("/simulations/{number}"))
            .await
            .expect_status(404);
        let method = format!("BREW{number}");
        client
            .call(&method, "/simulations")
            .send()
            .await
            .expect_status(405);
    }

    let page = Page::read(&metrics).await;
    assert_eq!(page.requests("other", "GET", "404"), 20);
    assert_eq!(page.requests("/simulations/{sim_id}", "GET", "404"), 20);
    assert_eq!(page.requests("/simulations", "other", "405"), 20);
    let rows = page.samples.keys();
    let rows = rows.filter(|sample| sample.starts_with("rapier_http_requests_total"));
    assert_eq!(rows.count(), 3);
}
