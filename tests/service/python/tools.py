"""Drives the published client's tool functions, unmodified, the way an assistant calls them."""

import asyncio
import math

from chuk_mcp_physics import server
from chuk_mcp_physics.models import JointDefinition


async def main() -> None:
    created = await server.create_simulation(gravity_y=-9.81, dt=0.01)
    sim = created.sim_id
    await server.add_rigid_body(
        sim_id=sim, body_id="ground", body_type="static", shape="plane", normal="[0, 1, 0]",
        restitution=0.8,
    )
    for number, (shape, size) in enumerate(
        [("sphere", [0.5]), ("box", [1.0, 1.0, 1.0]), ("capsule", [0.5, 0.25]), ("cylinder", [0.5, 0.25])]
    ):
        name = await server.add_rigid_body(
            sim_id=sim, body_id=shape, body_type="dynamic", shape=shape, size=size,
            position=[5.0 * number, 5.0, 0.0], restitution=0.8,
        )
        assert name == shape
    await server.add_rigid_body(
        sim_id=sim, body_id="anchor", body_type="static", shape="sphere", size=[0.05],
        position=[0.0, 20.0, 50.0],
    )
    await server.add_rigid_body(
        sim_id=sim, body_id="bob", body_type="dynamic", shape="sphere", size=[0.1],
        position=[2.0, 20.0, 50.0],
    )
    joint = JointDefinition(
        id="pendulum", joint_type="revolute", body_a="anchor", body_b="bob",
        anchor_b=[-2.0, 0.0, 0.0], axis=[0.0, 0.0, 1.0],
    )
    assert await server.add_joint(sim_id=sim, joint=joint) == "pendulum"

    events = await server.record_trajectory_with_events(
        sim_id=sim, body_id="sphere", steps=400, bounce_height_threshold=0.6
    )
    assert len(events.bounces) >= 2, events.bounces
    first = events.bounces[0]
    fall = math.sqrt(2 * 4.5 * 9.81)
    assert math.isclose(first.speed_before, fall, rel_tol=0.03), first
    assert math.isclose(first.speed_after / first.speed_before, 0.8, abs_tol=0.05), first

    plain = await server.record_trajectory(sim_id=sim, body_id="bob", steps=100)
    assert plain.meta.num_frames == 100
    state = await server.step_simulation(sim_id=sim, steps=300)
    shown = {body.id: body for body in state.bodies}
    assert math.isclose(math.dist(shown["anchor"].position, shown["bob"].position), 2.0, abs_tol=0.02)
    assert "ground" in shown["box"].contacts, shown["box"]
    assert sim in await server.destroy_simulation(sim_id=sim)


asyncio.run(main())
print("every tool worked")
