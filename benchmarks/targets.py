"""What has to be reached, checked against the figures of one run."""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

from custom_components.plex_auth.api.transport import HEARTBEAT

from .imports import CORE, OURS
from .spread import difference, ratio, spread

CPU_TO_FLOOR = 1.25
CPU_TO_FLOOR_OF_LISTS = 1.55
CPU_TO_PYTHON_PLEXAPI = 0.5
CPU_TO_PLEX_API_CLIENT = 0.35
THROUGHPUT = 4.0
IMPORT_TIME = 0.75
ACTION_SECONDS = 0.001
GROWTH = 1.2
STEP_SECONDS = 0.02
PLEX_TV_REQUESTS = 100
SERVER_REQUESTS = {"without": 120, "with a token": 240}
SEEN_SECONDS = {"stop": 5.0, "return": 5.0, "restart": 10.0, "crash": 2 * HEARTBEAT}
FLOOD_CPU = 0.03
RECONNECT_BYTES = 100

_CHECKED = "every field is checked and put into a model; the floor stops at plain data"
_MADE = "it is spread over 61 small modules, four times as many as core `plex` has"
_CROWD = (
    "hundreds of TLS handshakes at once keep the one process that plays all servers busy; "
    "those that take over a second are asked by another address as well"
)


@dataclass(frozen=True, slots=True)
class Target:
    """Hold one target, what was found, whether that is enough, and why it may not be."""

    text: str
    found: str
    is_met: bool
    cause: str = ""


def check(figures: dict[str, Any]) -> Iterator[Target]:
    """Yield the targets in the order of the sections."""
    yield from _calls(figures["calls"])
    yield from _imports(figures["imports"])
    yield from _actions(figures["inside"]["actions"])
    yield from _growth(figures["growth"])
    yield from _manners(figures["manners"])
    yield from _listening(figures["listening"])


def _calls(calls: dict[str, Any]) -> Iterator[Target]:
    for call, found in calls["row"].items():
        for name, limit in (
            ("floor", _cpu_to_floor(call)),
            ("python-plexapi", CPU_TO_PYTHON_PLEXAPI),
            ("plex-api-client", CPU_TO_PLEX_API_CLIENT),
        ):
            value = ratio(found["Plex Auth"]["cpu"], found[name]["cpu"])
            yield Target(
                f"CPU of {call} ≤ {limit} × {name}",
                f"{value} ×",
                value.median <= limit,
                _CHECKED if name == "floor" else "",
            )
    for call, found in calls["at once"].items():
        value = ratio(found["python-plexapi"]["wall"], found["Plex Auth"]["wall"])
        yield Target(
            f"50 at once, {call}: ≥ {THROUGHPUT:.0f} × python-plexapi's throughput",
            f"{value} ×",
            value.median >= THROUGHPUT,
        )


def _cpu_to_floor(call: str) -> float:
    """Return the limit of a call: more for a list, of which the floor reads little."""
    return CPU_TO_FLOOR_OF_LISTS if call.startswith("resources") else CPU_TO_FLOOR


def _imports(imports: dict[str, list[dict[str, Any]]]) -> Iterator[Target]:
    outside = sorted({name for one in imports[OURS] for name in one["outside"]})
    yield Target(
        "import: no module from outside that Home Assistant has not loaded",
        ", ".join(outside) or "none",
        not outside,
    )
    series = {name: [one["cpu"] for one in imports[name]] for name in (OURS, CORE)}
    value = ratio(series[OURS], series[CORE])
    yield Target(
        f"import: CPU time ≤ {IMPORT_TIME} × core `plex`",
        f"{value} ×",
        value.median <= IMPORT_TIME,
        _MADE,
    )


def _actions(actions: dict[str, Any]) -> Iterator[Target]:
    for name, found in actions.items():
        more = difference(found["ours"]["wall"], found["bare"]["wall"])
        yield Target(
            f"action {name} ≤ 1 ms above the bare client call",
            f"{more.scaled(1000)} ms",
            more.median <= ACTION_SECONDS,
        )


def _growth(growth: dict[str, list[dict[str, Any]]]) -> Iterator[Target]:
    for key, name in (("cpu", "CPU time"), ("wall", "wall time"), ("memory", "memory")):
        ten, hundred = (
            median(run[key] for run in growth[count]) for count in ("10", "100")
        )
        yield Target(
            f"100 accounts: {name} ≤ {GROWTH} × ten times that for 10",
            f"{hundred / (10 * ten):.2f} ×",
            hundred <= GROWTH * 10 * ten,
            _CROWD if key == "wall" else "",
        )
    for name, steps in (
        ("set-up", [run["step"] for runs in growth.values() for run in runs]),
        (
            "poll",
            [
                poll["step"]
                for runs in growth.values()
                for run in runs
                for polls in run["polls"].values()
                for poll in polls
            ],
        ),
    ):
        longest = max(step["own"] for step in steps)
        yield Target(
            f"{name}: no step holds the event loop > 20 ms (CPU, without collections)",
            f"{1000 * longest:.1f} ms",
            longest <= STEP_SECONDS,
        )


def _manners(manners: dict[str, Any]) -> Iterator[Target]:
    plex_tv = manners["sockets"]["with a token"]["hosts"]["plex.tv"]["requests"]
    yield Target(
        f"idle day: ≤ {PLEX_TV_REQUESTS} requests to plex.tv",
        str(plex_tv),
        plex_tv <= PLEX_TV_REQUESTS,
    )
    for way, days in ((key, manners[key]) for key in ("sockets", "polling")):
        for key, limit in (("without", 1), ("with a token", 2)):
            day = days[key]
            value = day["hosts"]["server"]["requests"] / day["polls"]
            yield Target(
                f"idle day by {way}, {key}: {limit} request(s) to a server for each poll",
                f"{value:.2f}",
                round(value, 2) <= limit,
            )
    for key, most in SERVER_REQUESTS.items():
        requests = manners["sockets"][key]["hosts"]["server"]["requests"]
        yield Target(
            f"idle day by sockets, {key}: ≤ {most} requests to a server",
            str(requests),
            requests <= most,
        )


def _listening(listening: dict[str, Any]) -> Iterator[Target]:
    outages = listening["sockets"]
    for what, limit in SEEN_SECONDS.items():
        value = spread(outages["seconds"][what])
        yield Target(
            f"{what} of a server: seen within {limit:.0f} s",
            f"{value} s",
            value.median <= limit,
        )
    yield Target(
        "restart in a second: no server is shown as unreachable",
        str(outages["unreachable"]),
        not outages["unreachable"],
    )
    ours = listening["ours"]
    yield Target(
        f"flood on {ours['sockets']} sockets: ≤ {FLOOD_CPU:.0%} of one core",
        f"{ours['flooded']:.1%}",
        ours["flooded"] <= FLOOD_CPU,
    )
    yield Target(
        "flood: no step holds the event loop > 20 ms (CPU, without collections)",
        f"{1000 * ours['step']['own']:.1f} ms",
        ours["step"]["own"] <= STEP_SECONDS,
    )
    reconnects = listening["reconnects"]
    each = reconnects["each"]
    yield Target(
        f"{reconnects['reconnects']} reconnects: ≤ {RECONNECT_BYTES} bytes stay of each",
        f"{each:.0f}",
        each <= RECONNECT_BYTES,
    )
