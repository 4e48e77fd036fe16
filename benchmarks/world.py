"""The simulated Plex of a benchmark, a process of its own: `python -m benchmarks.world`.

Its accounts sign in with a code and own some servers each. It prints one line of JSON
when it is ready, and runs until SIGTERM.
"""

import argparse
import asyncio
from dataclasses import asdict
import json
from pathlib import Path
import resource
import signal

import pyotp

from tests.plex_simulator import PlexSimulator, Subscription

from .simulated import SimulatedAccount, SimulatedHomeUser, SimulatedServer, World

CLIENT_IDENTIFIER = "3c0d8a4e-7f4e-4c0b-9d55-5b3a3b6c2f10"


def main() -> None:
    """Read the command line and run until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.world")
    parser.add_argument("--accounts", type=int, default=1)
    parser.add_argument(
        "--servers", type=int, default=4, help="servers of each account"
    )
    parser.add_argument(
        "--phantoms",
        type=int,
        default=0,
        help="rows of each account's resources that are no servers",
    )
    parser.add_argument("--https", action="store_true", help="plex.tv accepts TLS only")
    parser.add_argument(
        "--no-sockets", action="store_true", help="servers refuse notification sockets"
    )
    parser.add_argument("--record", action="store_true", help="keep the requests")
    parser.add_argument("--ca-file", type=Path, required=True)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(_run(parser.parse_args()))


async def _run(arguments: argparse.Namespace) -> None:
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    async with PlexSimulator(
        https=arguments.https, notifications=not arguments.no_sockets
    ) as simulator:
        simulator.recording = arguments.record
        accounts = [
            await _add_account(simulator, number, arguments.servers, arguments.phantoms)
            for number in range(arguments.accounts)
        ]
        arguments.ca_file.write_bytes(simulator.ca_pem())
        world = World(
            client_identifier=CLIENT_IDENTIFIER,
            api_url=simulator.api_url,
            base_url=simulator.base_url,
            ca_file=str(arguments.ca_file),
            accounts=tuple(accounts),
        )
        print(json.dumps(asdict(world)), flush=True)
        await stopped.wait()


async def _add_account(
    simulator: PlexSimulator, number: int, servers: int, phantoms: int
) -> SimulatedAccount:
    """Add an account with its servers and return what its clients need to know."""
    now = simulator.clock.now()
    secret = pyotp.random_base32()
    account = simulator.add_account(
        f"user{number}",
        title=f"User {number}",
        totp_secret=secret,
        subscription=Subscription.lifetime(now),
    )
    account.phantoms = phantoms
    user = simulator.add_account(
        "", title=f"Child of {account.title}", password=None, restricted=True
    )
    simulator.homes.add(account, user)
    added = [
        await simulator.add_server(
            f"Server {number}-{index}", account, shared_with=[user]
        )
        for index in range(servers)
    ]
    assert account.password is not None
    return SimulatedAccount(
        username=account.username,
        password=account.password,
        totp_secret=secret,
        uuid=account.uuid,
        title=account.title,
        token=account.sign_in_token(CLIENT_IDENTIFIER),
        servers=tuple(
            SimulatedServer(
                name=server.name,
                machine_identifier=server.machine_identifier,
                url=server.http_url,
                secure_url=server.https_url,
                token=server.access_token_for(account),
            )
            for server in added
        ),
        home_user=SimulatedHomeUser(
            uuid=user.uuid,
            title=user.title,
            token=user.sign_in_token(CLIENT_IDENTIFIER),
        ),
    )


if __name__ == "__main__":
    main()
