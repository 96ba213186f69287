//! Simulations: creating, finding, changing and destroying them.

use std::{fmt, time::Duration};

use axum::{
    body::Body,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use indexmap::IndexMap;
use serde::{Deserialize, Deserializer, Serialize, de};
use unicode_normalization::UnicodeNormalization;
use utoipa::ToSchema;

use crate::{
    config::{Config, StorageBackend},
    http::{
        caller::Caller,
        extract::{Json, Original, Simulation, Unkeyed, check_media_type, parse_where_it_fits},
        forward::given_up,
        json::{Object, objects},
        observed::Observed,
        problem::{Problem, ProblemBody},
        routes::bundles,
        state::AppState,
    },
    id::{ID_RULE, SimulationId},
    physics::{
        Assets, BodySpec, Command, ControllerSpec, Dimensions, Fault, Faults, Integrator,
        JointSpec, Vec3, WorldConfig, WorldPatch, check_room, present, present_word, word,
    },
    simulations::{Durability, Labels, NewSimulation, SimulationError, SimulationRecord},
};

/// How many labels a simulation may have.
const MAX_LABELS: usize = 64;
/// The longest name of a label, in bytes.
const MAX_LABEL_NAME: usize = 64;
/// The longest value of a label, in bytes.
const MAX_LABEL_VALUE: usize = 256;

/// A simulation to create; `{}` is enough.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateRequest {
    /// m/s².
    #[serde(default = "default_gravity")]
    #[schema(default = json!([0.0, -9.81, 0.0]))]
    gravity: Vec3,
    /// 2 locks the translation in z and the rotation about x and y.
    #[serde(default)]
    #[schema(value_type = u8, minimum = 2, maximum = 3, default = 3)]
    dimensions: Dimensions,
    /// The time step, s.
    #[serde(default = "default_dt")]
    #[schema(minimum = 1e-5, maximum = 1.0, default = 0.016)]
    dt: f64,
    /// Echoed; Rapier's own integrator runs whatever is asked for.
    #[serde(default, deserialize_with = "word")]
    integrator: Integrator,
    /// Its name; a random one unless given.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, pattern = "^[A-Za-z0-9_-]{1,64}$")]
    id: Option<String>,
    /// How long it lives without being used.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, minimum = 1)]
    ttl_seconds: Option<u64>,
    /// As you like.
    #[serde(default)]
    #[schema(value_type = std::collections::HashMap<String, String>)]
    labels: Unique<String>,
    /// What it should survive: `journal` or `registry` with Redis; without, whatever is asked for
    /// is answered with `memory`.
    #[serde(default, deserialize_with = "present_word")]
    #[schema(nullable = false)]
    durability: Option<Durability>,
    /// Its first bodies.
    #[serde(default, deserialize_with = "objects")]
    bodies: Vec<BodySpec>,
    /// Its first joints.
    #[serde(default, deserialize_with = "objects")]
    joints: Vec<JointSpec>,
    /// What moves them from the first step on.
    #[serde(default, deserialize_with = "objects")]
    controllers: Vec<ControllerSpec>,
}

/// What to change of a simulation. What is left out stays as it is.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PatchRequest {
    /// m/s².
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    gravity: Option<Vec3>,
    /// The time step from now on, s.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, minimum = 1e-5, maximum = 1.0)]
    dt: Option<f64>,
    /// How long it lives without being used.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, minimum = 1)]
    ttl_seconds: Option<u64>,
    /// Labels to set; `null` deletes one.
    #[serde(default)]
    #[schema(value_type = std::collections::HashMap<String, Option<String>>)]
    labels: Unique<Option<String>>,
}

/// Until when a simulation lives without being used.
#[derive(Serialize, ToSchema)]
pub(crate) struct KeepaliveResponse {
    /// The simulation.
    sim_id: String,
    /// RFC 3339, UTC.
    expires_at: String,
}

/// Creates a simulation, or has one go on that was carried here as a bundle.
#[utoipa::path(
    post,
    path = "/simulations",
    tag = "simulations",
    params(("id" = Option<String>, Query, pattern = "^[A-Za-z0-9_-]{1,64}$", description = "The name of a simulation that is made of a bundle; a random one unless given")),
    request_body(content(
        (CreateRequest = "application/json", examples(
            ("defaults" = (value = json!({}))),
            ("a scene" = (value = json!({
                "gravity": [0.0, -9.81, 0.0],
                "dt": 0.01,
                "labels": {"course": "mechanics"},
                "bodies": [
                    {"id": "floor", "shape": "plane", "kind": "static"},
                    {"id": "ball", "shape": "sphere", "radius": 0.5, "position": [0.0, 5.0, 0.0]},
                ],
            }))),
            ("a playground" = (value = json!({
                "bodies": [
                    {"id": "floor", "shape": "plane", "kind": "static"},
                    {"id": "walker", "shape": "capsule", "size": [0.6, 0.3], "kind": "kinematic", "position": [0.0, 0.91, 0.0]},
                    {"id": "hook", "shape": "sphere", "size": [0.1], "kind": "static", "position": [3.0, 4.0, 0.0]},
                    {"id": "bob", "shape": "sphere", "size": [0.2], "position": [3.0, 2.0, 0.0]},
                ],
                "joints": [
                    {"id": "string", "joint_type": "spherical", "body_a": "hook", "body_b": "bob", "anchor_b": [0.0, 2.0, 0.0]},
                ],
                "controllers": [
                    {"id": "walk", "type": "character", "body_id": "walker", "velocity": [1.5, 0.0, 0.0]},
                ],
            }))),
        )),
        (Vec<u8> = "application/vnd.rapier-bundle"),
    )),
    responses(
        (status = 201, description = "Created", body = SimulationRecord, example = json!({"sim_id": "demo", "config": {"gravity": [0.0, -9.81, 0.0], "dimensions": 3, "dt": 0.016, "integrator": "verlet"}, "owner": "e286de6c", "durability": "memory", "registered": true, "status": "active", "step": 100, "time": 1.6, "bodies": 2, "joints": 0, "labels": {"course": "mechanics"}, "ttl_seconds": 3600, "created_at": "2026-01-01T12:00:00Z", "expires_at": "2026-01-01T13:00:00Z"})),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn create_simulation(
    State(state): State<AppState>,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    let is_bundle = bundles::is_bundle(request.headers());
    let check = if is_bundle {
        bundles::check_media_type
    } else {
        check_media_type
    };
    if !is_bundle && request.uri().query().is_some_and(|query| !query.is_empty()) {
        return Err(Problem::unknown_field(Fault {
            pointer: String::new(),
            detail: "only with a bundle there may be a query".to_owned(),
        }));
    }
    let original = Original::read(request, &state, check).await?;
    state.simulations.check_writable()?;
    let Original { key, head, bytes } = original;
    let mut may_be_done = false;
    for is_last in [false, true] {
        let new = if is_bundle {
            bundles::unpack(bytes.clone(), &head.uri, &caller, &state).await?
        } else {
            let asked = parse_where_it_fits(bytes.clone(), &state).await?;
            let Object::<CreateRequest>(asked) = asked;
            let assets = state.simulations.fetch_assets(&asked.bodies).await?;
            let limits = &state.simulations.services().limits;
            check_room(&asked.bodies, &assets, limits)?;
            asked.into_new_simulation(&caller, &state.config, assets)?
        };
        let refused = match state.simulations.create(new, key.clone()).await {
            Ok((id, reply)) => {
                let location = format!("/simulations/{id}");
                let services = state.simulations.services();
                return Ok(Observed::created(services, reply, Some(location)).into_response());
            }
            Err(refused) => refused,
        };
        let Some((forwarder, peer)) = state.other_place(&refused, &caller).await else {
            return Err(refused.into());
        };
        let again = Body::from(bytes.clone());
        let failure = match forwarder.send(&peer, &head, &caller, again).await {
            Ok(response) => return Ok(response),
            Err(failure) => failure,
        };
        may_be_done |= failure.may_be_done(&head.method);
        if let SimulationError::OwnedElsewhere { id, .. } = &refused {
            state.simulations.forget(id, &peer);
        } else if !may_be_done && is_last {
            return Err(refused.into());
        }
        if is_last || !failure.may_be_repeated(&head) {
            break;
        }
    }
    Err(given_up(may_be_done))
}

/// What is registered of a simulation, and where it stands.
#[utoipa::path(
    get,
    path = "/simulations/{sim_id}",
    tag = "simulations",
    params(("sim_id" = String, Path, description = "The simulation")),
    responses(
        (status = 200, description = "The simulation without its bodies", body = SimulationRecord, example = json!({"sim_id": "demo", "config": {"gravity": [0.0, -9.81, 0.0], "dimensions": 3, "dt": 0.016, "integrator": "verlet"}, "owner": "e286de6c", "durability": "memory", "registered": true, "status": "active", "step": 100, "time": 1.6, "bodies": 2, "joints": 0, "labels": {"course": "mechanics"}, "ttl_seconds": 3600, "created_at": "2026-01-01T12:00:00Z", "expires_at": "2026-01-01T13:00:00Z"})),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn show_simulation(
    Simulation(simulation): Simulation,
) -> axum::Json<SimulationRecord> {
    axum::Json(simulation.record())
}

/// Changes gravity, the time step, the TTL or labels.
#[utoipa::path(
    patch,
    path = "/simulations/{sim_id}",
    tag = "simulations",
    params(("sim_id" = String, Path, description = "The simulation")),
    request_body(content = PatchRequest, example = json!({"gravity": [0.0, -1.62, 0.0], "ttl_seconds": 7200, "labels": {"where": "moon"}})),
    responses(
        (status = 200, description = "The simulation as it is now", body = SimulationRecord, example = json!({"sim_id": "demo", "config": {"gravity": [0.0, -9.81, 0.0], "dimensions": 3, "dt": 0.016, "integrator": "verlet"}, "owner": "e286de6c", "durability": "memory", "registered": true, "status": "active", "step": 100, "time": 1.6, "bodies": 2, "joints": 0, "labels": {"course": "mechanics"}, "ttl_seconds": 3600, "created_at": "2026-01-01T12:00:00Z", "expires_at": "2026-01-01T13:00:00Z"})),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn patch_simulation(
    State(state): State<AppState>,
    Simulation(simulation): Simulation,
    Unkeyed(terms): Unkeyed,
    Json(Object(request)): Json<Object<PatchRequest>>,
) -> Result<axum::Json<SimulationRecord>, Problem> {
    let world = WorldPatch {
        gravity: request.gravity,
        dt: request.dt,
    };
    let mut faults = Faults::default();
    world.check(&mut faults);
    let ttl = check_ttl(request.ttl_seconds, &state.config, &mut faults);
    let labels = merge_labels(&simulation.labels(), request.labels.0, &mut faults);
    faults.into_result()?;
    if world == WorldPatch::default() {
        simulation.require(terms.precondition.as_ref())?;
    } else {
        simulation.execute(Command::Configure(world), terms).await?;
    }
    state
        .simulations
        .reregister(&simulation, labels, ttl)
        .await?;
    Ok(axum::Json(simulation.record()))
}

/// Destroys a simulation, whatever it is doing.
#[utoipa::path(
    delete,
    path = "/simulations/{sim_id}",
    tag = "simulations",
    params(("sim_id" = String, Path, description = "The simulation")),
    responses(
        (status = 204, description = "Destroyed"),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn destroy_simulation(
    State(state): State<AppState>,
    Simulation(simulation): Simulation,
    Unkeyed(terms): Unkeyed,
) -> Result<StatusCode, Problem> {
    let required = terms.precondition.as_ref();
    state.simulations.destroy(&simulation, required).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Counts as an access, and needs no body.
#[utoipa::path(
    post,
    path = "/simulations/{sim_id}/keepalive",
    tag = "simulations",
    params(("sim_id" = String, Path, description = "The simulation")),
    responses(
        (status = 200, description = "Until when it lives now", body = KeepaliveResponse, example = json!({"sim_id": "demo", "expires_at": "2026-01-01T13:00:00Z"})),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn keep_alive(Simulation(simulation): Simulation) -> Response {
    let record = simulation.record();
    axum::Json(KeepaliveResponse {
        sim_id: record.sim_id.to_string(),
        expires_at: record.expires_at,
    })
    .into_response()
}

impl CreateRequest {
    fn into_new_simulation(
        self,
        caller: &Caller,
        config: &Config,
        assets: Assets,
    ) -> Result<NewSimulation, Problem> {
        let mut faults = Faults::default();
        let id = self.id.as_deref().map(SimulationId::parse);
        if matches!(id, Some(Err(_))) {
            faults.add("id", ID_RULE);
        }
        let set = self
            .labels
            .0
            .into_iter()
            .map(|(name, value)| (name, Some(value)));
        let labels = merge_labels(&Labels::new(), set.collect(), &mut faults);
        let is_shared = config.storage_backend == StorageBackend::Redis;
        if is_shared && self.durability == Some(Durability::Memory) {
            faults.add("durability", "must be journal or registry");
        }
        let new = NewSimulation {
            id: id.and_then(Result::ok),
            tenant: caller.tenant.clone(),
            payer: caller.payer(),
            config: WorldConfig {
                gravity: self.gravity,
                dimensions: self.dimensions,
                dt: self.dt,
                integrator: self.integrator,
            },
            ttl: check_ttl(self.ttl_seconds, config, &mut faults),
            durability: self.durability,
            labels: labels.unwrap_or_default(),
            bodies: self.bodies,
            joints: self.joints,
            controllers: self.controllers,
            assets,
            origin: None,
        };
        new.check(&mut faults);
        faults.into_result()?;
        Ok(new)
    }
}

fn default_gravity() -> Vec3 {
    WorldConfig::default().gravity
}

fn default_dt() -> f64 {
    WorldConfig::default().dt
}

fn check_ttl(seconds: Option<u64>, config: &Config, faults: &mut Faults) -> Option<Duration> {
    let seconds = seconds?;
    let (least, most) = (config.min_ttl_seconds, config.max_ttl_seconds);
    if !(least..=most).contains(&seconds) {
        faults.add(
            "ttl_seconds",
            format_args!("must be between {least} and {most}"),
        );
    }
    Some(Duration::from_secs(seconds))
}

/// The labels after setting and deleting some; nothing if nothing changes.
pub(super) fn merge_labels(
    before: &Labels,
    changes: IndexMap<String, Option<String>>,
    faults: &mut Faults,
) -> Option<Labels> {
    if changes.is_empty() {
        return None;
    }
    let mut labels = before.clone();
    faults.within("labels", |faults| {
        for (name, value) in changes {
            let name: String = name.nfc().collect();
            let Some(value) = value else {
                labels.shift_remove(&name);
                continue;
            };
            let value: String = value.nfc().collect();
            let has_control = name.chars().chain(value.chars()).any(char::is_control);
            let fits = (1..=MAX_LABEL_NAME).contains(&name.len()) && value.len() <= MAX_LABEL_VALUE;
            if has_control || !fits {
                let shown: String = name.chars().take(MAX_LABEL_NAME).collect();
                let place = shown.replace('~', "~0").replace('/', "~1");
                faults.add(&place, format_args!("a label has a name of 1 to {MAX_LABEL_NAME} bytes and a value of at most {MAX_LABEL_VALUE}, without control characters"));
            }
            labels.insert(name, value);
        }
        if labels.len() > MAX_LABELS {
            faults.add("", format_args!("there must not be more than {MAX_LABELS}"));
        }
    });
    Some(labels)
}

/// A map that refuses a key that stands twice.
struct Unique<T>(IndexMap<String, T>);

impl<T> Default for Unique<T> {
    fn default() -> Self {
        Self(IndexMap::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Unique<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<T>(std::marker::PhantomData<T>);

        impl<'de, T: Deserialize<'de>> de::Visitor<'de> for Visitor<T> {
            type Value = Unique<T>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object of texts")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = IndexMap::new();
                while let Some((key, value)) = map.next_entry::<String, T>()? {
                    if entries.insert(key, value).is_some() {
                        return Err(de::Error::custom("a name stands twice"));
                    }
                }
                Ok(Unique(entries))
            }
        }

        deserializer.deserialize_map(Visitor(std::marker::PhantomData))
    }
}
