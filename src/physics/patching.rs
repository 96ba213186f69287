//! Whether a body can be changed, and what its shapes weigh, without making again what stays.

use super::{
    body::{BodyPatch, BodySpec, volumes_of},
    command::Command,
    draft::Draft,
    error::PhysicsError,
    fault::Faults,
    limits::WorldLimits,
    world::World,
};
use crate::id::BodyId;

impl World {
    /// How much there is to do for a command besides its steps, in simple bodies.
    pub fn effort(&self, command: &Command) -> usize {
        let Command::Batch(batch) = command else {
            return self.effort_of(command, 0);
        };
        // What the batch itself has added weighs no more than all of it.
        let unknown = batch.weight();
        let of_items = batch.items.iter();
        let of_items = of_items.map(|item| self.effort_of(&item.command, unknown).max(1));
        of_items.fold(0, usize::saturating_add)
    }

    /// The same of a single command; `unknown` for a body that is not there.
    fn effort_of(&self, command: &Command, unknown: usize) -> usize {
        if let Command::PatchBody(id, patch) = command
            && patch.changes_mass()
            && !patch.replaces_shapes()
        {
            let body = self.body(id);
            return body.map_or(unknown, |body| body.spec.effort());
        }
        command.added()
    }
}

impl Draft<'_> {
    /// Checks a patch of a body in full.
    pub(super) fn check_patch(
        &self,
        id: &BodyId,
        patch: &BodyPatch,
        limits: &WorldLimits,
    ) -> Result<(), PhysicsError> {
        let mut faults = Faults::default();
        let body = self.known_body(id)?;
        let spec = body.patched(patch);
        if patch.replaces_shapes() {
            self.check_room_instead(body, &spec, limits)?;
            spec.check_shapes(self.assets, &mut faults);
        }
        spec.check_settings(self.dimensions, &mut faults);
        self.check_bonds([body, &spec], patch, &mut faults);
        faults.into_result()?;
        let mut faults = Faults::default();
        if patch.replaces_shapes() {
            self.check_solids(&spec, &mut faults);
        } else if patch.changes_mass() {
            self.look_at_volumes(id);
            let known = self.volumes.borrow();
            // They are not known of a body that is refused itself.
            if let Some(volumes) = known.get(id).filter(|it| it.len() == spec.collider_count()) {
                spec.check_spread(volumes, &mut faults);
            }
        }
        faults.into_result()
    }

    /// Makes the shapes of a body for trial, once everything else is known to be right.
    pub(super) fn check_solids(&self, spec: &BodySpec, faults: &mut Faults) {
        if let Some(volumes) = spec.check_solids(self.assets, faults) {
            self.volumes.borrow_mut().insert(spec.id.clone(), volumes);
        }
    }

    pub(super) fn check_all_solids(&self, specs: &[BodySpec], faults: &mut Faults) {
        for (index, spec) in specs.iter().enumerate() {
            faults.within(index, |faults| self.check_solids(spec, faults));
        }
    }

    /// Takes the volumes of a body's colliders from the engine, unless they were made for trial.
    fn look_at_volumes(&self, id: &BodyId) {
        let mut known = self.volumes.borrow_mut();
        if let Some(body) = self.roster.bodies.get(id)
            && !known.contains_key(id)
        {
            known.insert(id.clone(), volumes_of(body.handle, self.engine));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::physics::WorldConfig;

    fn id(name: &str) -> BodyId {
        BodyId::parse(name).unwrap()
    }

    fn patch(name: &str, patch: Value) -> Command {
        Command::PatchBody(id(name), serde_json::from_value(patch).unwrap())
    }

    fn added(bodies: Value) -> Command {
        Command::AddBodies(serde_json::from_value(bodies).unwrap())
    }

    fn apply(world: &mut World, command: &Command) -> Result<(), PhysicsError> {
        let applied = world.apply(command, &WorldLimits::unlimited());
        applied.map(drop)
    }

    fn batch(commands: Vec<Command>) -> Command {
        let items = commands.into_iter().map(|command| crate::physics::Item {
            at_step: None,
            command,
        });
        crate::physics::Batch {
            atomic: true,
            items: items.collect(),
            steps: crate::physics::Steps { count: 0, dt: None },
            until: Vec::new(),
            observe: None,
            limits: None,
        }
        .into()
    }

    /// A static landscape of a million heights in ten bodies: as much as a world may hold.
    fn plains() -> World {
        let mut world = World::new(WorldConfig::default());
        for index in 0..10 {
            let rows = vec![vec![0.0; 250]; 400];
            let field = json!([{"id": format!("plain-{index}"), "kind": "static",
                "shape": "heightfield", "heights": rows, "scale": [100, 1, 100]}]);
            apply(&mut world, &added(field)).unwrap();
        }
        world
    }

    #[test]
    fn in_a_full_world_bodies_are_moved_and_made_simpler_and_no_shape_is_added() {
        let mut world = plains();
        let mesh = json!({"shape": "triangle", "vertices": [[0, 0, 0], [1, 0, 0], [0, 1, 0]]});
        let mut body = mesh.clone();
        body["id"] = json!("one");
        body["kind"] = json!("static");
        let refused = apply(&mut world, &added(json!([body.clone()])));
        assert!(matches!(
            refused,
            Err(PhysicsError::LimitExceeded {
                limit: "MAX_VERTICES_PER_SIMULATION",
                maximum: 1_000_000,
                used: 1_000_003,
            })
        ));
        let ball = json!([{"id": "ball", "shape": "sphere", "radius": 1}]);
        apply(&mut world, &added(ball)).unwrap();
        apply(
            &mut world,
            &patch("plain-3", json!({"position": [0, -9, 0]})),
        )
        .unwrap();
        let rows = vec![vec![1.0; 250]; 400];
        let same = json!({"shape": "heightfield", "heights": rows, "scale": [9, 1, 9]});
        apply(&mut world, &patch("plain-3", same)).unwrap();
        apply(&mut world, &patch("plain-3", mesh)).unwrap();
        apply(&mut world, &added(json!([body]))).unwrap();
    }

    #[test]
    fn a_patch_weighs_what_its_body_is_made_of_if_its_mass_is_spread_anew() {
        let mut world = World::new(WorldConfig::default());
        let points: Vec<[f32; 3]> = (0..2000_u16)
            .map(|n| f32::from(n) * 2.4)
            .map(|n| [n.cos(), n.sin(), (n * 0.7).sin()])
            .collect();
        let rock = json!({"id": "rock", "shape": "convex_hull", "vertices": points});
        let ball = json!({"id": "ball", "shape": "sphere", "radius": 1});
        apply(&mut world, &added(json!([rock.clone(), ball]))).unwrap();
        let effort = |command: &Command| world.effort(command);
        assert_eq!(effort(&patch("rock", json!({"position": [0, 9, 0]}))), 0);
        assert_eq!(effort(&patch("ball", json!({"mass": 2}))), 1);
        assert!(effort(&patch("rock", json!({"mass": 2}))) > 150);
        assert!(effort(&patch("rock", json!({"is_sensor": true}))) > 150);
        let mut late = rock;
        late["id"] = json!("late");
        let new = vec![added(json!([late])), patch("late", json!({"mass": 2}))];
        assert!(effort(&batch(new)) > 600);
    }

    #[test]
    fn a_mass_is_spread_over_the_shapes_that_are_there_or_will_be() {
        let parts = |radius: f32| {
            json!([
                {"shape": "sphere", "radius": radius, "mass": 3},
                {"shape": "box", "size": [1, 1, 1], "position": [2, 0, 0]},
            ])
        };
        let too_light = |name| patch(name, json!({"mass": 2}));
        let mut world = World::new(WorldConfig::default());
        let old = json!([{"id": "old", "mass": 5, "colliders": parts(0.5)}]);
        apply(&mut world, &added(old)).unwrap();
        let new = || added(json!([{"id": "new", "mass": 5, "colliders": parts(0.5)}]));

        let is_refused = |refused| matches!(refused, Err(PhysicsError::Invalid(_)));
        assert!(is_refused(apply(&mut world, &too_light("old"))));
        let both = vec![new(), too_light("new")];
        assert!(is_refused(apply(&mut world, &batch(both))));
        // The name of one that is gone, with fewer shapes.
        let again = added(json!([{"id": "old", "shape": "sphere", "radius": 1}]));
        let removed = || Command::RemoveBody(id("old"));
        let light = vec![removed(), again.clone(), too_light("old")];
        let reshaped = vec![
            new(),
            patch("new", json!({"shape": "sphere", "radius": 1})),
            too_light("new"),
            removed(),
            again,
            patch("old", json!({"mass": 5, "colliders": parts(0.1)})),
            too_light("old"),
        ];
        assert!(apply(&mut world, &batch(light)).is_ok());
        assert!(is_refused(apply(&mut world, &batch(reshaped))));

        apply(&mut world, &new()).unwrap();
        apply(&mut world, &patch("new", json!({"mass": 4}))).unwrap();
        let (spread, mut made) = (
            world.body(&id("new")).unwrap().inertia,
            World::new(WorldConfig::default()),
        );
        let whole = added(json!([{"id": "new", "mass": 4, "colliders": parts(0.5)}]));
        apply(&mut made, &whole).unwrap();
        assert_eq!(spread, made.body(&id("new")).unwrap().inertia);
    }

    #[test]
    fn decompositions_are_bounded_in_a_request_and_in_a_simulation() {
        // 4 · 64³ voxels and those around four triangles, one of which is slanted: five go into a request.
        let tetrahedron = |n: usize| {
            json!({"id": format!("part-{n}"), "shape": "convex_decomposition", "resolution": 64,
                "vertices": [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], "max_hulls": 1,
                "indices": [[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]})
        };
        let some = |range: std::ops::Range<usize>| -> Value { range.map(tetrahedron).collect() };
        let limit = |refused: Result<(), PhysicsError>| match refused {
            Err(PhysicsError::LimitExceeded { limit, .. }) => limit,
            other => panic!("{other:?}"),
        };
        let mut world = World::new(WorldConfig::default());
        let request = "MAX_DECOMPOSITION_VOXELS_PER_REQUEST";
        assert_eq!(limit(apply(&mut world, &added(some(0..6)))), request);
        for first in [0, 5, 10, 15] {
            apply(&mut world, &added(some(first..first + 5))).unwrap();
        }
        let simulation = "MAX_DECOMPOSITION_VOXELS_PER_SIMULATION";
        assert_eq!(limit(apply(&mut world, &added(some(20..25)))), simulation);

        let mut shape = tetrahedron(0);
        shape.as_object_mut().unwrap().remove("id");
        let anew = || patch("part-0", shape.clone());
        apply(&mut world, &anew()).unwrap();
        let often = (0..6).map(|_| anew()).collect();
        assert_eq!(limit(apply(&mut world, &batch(often))), request);
    }
}
