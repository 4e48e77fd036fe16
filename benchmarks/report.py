"""The text around the figures: the file that keeps them."""

from importlib.metadata import version
import os
import platform
from typing import Any

from custom_components.plex_auth.api.transport import HEARTBEAT

from .plan import FLOOD, IN_A_ROW
from .tables import (
    calls_table,
    flood_table,
    growth_table,
    imports_table,
    inside_table,
    manners_table,
    outages_table,
    polls_table,
    sockets_table,
    targets_table,
)
from .targets import check

_PACKAGES = ("aiohttp", "plexapi", "plex-api-client", "requests", "httpx", "pydantic")


def report(figures: dict[str, Any], seconds: float) -> str:
    """Return everything as Markdown."""
    calls, inside = figures["calls"], figures["inside"]
    core, listening = figures["manners"]["core"], figures["listening"]
    reconnects = listening["reconnects"]
    targets = list(check(figures))
    met = sum(target.is_met for target in targets)
    parts = [
        "# Benchmarks",
        "Repeat with `scripts/bench`, on a machine that does nothing else. Times are "
        "medians, those of calls, imports, actions and polls with their quartiles; the "
        "longest step and collection are the longest of all runs; section 4 is one day "
        "each. All clients of a comparison took turns in the same run, and their ratio is "
        "that of the same round; the ratios of growth and of cold to warm polls are those "
        "of medians. Compare ratios, not seconds.",
        _versions(figures["load"], seconds),
        "## Targets",
        f"{met} of {len(targets)} are met.",
        targets_table(targets),
        "## 1. Calls",
        "Milliseconds of one call; in brackets the quartiles; × is Plex Auth's time "
        "divided by the other's. The floor is bare aiohttp: the same request by addresses "
        "and headers made beforehand, the body read whole, `json.loads`. CPU time is that "
        "of the client's process, threads included. No client keeps or sends a cookie: "
        "requests and httpx are given a jar that stays empty, as aiohttp's "
        "`DummyCookieJar` does. Connections are open. python-plexapi has no call for "
        "source connections: its generic `query()` returns the XML as it is.",
        "### One after the other",
        f"{IN_A_ROW} calls of a client, then it is the turn of the next.",
        calls_table(calls["row"]),
        "### 50 at once, python-plexapi in 50 threads",
        "The simulator's answers, repeated by a quicker process: the simulator itself "
        "would be what is measured.",
        calls_table(calls["at once"]),
        "## 2. Inside Home Assistant",
        "### Import",
        "On top of what a usual Home Assistant has loaded: its start, its web server, the "
        "base of update coordinators and the entity domains that either integration uses. "
        "Fresh interpreters, byte code at hand, what was there before frozen out of "
        "garbage collections. Only what Home Assistant or core `plex` requires can be "
        "imported: `tqdm`, which plexapi takes where it finds it, came with the tools of "
        "tests and does not count.",
        imports_table(figures["imports"]),
        "### Set-up and actions",
        "Milliseconds, beside the bare client calls that the same thing needs, over TLS "
        "and by connections that are open: what is more is the integration's and Home "
        "Assistant's own. A set-up is that of an account with four servers. Over http a "
        "server is asked who it is before it gets a token: that request is part of the "
        "action there, not of the bare call.",
        inside_table(inside["set-up"], inside["actions"]),
        "### Polls",
        "Milliseconds, beside the bare client calls. **Cold** is what a poll costs in a "
        "house: polls are minutes apart, and aiohttp closes a connection that was idle for "
        "15 s, so each begins with a new one and its TLS handshake. **Warm** is a second "
        "poll at once, by the connection of the first: it shows what the integration adds, "
        "but happens there only right after an action or another poll. The simulator has "
        "short certificates and is not far away: a real handshake costs more.",
        polls_table(inside["polls"]),
        "## 3. Growth",
        "So many accounts with four servers each, set up at once after one that is not "
        "counted, then polled at once, cold and then warm. Memory is what stays when idle "
        "connections have closed. A step is what holds the event loop at a stretch: CPU "
        "time of the longest one without garbage collections (with whose step it was), the "
        "longest collection, and the longest step on the wall's clock, other processes "
        "included.",
        growth_table(figures["growth"]),
        "## 4. Manners",
        "An idle day from timer to timer, by the simulator's records and by the bytes on "
        "the wire, TLS and heartbeats included (the simulator's certificates are smaller "
        "than real ones), where servers give sockets and where they refuse them. CPU time "
        "is computed: the cold polls of section 2, and the heartbeats by "
        f"{1e6 * listening['ours']['heartbeat']:.0f} µs each, one in {HEARTBEAT:.0f} s.",
        manners_table(figures),
        "Core `plex` needs more of a server than the simulator plays, so its requests are "
        f"computed from its source: {core['scans']} scans a day, each asking the server "
        "for players and sessions and plex.tv for all resources; one question for updates; "
        f"and a websocket to the server with {core['pings']} pings.",
        "## 5. Listening",
        "How soon Home Assistant shows what happens to a server, over TLS: with sockets in "
        "real time, by polling alone from timer to timer. Each of the servers of an account "
        "is one sample; quartiles in brackets. An outage less than 5 minutes after another "
        "one is looked at after 5 s instead of 2, as the restarts here.",
        outages_table(listening),
        "### A flood",
        f"All servers send {FLOOD} messages a second to each listener, `playing` and "
        "`timeline` in turn, as if they knew no filter. CPU is the share of one core, of "
        "Home Assistant's whole process, without the pings. Beside it the library that core "
        "`plex` listens with, without what core then does with a message.",
        flood_table(listening),
        "### Memory",
        "What sockets take when they are open, over TLS: nearly all of it is the buffer of "
        "256 KiB that asyncio gives each TLS connection. Of "
        f"{reconnects['reconnects']} reconnects over http "
        f"{reconnects['bytes'] / 1024:.0f} KiB stayed between the first and the last third.",
        sockets_table(figures["growth"]),
    ]
    return "\n\n".join(parts) + "\n"


def _versions(load: list[float], seconds: float) -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return (
        f"Home Assistant {version('homeassistant')} in the process by the helpers of "
        f"pytest-homeassistant-custom-component; Python {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}, {os.process_cpu_count()} cores, load "
        f"{load[0]:.1f} before and {load[1]:.1f} after; {packages}. "
        f"The run took {seconds:.0f} s."
    )
