"""What the document cannot say: where there is something to find, and what follows from what.

Requests made up from schemas alone would ask for simulations that do not exist, and be refused before
anything of them is read. Whatever is meant to be wrong stays as it is.
"""

import hashlib
import itertools

import requests
import schemathesis

# The worlds that are there before the fuzzer comes: so many, in turns, that what is added to them for
# hours does not fill them.
WORLDS = 8
HOME = {"body_id": "ball", "joint_id": "hinge", "controller_id": "autopilot"}
# What these end is needed by others. They are sent along links, with what was created for it.
ENDS = {"destroy_simulation", "remove_body", "remove_joint", "remove_controller"}

turns = itertools.count()
assets = []


def is_meant(case, location):
    """Whether what stands there is meant to be taken."""
    component = next((c for l, c in case.meta.components.items() if l.value == location), None)
    return component is None or component.mode.is_positive


def is_wrong(case, location):
    """Whether what stands there is what is wrong with the request."""
    where = getattr(case.meta.phase.data, "parameter_location", None)
    aimed = not is_meant(case, location) if where is None else where.value == location
    return case.meta.generation.mode.is_negative and aimed


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.meta is None:
        return
    phase = case.meta.phase.name.value
    operation = case.operation.definition.raw.get("operationId")
    if operation in ENDS:
        spare_home(case)
    elif phase != "stateful" and is_meant(case, "path"):
        find_home(case)
    if operation == "upload_asset" and is_meant(case, "path"):
        name_asset(case)
    if operation == "download_asset" and is_meant(case, "path") and assets:
        case.path_parameters["sha256"] = assets[-1]
    if operation == "create_simulation" and is_meant(case, "query") and is_json(case):
        # A bundle is named by the query, and nothing else has one.
        case.query.pop("id", None)
    if not is_wrong(case, "header"):
        free_of_conditions(case)


def free_of_conditions(case):
    """Nobody has seen a simulation at a moment that was made up, nor sent this under an old key, and a
    time that is over before anything is begun is no fault of the service.

    Besides, where headers need a dash the fuzzer takes what it meant to be wrong for right.
    """
    for name in ("Sim-Witness", "If-Match"):
        case.headers.pop(name, None)
    if "Request-Timeout" in case.headers:
        case.headers["Request-Timeout"] = "60"
    if "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = f"key-{next(turns)}"


def is_json(case):
    return str(case.media_type).endswith("json")


def find_home(case):
    """Leads to what is there."""
    names = dict(HOME, sim_id=f"home-{next(turns) % WORLDS}")
    for name in case.path_parameters or {}:
        if name in names:
            case.path_parameters[name] = names[name]


def spare_home(case):
    """Leads away from what others are to find."""
    names = case.path_parameters or {}
    if str(names.get("sim_id")).startswith("home-"):
        last = list(names)[-1]
        if last == "sim_id" or names[last] == HOME[last]:
            names[last] = "nobody"


def name_asset(case):
    """The name of an asset is the hash of its bytes."""
    sent = case.as_transport_kwargs(base_url="http://127.0.0.1")
    body = requests.Request(**sent).prepare().body or b""
    body = body.encode() if isinstance(body, str) else body
    if isinstance(body, bytes):
        assets.append(hashlib.sha256(body).hexdigest())
        case.path_parameters["sha256"] = assets[-1]
