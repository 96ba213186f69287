//! Imports: robots and scenes that are described in formats of their own.

use axum::extract::State;
use indexmap::IndexMap;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    http::{
        extract::{Keyed, Simulation},
        json::Object,
        observed::Observed,
        problem::{Problem, ProblemBody},
        state::AppState,
    },
    imports::{ImportRequest, translate},
    physics::{Command, Fault},
};

/// What an import has added.
#[derive(Serialize, ToSchema)]
pub(crate) struct Imported {
    /// The body that each link of the description has become; several may share one.
    #[schema(value_type = std::collections::HashMap<String, String>)]
    links: IndexMap<String, String>,
    /// The joint that each joint of the description has become.
    #[schema(value_type = std::collections::HashMap<String, String>)]
    joints: IndexMap<String, String>,
    /// All bodies, in the order they were added.
    body_ids: Vec<String>,
    /// All joints, in the order they were added.
    joint_ids: Vec<String>,
    /// The body that the others hang on.
    root: String,
    /// What of the description was not carried over, for people to read.
    ignored: Vec<String>,
}

/// Adds a robot or a scene, described in URDF or MJCF; all of it or nothing.
#[utoipa::path(
    post,
    path = "/simulations/{sim_id}/imports",
    tag = "imports",
    params(("sim_id" = String, Path, description = "The simulation")),
    request_body(content = ImportRequest, examples(
        ("a pendulum in URDF" = (value = json!({
            "format": "urdf",
            "content": "<robot name=\"pendulum\"><link name=\"world\"/><link name=\"arm\"><inertial><origin xyz=\"0 0 -0.5\"/><mass value=\"1\"/><inertia ixx=\"0.08\" iyy=\"0.08\" izz=\"0.001\" ixy=\"0\" ixz=\"0\" iyz=\"0\"/></inertial><collision><origin xyz=\"0 0 -0.5\"/><geometry><box size=\"0.1 0.1 1\"/></geometry></collision></link><joint name=\"hinge\" type=\"continuous\"><parent link=\"world\"/><child link=\"arm\"/><origin xyz=\"0 0 2\"/><axis xyz=\"0 1 0\"/></joint></robot>",
            "prefix": "p_",
            "orientation": [-0.707_106_77, 0.0, 0.0, 0.707_106_77],
        }))),
        ("a ball over a floor in MJCF, twice as large" = (value = json!({
            "format": "mjcf",
            "content": "<mujoco><worldbody><geom type=\"plane\" size=\"5 5 0.1\"/><body name=\"ball\" pos=\"0 0 1\"><freejoint/><geom type=\"sphere\" size=\"0.1\"/></body></worldbody></mujoco>",
            "prefix": "m_",
            "scale": 2.0,
        }))),
    )),
    responses(
        (status = 201, description = "Added", body = Imported, example = json!({"links": {"world": "p_world", "arm": "p_arm"}, "joints": {"hinge": "p_hinge"}, "body_ids": ["p_world", "p_arm"], "joint_ids": ["p_hinge"], "root": "p_world", "ignored": []})),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn import(
    State(state): State<AppState>,
    Simulation(simulation): Simulation,
    Keyed {
        body: Object(request),
        terms,
    }: Keyed<Object<Box<ImportRequest>>>,
) -> Result<Observed, Problem> {
    let limits = state.import_limits();
    let pool = simulation.pool();
    let translated = pool.run(move || translate(&request, limits)).await;
    let import = translated.map_err(|_| beyond_the_parser())??;
    let command = Command::Import(Box::new(import));
    let reply = simulation.execute(command, terms).await?;
    Ok(Observed::created(simulation.services(), reply, None))
}

/// The parsers of others may fail on what nobody has thought of; that is the description's fault.
fn beyond_the_parser() -> Problem {
    Problem::invalid(vec![Fault {
        pointer: "/content".to_owned(),
        detail: "cannot be made sense of".to_owned(),
    }])
}
