//! Several commands and a span of time in one request.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::{
    http::{
        extract::{Keyed, Simulation, where_it_fits},
        item::{CommandItem, parse_item},
        json::{Object, objects},
        observed::Observed,
        problem::{Problem, ProblemBody},
    },
    id::BodyId,
    physics::{
        Batch, BodyStateView, Condition, Faults, JointPositions, Measure, Observe, Quat,
        StateField, Steps, Stop, Vec3, present, present_object, present_word, word,
    },
};

/// Commands, the steps they are spread over, when to stop early and what to record.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BatchRequest {
    /// Whether nothing is done unless all of it can be; otherwise what is refused is told of in its
    /// place, and the rest is done.
    #[serde(default = "yes")]
    #[schema(default = true)]
    atomic: bool,
    /// How many steps follow; commands with an `at_step` are spread over them.
    #[serde(default)]
    #[schema(maximum = 10_000, default = 0)]
    steps: u32,
    /// Seconds each, for this call only; the simulation's own unless given.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, minimum = 1e-5, maximum = 1.0)]
    dt: Option<f64>,
    /// What to do, in order.
    #[serde(default)]
    #[schema(value_type = Vec<CommandItem>, max_items = 1000)]
    commands: Vec<Box<RawValue>>,
    /// What ends it early: the first that holds after a step.
    #[serde(default, deserialize_with = "objects")]
    #[schema(max_items = 64)]
    until: Vec<ConditionRequest>,
    /// What to record on the way.
    #[serde(default, deserialize_with = "present_object")]
    #[schema(nullable = false)]
    observe: Option<ObserveRequest>,
}

/// What may end a run early.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConditionRequest {
    /// `time` (with `time`), `contact` (with `body_a` and `body_b`), `asleep` (`bodies`, or all that
    /// move), `above` or `below` (with `body_id`, `field` and `value`).
    #[serde(rename = "type", deserialize_with = "word")]
    kind: ConditionKind,
    /// Simulated time, s.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    time: Option<f64>,
    /// A body.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    body_a: Option<BodyId>,
    /// Another body.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    body_b: Option<BodyId>,
    /// Which bodies.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    bodies: Option<Vec<BodyId>>,
    /// Which body.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    body_id: Option<BodyId>,
    /// What of it.
    #[serde(default, deserialize_with = "present_word")]
    #[schema(nullable = false)]
    field: Option<Measure>,
    /// The threshold.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    value: Option<f64>,
}

/// Kinds of conditions.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ConditionKind {
    Time,
    Contact,
    Asleep,
    Above,
    Below,
}

/// What to record of a run.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ObserveRequest {
    /// Which bodies; all unless given.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    bodies: Option<Vec<BodyId>>,
    /// What of them; position, orientation, velocity and `angular_velocity` unless given.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    fields: Option<Vec<StateField>>,
    /// Before every how many steps.
    #[serde(default = "one")]
    #[schema(minimum = 1, default = 1)]
    every: u32,
}

/// What came of a batch, and the state it has led to.
#[derive(Serialize, ToSchema)]
pub(crate) struct BatchResponse<'a> {
    /// What came of each command, in the order given.
    results: Vec<ItemResponse>,
    /// Which condition has ended it early.
    #[schema(nullable = false)]
    stopped_by: Option<Stop>,
    /// What was recorded, before the steps 0, every, 2·every, …
    #[schema(nullable = false)]
    observations: Option<Vec<ObservationResponse>>,
    /// The simulation.
    sim_id: String,
    /// Simulated seconds since the beginning.
    time: f64,
    /// Steps since the beginning.
    step: u64,
    /// In the order they were added.
    bodies: Vec<BodyStateView<'a>>,
    /// Bodies the engine has disabled because their state went beyond all bounds.
    #[schema(nullable = false)]
    quarantined: Option<Vec<String>>,
}

/// What came of one command.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes what is written by hand")]
enum ItemResponse {
    /// It was carried out; the names of what it is about, or after `step` the time.
    Ok(Told),
    /// It was refused.
    #[schema(value_type = Object)]
    Error(()),
    /// The batch ended before it was due.
    Skipped(bool),
}

/// What there is to tell of a command.
#[derive(Serialize, ToSchema)]
struct Told {
    #[schema(nullable = false)]
    body_id: Option<String>,
    #[schema(nullable = false)]
    joint_id: Option<String>,
    #[schema(nullable = false)]
    controller_id: Option<String>,
    /// With the members below: how near `inverse_kinematics` has come.
    #[schema(nullable = false)]
    converged: Option<bool>,
    #[schema(nullable = false)]
    position_error: Option<f32>,
    #[schema(nullable = false)]
    orientation_error: Option<f32>,
    #[schema(nullable = false)]
    joints: Option<Vec<JointPositions>>,
    #[schema(nullable = false)]
    step: Option<u64>,
    #[schema(nullable = false)]
    time: Option<f64>,
}

/// Some bodies at one moment of a run.
#[derive(Serialize, ToSchema)]
struct ObservationResponse {
    /// How many steps the simulation had taken.
    step: u64,
    /// Simulated time, s.
    time: f64,
    /// In the order they were asked for.
    bodies: Vec<ObservedBodyResponse>,
}

/// A body at one moment: the fields asked for.
#[derive(Serialize, ToSchema)]
pub(super) struct ObservedBodyResponse {
    id: String,
    #[schema(nullable = false)]
    position: Option<Vec3>,
    #[schema(nullable = false)]
    orientation: Option<Quat>,
    #[schema(nullable = false)]
    velocity: Option<Vec3>,
    #[schema(nullable = false)]
    angular_velocity: Option<Vec3>,
    #[schema(nullable = false)]
    contacts: Option<Vec<String>>,
    #[schema(nullable = false)]
    sleeping: Option<bool>,
    #[schema(nullable = false)]
    speed: Option<f32>,
}

/// Carries out several commands, now or at given steps of a span of time, which may end early and be
/// recorded: a whole scripted run in one round trip.
#[utoipa::path(
    post,
    path = "/simulations/{sim_id}/commands",
    tag = "stepping",
    params(("sim_id" = String, Path, description = "The simulation")),
    request_body(content = BatchRequest, examples(
        ("a ball is dropped and kicked" = (value = json!({
            "commands": [
                {"op": "add_body", "id": "kicked", "shape": "sphere", "size": [0.2], "position": [3.0, 2.0, 0.0]},
                {"op": "impulse", "at_step": 30, "body_id": "kicked", "impulse": [1.0, 0.0, 0.0]},
            ],
            "steps": 600,
            "until": [{"type": "below", "body_id": "kicked", "field": "position.y", "value": 0.5}],
            "observe": {"bodies": ["kicked"], "fields": ["position", "speed"], "every": 10},
        }))),
        ("as far as it goes" = (value = json!({
            "atomic": false,
            "commands": [
                {"op": "patch_simulation", "gravity": [0.0, -1.62, 0.0]},
                {"op": "remove_body", "body_id": "nobody"},
                {"op": "step", "steps": 10},
            ],
        }))),
    )),
    responses(
        (status = 200, description = "What came of it, and the state it has led to", body = BatchResponse, example = json!({
            "results": [{"ok": {"body_id": "kicked"}}, {"ok": {}}],
            "stopped_by": {"index": 0, "type": "below", "step": 36, "time": 0.576},
            "observations": [{"step": 0, "time": 0.0, "bodies": [{"id": "kicked", "position": [3.0, 2.0, 0.0], "speed": 0.0}]}],
            "sim_id": "demo", "time": 0.576, "step": 36,
            "bodies": [{"id": "kicked", "position": [3.1, 0.45, 0.0], "orientation": [0.0, 0.0, 0.0, 1.0], "velocity": [1.0, -5.5, 0.0], "angular_velocity": [0.0, 0.0, 0.0], "contacts": []}],
        })),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn execute_batch(
    Simulation(simulation): Simulation,
    Keyed {
        body: Object(request),
        terms,
    }: Keyed<Object<BatchRequest>>,
) -> Result<Observed, Problem> {
    let services = simulation.services();
    let length = request.commands.iter().map(|command| command.get().len());
    let batch = where_it_fits(length.sum(), services, || request.into_batch()).await?;
    let limits = services.limits;
    let batch = Batch {
        limits: (!batch.atomic).then_some(limits),
        ..batch
    };
    let reply = simulation.execute(batch.into(), terms).await?;
    Ok(Observed::ok(&simulation, reply))
}

impl BatchRequest {
    fn into_batch(self) -> Result<Batch, Problem> {
        let items = self.commands.iter().enumerate();
        let items = items.map(|(index, item)| parse_item(index, item));
        let items = items.collect::<Result<_, _>>()?;
        let mut faults = Faults::default();
        let mut until = Vec::with_capacity(self.until.len());
        for (index, condition) in self.until.into_iter().enumerate() {
            faults.within(format_args!("until/{index}"), |faults| {
                until.extend(condition.into_condition(faults));
            });
        }
        faults.into_result()?;
        Ok(Batch {
            atomic: self.atomic,
            items,
            steps: Steps {
                count: self.steps,
                dt: self.dt,
            },
            until,
            observe: self.observe.map(ObserveRequest::into_observe),
            limits: None,
        })
    }
}

impl ConditionRequest {
    /// The condition, if it has all the fields of its kind and no others.
    fn into_condition(self, faults: &mut Faults) -> Option<Condition> {
        use ConditionKind as Kind;
        let given = [
            ("time", self.time.is_some()),
            ("body_a", self.body_a.is_some()),
            ("body_b", self.body_b.is_some()),
            ("bodies", self.bodies.is_some()),
            ("body_id", self.body_id.is_some()),
            ("field", self.field.is_some()),
            ("value", self.value.is_some()),
        ];
        let needed: &[&str] = match self.kind {
            Kind::Time => &["time"],
            Kind::Contact => &["body_a", "body_b"],
            Kind::Asleep => &[],
            Kind::Above | Kind::Below => &["body_id", "field", "value"],
        };
        for (field, is_given) in given {
            let is_needed = needed.contains(&field);
            let may_be = is_needed || self.kind == Kind::Asleep && field == "bodies";
            if is_needed && !is_given {
                faults.add(field, "is required for a condition of this type");
            } else if is_given && !may_be {
                faults.add(field, "does not belong to a condition of this type");
            }
        }
        Some(match self.kind {
            Kind::Time => Condition::Time(self.time?),
            Kind::Contact => Condition::Contact(self.body_a?, self.body_b?),
            Kind::Asleep => Condition::Asleep(self.bodies),
            Kind::Above => Condition::Above(self.body_id?, self.field?, self.value?),
            Kind::Below => Condition::Below(self.body_id?, self.field?, self.value?),
        })
    }
}

impl ObserveRequest {
    fn into_observe(self) -> Observe {
        let mut fields = self.fields.unwrap_or_else(|| {
            vec![
                StateField::Position,
                StateField::Orientation,
                StateField::Velocity,
                StateField::AngularVelocity,
            ]
        });
        fields.sort_unstable();
        fields.dedup();
        Observe {
            bodies: self.bodies,
            fields,
            every: self.every,
        }
    }
}

fn yes() -> bool {
    true
}

fn one() -> u32 {
    1
}
