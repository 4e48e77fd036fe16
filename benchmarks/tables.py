"""The figures as tables."""

from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any

from .imports import CORE, OURS
from .measure import Series
from .spread import Spread, difference, ratio, spread
from .targets import Target, idle_cpu

_PEERS = ("floor", "python-plexapi")
_TIMES = (("cpu", "CPU"), ("wall", "wall"))
_HOSTS = ("plex.tv", "server", "server with a watched source")
_TITLES = {"without": "no transient token", "with a token": "a transient token"}


def targets_table(targets: Iterable[Target]) -> str:
    """Return the targets, what was found, and whether they are met."""
    rows = [
        (target.text, target.found, "met" if target.is_met else "**missed**")
        for target in targets
    ]
    return _table("Target | Found | ", rows)


def outages_table(outages: dict[str, Any]) -> str:
    """Return the seconds until changes of servers are seen."""
    rows = [
        (
            title,
            *(
                str(spread(seconds)) if seconds else "as a stop"
                for seconds in (
                    outages[way]["seconds"].get(what) for way in ("sockets", "polling")
                )
            ),
        )
        for what, title in (
            ("stop", "stop"),
            ("return", "return after about 25 s"),
            ("restart", "restart in a second: the transient token is destroyed"),
            ("crash", "crash: the connection stays open, but nothing comes"),
        )
    ]
    return _table("Seconds until it is seen | by sockets | by polling alone", rows)


def idle_day_table(figures: dict[str, Any]) -> str:
    """Return the requests and CPU times of idle days."""
    days = figures["idle day"]
    rows = [
        (
            f"by {way}, {title}",
            *(str(days[way][key]["requests"][host]) for host in _HOSTS),
            f"{idle_cpu(figures, way, key):.2f} s",
        )
        for way in ("sockets", "polling")
        for key, title in _TITLES.items()
    ]
    rows.append(("more for each Home user", str(days["home user"]), "0", "0", "–"))
    core = days["core"]
    rows.append(("core `plex`", str(core["plex.tv"]), str(core["server"]), "–", "–"))
    return _table(f" | {' | '.join(_HOSTS)} | CPU", rows)


def inside_table(inside: dict[str, Any]) -> str:
    """Return the set-up and the actions beside the bare calls."""
    rows = []
    for name, found in {"set-up": inside["set-up"], **inside["actions"]}.items():
        for key, time in _TIMES:
            ours, bare = found["ours"][key], found["bare"][key]
            shown = map(_ms, (spread(ours), spread(bare), difference(ours, bare)))
            rows.append((name, time, *shown))
    return _table("What | Time | Plex Auth | bare calls | adds", rows)


def imports_table(imports: dict[str, list[dict[str, Any]]]) -> str:
    """Return what loading each integration adds."""
    rows = [
        (
            title,
            *(_ms(spread([one[key] for one in imports[name]])) for key, _ in _TIMES),
            f"{median(one['memory'] for one in imports[name]) / 2**20:.1f} MiB",
            str(imports[name][0]["own"]),
            _names(imports[name][0]["core"]),
            _names(imports[name][0]["outside"]),
        )
        for name, title in ((OURS, "Plex Auth"), (CORE, "core `plex`"))
    ]
    return _table(
        "Integration | CPU ms | wall ms | memory | own modules | Home Assistant's "
        "| from outside",
        rows,
    )


def calls_table(calls: dict[str, dict[str, Series]]) -> str:
    """Return the calls of all clients."""
    rows = []
    for call, found in calls.items():
        for key, name in _TIMES:
            ours = found["Plex Auth"][key]
            peers = (
                f"{_ms(spread(found[peer][key]))} "
                f"→ **{ratio(ours, found[peer][key]).median:.2f} ×**"
                for peer in _PEERS
            )
            rows.append((call, name, _ms(spread(ours)), *peers))
    return _table(f"Call | Time | Plex Auth | {' | '.join(_PEERS)}", rows)


def long_list_table(found: dict[str, Any]) -> str:
    """Return how long a long list takes, and holds the event loop."""
    times = {name: found["times"][key] for key, name in _TIMES} | {
        "hold": found["holds"]
    }
    rows = [(name, _ms(spread(seconds))) for name, seconds in times.items()]
    return _table("Time | ms", rows)


def _table(head: str, rows: Iterable[Sequence[str]]) -> str:
    rule = " | ".join("---" for _ in head.split("|"))
    return "\n".join(f"| {line} |" for line in (head, rule, *map(" | ".join, rows)))


def _names(names: Sequence[str]) -> str:
    if len(names) <= 2:
        return ", ".join(f"`{name}`" for name in names) or "none"
    packages = sorted({name.partition(".")[0] for name in names})
    return f"{len(names)} ({', '.join(f'`{name}`' for name in packages)})"


def _ms(value: Spread) -> str:
    return str(value.scaled(1000))
