"""A whole look, from the first call to the report."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
import json
import platform
import uuid

from custom_components.plex_auth.api.transport import ClientInfo
from scripts.shared.paths import ROOT

from .home import Switch
from .recorder import Recorder
from .report import report
from .stopped import Stopped
from .walk import Walk

_MANIFEST = ROOT / "custom_components" / "plex_auth" / "manifest.json"


@dataclass(frozen=True)
class Look:
    """Hold the report, and whether all is as expected."""

    report: str
    is_as_expected: bool


async def look(
    api_url: str,
    server_name: str | None,
    show_code: Callable[[str], Awaitable[None]],
    switch: Switch | None = None,
) -> Look:
    """Look at plex.tv at an address and at a server, the first own one by default.

    `show_code` is given the code that a person has to enter, and `switch` names the Home
    user to switch to, by default nobody.
    """
    version = json.loads(_MANIFEST.read_text())["version"]
    ended = ""
    async with Recorder(_client(version)) as recorder:
        walk = Walk(recorder, api_url, server_name, switch)
        try:
            await walk.run(show_code)
        except Stopped as err:
            ended = str(err)
    differs = any(record.differences for record in recorder.records)
    return Look(
        report(recorder.records, walk.answers, version=version, ended=ended),
        is_as_expected=not differs and not ended,
    )


def _client(version: str) -> ClientInfo:
    return ClientInfo(
        client_identifier=str(uuid.uuid4()),
        product="Plex Auth live check",
        version=version,
        platform="Python",
        platform_version=platform.python_version(),
        device="Python",
        device_name="Plex Auth live check",
    )
