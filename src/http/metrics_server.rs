//! What was counted, for Prometheus, on a port of its own.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::Request,
    http::{Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use tokio::runtime::Handle;

use super::{problem::Problem, server::Endpoint};
use crate::{
    metrics::{Metrics, Seen, SeenStore},
    simulations::Simulations,
};

/// How Redis does, where there is one.
pub type AskStore = Arc<dyn Fn() -> Option<SeenStore> + Send + Sync>;

/// Answers `GET /metrics`.
#[derive(Clone)]
pub(super) struct MetricsPage {
    pub(super) simulations: Simulations,
    pub(super) store: AskStore,
}

impl MetricsPage {
    fn write(&self) -> String {
        let census = self.simulations.census();
        let memory = &self.simulations.services().memory;
        let seen = Seen {
            memory_held: memory.held(),
            memory_budget: memory.budget(),
            version: env!("CARGO_PKG_VERSION"),
            tasks: Handle::current().metrics().num_alive_tasks(),
            active: census.active,
            stepping: census.stepping,
            frozen: census.frozen,
            unregistered: census.unregistered,
            lease_age: self.simulations.lease_age(),
            is_eviction_risk: self.simulations.is_eviction_risk(),
            store: (self.store)(),
        };
        self.simulations.services().metrics.render(seen)
    }
}

impl Endpoint for MetricsPage {
    fn refuse(&self, refusal: Problem, _: IpAddr) -> Response {
        refusal.status().into_response()
    }

    async fn serve(self: Arc<Self>, request: Request, _: IpAddr) -> Response {
        if request.uri().path() != "/metrics" {
            return StatusCode::NOT_FOUND.into_response();
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let allow = [(header::ALLOW, "GET, HEAD")];
            return (StatusCode::METHOD_NOT_ALLOWED, allow).into_response();
        }
        let kind = [(header::CONTENT_TYPE, Metrics::MEDIA_TYPE)];
        (kind, self.write()).into_response()
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        http::{problem_code::ProblemCode, router},
        metrics::{Asked, shows_status},
    };

    #[test]
    fn every_documented_route_is_counted_apart() {
        let (_, document) = router::documented(false);
        for path in document.paths.paths.keys() {
            assert_eq!(Asked::new("GET", path).route(), path);
        }
    }

    #[test]
    fn every_status_of_a_problem_is_shown_as_it_is() {
        for code in ProblemCode::ALL {
            let status = code.describe().2;
            assert!(shows_status(status.as_u16()), "{status}");
        }
    }
}
