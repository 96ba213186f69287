"""Drives the published client's provider, unmodified, against the service in RAPIER_SERVICE_URL."""

import asyncio
import math

import httpx
from chuk_mcp_physics.models import (
    JointDefinition,
    RigidBodyDefinition,
    SimulationConfig,
)
from chuk_mcp_physics.providers.rapier import RapierProvider

BODIES = [
    {"id": "floor", "kind": "static", "shape": "plane", "normal": [0.0, 1.0, 0.0], "offset": 0.0},
    {"id": "crate", "kind": "dynamic", "shape": "box", "size": [1.0, 1.0, 1.0], "mass": 2.0,
     "position": [0.0, 2.0, 0.0]},
    {"id": "ball", "kind": "dynamic", "shape": "sphere", "size": [0.5], "position": [5.0, 3.0, 0.0],
     "restitution": 0.8},
    {"id": "pill", "kind": "dynamic", "shape": "capsule", "size": [0.5, 0.25],
     "position": [10.0, 2.0, 0.0]},
    {"id": "can", "kind": "dynamic", "shape": "cylinder", "size": [0.6, 0.8],
     "position": [15.0, 1.0, 0.0]},
    {"id": "lift", "kind": "kinematic", "shape": "box", "size": [1.0, 0.2, 1.0],
     "position": [20.0, 1.0, 0.0], "velocity": [0.0, 1.0, 0.0]},
    {"id": "hook", "kind": "static", "shape": "sphere", "size": [0.1], "position": [25.0, 9.0, 0.0]},
    {"id": "bob", "kind": "dynamic", "shape": "sphere", "size": [0.2], "position": [27.0, 9.0, 0.0]},
    {"id": "slug", "kind": "dynamic", "shape": "sphere", "size": [0.2], "position": [30.0, 50.0, 0.0],
     "drag_coefficient": 0.47, "drag_area": 0.1, "drag_axis_ratios": [1.0, 0.2, 1.0],
     "fluid_density": 1000.0, "linear_damping": 0.0, "angular_damping": 0.1, "is_sensor": False},
]

JOINTS = [
    {"joint_type": "spherical", "body_a": "hook", "body_b": "bob", "anchor_b": [-2.0, 0.0, 0.0]},
    {"joint_type": "fixed", "body_a": "crate", "body_b": "ball", "anchor_a": [5.0, 1.0, 0.0]},
    {"joint_type": "revolute", "body_a": "pill", "body_b": "can", "anchor_a": [5.0, -1.0, 0.0],
     "axis": [0.0, 0.0, 1.0], "limits": [-1.0, 1.0]},
    {"joint_type": "prismatic", "body_a": "lift", "body_b": "slug", "anchor_a": [10.0, 49.0, 0.0],
     "axis": [0.0, 1.0, 0.0], "limits": [-100.0, 100.0]},
]


async def main() -> None:
    provider = RapierProvider()
    created = await provider.create_simulation(SimulationConfig())
    sim = created.sim_id
    assert created.config.gravity == [0.0, -9.81, 0.0], created

    for body in BODIES:
        assert await provider.add_body(sim, RigidBodyDefinition(**body)) == body["id"]
    for number, joint in enumerate(JOINTS[:1]):
        name = f"joint-{number}"
        assert await provider.add_joint(sim, JointDefinition(id=name, **joint)) == name

    start = await provider.get_simulation_state(sim)
    assert start.time == 0.0, start
    assert [body.id for body in start.bodies] == [body["id"] for body in BODIES]

    stepped = await provider.step_simulation(sim, steps=100)
    assert math.isclose(stepped.time, 1.6), stepped.time
    shown = {body.id: body for body in stepped.bodies}
    assert shown["crate"].contacts == ["floor"], shown["crate"]
    assert math.isclose(shown["lift"].position[1], 2.6, abs_tol=1e-3), shown["lift"]
    assert math.isclose(shown["can"].position[1], 0.6, abs_tol=0.02), shown["can"]
    assert math.dist(shown["hook"].position, shown["bob"].position) < 2.05, shown["bob"]
    assert await provider.get_simulation_state(sim) == stepped

    flight = await provider.record_trajectory(sim, "ball", steps=50, dt=0.01)
    assert flight.dt == 0.01
    assert flight.meta.num_frames == 50 == len(flight.frames)
    assert math.isclose(flight.meta.total_time, 0.5)
    assert flight.meta.body_id == f"rapier://{sim}/ball"
    assert math.isclose(flight.frames[0].time, 1.6)

    for number, joint in enumerate(JOINTS[1:], start=1):
        name = f"joint-{number}"
        assert await provider.add_joint(sim, JointDefinition(id=name, **joint)) == name
    await provider.step_simulation(sim, steps=10, dt=0.001)

    for broken in (
        provider.record_trajectory(sim, "nobody", steps=1),
        provider.add_body(sim, RigidBodyDefinition(**BODIES[2])),
    ):
        try:
            await broken
        except httpx.HTTPStatusError as error:
            assert error.response.json()["message"], error.response.text
        else:
            raise AssertionError("a mistake was answered with success")

    await provider.destroy_simulation(sim)
    try:
        await provider.get_simulation_state(sim)
    except httpx.HTTPStatusError as error:
        assert error.response.status_code == 404
    else:
        raise AssertionError("a destroyed simulation still answers")


asyncio.run(main())
print("every call of the provider worked")
