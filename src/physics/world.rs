//! A world: the sole owner of Rapier's sets, changed by commands only.

use std::sync::{Arc, OnceLock};

use indexmap::IndexMap;
use rapier3d::prelude::{IntegrationParameters, PhysicsWorld};

use super::{
    asset::Assets,
    batch::Script,
    command::{Command, Outcome, Recording},
    config::{SimulatedTime, WorldConfig},
    contact::ContactLists,
    controller::Controller,
    drag::Drag,
    error::PhysicsError,
    event::{EventKind, EventLog},
    limits::WorldLimits,
    listening::Sleepers,
    matter::Matter,
    roster::{Body, HeldForce, Roster},
    trajectory::Recorder,
    view::{Motion, View},
    workspace,
};
use crate::id::{BodyId, ControllerId};

/// A physical world.
///
/// Pure: the same commands always lead to the same world, bit for bit, in any process.
pub struct World {
    pub(super) engine: PhysicsWorld,
    pub(super) config: WorldConfig,
    pub(super) time: SimulatedTime,
    pub(super) roster: Arc<Roster>,
    pub(super) events: Arc<EventLog>,
    pub(super) sleepers: Sleepers,
    /// What its bodies are made of, and what the next command may need.
    pub(super) assets: Assets,
    /// In the order they were added; not with the names, as they change at every step.
    pub(super) controllers: IndexMap<ControllerId, Controller>,
    /// Whether nothing was changed since the last step, see [`World::is_settled`].
    pub(super) settled: bool,
    /// What bodies consist of, as far as it was looked at since it last changed.
    pub(super) matter: OnceLock<Arc<Matter>>,
    /// What its steps take, as far as that was found out since something was edited.
    pub(super) chores: OnceLock<Chores>,
}

/// How a world takes its steps, and what is done for them beside what the engine does.
#[derive(Clone, Copy)]
pub(super) struct Chores {
    /// Whether any body is pushed at every step.
    pushes: bool,
    /// Whether any joint may break.
    breaks: bool,
    /// Whether the engine works in what the worlds of a thread share.
    is_shared: bool,
}

/// A command under way: what is instant has been done, the steps are still to be taken.
///
/// The caller takes them one by one, so that it may pause between any two.
#[must_use = "a run must be finished"]
pub struct Run {
    remaining: u32,
    dt: f64,
    recorder: Option<Box<Recorder>>,
    script: Option<Box<Script>>,
    outcome: Outcome,
    #[cfg(test)]
    panics: bool,
}

impl World {
    /// An empty world of a checked configuration.
    pub fn new(config: WorldConfig) -> Self {
        Self {
            engine: PhysicsWorld {
                gravity: config.gravity.into(),
                integration_parameters: parameters(),
                physics_pipeline: workspace::uncounted(),
                ..PhysicsWorld::default()
            },
            config,
            time: SimulatedTime::default(),
            roster: Arc::default(),
            events: Arc::default(),
            sleepers: Sleepers::default(),
            assets: Assets::default(),
            controllers: IndexMap::new(),
            settled: true,
            matter: OnceLock::new(),
            chores: OnceLock::new(),
        }
    }

    /// Applies a command from beginning to end.
    pub fn apply(
        &mut self,
        command: &Command,
        limits: &WorldLimits,
    ) -> Result<Outcome, PhysicsError> {
        let mut run = self.start(command, limits)?;
        while !run.is_done() {
            self.advance(&mut run);
        }
        Ok(self.finish(run))
    }

    /// Checks a command in full and begins it; a refused one has changed nothing.
    pub fn start(&mut self, command: &Command, limits: &WorldLimits) -> Result<Run, PhysicsError> {
        self.check(command, limits)?;
        let run = match command {
            Command::Step(steps) => {
                let dt = steps.dt.unwrap_or(self.config.dt);
                Run::of(steps.count, dt, Outcome::Stepped)
            }
            Command::Record(id, recording) => {
                let recording = *recording;
                let dt = recording.steps.dt.unwrap_or(self.config.dt);
                let position = self.roster.bodies.get_index_of(id);
                let position = u32::try_from(position.expect("the command was checked"))
                    .expect("bodies are limited to far fewer");
                self.record(position, recording, dt)
            }
            #[cfg(test)]
            Command::Panic(count) => Run {
                panics: true,
                ..Run::of(*count, self.config.dt, Outcome::Done)
            },
            Command::Batch(batch) => {
                let mut run = Run::of(0, self.config.dt, Outcome::Done);
                run.script = Some(Box::new(Script::new(batch, limits)));
                self.proceed(&mut run);
                run
            }
            edit => {
                let outcome = self.carry_out(edit);
                Run::of(0, self.config.dt, outcome)
            }
        };
        Ok(run)
    }

    /// Takes one step of a run that is not done.
    pub fn advance(&mut self, run: &mut Run) {
        let time = self.time.time();
        if let Some(script) = &mut run.script {
            script.before_step(self);
        }
        if let Some(recorder) = &mut run.recorder {
            recorder.before_step(&self.engine, &self.roster, time);
        }
        self.step(run.dt);
        run.remaining -= 1;
        if let Some(recorder) = &mut run.recorder {
            recorder.after_step(&self.engine, &self.roster, time);
        }
        if let Some(script) = &mut run.script
            && (script.is_stopped(self) || run.remaining == 0)
        {
            self.proceed(run);
        }
        #[cfg(test)]
        assert!(!(run.panics && run.remaining == 0), "a panic for tests");
    }

    /// Ends a run that is done.
    pub fn finish(&self, run: Run) -> Outcome {
        match (run.recorder, run.script) {
            (Some(recorder), _) => Outcome::Recorded(Box::new(recorder.finish(&self.roster))),
            (None, Some(script)) => Outcome::Reported(Box::new(script.finish())),
            (None, None) => run.outcome,
        }
    }

    /// Whether a snapshot taken now would continue bit for bit: the engine keeps pending edits
    /// of its joints outside of what it serialises, so that only a world right after a step (or
    /// an empty one) can be restored exactly.
    pub fn is_settled(&self) -> bool {
        self.settled
    }

    /// What can be seen of the world now.
    pub fn view(&self) -> View {
        let motions = self.roster.bodies.values().map(|body| {
            let body = &self.engine.bodies[body.handle];
            Motion {
                translation: body.translation().into(),
                rotation: (*body.rotation()).into(),
                linvel: body.linvel().into(),
                angvel: body.angvel().into(),
                sleeping: body.is_sleeping(),
            }
        });
        View {
            config: self.config,
            time: self.time.time(),
            steps: self.time.steps(),
            motions: motions.collect(),
            joints: self.joint_motions(),
            contacts: ContactLists::of(&self.engine, &self.roster),
            events: Arc::clone(&self.events),
            controllers: self.controller_readings(),
            roster: Arc::clone(&self.roster),
            matter: self.matter(),
            scene: OnceLock::new(),
            touching: OnceLock::new(),
        }
    }

    /// Makes meshes known, for commands that are about to name them.
    pub fn provide(&mut self, assets: &Assets) {
        let used = self.roster.assets();
        self.assets.retain(|id| used.contains(id));
        self.assets.extend(assets);
    }

    /// The meshes that it knows; those that its bodies are made of are among them.
    pub fn assets(&self) -> &Assets {
        &self.assets
    }

    /// The meshes that its bodies are made of.
    pub fn assets_in_use(&self) -> Assets {
        let used = self.roster.assets();
        let mut assets = self.assets.clone();
        assets.retain(|id| used.contains(id));
        assets
    }

    /// The configuration with the gravity and time step in force.
    pub fn config(&self) -> &WorldConfig {
        &self.config
    }

    /// Simulated seconds since the beginning.
    pub fn time(&self) -> f64 {
        self.time.time()
    }

    /// Steps since the beginning.
    pub fn steps(&self) -> u64 {
        self.time.steps()
    }

    /// How many joints there are.
    pub fn joint_count(&self) -> usize {
        self.roster.joints.len()
    }

    /// How many colliders its bodies have.
    pub fn collider_count(&self) -> usize {
        self.engine.colliders.len()
    }

    /// How many bodies there are.
    pub fn body_count(&self) -> usize {
        self.roster.bodies.len()
    }

    /// A body and where the engine keeps it.
    pub(super) fn body(&self, id: &BodyId) -> Option<&Body> {
        self.roster.bodies.get(id)
    }

    /// Applies a checked command that takes no time.
    pub(super) fn carry_out(&mut self, command: &Command) -> Outcome {
        self.settled = false;
        self.chores.take();
        self.edit(command)
    }

    /// Does what is due in a batch between two steps.
    fn proceed(&mut self, run: &mut Run) {
        let Some(mut script) = run.script.take() else {
            return;
        };
        let steps = script.proceed(self);
        let (count, dt) = steps.map_or((0, None), |steps| (steps.count, steps.dt));
        *run = Run {
            script: Some(script),
            ..Run::of(count, dt.unwrap_or(self.config.dt), Outcome::Done)
        };
    }

    fn chores(&self) -> Chores {
        *self.chores.get_or_init(|| {
            let mut bodies = self.roster.bodies.values();
            Chores {
                pushes: bodies.any(|body| body.force.is_some() || Drag::of(&body.spec).is_some()),
                breaks: self.has_breakable_joints(),
                is_shared: workspace::is_shared(self.joint_count(), self.collider_count()),
            }
        })
    }

    fn record(&self, position: u32, recording: Recording, dt: f64) -> Run {
        Run {
            recorder: Some(Box::new(Recorder::new(
                position,
                recording,
                dt,
                &self.roster,
            ))),
            ..Run::of(recording.steps.count, dt, Outcome::Done)
        }
    }

    fn step(&mut self, dt: f64) {
        let chores = self.chores();
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the engine computes in f32"
        )]
        let engine_dt = dt as f32;
        self.engine.integration_parameters.dt = engine_dt;
        if chores.pushes {
            self.push(engine_dt);
        }
        if !self.controllers.is_empty() {
            self.drive(engine_dt);
        }
        self.time.tick(dt);
        let disabled = self.step_listening(chores.is_shared);
        let is_edited = !std::mem::replace(&mut self.settled, true);
        if is_edited {
            // The engine computes masses anew in the step behind an edit.
            self.matter.take();
        }
        self.note_sleep(is_edited);
        self.contain(disabled);
        if chores.breaks {
            for joint_id in self.break_overloaded_joints(engine_dt) {
                self.note(EventKind::JointBroken { joint_id });
            }
        }
    }

    /// Applies held forces and drag for one step. They replace what the step before left, so
    /// that nothing accumulates.
    fn push(&mut self, dt: f32) {
        for body in self.roster.bodies.values() {
            let drag = Drag::of(&body.spec);
            if drag.is_none() && body.force.is_none() {
                continue;
            }
            let now = &self.engine.bodies[body.handle];
            let idle = now.is_sleeping() && body.force.is_none();
            if !now.is_dynamic() || !now.is_enabled() || idle {
                continue;
            }
            let pushed = &mut self.engine.bodies[body.handle];
            pushed.reset_forces(false);
            pushed.reset_torques(false);
            if let Some(drag) = drag {
                let force = drag.force(pushed.linvel(), *pushed.rotation(), pushed.mass(), dt);
                pushed.add_force(force, false);
            }
            if let Some(HeldForce {
                force,
                torque,
                local_point,
            }) = body.force
            {
                match local_point {
                    Some(point) => {
                        let point = pushed.position().transform_point(point.into());
                        pushed.add_force_at_point(force.into(), point, true);
                    }
                    None => pushed.add_force(force.into(), true),
                }
                pushed.add_torque(torque.into(), true);
            }
        }
    }
}

/// Rapier's own parameters but for four, with which a 400 m/s ball is stopped by a static wall of
/// 5 cm wherever a step happens to begin, and a bounce of 1 m keeps its height within 3 % at steps
/// of 0.01 s.
pub(super) fn parameters() -> IntegrationParameters {
    let mut parameters = IntegrationParameters {
        // Contacts found much ahead of time slow a body before it meets anything.
        normalized_prediction_distance: 0.005,
        // Sweeps ignore what is nearer than this.
        normalized_allowed_linear_error: 1e-4,
        // Contacts may be kept while a pair moves this far, which must be within the prediction.
        normalized_contact_recycle_distance: 0.0048,
        ..IntegrationParameters::default()
    };
    // The engine's 60 Hz let a fast body sink beyond the middle of a thin wall.
    parameters.static_contact_softness.natural_frequency = 120.0;
    parameters
}

impl Run {
    fn of(count: u32, dt: f64, outcome: Outcome) -> Self {
        Self {
            remaining: count,
            dt,
            recorder: None,
            script: None,
            outcome,
            #[cfg(test)]
            panics: false,
        }
    }

    /// Whether all steps are taken.
    pub fn is_done(&self) -> bool {
        self.remaining == 0
    }

    /// How many steps are still to be taken.
    pub fn remaining(&self) -> u32 {
        self.remaining
    }
}
