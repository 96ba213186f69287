//! Requests by route, method and status: a table of fixed size, whatever clients send.

use std::sync::atomic::{AtomicU64, Ordering};

/// What stands for everything that is not known.
const OTHER: &str = "other";

const METHODS: [&str; 8] = [
    "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", OTHER,
];

/// The statuses that are told apart.
const STATUSES: [u16; 25] = [
    200, 201, 202, 204, 304, 400, 401, 403, 404, 405, 406, 408, 409, 412, 413, 414, 415, 421, 422,
    429, 431, 500, 502, 503, 504,
];

/// One row for each route and method, one column for each status and one for all others.
const COLUMNS: usize = STATUSES.len() + 1;

macro_rules! routes {
    ($($name:ident $template:literal $segments:pat,)*) => {
        /// The routes, in the order of `TEMPLATES`.
        #[derive(Clone, Copy)]
        enum Route { $($name,)* Other }

        /// The routes as the document names them.
        const TEMPLATES: &[&str] = &[$($template,)* OTHER];

        impl Route {
            fn of_segments(segments: &[&str]) -> Self {
                match segments {
                    $($segments => Self::$name,)*
                    _ => Self::Other,
                }
            }
        }
    };
}

routes! {
    Health "/health" ["health"],
    Ready "/ready" ["ready"],
    Document "/openapi.json" ["openapi.json"],
    Capabilities "/capabilities" ["capabilities"],
    Problem "/problems/{code}" ["problems", _],
    Asset "/assets/{sha256}" ["assets", _],
    Simulations "/simulations" ["simulations"],
    Simulation "/simulations/{sim_id}" ["simulations", _],
    Step "/simulations/{sim_id}/step" ["simulations", _, "step"],
    State "/simulations/{sim_id}/state" ["simulations", _, "state"],
    Contacts "/simulations/{sim_id}/contacts" ["simulations", _, "contacts"],
    Energy "/simulations/{sim_id}/energy" ["simulations", _, "energy"],
    Events "/simulations/{sim_id}/events" ["simulations", _, "events"],
    Queries "/simulations/{sim_id}/queries" ["simulations", _, "queries"],
    Commands "/simulations/{sim_id}/commands" ["simulations", _, "commands"],
    Imports "/simulations/{sim_id}/imports" ["simulations", _, "imports"],
    InverseKinematics "/simulations/{sim_id}/inverse_kinematics"
        ["simulations", _, "inverse_kinematics"],
    Bodies "/simulations/{sim_id}/bodies" ["simulations", _, "bodies"],
    Joints "/simulations/{sim_id}/joints" ["simulations", _, "joints"],
    KeepAlive "/simulations/{sim_id}/keepalive" ["simulations", _, "keepalive"],
    Journal "/simulations/{sim_id}/journal" ["simulations", _, "journal"],
    Bundle "/simulations/{sim_id}/bundle" ["simulations", _, "bundle"],
    Verify "/simulations/{sim_id}/verify" ["simulations", _, "verify"],
    Body "/simulations/{sim_id}/bodies/{body_id}" ["simulations", _, "bodies", _],
    Joint "/simulations/{sim_id}/joints/{joint_id}" ["simulations", _, "joints", _],
    Controllers "/simulations/{sim_id}/controllers" ["simulations", _, "controllers"],
    Controller "/simulations/{sim_id}/controllers/{controller_id}" ["simulations", _, "controllers", _],
    Impulse "/simulations/{sim_id}/bodies/{body_id}/impulse"
        ["simulations", _, "bodies", _, "impulse"],
    Force "/simulations/{sim_id}/bodies/{body_id}/force" ["simulations", _, "bodies", _, "force"],
    Trajectory "/simulations/{sim_id}/bodies/{body_id}/trajectory"
        ["simulations", _, "bodies", _, "trajectory"],
}

/// The most segments that a route has.
const MAX_SEGMENTS: usize = 5;

impl Route {
    fn of(path: &str) -> Self {
        let Some(path) = path.strip_prefix('/') else {
            return Self::Other;
        };
        let mut segments = [""; MAX_SEGMENTS];
        let mut count = 0;
        for segment in path.split('/') {
            if count == MAX_SEGMENTS || segment.is_empty() {
                return Self::Other;
            }
            segments[count] = segment;
            count += 1;
        }
        Self::of_segments(&segments[..count])
    }
}

/// What a request asks for, as far as that is told apart.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    row: usize,
}

impl Asked {
    /// What is asked for with a method and a path.
    pub fn new(method: &str, path: &str) -> Self {
        let known = METHODS.iter().position(|known| *known == method);
        let method = known.unwrap_or(METHODS.len() - 1);
        Self {
            row: Route::of(path) as usize * METHODS.len() + method,
        }
    }

    /// The route, as the document names it.
    pub fn route(self) -> &'static str {
        TEMPLATES[self.row / METHODS.len()]
    }

    /// The method.
    pub fn method(self) -> &'static str {
        METHODS[self.row % METHODS.len()]
    }
}

/// Whether a status is shown as it is.
pub fn shows_status(status: u16) -> bool {
    STATUSES.contains(&status)
}

fn column(status: u16) -> usize {
    let known = STATUSES.iter().position(|known| *known == status);
    known.unwrap_or(STATUSES.len())
}

/// How many requests there were.
#[derive(Debug)]
pub(super) struct Requests(Box<[AtomicU64]>);

impl Default for Requests {
    fn default() -> Self {
        let cells = TEMPLATES.len() * METHODS.len() * COLUMNS;
        Self((0..cells).map(|_| AtomicU64::new(0)).collect())
    }
}

impl Requests {
    pub(super) fn count(&self, asked: Asked, status: u16) {
        let cell = asked.row * COLUMNS + column(status);
        self.0[cell].fetch_add(1, Ordering::Relaxed);
    }

    /// Adds what was counted here to `totals`, which has as many cells or none yet.
    pub(super) fn add_to(&self, totals: &mut Vec<u64>) {
        totals.resize(self.0.len(), 0);
        for (total, cell) in totals.iter_mut().zip(&self.0) {
            *total += cell.load(Ordering::Relaxed);
        }
    }
}

/// Route, method and status of each cell that is not empty, and what it holds.
pub(super) fn labelled(
    totals: &[u64],
) -> impl Iterator<Item = (&'static str, &'static str, Option<u16>, u64)> {
    let filled = totals.iter().enumerate().filter(|(_, count)| **count > 0);
    filled.map(|(cell, count)| {
        let asked = Asked {
            row: cell / COLUMNS,
        };
        let status = STATUSES.get(cell % COLUMNS).copied();
        (asked.route(), asked.method(), status, *count)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(path: &str) -> &'static str {
        Asked::new("GET", path).route()
    }

    #[test]
    fn every_template_belongs_to_its_own_route() {
        for known in TEMPLATES {
            assert_eq!(route(known), *known);
        }
    }

    #[test]
    fn what_is_no_route_is_other() {
        for path in [
            "",
            "/",
            "*",
            "//",
            "/simulations/",
            "/simulations//step",
            "/simulations/a/step/",
            "/simulations/a/stepp",
            "/simulations/a/bodies/b/impulse/c",
            "/Health",
            "/docs",
            "health",
        ] {
            assert_eq!(route(path), OTHER, "{path}");
        }
        assert_eq!(
            route("/simulations/%20/bodies/ö"),
            "/simulations/{sim_id}/bodies/{body_id}"
        );
    }

    #[test]
    fn what_is_counted_is_found_under_its_labels() {
        let requests = Requests::default();
        requests.count(Asked::new("POST", "/simulations/a/step"), 200);
        requests.count(Asked::new("POST", "/simulations/b/step"), 200);
        requests.count(Asked::new("BREW", "/coffee"), 418);

        let mut totals = Vec::new();
        requests.add_to(&mut totals);
        let found: Vec<_> = labelled(&totals).collect();
        let step = "/simulations/{sim_id}/step";
        let expected = [(step, "POST", Some(200), 2), (OTHER, OTHER, None, 1)];
        assert_eq!(found, expected);
    }
}
