"""The figures as tables."""

from collections.abc import Iterable, Iterator, Sequence
from statistics import median
from typing import Any

from custom_components.plex_auth.api.transport import HEARTBEAT

from .imports import CORE, OURS
from .measure import Series
from .spread import Spread, difference, ratio, spread
from .targets import Target

_PEERS = ("floor", "python-plexapi", "plex-api-client")
_TIMES = (("cpu", "CPU"), ("wall", "wall"))


def targets_table(targets: Iterable[Target]) -> str:
    """Return what was to be reached and what was."""
    rows = [
        (
            target.text,
            target.found,
            "met" if target.is_met else f"**not met**: {target.cause or 'see below'}",
        )
        for target in targets
    ]
    return _table("Target | Found | ", rows)


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


def imports_table(imports: dict[str, list[dict[str, Any]]]) -> str:
    """Return what the integrations add when they are loaded, and our share."""
    rows = [
        (
            title,
            *(_ms(spread([one[key] for one in imports[name]])) for key, _ in _TIMES),
            _mib(one["memory"] for one in imports[name]),
            str(imports[name][0]["own"]),
            _names(imports[name][0]["core"]),
            _names(imports[name][0]["outside"]),
        )
        for name, title in ((OURS, "Plex Auth"), (CORE, "core `plex`"))
    ]
    shares = [
        f"{name} {ratio(*([one[key] for one in imports[who]] for who in (OURS, CORE)))} ×"
        for key, name in _TIMES
    ]
    table = _table(
        "Integration | CPU ms | wall ms | memory | own modules | Home Assistant's | from outside",
        rows,
    )
    return f"{table}\n\nPlex Auth's share: {', '.join(shares)}."


def inside_table(set_up: dict[str, Series], actions: dict[str, Any]) -> str:
    """Return a set-up and the actions beside the bare calls."""
    pairs = {"set-up": set_up}
    pairs |= {f"action {name}": found for name, found in actions.items()}
    rows = [row for name, found in pairs.items() for row in _beside(found, name)]
    return _table("What | Time | Plex Auth | bare calls | more", rows)


def polls_table(polls: dict[str, Any]) -> str:
    """Return the polls beside the bare calls, and how much a handshake makes of them."""
    rows = [
        row
        for name, found in polls.items()
        for kind, pair in found.items()
        for row in _beside(pair, name, kind)
    ]
    table = _table("Poll | Connection | Time | Plex Auth | bare calls | more", rows)
    shares = [
        f"{name} {cold / warm:.1f} ×"
        for name, found in polls.items()
        for cold, warm in [[median(one["ours"]["cpu"]) for one in found.values()]]
    ]
    return f"{table}\n\nA cold poll's CPU time by a warm one's: {'; '.join(shares)}."


def growth_table(growth: dict[str, list[dict[str, Any]]]) -> str:
    """Return set-ups and polls of so many accounts."""
    rows = []
    for count, runs in growth.items():
        memory = _mib(run["memory"] for run in runs)
        rows.append(_of_all(count, "set-up", memory, runs))
        for kind in ("cold", "warm"):
            polls = [poll for run in runs for poll in run["polls"][kind]]
            rows.append(_of_all(count, f"poll, {kind}", "", polls))
    return _table(
        "Accounts |  | CPU ms | wall ms | requests | memory | longest step "
        "| longest collection | on the wall",
        rows,
    )


def manners_table(figures: dict[str, Any]) -> str:
    """Return the requests, bytes and CPU time of idle days."""
    manners, rows = figures["manners"], []
    for way in ("sockets", "polling"):
        for key, title in (
            ("without", "no transient token"),
            ("with a token", "a transient token running at the last server"),
        ):
            for host, found in manners[way][key]["hosts"].items():
                cpu = idle_cpu(figures, way, key) if host == "server" else None
                rows.append(
                    (
                        f"Plex Auth by {way}, {title}",
                        host,
                        str(found["requests"]),
                        f"{found['bytes'] / 1024:.0f} KiB",
                        "–" if cpu is None else f"{cpu:.2f} s",
                    )
                )
    rows += [
        ("core `plex`, computed", host, str(manners["core"][host]), "–", "–")
        for host in ("plex.tv", "server")
    ]
    return _table(" | Host | Requests | Bytes | CPU", rows)


def idle_cpu(figures: dict[str, Any], way: str, key: str) -> float:
    """Return the CPU seconds of a server's idle day: its cold polls and its heartbeats."""
    name = "server" if key == "without" else "server, a transient token running"
    poll = median(figures["inside"]["polls"][name]["cold"]["ours"]["cpu"])
    seconds: float = poll * figures["manners"][way][key]["polls"]
    if way == "sockets":
        seconds += figures["listening"]["ours"]["heartbeat"] * 86400 / HEARTBEAT
    return seconds


def outages_table(listening: dict[str, Any]) -> str:
    """Return how soon it is seen what happens to servers."""
    rows = [
        (
            title,
            *(
                str(spread(seconds)) if seconds else "as a stop"
                for seconds in (
                    listening[way]["seconds"].get(what)
                    for way in ("sockets", "polling")
                )
            ),
        )
        for what, title in (
            ("stop", "stop"),
            ("return", "return after about 25 s"),
            ("restart", "restart in a second: the transient token is destroyed"),
            ("crash", "crash: the connection stays, nothing comes"),
        )
    ]
    return _table("Seconds until it is seen | by sockets | by polling alone", rows)


def flood_table(listening: dict[str, Any]) -> str:
    """Return what a flood costs us and core."""
    rows = [
        (
            title,
            str(found["sockets"]),
            f"{found['messages']:.0f}",
            f"{found['quiet']:.2%}",
            f"{found['flooded']:.1%}",
            f"{1000 * found['step']['own']:.1f} ms (`{found['step']['whose']}`)",
            f"{1000 * found['step']['wall']:.1f} ms",
        )
        for title, found in (
            ("Plex Auth", listening["ours"]),
            ("library of core `plex`", listening["core"]),
        )
    ]
    return _table(
        " | Sockets | messages a second on each | CPU while quiet | in the flood "
        "| longest step | on the wall",
        rows,
    )


def sockets_table(growth: dict[str, list[dict[str, Any]]]) -> str:
    """Return the sockets of so many accounts and their memory."""
    rows = []
    for count, runs in growth.items():
        sockets = round(median(run["sockets"]["count"] for run in runs))
        memory = median(run["sockets"]["memory"] for run in runs)
        each = f"{memory / sockets / 1024:.0f} KiB"
        rows.append((f"{count} and 1", str(sockets), f"{memory / 2**20:.1f} MiB", each))
    return _table("Accounts | Sockets | Memory | of each", rows)


def _table(head: str, rows: Iterable[Sequence[str]]) -> str:
    rule = " | ".join("---" for _ in head.split("|"))
    return "\n".join(f"| {line} |" for line in (head, rule, *map(" | ".join, rows)))


def _beside(found: dict[str, Series], *names: str) -> Iterator[Sequence[str]]:
    """Yield the rows of something beside the bare calls."""
    for key, time in _TIMES:
        ours, bare = found["ours"][key], found["bare"][key]
        more = difference(ours, bare)
        yield (*names, time, _ms(spread(ours)), _ms(spread(bare)), _ms(more))


def _of_all(
    count: str, name: str, memory: str, timed: Sequence[dict[str, Any]]
) -> Sequence[str]:
    """Return the row of something that all accounts do."""
    longest = max((one["step"] for one in timed), key=lambda step: float(step["own"]))
    collection, wall = (
        1000 * max(one["step"][key] for one in timed) for key in ("collection", "wall")
    )
    return (
        count,
        name,
        *(_ms(spread([one[key] for one in timed])) for key, _ in _TIMES),
        str(round(median(one["requests"] for one in timed))),
        memory,
        f"{1000 * longest['own']:.1f} ms (`{longest['whose']}`)",
        f"{collection:.1f} ms",
        f"{wall:.1f} ms",
    )


def _names(names: Sequence[str]) -> str:
    if len(names) <= 2:
        return ", ".join(f"`{name}`" for name in names) or "none"
    packages = sorted({name.partition(".")[0] for name in names})
    return f"{len(names)} ({', '.join(f'`{name}`' for name in packages)})"


def _ms(value: Spread) -> str:
    return str(value.scaled(1000))


def _mib(sizes: Iterable[int]) -> str:
    return f"{median(sizes) / 2**20:.1f} MiB"
