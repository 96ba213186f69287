//! Controllers as clients see them: what was asked for, and what came of it.

use serde::Serialize;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{ArrayBuilder, Object, ObjectBuilder, Schema, Type},
    },
};

use super::{Controller, ControllerSpec, ControllerState, wheel::WheelSpec};
use crate::{
    id::BodyId,
    physics::{roster::Positions, vector::Vec3, view::View, world::World},
};

/// A controller: its specification with everything that is given by default, and its state.
#[derive(Debug, Serialize)]
pub struct ControllerView<'a> {
    #[serde(flatten)]
    spec: &'a ControllerSpec,
    #[serde(flatten)]
    state: &'a StateReading,
}

/// A controller at one moment.
#[derive(Clone, Debug)]
pub(in crate::physics) struct ControllerReading {
    spec: ControllerSpec,
    state: StateReading,
}

#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
enum StateReading {
    Character {
        grounded: bool,
        sliding_down_slope: bool,
        effective_velocity: Vec3,
        collisions: Vec<BodyId>,
    },
    Vehicle {
        speed: f32,
        wheels: Vec<WheelReading>,
    },
    Pid {
        position_error: Vec3,
        orientation_error: Vec3,
    },
}

#[derive(Clone, Debug, Serialize)]
struct WheelReading {
    #[serde(flatten)]
    spec: WheelSpec,
    in_contact: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    contact_point: Option<Vec3>,
    suspension_length: f32,
    suspension_force: f32,
    rotation: f32,
    forward_impulse: f32,
    side_impulse: f32,
}

impl World {
    /// All controllers as they are now, in the order they were added.
    pub(in crate::physics) fn controller_readings(&self) -> Vec<ControllerReading> {
        if self.controllers.is_empty() {
            return Vec::new();
        }
        let positions = self.roster.positions();
        let readings = self.controllers.values();
        readings.map(|it| self.reading(it, &positions)).collect()
    }

    fn reading(&self, controller: &Controller, positions: &Positions) -> ControllerReading {
        let mut spec = controller.spec.clone();
        let state = match &controller.state {
            ControllerState::Character(character) => StateReading::Character {
                grounded: character.grounded,
                sliding_down_slope: character.sliding,
                effective_velocity: character.effective_velocity,
                collisions: {
                    let met = character.collisions.iter();
                    let name = |&handle| self.roster.body_at(positions.of(handle)).0.clone();
                    met.map(name).collect()
                },
            },
            ControllerState::Vehicle(vehicle) => StateReading::Vehicle {
                speed: finite(vehicle.speed(&self.engine)),
                wheels: {
                    // They are shown with what came of them.
                    let specs = spec.wheels.take().unwrap_or_default();
                    let wheels = vehicle.engine.wheels();
                    specs
                        .into_iter()
                        .zip(wheels)
                        .map(WheelReading::of)
                        .collect()
                },
            },
            ControllerState::Pid(pid) => StateReading::Pid {
                position_error: pid.position_error,
                orientation_error: pid.orientation_error,
            },
        };
        ControllerReading { spec, state }
    }
}

impl View {
    /// All controllers, in the order they were added.
    pub fn controllers(&self) -> Vec<ControllerView<'_>> {
        self.controllers.iter().map(ControllerView::of).collect()
    }

    /// One controller.
    pub fn controller(&self, id: &crate::id::ControllerId) -> Option<ControllerView<'_>> {
        let mut readings = self.controllers.iter();
        readings
            .find(|reading| reading.spec.id == *id)
            .map(ControllerView::of)
    }
}

impl<'a> ControllerView<'a> {
    fn of(reading: &'a ControllerReading) -> Self {
        Self {
            spec: &reading.spec,
            state: &reading.state,
        }
    }
}

impl WheelReading {
    fn of((spec, wheel): (WheelSpec, &rapier3d::control::Wheel)) -> Self {
        let ray = wheel.raycast_info();
        let point = Vec3::from(ray.contact_point_ws);
        Self {
            spec,
            in_contact: ray.is_in_contact,
            contact_point: (ray.is_in_contact && point.is_finite()).then_some(point),
            suspension_length: finite(ray.suspension_length),
            suspension_force: finite(wheel.wheel_suspension_force.min(wheel.max_suspension_force)),
            rotation: finite(wheel.rotation),
            forward_impulse: finite(wheel.forward_impulse),
            side_impulse: finite(wheel.side_impulse),
        }
    }
}

/// No reply holds what is no number.
fn finite(number: f32) -> f32 {
    if number.is_finite() { number } else { 0.0 }
}

impl PartialSchema for ControllerView<'_> {
    /// The schema of what is asked for, with what is added to it.
    fn schema() -> RefOr<Schema> {
        let RefOr::T(Schema::Object(mut controller)) = ControllerSpec::schema() else {
            unreachable!("a specification is an object")
        };
        let flag = || RefOr::T(Schema::Object(Object::with_type(Type::Boolean)));
        let names = ArrayBuilder::new().items(BodyId::schema());
        let RefOr::T(Schema::Object(mut wheel)) = WheelSpec::schema() else {
            unreachable!("a specification is an object")
        };
        wheel.additional_properties = None;
        let number = || ObjectBuilder::new().schema_type(Type::Number);
        for field in [
            "suspension_length",
            "suspension_force",
            "rotation",
            "forward_impulse",
            "side_impulse",
        ] {
            wheel.properties.insert(field.to_owned(), number().into());
        }
        wheel.properties.insert("in_contact".to_owned(), flag());
        wheel
            .properties
            .insert("contact_point".to_owned(), Vec3::schema());
        controller.description =
            Some("A controller: what was asked for, and what came of it.".to_owned());
        controller.additional_properties = None;
        let wheels = ArrayBuilder::new().items(wheel);
        let added: [(&str, RefOr<Schema>); 8] = [
            ("grounded", flag()),
            ("sliding_down_slope", flag()),
            ("effective_velocity", Vec3::schema()),
            ("collisions", names.into()),
            ("speed", number().into()),
            ("wheels", wheels.into()),
            ("position_error", Vec3::schema()),
            ("orientation_error", Vec3::schema()),
        ];
        for (field, schema) in added {
            controller.properties.insert(field.to_owned(), schema);
        }
        controller.into()
    }
}

impl ToSchema for ControllerView<'_> {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        ControllerSpec::schemas(schemas);
    }
}
