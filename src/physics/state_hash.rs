//! The state of a world as one number, by which two worlds that should be equal are compared.

use rapier3d::prelude::RigidBody;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::{
    body::BodyKind,
    controller::Controller,
    roster::{Body, Joint},
    vector::Vec3,
    world::World,
};

/// How many bytes are hashed at once: few enough for the stack, enough for hashing in bulk.
const BLOCK: usize = 1024;

/// Hashes words one block at a time; every block is seeded with the hash of those before.
struct Digest {
    hash: u64,
    block: [u8; BLOCK],
    filled: usize,
}

impl World {
    /// A hash (xxh3) of what clients can see move: the configuration, the time, and every body,
    /// joint and controller in the order they were added.
    ///
    /// It is of exact bits: even 0 and -0 differ. Worlds that are equal have equal hashes in any
    /// process; it takes microseconds where writing a world down takes a hundred times as long.
    pub fn state_hash(&self) -> u64 {
        let mut digest = Digest::new();
        let [steps, steps_high] = halves(self.steps());
        let [time, time_high] = halves(self.time().to_bits());
        let [dt, dt_high] = halves(self.config.dt.to_bits());
        let [gravity_x, gravity_y, gravity_z] = bits(self.config.gravity);
        digest.add([
            steps,
            steps_high,
            time,
            time_high,
            dt,
            dt_high,
            gravity_x,
            gravity_y,
            gravity_z,
            count(self.body_count()),
            count(self.joint_count()),
        ]);
        for body in self.roster.bodies.values() {
            digest.add_body(body, &self.engine.bodies[body.handle]);
        }
        for joint in self.roster.joints.values() {
            digest.add_joint(joint);
        }
        for controller in self.controllers.values() {
            digest.add_controller(controller);
        }
        digest.finish()
    }
}

impl Digest {
    fn new() -> Self {
        Self {
            hash: 0,
            block: [0; BLOCK],
            filled: 0,
        }
    }

    fn add_body(&mut self, body: &Body, now: &RigidBody) {
        let [x, y, z] = now.translation().to_array();
        let rotation = now.rotation();
        let [vx, vy, vz] = now.linvel().to_array();
        let [wx, wy, wz] = now.angvel().to_array();
        let local_point = body.force.and_then(|force| force.local_point);
        let flags = u32::from(now.is_sleeping())
            | u32::from(now.is_enabled()) << 1
            | u32::from(body.quarantined) << 2
            | u32::from(body.force.is_some()) << 3
            | u32::from(local_point.is_some()) << 4;
        self.add([
            flags,
            x.to_bits(),
            y.to_bits(),
            z.to_bits(),
            rotation.x.to_bits(),
            rotation.y.to_bits(),
            rotation.z.to_bits(),
            rotation.w.to_bits(),
            vx.to_bits(),
            vy.to_bits(),
            vz.to_bits(),
            wx.to_bits(),
            wy.to_bits(),
            wz.to_bits(),
        ]);
        if body.spec.kind == BodyKind::KinematicPosition {
            let target = now.next_position();
            self.add(target.translation.to_array().map(f32::to_bits));
            self.add(target.rotation.to_array().map(f32::to_bits));
        }
        if let Some(held) = body.force {
            self.add(bits(held.force));
            self.add(bits(held.torque));
        }
        if let Some(point) = local_point {
            self.add(bits(point));
        }
    }

    fn add_joint(&mut self, joint: &Joint) {
        let limits = joint.spec.limits.as_deref().unwrap_or_default();
        let settings = joint.spec.settings();
        let flags = u32::from(joint.spec.collide)
            | u32::from(joint.broken) << 1
            | u32::from(!joint.spec.enabled) << 2
            | count(settings.len()) << 3;
        self.add([flags, count(limits.len())]);
        for number in limits.iter().chain(&settings) {
            self.add([number.to_bits()]);
        }
    }

    /// All of it: what a controller keeps decides how its body goes on, whether it shows or not.
    fn add_controller(&mut self, controller: &Controller) {
        let written = rmp_serde::to_vec(controller).expect("the types have no unwritable values");
        self.hash = xxh3_64_with_seed(&self.block[..self.filled], self.hash);
        self.hash = xxh3_64_with_seed(&written, self.hash);
        self.filled = 0;
    }

    #[inline]
    fn add<const N: usize>(&mut self, words: [u32; N]) {
        if self.filled + 4 * N > BLOCK {
            self.hash = xxh3_64_with_seed(&self.block[..self.filled], self.hash);
            self.filled = 0;
        }
        let place = &mut self.block[self.filled..self.filled + 4 * N];
        for (bytes, word) in place.chunks_exact_mut(4).zip(words) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        self.filled += 4 * N;
    }

    fn finish(self) -> u64 {
        xxh3_64_with_seed(&self.block[..self.filled], self.hash)
    }
}

fn bits(Vec3(components): Vec3) -> [u32; 3] {
    components.map(f32::to_bits)
}

#[expect(clippy::cast_possible_truncation, reason = "these are the halves")]
fn halves(number: u64) -> [u32; 2] {
    [number as u32, (number >> 32) as u32]
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "there are fewer than 2^32 of anything"
)]
fn count(number: usize) -> u32 {
    number as u32
}

#[cfg(test)]
mod tests {
    use rapier3d::math::Vector;
    use serde_json::json;

    use super::*;
    use crate::{
        id::{BodyId, JointId},
        physics::{Command, Force, Steps, WorldConfig, WorldLimits, WorldPatch},
    };

    fn apply(world: &mut World, command: &Command) {
        world.apply(command, &WorldLimits::unlimited()).unwrap();
    }

    /// Balls in a row, the first two of them hinged to each other.
    fn world(bodies: usize) -> World {
        let specs: Vec<_> = (0..bodies)
            .map(|n| {
                json!({"id": format!("ball-{n}"), "shape": "sphere", "radius": 0.5, "position": [2 * n, 0, 0]})
            })
            .collect();
        let joint = json!({"id": "hinge", "joint_type": "revolute", "body_a": "ball-0", "body_b": "ball-1", "limits": [-1, 1]});
        let mut world = World::new(WorldConfig::default());
        apply(
            &mut world,
            &Command::AddBodies(serde_json::from_value(json!(specs)).unwrap()),
        );
        apply(
            &mut world,
            &Command::AddJoint(serde_json::from_value(joint).unwrap()),
        );
        world
    }

    #[test]
    fn equal_worlds_have_equal_hashes_at_every_step() {
        let (mut one, mut other) = (world(30), world(30));
        let mut before = None;
        for _ in 0..10 {
            assert_eq!(one.state_hash(), other.state_hash());
            assert_ne!(before, Some(one.state_hash()));
            before = Some(one.state_hash());
            let step = Command::Step(Steps { count: 1, dt: None });
            apply(&mut one, &step);
            apply(&mut other, &step);
        }
    }

    #[test]
    fn whatever_changes_changes_the_hash() {
        let id = || BodyId::parse("ball-2").unwrap();
        let patch = |text| serde_json::from_str(text).unwrap();
        let force = |point| Force {
            force: Vec3([0.0; 3]),
            torque: Vec3([0.0; 3]),
            point,
        };
        let changes = [
            Command::Configure(WorldPatch {
                gravity: Some(Vec3([0.0, -9.0, 0.0])),
                dt: None,
            }),
            Command::Configure(WorldPatch {
                gravity: None,
                dt: Some(0.5),
            }),
            Command::PatchBody(id(), patch(r#"{"position":[0,1,0]}"#)),
            Command::PatchBody(id(), patch(r#"{"orientation":[1,0,0,0]}"#)),
            Command::PatchBody(id(), patch(r#"{"velocity":[0,1,0]}"#)),
            Command::PatchBody(id(), patch(r#"{"angular_velocity":[0,1,0]}"#)),
            Command::PatchBody(
                id(),
                patch(r#"{"kind":"kinematic_position","position":[0,1,0]}"#),
            ),
            Command::PatchBody(id(), patch(r#"{"enabled":false}"#)),
            Command::SetForce(id(), force(None)),
            Command::SetForce(id(), force(Some(Vec3([0.0; 3])))),
            Command::RemoveBody(id()),
            Command::PatchJoint(
                JointId::parse("hinge").unwrap(),
                serde_json::from_str(r#"{"limits":[-1,0.5]}"#).unwrap(),
            ),
            Command::RemoveJoint(JointId::parse("hinge").unwrap()),
            Command::Step(Steps { count: 1, dt: None }),
        ];
        let mut seen = vec![world(40).state_hash()];
        for change in changes {
            let mut world = world(40);
            apply(&mut world, &change);
            let hash = world.state_hash();
            assert!(!seen.contains(&hash), "{change:?}");
            seen.push(hash);
        }

        let mut negative_zero = world(40);
        let handle = negative_zero.roster.bodies[&id()].handle;
        let body = &mut negative_zero.engine.bodies[handle];
        for x in [1.0, -0.0] {
            body.set_linvel(Vector::new(x, 0.0, 0.0), false);
        }
        assert!(!seen.contains(&negative_zero.state_hash()), "-0");
        seen.push(negative_zero.state_hash());
        negative_zero.engine.bodies[handle].sleep();
        assert!(!seen.contains(&negative_zero.state_hash()), "asleep");
    }
}
