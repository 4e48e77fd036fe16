"""`scripts/demo`: the integration in a real Home Assistant, with a simulated Plex."""

import argparse
from contextlib import ExitStack
import json
from pathlib import Path
from tempfile import TemporaryDirectory
import time
from typing import Any

from .environment import DEMO, DEMO_OLDEST, Environment, prepare
from .failure import Failure
from .home_assistant import PASSWORD, USERNAME, HomeAssistant, run_home_assistant
from .processes import usable_port
from .progress import step
from .show import show_devices, show_responses
from .simulator import run_simulator
from .walk import DOMAIN, Walk

# Home Assistant says this of every integration that is not its own.
_ALWAYS_SAID = "We found a custom integration"


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
    port = usable_port(arguments.port, "--port")
    plex_port = usable_port(arguments.plex_port, "--plex-port")
    environment = DEMO_OLDEST if arguments.oldest else DEMO
    prepare(environment)
    with ExitStack() as running:
        folder = running.enter_context(
            TemporaryDirectory(prefix="plex-auth-", ignore_cleanup_errors=True)
        )
        walk = _start(running, environment, Path(folder), port, plex_port)
        report, responses = _show(walk)
        if arguments.check:
            _check_end(walk, responses)
            print(json.dumps({**report, "seconds": round(time.monotonic() - start, 1)}))
        else:
            _stay(walk.home_assistant)
    return 0


def _start(
    running: ExitStack,
    environment: Environment,
    folder: Path,
    port: int,
    plex_port: int,
) -> Walk:
    with step("Starting the simulated Plex"):
        simulator = running.enter_context(run_simulator(environment, folder, plex_port))
    with step("Starting Home Assistant"):
        home_assistant = running.enter_context(
            run_home_assistant(environment, folder, port)
        )
    return Walk(home_assistant, simulator)


def _show(walk: Walk) -> tuple[dict[str, object], dict[str, Any]]:
    """Walk, print what there is to see, and return a report and the responses."""
    with step("Signing in with password and verification code"):
        entry_state = walk.sign_in()
    with step("Linking a second account by a code"):
        walk.link("fritz", "Fritz")
    with step("Adding a server by its address"):
        walk.add_server_by_address()
    with step("Watching a source"):
        walk.watch_source()
    with step("Calling the actions"):
        responses = walk.call_actions()
    with step("Reading the entities"):
        devices = walk.devices()
        walk.check_transient_token(devices, responses)
    show_devices(devices)
    show_responses(responses)
    print()
    report: dict[str, object] = {
        "version": walk.home_assistant.version,
        "entry_state": entry_state,
        "entities": sum(len(device["entities"]) for device in devices),
        "actions": dict.fromkeys(responses, "ok"),
    }
    return report, responses


def _check_end(walk: Walk, responses: dict[str, Any]) -> None:
    """End everything and raise `Failure` for what it must not leave behind."""
    secrets = walk.secrets(responses)
    with step("Reloading the accounts"):
        walk.reload()
    with step("Removing the accounts"):
        walk.remove()
    with step("Stopping Home Assistant and reading its log"):
        walk.home_assistant.stop()
        records = walk.home_assistant.warnings_about(DOMAIN)
        if complaints := [one for one in records if _ALWAYS_SAID not in one]:
            raise Failure(f"Home Assistant's log has: {complaints[0]}")
        for file in walk.home_assistant.records():
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
