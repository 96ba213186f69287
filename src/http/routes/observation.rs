//! Looking at a simulation: its state or a part of it, who touches whom, energy and momentum.

use axum::extract::RawQuery;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    http::{
        extract::Simulation,
        observed::Observed,
        problem::{Problem, ProblemBody},
        routes::commands::ObservedBodyResponse,
    },
    id::BodyId,
    physics::{ContactsView, EnergyView, Fault, Faults, StateField},
};

/// The state of a simulation, or the part of it that was asked for.
#[derive(Serialize, ToSchema)]
pub(crate) struct PartialState {
    /// The simulation.
    sim_id: String,
    /// Simulated seconds since the beginning.
    time: f64,
    /// Steps since the beginning.
    step: u64,
    /// In the order they were added.
    bodies: Vec<ObservedBodyResponse>,
    /// Bodies the engine has disabled because their state went beyond all bounds; they keep
    /// their last finite values.
    #[schema(nullable = false)]
    quarantined: Option<Vec<String>>,
}

/// The state of all bodies after the last committed command, or a part of it.
#[utoipa::path(
    get,
    path = "/simulations/{sim_id}/state",
    tag = "observation",
    params(
        ("sim_id" = String, Path, description = "The simulation"),
        ("bodies" = Option<String>, Query, pattern = "^[A-Za-z0-9_-]{1,64}(,[A-Za-z0-9_-]{1,64})*$", description = "Only these bodies: their names, separated by commas", example = "ball,floor"),
        ("fields" = Option<String>, Query, pattern = "^(position|orientation|velocity|angular_velocity|contacts|sleeping|speed)(,(position|orientation|velocity|angular_velocity|contacts|sleeping|speed))*$", description = "Only these fields of each, separated by commas: position, orientation, velocity, angular_velocity, contacts, sleeping, speed; the first five unless given", example = "position,speed"),
    ),
    responses(
        (status = 200, description = "The state", body = PartialState, example = json!({"sim_id": "demo", "time": 1.6, "step": 100, "bodies": [{"id": "ball", "position": [0.0, 0.5, 0.0], "orientation": [0.0, 0.0, 0.0, 1.0], "velocity": [0.0, 0.0, 0.0], "angular_velocity": [0.0, 0.0, 0.0], "contacts": ["floor"]}]})),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn show_state(
    Simulation(simulation): Simulation,
    RawQuery(query): RawQuery,
) -> Result<Observed, Problem> {
    let asked = Asked::parse(query.as_deref(), true)?;
    let reply = if asked.bodies.is_none() && asked.fields.is_none() {
        simulation.state().await?
    } else {
        let fields = asked.fields.unwrap_or(StateField::USUAL.to_vec());
        simulation.selected_state(asked.bodies, fields).await?
    };
    Ok(Observed::ok(&simulation, reply))
}

/// Who touches whom after the last committed command, where, how deep and how hard.
#[utoipa::path(
    get,
    path = "/simulations/{sim_id}/contacts",
    tag = "observation",
    params(
        ("sim_id" = String, Path, description = "The simulation"),
        ("bodies" = Option<String>, Query, pattern = "^[A-Za-z0-9_-]{1,64}(,[A-Za-z0-9_-]{1,64})*$", description = "Only contacts of these bodies: their names, separated by commas", example = "ball"),
    ),
    responses(
        (status = 200, description = "The contacts", body = ContactsView, example = json!({"contacts": [{"body_a": "ball", "body_b": "floor", "normal": [0.0, -1.0, 0.0], "points": [{"position": [0.0, -0.0005, 0.0], "depth": 0.001, "impulse": 0.157}]}]})),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn show_contacts(
    Simulation(simulation): Simulation,
    RawQuery(query): RawQuery,
) -> Result<Observed, Problem> {
    let asked = Asked::parse(query.as_deref(), false)?;
    let reply = simulation.contacts(asked.bodies).await?;
    Ok(Observed::ok(&simulation, reply))
}

/// Energy, momentum and mass of all dynamic bodies after the last committed command.
#[utoipa::path(
    get,
    path = "/simulations/{sim_id}/energy",
    tag = "observation",
    params(
        ("sim_id" = String, Path, description = "The simulation"),
        ("bodies" = Option<String>, Query, pattern = "^[A-Za-z0-9_-]{1,64}(,[A-Za-z0-9_-]{1,64})*$", description = "Each of these bodies, too, which must be dynamic: their names, separated by commas", example = "ball"),
    ),
    responses(
        (status = 200, description = "The sums", body = EnergyView, example = json!({"kinetic": 8.0, "potential": 9.81, "total": 17.81, "linear_momentum": [4.0, 0.0, 0.0], "angular_momentum": [0.0, 0.0, -4.0], "center_of_mass": [0.0, 1.0, 0.0], "mass": 1.0})),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn show_energy(
    Simulation(simulation): Simulation,
    RawQuery(query): RawQuery,
) -> Result<Observed, Problem> {
    let asked = Asked::parse(query.as_deref(), false)?;
    let reply = simulation.energy(asked.bodies).await?;
    Ok(Observed::ok(&simulation, reply))
}

/// Which bodies are asked for, and what of them.
#[derive(Default)]
struct Asked {
    bodies: Option<Vec<BodyId>>,
    /// Sorted.
    fields: Option<Vec<StateField>>,
}

impl Asked {
    fn parse(query: Option<&str>, takes_fields: bool) -> Result<Self, Problem> {
        let mut asked = Self::default();
        let mut faults = Faults::default();
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            match name.as_ref() {
                "bodies" if asked.bodies.is_none() => {
                    asked.bodies = Some(bodies(&value, &mut faults));
                }
                "fields" if takes_fields && asked.fields.is_none() => {
                    asked.fields = Some(fields(&value, &mut faults));
                }
                known @ ("bodies" | "fields") if takes_fields || known == "bodies" => {
                    faults.add(known, "must be given once");
                }
                _ => {
                    let detail = if takes_fields {
                        "the state takes bodies and fields"
                    } else {
                        "this takes bodies"
                    };
                    return Err(Problem::unknown_field(Fault {
                        pointer: String::new(),
                        detail: detail.to_owned(),
                    }));
                }
            }
        }
        faults.into_result()?;
        Ok(asked)
    }
}

fn bodies(names: &str, faults: &mut Faults) -> Vec<BodyId> {
    let mut bodies = Vec::new();
    for name in names.split(',') {
        match BodyId::parse(name) {
            Ok(id) => bodies.push(id),
            Err(rule) => faults.add("bodies", rule),
        }
    }
    bodies
}

fn fields(names: &str, faults: &mut Faults) -> Vec<StateField> {
    let mut fields = Vec::new();
    for name in names.split(',') {
        match StateField::parse(name) {
            Some(field) => fields.push(field),
            None => faults.add("fields", "each must be the name of a field"),
        }
    }
    fields.sort_unstable();
    fields.dedup();
    fields
}
