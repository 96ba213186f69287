//! From what creates something to what can be done with it.

use std::collections::BTreeSet;

use utoipa::openapi::{
    PathItem, RefOr, Response,
    link::LinkBuilder,
    path::{Operation, PathsMap},
};

use super::operations;

/// A reply that names something.
struct Source {
    operation: &'static str,
    status: &'static str,
    /// The parameter of other operations that takes the name.
    parameter: &'static str,
    /// Where the name stands.
    name: &'static str,
    /// Where the name of the simulation stands that it is in, if it is in one.
    simulation: Option<&'static str>,
}

const NAMED: Option<&str> = Some("$request.path.sim_id");

const SOURCES: [Source; 6] = [
    source(
        "create_simulation",
        "sim_id",
        "$response.body#/sim_id",
        None,
    ),
    source("add_bodies", "body_id", "$response.body#/body_id", NAMED),
    source("add_joints", "joint_id", "$response.body#/joint_id", NAMED),
    source(
        "add_controllers",
        "controller_id",
        "$response.body#/controller_id",
        NAMED,
    ),
    source("import", "body_id", "$response.body#/root", NAMED),
    source("upload_asset", "sha256", "$request.path.sha256", None),
];

/// Adds a link from each source to each operation that takes what it names, and nothing else.
pub(super) fn add(paths: &mut PathsMap<String, PathItem>) {
    let mut targets = Vec::new();
    for (path, item) in paths.iter_mut() {
        let takes = path.split(['{', '}']).skip(1).step_by(2);
        let takes: BTreeSet<_> = takes.map(str::to_owned).collect();
        let ids = operations(item).filter_map(|(_, operation)| operation.operation_id.clone());
        targets.extend(ids.map(|id| (id, takes.clone())));
    }
    for item in paths.values_mut() {
        for (_, operation) in operations(item) {
            link(operation, &targets);
        }
    }
}

fn link(operation: &mut Operation, targets: &[(String, BTreeSet<String>)]) {
    let id = operation.operation_id.clone();
    let sources = SOURCES
        .iter()
        .filter(|source| Some(source.operation) == id.as_deref());
    for source in sources {
        let response = operation.responses.responses.get_mut(source.status);
        let Some(RefOr::T(response)) = response else {
            continue;
        };
        let named = source.simulation.map(|_| "sim_id");
        let names: BTreeSet<_> = named.into_iter().chain([source.parameter]).collect();
        for (target, takes) in targets {
            if takes.iter().map(String::as_str).eq(names.iter().copied()) {
                source.link(response, target);
            }
        }
    }
}

impl Source {
    fn link(&self, response: &mut Response, target: &str) {
        let link = LinkBuilder::new()
            .operation_id(target)
            .parameter(self.parameter, self.name);
        let link = match self.simulation {
            Some(simulation) => link.parameter("sim_id", simulation),
            None => link,
        };
        response
            .links
            .insert(target.to_owned(), link.build().into());
    }
}

const fn source(
    operation: &'static str,
    parameter: &'static str,
    name: &'static str,
    simulation: Option<&'static str>,
) -> Source {
    Source {
        operation,
        status: "201",
        parameter,
        name,
        simulation,
    }
}
