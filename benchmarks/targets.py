"""What has to be reached, checked against the figures of one run."""

from collections.abc import Iterator
from statistics import median
from typing import Any, NamedTuple

from custom_components.plex_auth.api.transport import HEARTBEAT

from .imports import CORE, OURS
from .plan import ACCOUNTS, ROWS
from .spread import Spread, difference, ratio, short, spread

SEEN_SECONDS = {"stop": 5, "return": 5, "restart": 10, "crash": round(2 * HEARTBEAT)}
PLEX_TV_REQUESTS = 100
HOME_USER_REQUESTS = 24
SERVER_REQUESTS = {"sockets": 120, "polling": 300}
IDLE_CPU_SECONDS = {"sockets": 1.5, "polling": 2.5}
SET_UP_MS = 15
MEMORY_MIB = 2
ACTION_MS = 1.0
ACTION_MS_OVER_HTTP = 1.5
IMPORT_TO_CORE = 1.4
CALL_TO_FLOOR = 1.4
LIST_TO_FLOOR = 1.55
CALL_TO_PYTHON_PLEXAPI = 0.45
HOLD_MS = 20


class Target(NamedTuple):
    """A target: its text, what was found, and whether that is enough."""

    text: str
    found: str
    is_met: bool


def check(figures: dict[str, Any]) -> Iterator[Target]:
    """Yield the targets, those that matter most to a home first."""
    yield from _outages(figures["outages"]["sockets"])
    yield from _idle_day(figures)
    yield from _set_up(figures)
    yield from _actions(figures["inside"]["actions"])
    yield from _imports(figures["imports"])
    yield from _calls(figures["calls"])
    hold = spread(figures["long list"]["holds"]).scaled(1000)
    yield _at_most(f"a list of {ROWS} rows: holds the event loop", hold, HOLD_MS, "ms")


def idle_cpu(figures: dict[str, Any], way: str, key: str) -> float:
    """Return the CPU seconds of an idle day of an account and a server.

    It is computed from the polls, each with a new connection, and the heartbeats.
    """
    inside, day = figures["inside"], figures["idle day"][way][key]
    name = "server" if key == "without" else "server with a token"
    account, server = (
        median(inside["polls"][poll]["cpu"]) for poll in ("account", name)
    )
    seconds: float = account * day["requests"]["plex.tv"] + server * day["polls"]
    if way == "sockets":
        seconds += inside["heartbeat"] * 86400 / HEARTBEAT
    return seconds


def _outages(outages: dict[str, Any]) -> Iterator[Target]:
    for what, limit in SEEN_SECONDS.items():
        value = spread(outages["seconds"][what])
        yield _at_most(f"{what} of a server: seen after", value, limit, "s")
    count = outages["unreachable"]
    yield Target(
        "restart in a second: no server is shown as unreachable", str(count), not count
    )


def _idle_day(figures: dict[str, Any]) -> Iterator[Target]:
    days = figures["idle day"]
    most = max(
        day["requests"]["plex.tv"]
        for way in SERVER_REQUESTS
        for day in days[way].values()
    )
    yield _at_most("idle day: requests to plex.tv", most, PLEX_TV_REQUESTS)
    yield _at_most(
        "idle day: requests to plex.tv for a Home user",
        days["home user"],
        HOME_USER_REQUESTS,
    )
    for way, limit in SERVER_REQUESTS.items():
        for key, title, factor in (
            ("without", "no transient token", 1),
            ("with a token", "a transient token", 2),
        ):
            yield _at_most(
                f"idle day by {way}, {title}: requests to a server",
                days[way][key]["requests"]["server"],
                limit * factor,
            )
    for way, seconds in IDLE_CPU_SECONDS.items():
        cpu = max(idle_cpu(figures, way, key) for key in days[way])
        yield _at_most(f"idle day by {way}: CPU time", cpu, seconds, "s")


def _set_up(figures: dict[str, Any]) -> Iterator[Target]:
    found = figures["inside"]["set-up"]
    more = difference(found["ours"]["wall"], found["bare"]["wall"]).scaled(1000)
    yield _at_most("set-up of an account: adds", more, SET_UP_MS, "ms")
    memory = spread(figures["memory"]).scaled(1 / ACCOUNTS / 2**20)
    yield _at_most("memory of an account, sockets open:", memory, MEMORY_MIB, "MiB")


def _actions(actions: dict[str, Any]) -> Iterator[Target]:
    for ending, limit in (("", ACTION_MS), (" over http", ACTION_MS_OVER_HTTP)):
        more = {
            name: difference(found["ours"]["wall"], found["bare"]["wall"]).scaled(1000)
            for name, found in actions.items()
            if name.endswith(" over http") == bool(ending)
        }
        yield _most(f"an action{ending}: adds", more, limit, "ms")


def _imports(imports: dict[str, list[dict[str, Any]]]) -> Iterator[Target]:
    ours, core = ([one["cpu"] for one in imports[name]] for name in (OURS, CORE))
    yield _at_most(
        "import: CPU time", ratio(ours, core), IMPORT_TO_CORE, "× core `plex`"
    )
    outside = sorted({name for one in imports[OURS] for name in one["outside"]})
    yield Target(
        "import: no module from outside that Home Assistant has not loaded",
        ", ".join(outside) or "none",
        not outside,
    )


def _calls(calls: dict[str, dict[str, Any]]) -> Iterator[Target]:
    lists = {call for call in calls if call.startswith("resources")}
    for what, names, peer, limit in (
        ("a call", calls.keys() - lists, "floor", CALL_TO_FLOOR),
        ("a list", lists, "floor", LIST_TO_FLOOR),
        ("a call", calls.keys(), "python-plexapi", CALL_TO_PYTHON_PLEXAPI),
    ):
        values = {
            call: ratio(calls[call]["Plex Auth"]["cpu"], calls[call][peer]["cpu"])
            for call in names
        }
        yield _most(f"{what}: CPU time", values, limit, f"× {peer}")


def _most(text: str, values: dict[str, Spread], limit: float, unit: str) -> Target:
    """Return the target that each of the values is at most the limit."""
    name = max(values, key=lambda name: values[name].median)
    target = _at_most(text, values[name], limit, unit)
    return target._replace(found=f"{target.found}, {name}")


def _at_most(text: str, value: Spread | float, limit: float, unit: str = "") -> Target:
    """Return the target that a value is at most the limit."""
    found = value.median if isinstance(value, Spread) else value
    shown = short(value) if isinstance(value, float) else str(value)
    unit = f" {unit}" if unit else ""
    return Target(f"{text} ≤ {limit}{unit}", shown + unit, found <= limit)
