//! What the parameters of paths look like, wherever they stand.

use utoipa::openapi::{
    ObjectBuilder, Ref, RefOr, Schema, Type,
    path::{Operation, ParameterIn},
};

/// Gives each parameter of the path the schema that goes with its name.
pub(super) fn narrow(operation: &mut Operation) {
    for parameter in operation.parameters.iter_mut().flatten() {
        if let RefOr::T(parameter) = parameter
            && parameter.parameter_in == ParameterIn::Path
        {
            parameter.schema = Some(schema(&parameter.name));
        }
    }
}

fn schema(name: &str) -> RefOr<Schema> {
    let pattern = match name {
        "body_id" => return Ref::from_schema_name("BodyId").into(),
        "joint_id" => return Ref::from_schema_name("JointId").into(),
        "controller_id" => return Ref::from_schema_name("ControllerId").into(),
        "code" => return Ref::from_schema_name("ProblemCode").into(),
        "sha256" => "^[0-9a-f]{64}$",
        _ => "^[A-Za-z0-9_-]{1,64}$",
    };
    let text = ObjectBuilder::new().schema_type(Type::String);
    text.pattern(Some(pattern)).into()
}
