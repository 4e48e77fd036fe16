"""The figures as tables, and the file that keeps them."""

from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
import os
import platform
from statistics import median
from typing import Any

from .calls import IN_A_ROW
from .imports import CORE, OURS
from .spread import Spread, difference, ratio, spread
from .targets import Target, check

_PEERS = ("floor", "python-plexapi", "plex-api-client")
_PACKAGES = ("aiohttp", "plexapi", "plex-api-client", "requests", "httpx", "pydantic")


def report(figures: dict[str, Any], seconds: float) -> str:
    """Return everything as Markdown."""
    parts = [
        "# Benchmarks",
        "Repeat with `scripts/bench`, on a machine that does nothing else. Times are "
        "medians, those of calls, imports, actions and polls with their quartiles; the "
        "longest step and collection are the longest of all runs; section 4 is one day "
        "each. All clients of a comparison took turns in the same run, and their ratio is "
        "that of the same round; the ratios of growth are those of medians. Compare "
        "ratios, not seconds.",
        _versions(figures, seconds),
        "## Targets",
        _targets(list(check(figures))),
        "## 1. Calls",
        "Milliseconds of one call; in brackets the quartiles; × is Plex Auth's time "
        "divided by the other's. The floor is bare aiohttp: the same request by addresses "
        "and headers made beforehand, the body read whole, `json.loads`. CPU time is that "
        "of the client's process, threads included. python-plexapi has no call for source "
        "connections: its generic `query()` returns the XML as it is.",
        *_calls(figures["calls"]),
        "## 2. Inside Home Assistant",
        "### Import",
        "On top of Home Assistant's start, its web server and the entity domains that "
        "either integration uses, in fresh interpreters, byte code at hand, what was there "
        "before frozen out of garbage collections.",
        _imports(figures["imports"]),
        "### Set-up, actions, polls",
        "Milliseconds, beside the bare client calls that the same thing needs, over TLS. "
        "A set-up is that of an account with four servers; its bare calls have their "
        "connections open already. Over http a server is asked who it is before it gets a "
        "token: that request is part of the action there, not of the bare call.",
        _inside(figures["inside"]),
        "## 3. Growth",
        "So many accounts with four servers each, set up at once after one that is not "
        "counted, then polled at once. Memory is what stays when idle connections have "
        "closed. A step is what holds the event loop at a stretch: CPU time of the longest "
        "one without garbage collections (with whose step it was), the longest collection, "
        "and the longest step on the wall's clock, other processes included.",
        _growth(figures["growth"]),
        "## 4. Manners",
        "An idle day from timer to timer, by the simulator's records and by the bytes on "
        "the wire, TLS included (the simulator's certificates are smaller than real ones).",
        _manners(figures["manners"]),
    ]
    return "\n\n".join(parts) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _versions(figures: dict[str, Any], seconds: float) -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return (
        f"Home Assistant {figures['inside']['version']} in the process by the helpers of "
        f"pytest-homeassistant-custom-component; Python {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}, {os.process_cpu_count()} cores, load "
        f"{figures['load'][0]:.1f} before and {figures['load'][1]:.1f} after; {packages}. "
        f"The run took {seconds:.0f} s."
    )


def _targets(targets: list[Target]) -> str:
    met = sum(target.is_met for target in targets)
    rows = [
        (
            target.text,
            target.found,
            "met" if target.is_met else f"**not met**: {target.cause or 'see below'}",
        )
        for target in targets
    ]
    table = _table(("Target", "Found", ""), rows)
    return f"{met} of {len(targets)} are met.\n\n{table}"


def _calls(calls: dict[str, Any]) -> Iterator[str]:
    for way, title in (
        ("row", "One after the other"),
        ("at once", "50 at once, python-plexapi in 50 threads"),
    ):
        yield f"### {title}"
        if way == "row":
            yield f"{IN_A_ROW} calls of a client, then it is the turn of the next."
        if way == "at once":
            yield (
                "The simulator's answers, repeated by a quicker process: the simulator "
                "itself would be what is measured."
            )
        rows = []
        for call, found in calls[way].items():
            for kind, name in (("cpu", "CPU"), ("wall", "wall")):
                ours = found["Plex Auth"][kind]
                rows.append(
                    (
                        call,
                        name,
                        _ms(spread(ours)),
                        *(
                            f"{_ms(spread(found[peer][kind]))} "
                            f"→ **{ratio(ours, found[peer][kind]).median:.2f} ×**"
                            for peer in _PEERS
                        ),
                    )
                )
        yield _table(("Call", "Time", "Plex Auth", *_PEERS), rows)


def _imports(imports: dict[str, list[dict[str, Any]]]) -> str:
    rows = []
    for name, title in ((OURS, "Plex Auth"), (CORE, "core `plex`")):
        runs = imports[name]
        rows.append(
            (
                title,
                _ms(spread([one["cpu"] for one in runs])),
                _ms(spread([one["wall"] for one in runs])),
                f"{median(one['memory'] for one in runs) / 2**20:.1f} MiB",
                str(runs[0]["own"]),
                _names(runs[0]["core"]),
                _names(runs[0]["outside"]),
            )
        )
    cpu, wall = (
        ratio([one[key] for one in imports[OURS]], [one[key] for one in imports[CORE]])
        for key in ("cpu", "wall")
    )
    table = _table(
        (
            "Integration",
            "CPU ms",
            "wall ms",
            "memory",
            "own modules",
            "Home Assistant's",
            "from outside",
        ),
        rows,
    )
    return f"{table}\n\nPlex Auth's share: CPU {cpu} ×, wall {wall} ×."


def _names(names: list[str]) -> str:
    if len(names) <= 2:
        return ", ".join(f"`{name}`" for name in names) or "none"
    packages = sorted({name.partition(".")[0] for name in names})
    return f"{len(names)} ({', '.join(f'`{name}`' for name in packages)})"


def _inside(inside: dict[str, Any]) -> str:
    rows = []
    for name, found in inside.items():
        if name == "version":
            continue
        for kind, label in (("wall", "wall"), ("cpu", "CPU")):
            ours, bare = found["ours"][kind], found["bare"][kind]
            rows.append(
                (
                    name,
                    label,
                    _ms(spread(ours)),
                    _ms(spread(bare)),
                    _ms(difference(ours, bare)),
                )
            )
    return _table(("What", "Time", "Plex Auth", "bare calls", "more"), rows)


def _growth(growth: dict[str, list[dict[str, Any]]]) -> str:
    rows = []
    for count, runs in growth.items():
        polls = [poll for run in runs for poll in run["polls"]]
        for name, timed in (("set-up", runs), ("poll", polls)):
            longest = max(timed, key=lambda one: one["step"]["own"])["step"]
            rows.append(
                (
                    count,
                    name,
                    _ms(spread([one["cpu"] for one in timed])),
                    _ms(spread([one["wall"] for one in timed])),
                    str(round(median(one["requests"] for one in timed))),
                    f"{median(run['memory'] for run in runs) / 2**20:.1f} MiB"
                    if name == "set-up"
                    else "",
                    f"{1000 * longest['own']:.1f} ms (`{longest['whose']}`)",
                    f"{1000 * max(one['step']['collection'] for one in timed):.1f} ms",
                    f"{1000 * max(one['step']['wall'] for one in timed):.1f} ms",
                )
            )
    head = (
        "Accounts",
        "",
        "CPU ms",
        "wall ms",
        "requests",
        "memory",
        "longest step",
        "longest collection",
        "on the wall",
    )
    return _table(head, rows)


def _manners(manners: dict[str, Any]) -> str:
    rows = []
    for key, title in (
        ("without", "Plex Auth, no transient token"),
        ("with a token", "Plex Auth, a transient token running at the last server"),
    ):
        for host, found in manners[key].items():
            size = found["bytes"] / found["requests"]
            rows.append(
                (
                    title,
                    host,
                    str(found["requests"]),
                    f"{found['bytes'] / 1024:.0f} KiB",
                    f"{size / 1024:.1f} KiB",
                )
            )
    core = manners["core"]
    rows += [
        ("core `plex`, computed", host, str(core[host]), "–", "–")
        for host in ("plex.tv", "server")
    ]
    table = _table(("", "Host", "Requests", "Bytes", "for each"), rows)
    return (
        f"{table}\n\nCore `plex` needs more of a server than the simulator plays, so its "
        f"requests are computed from its source: {core['scans']} scans a day, each asking "
        "the server for players and sessions and plex.tv for all resources; one question "
        f"for updates; and a websocket to the server with {core['pings']} pings."
    )


def _ms(value: Spread) -> str:
    return str(value.scaled(1000))
