//! Into how many equal parts the engine divides a step: into more where a body asks for more rounds
//! of the solver, for it and for all that it touches or that joints tie to it.

use rapier3d::prelude::{ColliderHandle, PhysicsWorld, RigidBody, RigidBodyHandle};

/// How many parts the last step had for each body.
#[derive(Debug)]
pub(super) struct Substeps {
    usual: usize,
    /// How many more, by the slots of bodies; nothing where nobody asks for more.
    more: Vec<usize>,
}

/// Which bodies are solved together: each leads to another one of them, or to itself.
struct Together(Vec<usize>);

impl Substeps {
    pub(super) fn of(engine: &PhysicsWorld) -> Self {
        let usual = engine.integration_parameters.num_solver_iterations;
        let bodies = || engine.bodies.iter().filter(|(_, body)| body.is_enabled());
        let mut asking = bodies().filter(|(_, body)| body.additional_solver_iterations() > 0);
        if asking.next().is_none() {
            return Self {
                usual,
                more: Vec::new(),
            };
        }
        let slots = engine.bodies.iter().map(|(handle, _)| slot(handle) + 1);
        let mut more = vec![0; slots.max().unwrap_or(0)];
        if engine.multibody_joints.iter().next().is_some() {
            // Beside a multibody all that are awake are solved together; what sleeps was, with what
            // fell asleep as it did.
            let most = |counts: fn(&RigidBody) -> bool| {
                let counted = bodies().filter(|(_, body)| counts(body));
                let most = counted.map(|(_, body)| body.additional_solver_iterations());
                most.max().unwrap_or(0)
            };
            let (of_awake, of_all) = (most(|body| !body.is_sleeping()), most(|_| true));
            for (handle, body) in bodies().filter(|(_, body)| body.is_dynamic()) {
                more[slot(handle)] = if body.is_sleeping() { of_all } else { of_awake };
            }
            return Self { usual, more };
        }
        let mut together = Together::of(engine, more.len());
        for (handle, body) in bodies().filter(|(_, body)| body.is_dynamic()) {
            let first = together.first(slot(handle));
            more[first] = more[first].max(body.additional_solver_iterations());
        }
        for place in 0..more.len() {
            more[place] = more[together.first(place)];
        }
        Self { usual, more }
    }

    /// How many there were for what is between two bodies.
    pub(super) fn between(&self, bodies: [RigidBodyHandle; 2]) -> usize {
        let more = bodies.map(|body| self.more.get(slot(body)).copied().unwrap_or(0));
        self.usual + more[0].max(more[1])
    }
}

impl Together {
    /// The dynamic bodies of a world by what touches and what is joined.
    fn of(engine: &PhysicsWorld, slots: usize) -> Self {
        let mut together = Self((0..slots).collect());
        let body = |collider: ColliderHandle| engine.colliders.get(collider)?.parent();
        let active = engine.contact_pairs();
        let active = active.filter(|pair| pair.has_any_active_contact());
        let touching =
            active.filter_map(|pair| Some([body(pair.collider1)?, body(pair.collider2)?]));
        let joints = engine.impulse_joints.iter();
        let joined = joints.map(|(_, joint)| [joint.body1(), joint.body2()]);
        let known = |body: &RigidBodyHandle| engine.bodies.get(*body);
        let is_dynamic = |body: &RigidBodyHandle| known(body).is_some_and(RigidBody::is_dynamic);
        for pair in touching.chain(joined) {
            if pair.iter().all(is_dynamic) {
                let [one, other] = pair.map(|body| together.first(slot(body)));
                together.0[one] = other;
            }
        }
        together
    }

    /// The one that stands for all of them.
    fn first(&mut self, mut place: usize) -> usize {
        while self.0[place] != place {
            self.0[place] = self.0[self.0[place]];
            place = self.0[place];
        }
        place
    }
}

fn slot(body: RigidBodyHandle) -> usize {
    body.into_raw_parts().0 as usize
}
