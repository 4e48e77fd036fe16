"""`scripts/demo`: the integration in a real Home Assistant, with a simulated Plex."""

import argparse
from collections.abc import Iterable, Mapping
import json
import time
from typing import Any

from .environment import DEMO, DEMO_OLDEST, prepare
from .failure import Failure
from .home_assistant import PASSWORD, USERNAME, HomeAssistant
from .home_assistant_with_plex import run_home_assistant_with_plex
from .play import show_how_to_play
from .progress import step
from .show import show_responses, show_states

_DOMAIN = "plex_auth"


def main() -> int:
    """Read the command line, show the integration at work, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="scripts/demo",
        description="Start a simulated Plex and a real Home Assistant with Plex Auth, "
        "sign in, show devices and actions, and stay up until Ctrl-C.",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="end at once, with exit code 0 if all went well, and a line of JSON",
    )
    parser.add_argument(
        "--oldest",
        action="store_true",
        help="use the oldest Home Assistant that is supported, not the newest",
    )
    for option, of in (("--port", "Home Assistant"), ("--plex-port", "simulated Plex")):
        parser.add_argument(
            option, type=int, default=0, help=f"port of the {of} (default: a free one)"
        )
    arguments = parser.parse_args()
    start = time.monotonic()
    environment = DEMO_OLDEST if arguments.oldest else DEMO
    prepare(environment)
    with run_home_assistant_with_plex(
        environment, arguments.port, arguments.plex_port
    ) as running:
        code = running.run_module(
            "tests.walks.demo", environment, check=arguments.check
        )
        if code:
            return code
        found = json.loads(running.result.read_text())
        show_states(found["states"])
        show_responses(found["responses"])
        print()
        show_how_to_play(running.simulator)
        if arguments.check:
            _check_end(running.home_assistant, found["secrets"])
            print(json.dumps(_report(found, time.monotonic() - start)))
        else:
            _stay(running.home_assistant)
    return 0


def _report(found: Mapping[str, Any], seconds: float) -> dict[str, object]:
    return {
        "version": found["version"],
        "entry_state": found["entry_state"],
        "entities": len(found["states"]),
        "actions": dict.fromkeys(found["responses"], "ok"),
        "seconds": round(seconds, 1),
    }


def _check_end(home_assistant: HomeAssistant, secrets: Iterable[str]) -> None:
    """End it and raise `Failure` for what it must not leave behind."""
    with step("Stopping Home Assistant and reading its log"):
        home_assistant.stop()
        if complaints := home_assistant.warnings_about(_DOMAIN):
            raise Failure(f"Home Assistant's log has: {complaints[0]}")
        for file in home_assistant.records():
            content = file.read_bytes()
            if any(secret.encode() in content for secret in secrets):
                raise Failure(f"a password, code or token is in {file.name}")


def _stay(home_assistant: HomeAssistant) -> None:
    print(f"Open {home_assistant.url} and sign in as {USERNAME} with {PASSWORD}")
    print("Ctrl-C ends it.", flush=True)
    try:
        home_assistant.wait()
    except KeyboardInterrupt:
        print("\nStopping", flush=True)
