"""The text around the figures: the file that keeps them."""

from importlib.metadata import version
import os
import platform
from statistics import median
from typing import Any

from custom_components.plex_auth.api.transport import HEARTBEAT

from .imports import CORE, OURS
from .plan import ACCOUNTS, IN_A_ROW, ROWS, SERVERS
from .spread import ratio, spread
from .tables import (
    calls_table,
    idle_day_table,
    imports_table,
    inside_table,
    long_list_table,
    outages_table,
    targets_table,
)
from .targets import (
    ACTION_MS,
    ACTION_MS_OVER_HTTP,
    CALL_TO_FLOOR,
    IMPORT_TO_CORE,
    LIST_TO_FLOOR,
    check,
)

_PACKAGES = ("aiohttp", "plexapi", "requests")


def report(figures: dict[str, Any], seconds: float) -> str:
    """Return everything as Markdown."""
    inside, imports = figures["inside"], figures["imports"]
    polls = {name: spread(found["cpu"]) for name, found in inside["polls"].items()}
    memory = spread(figures["memory"]).scaled(1 / ACCOUNTS / 2**20)
    targets = list(check(figures))
    met = sum(target.is_met for target in targets)
    parts = [
        "# Benchmarks",
        "`scripts/bench` measures this again. Run it on a machine that does nothing else. "
        "Each time is a median, with its quartiles in parentheses. Everything that is "
        "compared takes turns in the same run, and a ratio compares times of the same "
        "round. Compare ratios between machines, not seconds.",
        _versions(figures["load"], seconds),
        "## Targets",
        f"{met} of {len(targets)} are met. What matters most to a home comes first.",
        targets_table(targets),
        _restated(imports),
        "## Outages",
        "The seconds until Home Assistant shows a change of a server, over TLS. With "
        "sockets they pass in real time, by polling alone from timer to timer. Each server "
        "of an account is one sample. The first check after an outage comes after 2 s, or "
        "after 5 s if another outage was less than 5 minutes ago, as in these restarts.",
        outages_table(figures["outages"]),
        "## An idle day",
        "One account runs through a day from timer to timer, and the simulator counts the "
        "requests. A server is polled less often while its socket is open. The token "
        "belongs to the server without a watched source. The CPU time is that of the "
        "account and this server. It is computed from the polls and the heartbeats: a poll "
        f"takes {1000 * polls['account'].median:.1f} ms for the account, "
        f"{1000 * polls['server'].median:.1f} ms for a server, and "
        f"{1000 * polls['server with a token'].median:.1f} ms for a server with a transient "
        "token, each with a new connection and its TLS handshake; a heartbeat takes "
        f"{1e6 * inside['heartbeat']:.0f} µs every {HEARTBEAT:.0f} s. A real handshake "
        "takes longer, because the certificates of the simulator are short.",
        idle_day_table(figures),
        "The requests of core `plex` are computed from its source, because it needs more of "
        f"a server than the simulator offers. It scans {figures['idle day']['core']['scans']} "
        "times a day. Each scan asks the server for players and for sessions, and plex.tv "
        "for all resources.",
        "## Set-up, memory, and actions",
        "Milliseconds, beside the bare client calls that the same thing needs, over TLS and "
        "with open connections. What Plex Auth and Home Assistant add is the difference. "
        f"The account has {SERVERS} servers. Over http, the request that identifies the "
        "server is part of the action, not of the bare call.",
        inside_table(inside),
        f"An account with {SERVERS} servers and open sockets takes {memory} MiB. More "
        "than half of that is the buffer of 256 KiB that asyncio allocates for each TLS "
        "connection.",
        "## Import",
        "What loading adds to a usual Home Assistant, which has already loaded its startup "
        "code, its web server, the base of update coordinators, and the entity domains of "
        "both integrations. Each time is that of a new interpreter with compiled code.",
        imports_table(imports),
        f"CPU time of Plex Auth: {_import_ratio(imports, 'cpu')} × core `plex`. Wall time: "
        f"{_import_ratio(imports, 'wall')} ×.",
        "## Calls",
        "Milliseconds of one call, and the time of Plex Auth divided by that of the other. "
        "The floor is bare aiohttp: the same request with an address and headers made "
        "beforehand, the whole body read, and `json.loads`. CPU time is that of the whole "
        f"process. Each client makes {IN_A_ROW} calls, then it is the next one's turn. "
        "Connections are open, and no client keeps cookies. python-plexapi has no call for "
        "source connections; its generic `query()` returns plain XML.",
        calls_table(figures["calls"]),
        "## A long list",
        f"The resources of an account with {ROWS} rows that are no servers, in JSON. They "
        "are read row by row in a thread. The hold is the longest time that another task "
        "of the event loop waits for its turn meanwhile.",
        long_list_table(figures["long list"]),
    ]
    return "\n\n".join(parts) + "\n"


def _restated(imports: dict[str, list[dict[str, Any]]]) -> str:
    """Return the limits that had to be restated, and why."""
    ours, core = imports[OURS], imports[CORE][0]
    share = median(one["dataclasses_cpu"] / one["cpu"] for one in ours)
    rest = [one["cpu"] - one["dataclasses_cpu"] for one in ours]
    least = ratio(rest, [one["cpu"] for one in imports[CORE]]).median
    lines = (
        f"- Import: {IMPORT_TO_CORE} replaces 0.75. Making {ours[0]['dataclasses']} "
        f"dataclasses takes {share:.0%} of the CPU time; core `plex` and its libraries make "
        f"{core['dataclasses']}. The rest is reading and running the code of "
        f"{ours[0]['own']} modules, and that alone takes {least:.2f} × core `plex`.",
        f"- Calls: {CALL_TO_FLOOR} replaces 1.25, except for a list, which may take "
        f"{LIST_TO_FLOOR} as before. Plex Auth checks every field and fills a model, and "
        "the floor stops at plain data.",
        f"- An action over http: {ACTION_MS_OVER_HTTP} ms replaces {ACTION_MS} ms. A server "
        "has to identify itself before it gets a token, which takes another request.",
    )
    return "The structure rules out limits that were set at first:\n\n" + "\n".join(
        lines
    )


def _import_ratio(imports: dict[str, list[dict[str, Any]]], key: str) -> str:
    ours, core = ([one[key] for one in imports[name]] for name in (OURS, CORE))
    return str(ratio(ours, core))


def _versions(load: list[float], seconds: float) -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return (
        f"Home Assistant {version('homeassistant')}, run by "
        f"pytest-homeassistant-custom-component; Python {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}, {os.process_cpu_count()} cores, load "
        f"{load[0]:.1f} before and {load[1]:.1f} after; {packages}. "
        f"The run took {seconds:.0f} s."
    )
