//! Everything that can be wrong with a controller that is asked for.

use std::f32::consts::FRAC_PI_2;

use super::{
    spec::{ControllerKind, ControllerPatch, ControllerSpec},
    wheel,
};
use crate::{
    id::BodyId,
    physics::{
        body::{BodyKind, BodySpec},
        bonds::Bond,
        fault::{Faults, MASSES, MAX_DISTANCE, MAX_SPEED},
    },
};

/// The greatest gain.
const MAX_GAIN: f32 = 1e6;
/// The greatest height or width of what a character steps or snaps onto, m.
const MAX_STEP: f32 = 1e3;

impl ControllerKind {
    /// The fields that belong to it.
    fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Character => &[
                "velocity",
                "up",
                "offset",
                "slide",
                "autostep",
                "max_slope_climb_angle",
                "min_slope_slide_angle",
                "snap_to_ground",
                "apply_gravity",
                "push_dynamic_bodies",
                "mass",
            ],
            Self::Vehicle => &[
                "wheels",
                "up_axis",
                "forward_axis",
                "drive_wheels",
                "steered_wheels",
            ],
            Self::Pid => &[
                "target_position",
                "target_orientation",
                "target_velocity",
                "target_angular_velocity",
                "kp",
                "ki",
                "kd",
                "angular_kp",
                "angular_ki",
                "angular_kd",
                "axes",
            ],
        }
    }

    /// Whether it can move bodies of `kind`.
    pub(in crate::physics) fn moves(self, kind: BodyKind) -> bool {
        match self {
            Self::Character => !matches!(kind, BodyKind::Fixed | BodyKind::Dynamic),
            Self::Vehicle | Self::Pid => kind == BodyKind::Dynamic,
        }
    }
}

impl ControllerSpec {
    /// Notes everything that is wrong with it, where `body_of` knows the bodies of its world.
    pub fn check<'b>(
        &self,
        body_of: impl Fn(&BodyId) -> Option<&'b BodySpec>,
        faults: &mut Faults,
    ) {
        faults.check_id("id", self.id.is_well_formed());
        match body_of(&self.body_id) {
            None => faults.add("body_id", "no such body"),
            Some(body) => {
                if let Some((_, detail)) = Bond::Driven(self.kind).objection(body) {
                    faults.add("body_id", detail);
                }
            }
        }
        self.check_settings(faults);
    }

    /// Notes everything that is wrong with what does not depend on its world.
    pub(in crate::physics) fn check_settings(&self, faults: &mut Faults) {
        let belonging = self.kind.fields();
        for field in self.given().filter(|field| !belonging.contains(field)) {
            faults.add(field, "does not belong to a controller of this type");
        }
        match self.kind {
            ControllerKind::Character => self.check_character(faults),
            ControllerKind::Vehicle => wheel::check(self, faults),
            ControllerKind::Pid => self.check_pid(faults),
        }
    }

    fn check_character(&self, faults: &mut Faults) {
        faults.check_vector("velocity", self.velocity.unwrap_or_default(), MAX_SPEED);
        if let Some(up) = self.up {
            faults.check_direction("up", up);
        }
        let angles = 0.0..=FRAC_PI_2;
        let lengths = 0.0..=MAX_STEP;
        let ranges = [
            ("offset", self.offset, 1e-4..=1e2),
            (
                "max_slope_climb_angle",
                self.max_slope_climb_angle,
                angles.clone(),
            ),
            ("min_slope_slide_angle", self.min_slope_slide_angle, angles),
            ("snap_to_ground", self.snap_to_ground, lengths.clone()),
            ("mass", self.mass, MASSES),
        ];
        for (field, value, range) in ranges {
            if let Some(value) = value {
                faults.check_range(field, value, range);
            }
        }
        if let Some(autostep) = self.autostep {
            faults.check_range("autostep/max_height", autostep.max_height, lengths.clone());
            faults.check_range("autostep/min_width", autostep.min_width, lengths);
        }
    }

    fn check_pid(&self, faults: &mut Faults) {
        let vectors = [
            ("target_position", self.target_position, MAX_DISTANCE),
            ("target_velocity", self.target_velocity, MAX_SPEED),
            (
                "target_angular_velocity",
                self.target_angular_velocity,
                MAX_SPEED,
            ),
        ];
        for (field, value, longest) in vectors {
            if let Some(value) = value {
                faults.check_vector(field, value, longest);
            }
        }
        if let Some(orientation) = self.target_orientation {
            faults.check_rotation("target_orientation", orientation);
        }
        let gains = [
            ("kp", self.kp),
            ("ki", self.ki),
            ("kd", self.kd),
            ("angular_kp", self.angular_kp),
            ("angular_ki", self.angular_ki),
            ("angular_kd", self.angular_kd),
        ];
        for (field, gain) in gains {
            faults.check_range(field, gain.unwrap_or_default(), 0.0..=MAX_GAIN);
        }
        let axes = self.axes.as_deref().unwrap_or_default();
        if axes
            .iter()
            .enumerate()
            .any(|(index, axis)| axes[..index].contains(axis))
        {
            faults.add("axes", "must not name an axis twice");
        }
    }

    /// Notes everything that is wrong with `patch`, and with what it makes of this.
    pub(in crate::physics) fn check_patch(&self, patch: &ControllerPatch, faults: &mut Faults) {
        wheel::check_patch(self, patch, faults);
        if faults.is_empty() {
            self.patched(patch).check_settings(faults);
        }
    }
}
