//! Controllers that are refused.

use serde_json::{Value, json};

use super::{keeping::everything, *};
use crate::physics::PhysicsError;

#[test]
fn faulty_controllers_are_refused_with_every_fault() {
    let mut world = everything();
    let mut refused = |command: Command, expected: &[&str]| match world
        .apply(&command, &WorldLimits::unlimited())
    {
        Err(PhysicsError::Invalid(faults)) => {
            let found: Vec<_> = faults.iter().map(|it| it.pointer.as_str()).collect();
            assert_eq!(found, expected, "{command:?}");
        }
        other => panic!("{command:?}: {other:?}"),
    };
    let add = |spec: Value| Command::AddController(read(&spec));
    let change = |id: &str, change: Value| {
        Command::PatchController(ControllerId::parse(id).unwrap(), read(&change))
    };
    refused(
        add(
            json!({"id": "a b", "type": "pid", "body_id": "nobody", "velocity": [0, 0, 0], "kp": -1, "target_position": [1e30, 0, 0], "axes": ["x", "x"]}),
        ),
        &[
            "/id",
            "/body_id",
            "/velocity",
            "/target_position",
            "/kp",
            "/axes",
        ],
    );
    refused(
        add(
            json!({"id": "c", "type": "character", "body_id": "walker", "up": [0, 0, 0], "offset": 0, "mass": 0, "autostep": {"max_height": -1, "min_width": 0}}),
        ),
        &[
            "/up",
            "/offset",
            "/mass",
            "/autostep/max_height",
            "/body_id",
        ],
    );
    refused(
        add(
            json!({"id": "v", "type": "vehicle", "body_id": "ball", "forward_axis": "y", "drive_wheels": [1, 0, 0], "wheels": [{"position": [0, 0, 0], "radius": 0, "stiffness": 1e30}]}),
        ),
        &[
            "/forward_axis",
            "/wheels/0/radius",
            "/wheels/0/stiffness",
            "/drive_wheels/0",
            "/drive_wheels/2",
        ],
    );
    refused(
        add(json!({"id": "v", "type": "vehicle", "body_id": "floor"})),
        &["/body_id", "/wheels"],
    );
    refused(
        change("pid", json!({"engine_force": 1})),
        &["/engine_force"],
    );
    refused(
        change("drive", json!({"brake": -1, "steering": 4})),
        &["/steering", "/brake"],
    );
    refused(
        change("walk", json!({"target_position": [0, 0, 0]})),
        &["/target_position"],
    );
    let kind = Command::PatchBody(
        BodyId::parse("walker").unwrap(),
        read(&json!({"kind": "dynamic"})),
    );
    refused(kind, &["/kind"]);
}
