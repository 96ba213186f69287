//! What is counted, for Prometheus.

use prometheus_client::metrics::counter::Counter;

/// Everything that is counted outside the HTTP layer.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Simulations that turned out to be owned by somebody else.
    pub ownership_conflicts: Counter,
    /// Leases that ended before they were renewed.
    pub lease_lapses: Counter,
    /// Simulations of dead owners that were forgotten.
    pub orphans_swept: Counter,
}
