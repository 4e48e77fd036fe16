"""Look at the real Plex: `python -m scripts.live_check`, started by `scripts/live`."""

import argparse
import asyncio
from functools import partial
from getpass import getpass
from pathlib import Path
import sys
from urllib.parse import urlencode

from aiohttp import ClientSession

from custom_components.plex_auth.api.plex_tv import PLEX_TV_API

from .home import Switch
from .look import look


def main(arguments: list[str]) -> int:
    """Read the command line, look, and return 1 if anything differs."""
    parser = argparse.ArgumentParser(prog="scripts/live")
    parser.add_argument("--api-url", default=PLEX_TV_API)
    parser.add_argument("--server")
    parser.add_argument("--report", type=Path, required=True)
    parser.add_argument("--enter-at", help="control address of a simulator")
    parser.add_argument("--enter-as", help="who enters the code there")
    parser.add_argument("--switch-home-user")
    options = parser.parse_args(arguments)

    async def show_code(code: str) -> None:
        if options.enter_at is not None:
            await _enter(options.enter_at, code, options.enter_as)
            return
        link = f"https://plex.tv/link/?{urlencode({'pin': code})}"
        print(f"Open {link} and confirm the code {code}", flush=True)

    switch = None
    if (name := options.switch_home_user) is not None:
        switch = Switch(name, partial(getpass, "PIN of the Home user: "))
    found = asyncio.run(look(options.api_url, options.server, show_code, switch))
    print(found.report, end="")
    options.report.parent.mkdir(parents=True, exist_ok=True)
    options.report.write_text(found.report)
    print(f"The same is in {options.report}")
    return int(not found.is_as_expected)


async def _enter(control_url: str, code: str, username: str) -> None:
    async with ClientSession(raise_for_status=True) as session:
        await session.post(
            f"{control_url}/pins/{code}/link", json={"username": username}
        )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
