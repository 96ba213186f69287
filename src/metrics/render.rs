//! What was counted, as Prometheus reads it.

use std::{fmt, sync::Arc, time::Duration};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, MetricEncoder, NoLabelSet, text},
    metrics::{MetricType, counter::Counter},
    registry::Registry,
};

use super::{Distribution, Metrics, requests::labelled};

/// What is not counted but looked up, each time it is asked for.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The version of the service.
    pub version: &'static str,
    /// Tasks of the runtime that have not ended.
    pub tasks: usize,
    /// Simulations whose worlds wait for commands.
    pub active: usize,
    /// Simulations whose worlds are being stepped.
    pub stepping: usize,
    /// Simulations whose worlds are packed away.
    pub frozen: usize,
    /// Simulations that other instances cannot find yet.
    pub unregistered: usize,
    /// How much memory the process holds, in bytes.
    pub memory_held: u64,
    /// How much it may.
    pub memory_budget: u64,
    /// How long ago the lease was renewed, where there is one.
    pub lease_age: Option<Duration>,
    /// Whether entries may vanish from the registry.
    pub is_eviction_risk: bool,
    /// How Redis does, where there is one.
    pub store: Option<SeenStore>,
}

/// How Redis does.
#[derive(Clone, Debug)]
pub struct SeenStore {
    /// What it answered.
    pub answered: u64,
    /// What it did not answer.
    pub failed: u64,
    /// What it answered with an error.
    pub refused: u64,
    /// What it was not asked, as it was taken for unreachable.
    pub skipped: u64,
    /// How long all that took.
    pub durations: Distribution,
    /// Whether it is taken for unreachable.
    pub is_breaker_open: bool,
}

impl Metrics {
    /// The type of what [`Metrics::render`] writes.
    pub const MEDIA_TYPE: &'static str =
        "application/openmetrics-text; version=1.0.0; charset=utf-8";

    /// All of it as text.
    pub fn render(self: &Arc<Self>, seen: Seen) -> String {
        let mut registry = Registry::with_prefix("rapier");
        registry.register_collector(Box::new(Report {
            metrics: Arc::clone(self),
            seen,
        }));
        let mut written = String::new();
        text::encode(&mut written, &registry).expect("a text takes whatever is written to it");
        written
    }
}

#[derive(Debug)]
struct Report {
    metrics: Arc<Metrics>,
    seen: Seen,
}

impl Collector for Report {
    fn encode(&self, encoder: DescriptorEncoder) -> fmt::Result {
        let mut page = Page(encoder);
        self.write_requests(&mut page)?;
        self.write_simulations(&mut page)?;
        self.write_store(&mut page)?;
        self.write_fleet(&mut page)
    }
}

impl Report {
    fn write_requests(&self, page: &mut Page<'_>) -> fmt::Result {
        let metrics = &self.metrics;
        let mut build = page.begin("build", "The service", MetricType::Info)?;
        build.encode_info(&[("version", self.seen.version)])?;

        let mut totals = Vec::new();
        for shard in metrics.shards() {
            shard.requests.add_to(&mut totals);
        }
        let help = "Requests that were answered";
        let mut requests = page.begin("http_requests", help, MetricType::Counter)?;
        for (route, method, status, count) in labelled(&totals) {
            let status = status.map_or_else(|| "other".to_owned(), |status| status.to_string());
            let labels = [("route", route), ("method", method), ("status", &status)];
            write_count(&mut requests, &labels, count)?;
        }
        page.histogram(
            "http_request_duration_seconds",
            "How long requests took",
            &metrics.request_duration(),
        )?;
        let help = "Open connections";
        page.gauge("http_connections", help, metrics.connections.get())?;
        page.gauge(
            "tasks",
            "Tasks of the runtime that have not ended",
            i64::try_from(self.seen.tasks).unwrap_or(i64::MAX),
        )
    }

    fn write_simulations(&self, page: &mut Page<'_>) -> fmt::Result {
        let (metrics, seen) = (&self.metrics, &self.seen);
        let help = "Simulations that are here";
        let mut simulations = page.begin("simulations", help, MetricType::Gauge)?;
        for (state, count) in [
            ("active", seen.active),
            ("stepping", seen.stepping),
            ("frozen", seen.frozen),
        ] {
            let labels = [("state", state)];
            let mut cell = simulations.encode_family(&labels)?;
            cell.encode_gauge(&(count as u64))?;
        }
        page.counter(
            "simulations_created",
            "Simulations that were created",
            &metrics.simulations_created,
        )?;
        let ended = &metrics.simulations_ended;
        page.counters(
            "simulations_ended",
            "Simulations that came to their end",
            "ending",
            &[
                ("destroyed", ended.destroyed.get()),
                ("expired", ended.expired.get()),
                ("lost", ended.lost.get()),
            ],
        )?;
        let mut steps = page.begin("steps", "Steps of all worlds", MetricType::Counter)?;
        steps.encode_counter::<NoLabelSet, _, u64>(&metrics.steps(), None)?;
        page.histogram(
            "step_chunk_duration_seconds",
            "How long a world was worked on in one go",
            &metrics.chunk_duration(),
        )?;
        page.histogram(
            "queue_delay_seconds",
            "How long commands waited for the task of their simulation",
            &metrics.queue_delay.read(),
        )?;
        page.histogram(
            "pool_delay_seconds",
            "How long jobs waited for a thread of the compute pool",
            &metrics.pool_delay.read(),
        )?;
        let refusals = &metrics.refusals;
        page.counters(
            "refusals",
            "What was refused as there was too little of something",
            "lack",
            &[
                ("requests", refusals.requests.get()),
                ("computing", refusals.computing.get()),
                ("waiting", refusals.waiting.get()),
                ("memory", refusals.memory.get()),
                ("deadline", refusals.deadline.get()),
            ],
        )?;
        let in_bytes = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        let help = "Memory that the process holds";
        page.gauge("memory_held_bytes", help, in_bytes(self.seen.memory_held))?;
        let help = "Memory that the process may hold before what needs more is refused";
        page.gauge(
            "memory_budget_bytes",
            help,
            in_bytes(self.seen.memory_budget),
        )?;
        let help = "Worlds that were packed away";
        page.counter("freezes", help, &metrics.freezes)?;
        page.counter("thaws", "Worlds that were unpacked", &metrics.thaws)?;
        let help = "Simulations that left memory and rest in their journals";
        page.counter("departures", help, &metrics.departures)?;
        let help = "Simulations that were made again from their journals";
        page.counter("recoveries", help, &metrics.recoveries)
    }

    fn write_store(&self, page: &mut Page<'_>) -> fmt::Result {
        let Some(store) = &self.seen.store else {
            return Ok(());
        };
        page.counters(
            "redis_requests",
            "What was asked of Redis",
            "outcome",
            &[
                ("ok", store.answered),
                ("failed", store.failed),
                ("refused", store.refused),
                ("skipped", store.skipped),
            ],
        )?;
        let help = "How long Redis took";
        page.histogram("redis_request_duration_seconds", help, &store.durations)?;
        page.gauge(
            "redis_breaker_open",
            "Whether Redis is taken for unreachable",
            store.is_breaker_open.into(),
        )?;
        page.gauge(
            "redis_eviction_risk",
            "Whether Redis may throw away what is registered",
            self.seen.is_eviction_risk.into(),
        )
    }

    fn write_fleet(&self, page: &mut Page<'_>) -> fmt::Result {
        let (metrics, seen) = (&self.metrics, &self.seen);
        if let Some(age) = seen.lease_age {
            let help = "How long ago the lease was renewed";
            let mut lease = page.begin("lease_age_seconds", help, MetricType::Gauge)?;
            lease.encode_gauge(&age.as_secs_f64())?;
        }
        let help = "Leases that ended before they were renewed";
        page.counter("lease_lapses", help, &metrics.lease_lapses)?;
        page.histogram(
            "flush_size",
            "How many simulations the registry was told of at a time",
            &metrics.flush_size.read(),
        )?;
        page.gauge(
            "unregistered_simulations",
            "Simulations that other instances cannot find yet",
            i64::try_from(seen.unregistered).unwrap_or(i64::MAX),
        )?;
        let forwards = &metrics.forwards;
        page.counters(
            "forwards",
            "Requests that were passed on to another instance",
            "outcome",
            &[
                ("answered", forwards.answered.get()),
                ("stale", forwards.stale.get()),
                ("unreachable", forwards.unreachable.get()),
                ("unknown", forwards.unknown.get()),
            ],
        )?;
        page.histogram(
            "forward_duration_seconds",
            "How long requests took that were passed on",
            &metrics.forward_duration.read(),
        )?;
        let help = "Requests that were handed back to the proxy they came from";
        page.counter("replays", help, &metrics.replays)?;
        page.counter(
            "ownership_conflicts",
            "Simulations that turned out to be owned by another instance",
            &metrics.ownership_conflicts,
        )?;
        let help = "Simulations of dead owners that were forgotten";
        page.counter("orphans_swept", help, &metrics.orphans_swept)
    }
}

/// What is written to.
struct Page<'a>(DescriptorEncoder<'a>);

impl Page<'_> {
    fn begin<'s>(
        &'s mut self,
        name: &'s str,
        help: &str,
        kind: MetricType,
    ) -> Result<MetricEncoder<'s>, fmt::Error> {
        self.0.encode_descriptor(name, help, None, kind)
    }

    fn counter(&mut self, name: &str, help: &str, counter: &Counter) -> fmt::Result {
        let mut metric = self.begin(name, help, MetricType::Counter)?;
        metric.encode_counter::<NoLabelSet, _, u64>(&counter.get(), None)
    }

    fn counters(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        counts: &[(&str, u64)],
    ) -> fmt::Result {
        let mut metric = self.begin(name, help, MetricType::Counter)?;
        for (value, count) in counts {
            write_count(&mut metric, &[(label, *value)], *count)?;
        }
        Ok(())
    }

    fn gauge(&mut self, name: &str, help: &str, value: i64) -> fmt::Result {
        let mut metric = self.begin(name, help, MetricType::Gauge)?;
        metric.encode_gauge(&value)
    }

    fn histogram(&mut self, name: &str, help: &str, values: &Distribution) -> fmt::Result {
        let mut metric = self.begin(name, help, MetricType::Histogram)?;
        let (sum, count) = (values.sum, values.count());
        metric.encode_histogram::<NoLabelSet>(sum, count, &values.buckets, None)
    }
}

fn write_count(
    metric: &mut MetricEncoder<'_>,
    labels: &impl EncodeLabelSet,
    count: u64,
) -> fmt::Result {
    let mut cell = metric.encode_family(labels)?;
    cell.encode_counter::<NoLabelSet, _, u64>(&count, None)
}
