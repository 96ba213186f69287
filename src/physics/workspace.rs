//! What the engine works with within a step and keeps nothing in.
//!
//! For a pile of 92 boxes it takes some 170 kB, beside the 740 kB of the world itself. Worlds that are
//! stepped in turn therefore share that of their thread, which stays in the caches.

use std::cell::Cell;

use rapier3d::prelude::{
    ColliderSet, EventHandler, PhysicsPipeline, PhysicsWorld, Quarantine, RigidBodyHandle,
};

/// Up to how many colliders a world may have to share it: what a larger one needs would stay with
/// the thread for good.
const MAX_COLLIDERS: usize = 256;

thread_local! {
    static SHARED: Cell<Option<Box<PhysicsPipeline>>> = const { Cell::new(None) };
}

/// A workspace that keeps no statistics: nobody reads them, and it would go through all contacts for
/// them once more at every step.
pub(super) fn uncounted() -> PhysicsPipeline {
    let mut workspace = PhysicsPipeline::new();
    workspace.counters.disable();
    workspace
}

/// Whether a world of that many may share it. Of joints alone the engine remembers there what it
/// found out in earlier steps.
pub(super) fn is_shared(joints: usize, colliders: usize) -> bool {
    joints == 0 && colliders <= MAX_COLLIDERS
}

/// Has the engine take a step in the workspace of this thread, or its own; answers the bodies that
/// it has disabled, which [`PhysicsWorld::quarantine`] tells of its own alone.
pub(super) fn step(
    engine: &mut PhysicsWorld,
    is_shared: bool,
    listener: &dyn EventHandler,
) -> Vec<RigidBodyHandle> {
    if !is_shared {
        engine.step_with_events(&(), listener);
        return disabled(engine.quarantine(), &engine.colliders);
    }
    // One in which the engine has panicked is not put back.
    let mut workspace = SHARED.take().unwrap_or_else(|| Box::new(uncounted()));
    workspace.step(
        engine.gravity,
        &engine.integration_parameters,
        &mut engine.islands,
        &mut engine.broad_phase,
        &mut engine.narrow_phase,
        &mut engine.bodies,
        &mut engine.colliders,
        &mut engine.impulse_joints,
        &mut engine.multibody_joints,
        &mut engine.soft_bodies,
        &mut engine.ccd_solver,
        &(),
        listener,
    );
    let disabled = disabled(workspace.quarantine(), &engine.colliders);
    SHARED.set(Some(workspace));
    disabled
}

/// Drops what the worlds of this thread have shared so far.
#[cfg(test)]
pub(super) fn forget() {
    drop(SHARED.take());
}

fn disabled(report: &Quarantine, colliders: &ColliderSet) -> Vec<RigidBodyHandle> {
    let owners = report
        .colliders()
        .iter()
        .filter_map(|&handle| colliders.get(handle)?.parent());
    report.bodies().iter().copied().chain(owners).collect()
}
