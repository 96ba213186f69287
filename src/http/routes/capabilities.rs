//! What the service can do, and how much of it.

use std::collections::BTreeMap;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::{
    ToSchema,
    openapi::{RefOr, schema::Schema},
};

use crate::{
    http::{accept::BUNDLE, item::Op, state::AppState},
    imports::ImportFormat,
    physics::{
        BodyKind, ControllerKind, FEATURES, FIXED_LIMITS, Integrator, JointKind, Measure, PARRY,
        QueryKind, RAPIER, ShapeKind, StateField,
    },
    simulations::AssetFormat,
};

/// What the service can do.
#[derive(Serialize, ToSchema)]
pub(crate) struct Capabilities {
    /// The version of the service.
    version: &'static str,
    /// What computes.
    engine: Engine,
    /// Under which condition a simulation can be computed again bit for bit.
    determinism: Determinism,
    /// Kinds of bodies.
    kinds: Vec<String>,
    /// Shapes of bodies.
    shapes: Vec<ShapeType>,
    /// Types of joints.
    joints: Vec<String>,
    /// Types of controllers.
    controllers: Vec<String>,
    /// The commands of batches, each its `op`.
    commands: Vec<String>,
    /// What batches can wait for to pass a threshold.
    measures: Vec<String>,
    /// Types of queries.
    queries: Vec<QueryType>,
    /// What can be asked of each body of a state.
    state_fields: Vec<String>,
    /// Integrators that are echoed.
    integrators: Vec<String>,
    /// Formats of files.
    formats: Formats,
    /// The limits that hold here, by the names that refusals give: settings, and some that are the
    /// same everywhere.
    limits: BTreeMap<&'static str, u64>,
    /// What is turned on here.
    features: Features,
}

/// What computes.
#[derive(Serialize, ToSchema)]
pub(crate) struct Engine {
    name: &'static str,
    version: &'static str,
    /// The library of shapes beneath it.
    geometry: &'static str,
    geometry_version: &'static str,
}

/// Instances with an equal fingerprint compute alike.
#[derive(Serialize, ToSchema)]
pub(crate) struct Determinism {
    fingerprint: String,
    /// The features of the engine that its results depend on.
    engine_features: &'static str,
}

/// A shape, with its fields.
#[derive(Serialize, ToSchema)]
pub(crate) struct ShapeType {
    name: ShapeKind,
    /// The fields it can be described with.
    fields: Vec<&'static str>,
}

/// A type of queries, with its fields.
#[derive(Serialize, ToSchema)]
pub(crate) struct QueryType {
    name: QueryKind,
    /// The fields it needs.
    needs: &'static [&'static str],
    /// The fields it takes beside them.
    takes: &'static [&'static str],
    /// Whether it takes a shape and the fields of that.
    takes_shape: bool,
}

/// Formats of files.
#[derive(Serialize, ToSchema)]
pub(crate) struct Formats {
    /// Descriptions of robots and scenes.
    imports: Vec<String>,
    /// Media types of meshes.
    assets: &'static [&'static str],
    /// A whole simulation.
    bundle: &'static str,
}

/// What is turned on.
#[derive(Serialize, ToSchema)]
pub(crate) struct Features {
    /// Whether a simulation can outlive its process.
    journal: bool,
    /// Whether replies carry a hash of the state.
    state_hash: bool,
    /// Whether clients have to say who they are.
    api_keys: bool,
}

/// What the service can do, and its limits. Asks nobody else.
#[utoipa::path(
    get,
    path = "/capabilities",
    tag = "service",
    responses((status = 200, description = "What it can do", body = Capabilities, example = json!({
        "version": "0.1.0",
        "engine": {"name": "rapier3d", "version": "0.36.1", "geometry": "parry3d", "geometry_version": "0.31.1"},
        "determinism": {"fingerprint": "rapier 0.36.1, parry 0.31.1, enhanced-determinism, golden ffb9d98b58907e3b", "engine_features": "enhanced-determinism"},
        "kinds": ["static", "dynamic", "kinematic"],
        "shapes": [{"name": "sphere", "fields": ["size", "radius"]}],
        "joints": ["fixed", "revolute"],
        "controllers": ["character", "vehicle", "pid"],
        "commands": ["add_body", "step"],
        "measures": ["position.x", "speed"],
        "queries": [{"name": "distance", "needs": ["body_a", "body_b"], "takes": [], "takes_shape": false}],
        "state_fields": ["position", "speed"],
        "integrators": ["verlet"],
        "formats": {"imports": ["urdf", "mjcf"], "assets": ["model/stl"], "bundle": "application/vnd.rapier-bundle"},
        "limits": {"MAX_BODIES_PER_SIMULATION": 10000},
        "features": {"journal": true, "state_hash": false, "api_keys": false},
    }))),
)]
pub(crate) async fn show_capabilities(State(state): State<AppState>) -> Response {
    let services = state.simulations.services();
    let fixed = FIXED_LIMITS.map(|(name, limit)| (name, limit as u64));
    let capabilities = Capabilities {
        version: env!("CARGO_PKG_VERSION"),
        engine: Engine {
            name: "rapier3d",
            version: RAPIER,
            geometry: "parry3d",
            geometry_version: PARRY,
        },
        determinism: Determinism {
            fingerprint: services.fingerprint.to_string(),
            engine_features: FEATURES,
        },
        kinds: words::<BodyKind>(),
        shapes: ShapeKind::ALL.map(ShapeType::of).into(),
        joints: words::<JointKind>(),
        controllers: words::<ControllerKind>(),
        commands: words::<Op>(),
        measures: words::<Measure>(),
        queries: QueryKind::ALL.map(QueryType::of).into(),
        state_fields: words::<StateField>(),
        integrators: words::<Integrator>(),
        formats: Formats {
            imports: words::<ImportFormat>(),
            assets: &AssetFormat::MEDIA_TYPES,
            bundle: BUNDLE,
        },
        limits: state.config.limits().into_iter().chain(fixed).collect(),
        features: Features {
            journal: services.journal.is_some(),
            state_hash: services.hashes_state,
            api_keys: !state.config.api_keys.0.is_empty(),
        },
    };
    axum::Json(capabilities).into_response()
}

impl ShapeType {
    fn of(kind: ShapeKind) -> Self {
        Self {
            name: kind,
            fields: kind.fields(),
        }
    }
}

impl QueryType {
    fn of(kind: QueryKind) -> Self {
        let (needs, takes) = kind.fields();
        Self {
            name: kind,
            needs,
            takes,
            takes_shape: kind.takes_shape(),
        }
    }
}

/// The words of one of several, as its schema has them.
fn words<T: utoipa::PartialSchema>() -> Vec<String> {
    let schema = T::schema();
    let schemas = if let RefOr::T(Schema::OneOf(several)) = schema {
        several.items
    } else {
        vec![schema]
    };
    let mut words = Vec::new();
    for schema in schemas {
        if let RefOr::T(Schema::Object(object)) = schema {
            words.extend(object.enum_values.unwrap_or_default());
        }
    }
    let word = |value: serde_json::Value| value.as_str().map(str::to_owned);
    words.into_iter().filter_map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_wire() {
        assert_eq!(words::<BodyKind>()[..2], ["static", "dynamic"]);
        let shapes = serde_json::to_value(ShapeKind::ALL).unwrap();
        assert_eq!(shapes, serde_json::json!(words::<ShapeKind>()));
        assert!(words::<JointKind>().len() >= 4);
        assert_eq!(words::<ControllerKind>(), ["character", "vehicle", "pid"]);
        assert!(words::<Op>().contains(&"inverse_kinematics".to_owned()));
        assert!(words::<Measure>().contains(&"angular_velocity.x".to_owned()));
        assert_eq!(words::<ImportFormat>(), ["urdf", "mjcf"]);
        let fields = StateField::ALL.map(StateField::name);
        assert_eq!(words::<StateField>(), fields);
    }
}
