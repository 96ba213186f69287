//! What is wrong with a joint, as far as it can be seen without the world.

use rapier3d::prelude::JointAxesMask;

use super::{
    axes::{AxisFreedom, AxisName, check_limits},
    frame::MAX_ANCHOR,
    motor::{MAX_COEFFICIENT, MIN_COEFFICIENT},
    patch::JointPatch,
    spec::{JointKind, JointSpec},
};
use crate::{
    id::BodyId,
    physics::{
        body::{BodyKind, BodySpec},
        bonds::Bond,
        config::Dimensions,
        fault::{Faults, LENGTHS, MASSES},
        vector::Vec3,
    },
};

/// The forces and torques at which a joint may break.
const STRENGTHS: std::ops::RangeInclusive<f32> = 1e-6..=1e15;

impl JointSpec {
    /// Notes everything that is wrong with it, where `body_of` knows the bodies of its world.
    pub fn check<'b>(
        &self,
        dimensions: Dimensions,
        body_of: impl Fn(&BodyId) -> Option<&'b BodySpec>,
        faults: &mut Faults,
    ) {
        faults.check_id("id", self.id.is_well_formed());
        let bodies = [("body_a", &self.body_a), ("body_b", &self.body_b)].map(|(field, id)| {
            let body = body_of(id);
            if body.is_none() {
                faults.add(field, "no such body");
            }
            body
        });
        let kinds = bodies.map(|body| body.map(BodySpec::kind));
        if self.body_a == self.body_b {
            faults.add("body_b", "must be another body than body_a");
        } else if kinds == [Some(BodyKind::Fixed); 2] {
            faults.add("body_b", "must not be static, as body_a is");
        } else if self.multibody {
            check_links(dimensions, bodies, faults);
        }
        self.check_frames(faults);
        self.check_settings(faults);
    }

    /// Notes everything that is wrong with what may change during its life.
    pub(in crate::physics) fn check_settings(&self, faults: &mut Faults) {
        self.check_limits(faults);
        self.check_lengths(faults);
        self.check_motors(faults);
        self.check_axes(faults);
        self.check_coordinates(faults);
        for (field, strength) in [
            ("break_force", self.break_force),
            ("break_torque", self.break_torque),
        ] {
            if let Some(strength) = strength {
                faults.check_range(field, strength, STRENGTHS);
                if self.multibody {
                    faults.add(field, "does not belong to a joint of a multibody");
                }
            }
        }
        if let Some(softness) = self.softness {
            faults.within("softness", |faults| {
                faults.check_range("natural_frequency", softness.natural_frequency, 1e-2..=1e6);
                faults.check_range("damping_ratio", softness.damping_ratio, 0.0..=1e3);
            });
        }
    }

    /// Notes everything that is wrong with a change of it.
    pub(in crate::physics) fn check_patch(&self, patch: &JointPatch, faults: &mut Faults) {
        self.patched(patch).check_settings(faults);
        // Whether one of its bodies is in a multibody was asked when it was made.
        if patch.cone_limit.is_some() && self.cone_limit.is_none() {
            faults.add("cone_limit", "must be there from the beginning");
        }
        let (Some(old), Some(new)) = (&self.axes, &patch.axes) else {
            return;
        };
        let patched = old.patched(new);
        for axis in AxisName::ALL {
            let is_locked = |freedom: &AxisFreedom| *freedom == AxisFreedom::Locked;
            if is_locked(old.of(axis)) != is_locked(patched.of(axis)) {
                let field = format!("axes/{}", axis.word());
                faults.add(&field, "must stay locked or free as it was made");
            }
        }
    }

    fn check_frames(&self, faults: &mut Faults) {
        faults.check_vector("anchor_a", self.anchor_a, MAX_ANCHOR);
        faults.check_vector("anchor_b", self.anchor_b, MAX_ANCHOR);
        faults.check_direction("axis", self.axis);
        for (field, frame) in [("frame_a", self.frame_a), ("frame_b", self.frame_b)] {
            if let Some(frame) = frame {
                faults.within(field, |faults| frame.check(faults));
            }
        }
        if self.frame_a.is_none() && self.frame_b.is_none() {
            return;
        }
        let up = Vec3([0.0, 1.0, 0.0]);
        for (field, value, default) in [
            ("anchor_a", self.anchor_a, Vec3::ZERO),
            ("anchor_b", self.anchor_b, Vec3::ZERO),
            ("axis", self.axis, up),
        ] {
            if value != default {
                faults.add(field, "does not go with frame_a or frame_b");
            }
        }
    }

    fn check_limits(&self, faults: &mut Faults) {
        if let Some(limits) = &self.limits {
            match self.only_axis() {
                Some(axis) => check_limits("limits", limits, axis.farthest(), faults),
                None => faults.add("limits", "do not belong to a joint of this type"),
            }
        }
        if let Some(limits) = &self.twist_limits {
            if self.joint_type == JointKind::Spherical {
                check_limits("twist_limits", limits, AxisName::Rx.farthest(), faults);
            } else {
                faults.add("twist_limits", "do not belong to a joint of this type");
            }
        }
        if let Some(angle) = self.cone_limit {
            if self.joint_type == JointKind::Spherical {
                faults.check_range("cone_limit", angle, 1e-3..=AxisName::Rx.farthest());
            } else {
                faults.add("cone_limit", "does not belong to a joint of this type");
            }
        }
    }

    fn check_lengths(&self, faults: &mut Faults) {
        let is_rope = self.joint_type == JointKind::Rope;
        let is_spring = self.joint_type == JointKind::Spring;
        let stiffnesses = MIN_COEFFICIENT..=MAX_COEFFICIENT;
        for (field, value, belongs, range) in [
            ("length", self.length, is_rope, LENGTHS),
            (
                "rest_length",
                self.rest_length,
                is_spring,
                0.0..=*LENGTHS.end(),
            ),
            ("stiffness", self.stiffness, is_spring, stiffnesses),
        ] {
            match value {
                Some(value) if belongs => faults.check_range(field, value, range),
                Some(_) => faults.add(field, "does not belong to a joint of this type"),
                None if belongs => faults.add(field, "must be given for a joint of this type"),
                None => {}
            }
        }
        if let Some(damping) = self.damping {
            if is_spring || self.multibody {
                faults.check_range("damping", damping, 0.0..=MAX_COEFFICIENT);
            } else {
                let detail = "belongs to springs and to joints of a multibody";
                faults.add("damping", detail);
            }
        }
    }

    fn check_motors(&self, faults: &mut Faults) {
        if let Some(motor) = self.motor {
            match self.only_axis() {
                Some(axis) => faults.within("motor", |faults| motor.check(axis, faults)),
                None => faults.add("motor", "does not belong to a joint of this type"),
            }
        }
        if let Some(motors) = &self.motors {
            if self.joint_type != JointKind::Spherical {
                faults.add("motors", "do not belong to a joint of this type");
                return;
            }
            for (axis, motor) in motors.each() {
                if let Some(motor) = motor {
                    faults.within(format_args!("motors/{}", axis.word()), |faults| {
                        motor.check(axis, faults);
                    });
                }
            }
        }
    }

    /// The axis that is all a revolute or prismatic joint leaves free.
    fn only_axis(&self) -> Option<AxisName> {
        match self.joint_type {
            JointKind::Revolute => Some(AxisName::Rx),
            JointKind::Prismatic => Some(AxisName::X),
            JointKind::Fixed
            | JointKind::Spherical
            | JointKind::Rope
            | JointKind::Spring
            | JointKind::Generic => None,
        }
    }

    fn check_axes(&self, faults: &mut Faults) {
        let is_generic = self.joint_type == JointKind::Generic;
        match &self.axes {
            Some(axes) if is_generic => {
                for axis in AxisName::ALL {
                    if let AxisFreedom::Settings(settings) = axes.of(axis) {
                        faults.within(format_args!("axes/{}", axis.word()), |faults| {
                            settings.check(axis, faults);
                        });
                    }
                }
                self.check_coupling(faults);
            }
            Some(_) => faults.add("axes", "do not belong to a joint of this type"),
            None if is_generic => faults.add("axes", "must be given for a joint of this type"),
            None if !self.coupled_axes.is_empty() => {
                faults.add("coupled_axes", "do not belong to a joint of this type");
            }
            None => {}
        }
    }

    /// The engine asserts that two angular axes are coupled or none, knows no motor and no lower
    /// limit of what is coupled, and takes what is coupled from the first of the axes.
    fn check_coupling(&self, faults: &mut Faults) {
        let (mut linear, mut angular) = (Vec::new(), Vec::new());
        for (index, &axis) in self.coupled_axes.iter().enumerate() {
            if self.coupled_axes[..index].contains(&axis) {
                faults.add(&format!("coupled_axes/{index}"), "stands twice in the list");
            }
            if self.freedom(axis) == AxisFreedom::Locked {
                faults.add(&format!("coupled_axes/{index}"), "is locked");
            }
            let group = if axis.is_angular() {
                &mut angular
            } else {
                &mut linear
            };
            group.push(axis);
        }
        if linear.len() == 1 || !matches!(angular.len(), 0 | 2) {
            let detail = "must be two or three linear axes, two angular ones, or both";
            faults.add("coupled_axes", detail);
        }
        for group in [linear, angular] {
            let first = group.iter().min_by_key(|axis| axis.index());
            for &axis in &group {
                self.check_coupled(axis, first == Some(&axis), faults);
            }
        }
    }

    fn check_coupled(&self, axis: AxisName, is_first: bool, faults: &mut Faults) {
        let AxisFreedom::Settings(settings) = self.freedom(axis) else {
            return;
        };
        let place = format!("axes/{}", axis.word());
        if !is_first {
            let detail = "must be \"free\": the first of the coupled axes speaks for all";
            faults.add(&place, detail);
        }
        if axis.is_angular() && settings.motor.is_some() {
            let place = format!("{place}/motor");
            faults.add(&place, "coupled angular axes have no motor");
        }
        let least = settings.limits.as_deref().and_then(<[f32]>::first);
        if least.is_some_and(|&least| least != 0.0) {
            let place = format!("{place}/limits/0");
            faults.add(&place, "must be 0 where axes are coupled");
        }
    }

    /// Notes what cannot be said in a multibody's coordinates, or in them alone.
    fn check_coordinates(&self, faults: &mut Faults) {
        for (field, value, most) in [
            ("armature", self.armature, *MASSES.end()),
            ("friction", self.friction, MAX_COEFFICIENT),
        ] {
            if let Some(value) = value {
                faults.check_range(field, value, 0.0..=most);
                if !self.multibody {
                    faults.add(field, "belongs to joints of a multibody");
                }
            }
        }
        if !self.multibody {
            return;
        }
        if self.is_coupled() {
            let detail = "no joint of a multibody can be coupled: no rope, spring or cone";
            faults.add("multibody", detail);
        }
        if !self.enabled {
            faults.add("enabled", "a joint of a multibody is always enabled");
        }
        let angular: Vec<_> = self.free_axes().filter(|axis| axis.is_angular()).collect();
        if angular.len() == 2 {
            let detail = "a joint of a multibody turns about one axis, about all or about none";
            faults.add("multibody", detail);
        }
        if angular.len() < 2 {
            return;
        }
        for axis in angular {
            let AxisFreedom::Settings(settings) = self.freedom(axis) else {
                continue;
            };
            if settings.limits.is_some() || settings.motor.is_some() {
                let detail = "a joint of a multibody that turns about several axes has no \
                              angular limits and motors";
                faults.add("multibody", detail);
                return;
            }
        }
    }

    /// What it leaves free, as Rapier puts it.
    pub(in crate::physics) fn locked_axes(&self) -> JointAxesMask {
        self.free_axes()
            .fold(JointAxesMask::all(), |locked, axis| locked - axis.mask())
    }
}

/// Notes what keeps its bodies from being links of a multibody.
fn check_links(dimensions: Dimensions, bodies: [Option<&BodySpec>; 2], faults: &mut Faults) {
    if dimensions == Dimensions::Two {
        faults.add("multibody", "there are none in two dimensions");
    }
    let bonds = [("body_a", Bond::Carries), ("body_b", Bond::Hangs)];
    for ((field, bond), body) in bonds.into_iter().zip(bodies) {
        if let Some((_, detail)) = body.and_then(|body| bond.objection(body)) {
            faults.add(field, detail);
        }
    }
}
