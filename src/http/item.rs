//! One command of a batch: its `op` says which, all other fields are those of the command itself.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeOwned, IgnoredAny, value::MapAccessDeserializer},
};
use serde_json::value::RawValue;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{Object, ObjectBuilder, OneOfBuilder, Schema, Type},
    },
};

use super::{
    json::{Object as Braced, parse_within},
    problem::Problem,
    routes::{
        forces::{ForceRequest, ImpulseRequest},
        stepping::StepRequest,
    },
};
use crate::{
    id::{BodyId, ControllerId, JointId},
    physics::{
        BodyPatch, BodySpec, Command, ControllerPatch, ControllerSpec, Fault, InverseKinematics,
        Item, JointPatch, JointSpec, WorldPatch, present, word,
    },
};

/// Which command it is.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Op {
    AddBody,
    PatchBody,
    RemoveBody,
    AddJoint,
    PatchJoint,
    RemoveJoint,
    AddController,
    PatchController,
    RemoveController,
    Impulse,
    Force,
    ClearForce,
    InverseKinematics,
    Step,
    PatchSimulation,
}

/// The fields that say what a command is about; the others are read as the command itself.
#[derive(Deserialize)]
struct Head {
    #[serde(deserialize_with = "word")]
    op: Op,
    #[serde(default, deserialize_with = "present")]
    at_step: Option<u32>,
    #[serde(default, deserialize_with = "present")]
    body_id: Option<BodyId>,
    #[serde(default, deserialize_with = "present")]
    joint_id: Option<JointId>,
    #[serde(default, deserialize_with = "present")]
    controller_id: Option<ControllerId>,
}

/// What is left of an object without some of its fields.
struct Without<T, const ABOUT: u8>(T);

/// Which name a command gives beside what is its own.
const NONE: u8 = 0;
const BODY: u8 = 1;
const JOINT: u8 = 2;
const CONTROLLER: u8 = 3;

/// An object without fields.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// Reads the command at `index` of a batch.
pub(super) fn parse_item(index: usize, item: &RawValue) -> Result<Item, Problem> {
    let reader = Reader {
        place: format!("/commands/{index}"),
        text: item.get().as_bytes(),
    };
    let Braced::<Head>(head) = parse_within(&reader.place, reader.text)?;
    let command = match head.op {
        Op::AddBody => Command::AddBody(Box::new(reader.plain()?)),
        Op::PatchBody => {
            let patch: BodyPatch = reader.of_body()?;
            Command::PatchBody(reader.body(head.body_id)?, Box::new(patch))
        }
        Op::RemoveBody => {
            let Nothing {} = reader.of_body()?;
            Command::RemoveBody(reader.body(head.body_id)?)
        }
        Op::AddJoint => Command::AddJoint(Box::new(reader.plain()?)),
        Op::PatchJoint => {
            let patch: JointPatch = reader.of_joint()?;
            Command::PatchJoint(reader.joint(head.joint_id)?, Box::new(patch))
        }
        Op::RemoveJoint => {
            let Nothing {} = reader.of_joint()?;
            Command::RemoveJoint(reader.joint(head.joint_id)?)
        }
        Op::AddController => Command::AddController(Box::new(reader.plain()?)),
        Op::PatchController => {
            let patch: ControllerPatch = reader.of_controller()?;
            Command::PatchController(reader.controller(head.controller_id)?, Box::new(patch))
        }
        Op::RemoveController => {
            let Nothing {} = reader.of_controller()?;
            Command::RemoveController(reader.controller(head.controller_id)?)
        }
        Op::Impulse => {
            let impulse: ImpulseRequest = reader.of_body()?;
            Command::ApplyImpulse(reader.body(head.body_id)?, impulse.into())
        }
        Op::Force => {
            let force: ForceRequest = reader.of_body()?;
            Command::SetForce(reader.body(head.body_id)?, force.into())
        }
        Op::ClearForce => {
            let Nothing {} = reader.of_body()?;
            Command::ClearForce(reader.body(head.body_id)?)
        }
        Op::InverseKinematics => Command::InverseKinematics(Box::new(reader.plain()?)),
        Op::Step => Command::Step(reader.plain::<StepRequest>()?.into()),
        Op::PatchSimulation => Command::Configure(reader.plain()?),
    };
    Ok(Item {
        at_step: head.at_step,
        command,
    })
}

struct Reader<'a> {
    place: String,
    text: &'a [u8],
}

impl Reader<'_> {
    fn plain<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        parse_within::<Without<T, NONE>>(&self.place, self.text).map(|rest| rest.0)
    }

    fn of_body<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        parse_within::<Without<T, BODY>>(&self.place, self.text).map(|rest| rest.0)
    }

    fn of_joint<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        parse_within::<Without<T, JOINT>>(&self.place, self.text).map(|rest| rest.0)
    }

    fn of_controller<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        parse_within::<Without<T, CONTROLLER>>(&self.place, self.text).map(|rest| rest.0)
    }

    fn body(&self, id: Option<BodyId>) -> Result<BodyId, Problem> {
        id.ok_or_else(|| self.missing("body_id"))
    }

    fn joint(&self, id: Option<JointId>) -> Result<JointId, Problem> {
        id.ok_or_else(|| self.missing("joint_id"))
    }

    fn controller(&self, id: Option<ControllerId>) -> Result<ControllerId, Problem> {
        id.ok_or_else(|| self.missing("controller_id"))
    }

    fn missing(&self, field: &str) -> Problem {
        Problem::invalid(vec![Fault {
            pointer: format!("{}/{field}", self.place),
            detail: format!("missing field `{field}`"),
        }])
    }
}

impl<'de, T, const ABOUT: u8> Deserialize<'de> for Without<T, ABOUT>
where
    T: Deserialize<'de>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<T, const ABOUT: u8>(std::marker::PhantomData<T>);

        impl<'de, T: Deserialize<'de>, const ABOUT: u8> de::Visitor<'de> for Visitor<T, ABOUT> {
            type Value = Without<T, ABOUT>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                let is_known = |name: &str| match name {
                    "op" | "at_step" => true,
                    "body_id" => ABOUT == BODY,
                    "joint_id" => ABOUT == JOINT,
                    "controller_id" => ABOUT == CONTROLLER,
                    _ => false,
                };
                let rest = Rest { map, is_known };
                T::deserialize(MapAccessDeserializer::new(rest)).map(Without)
            }
        }

        deserializer.deserialize_map(Visitor(std::marker::PhantomData))
    }
}

/// The entries of a map that are not known from elsewhere.
struct Rest<A, F> {
    map: A,
    is_known: F,
}

impl<'de, A: de::MapAccess<'de>, F: Fn(&str) -> bool> de::MapAccess<'de> for Rest<A, F> {
    type Error = A::Error;

    fn next_key_seed<K: de::DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        while let Some(name) = self.map.next_key::<String>()? {
            if !(self.is_known)(&name) {
                let name = de::value::StringDeserializer::new(name);
                return seed.deserialize(name).map(Some);
            }
            self.map.next_value::<IgnoredAny>()?;
        }
        Ok(None)
    }

    fn next_value_seed<V: de::DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}

/// Describes what [`parse_item`] reads.
pub(super) struct CommandItem;

impl PartialSchema for CommandItem {
    fn schema() -> RefOr<Schema> {
        let id = || ("body_id", BodyId::schema());
        let joint_id = || ("joint_id", JointId::schema());
        let controller_id = || ("controller_id", ControllerId::schema());
        let items = [
            item("add_body", BodySpec::schema(), None),
            item("patch_body", BodyPatch::schema(), Some(id())),
            item("remove_body", Nothing::schema(), Some(id())),
            item("add_joint", JointSpec::schema(), None),
            item("patch_joint", JointPatch::schema(), Some(joint_id())),
            item("remove_joint", Nothing::schema(), Some(joint_id())),
            item("add_controller", ControllerSpec::schema(), None),
            item(
                "patch_controller",
                ControllerPatch::schema(),
                Some(controller_id()),
            ),
            item(
                "remove_controller",
                Nothing::schema(),
                Some(controller_id()),
            ),
            item("impulse", ImpulseRequest::schema(), Some(id())),
            item("force", ForceRequest::schema(), Some(id())),
            item("clear_force", Nothing::schema(), Some(id())),
            item("inverse_kinematics", InverseKinematics::schema(), None),
            item("step", StepRequest::schema(), None),
            item("patch_simulation", WorldPatch::schema(), None),
        ];
        let items = items
            .into_iter()
            .fold(OneOfBuilder::new(), OneOfBuilder::item);
        items
            .description(Some(
                "A command: `op` says which, and all other fields are its own.",
            ))
            .into()
    }
}

impl ToSchema for CommandItem {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        BodySpec::schemas(schemas);
        BodyPatch::schemas(schemas);
        JointSpec::schemas(schemas);
        JointPatch::schemas(schemas);
        ControllerSpec::schemas(schemas);
        ControllerPatch::schemas(schemas);
        ImpulseRequest::schemas(schemas);
        ForceRequest::schemas(schemas);
        InverseKinematics::schemas(schemas);
        StepRequest::schemas(schemas);
        WorldPatch::schemas(schemas);
    }
}

/// The schema of a command by itself, with what makes it part of a batch.
fn item(op: &str, of: RefOr<Schema>, id: Option<(&str, RefOr<Schema>)>) -> Object {
    let RefOr::T(Schema::Object(mut item)) = of else {
        unreachable!("a command is an object")
    };
    let word = ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some([op]));
    let at_step = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(0))
        .maximum(Some(10_000))
        .description(Some(
            "Before which of the steps it is due, counted from 0; before all of them unless given.",
        ));
    item.properties.insert("op".to_owned(), word.into());
    item.properties.insert("at_step".to_owned(), at_step.into());
    item.required.push("op".to_owned());
    if let Some((name, schema)) = id {
        item.properties.insert(name.to_owned(), schema);
        item.required.push(name.to_owned());
    }
    item
}
