"""What the demo says can be done by hand, done as it says it, and what comes of it."""

import asyncio
import json
import shutil

import pytest

from homeassistant.helpers import issue_registry as ir
from scripts.shared.play import deeds, show_how_to_play
from scripts.shared.simulator import Simulator
from tests.harness import Harness
from tests.helpers import account_coordinator, server_coordinator
from tests.home_users import async_add_home_user
from tests.plex_simulator.control import describe

pytestmark = pytest.mark.skipif(
    shutil.which("curl") is None, reason="the commands are for curl"
)


async def run(command: str) -> str:
    """Run a command in a shell, and return what it prints; it has to succeed."""
    process = await asyncio.create_subprocess_shell(
        command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode() + output.decode()
    return output.decode()


async def test_commands(harness: Harness) -> None:
    """Each command does what it says, and Plex Auth sees it when it asks next."""
    basement = harness.world.basement
    entry = await harness.add(harness.anna, basement)
    pin = harness.simulator.pins.create("somewhere")
    commands = [
        deed.command for deed in deeds(Simulator(describe(harness.simulator)), pin.code)
    ]
    (
        code,
        link,
        reject,
        sign_out,
        reject_child,
        stop,
        start,
        restart,
        disorder,
        order,
    ) = commands

    assert harness.anna.accepts_code(json.loads(await run(code))["code"])
    await run(link)
    assert pin.auth_token in harness.ben.tokens.values()

    async def reachable() -> str:
        await server_coordinator(entry, basement).async_refresh()
        return harness.state("binary_sensor.reachable", basement)

    await run(stop)
    assert await reachable() == "off"
    await run(start)
    assert await reachable() == "on"
    token = await harness.transient_token(basement)
    await run(restart)
    assert not basement.accepts_transient_token(token)
    assert await reachable() == "on"

    async def asked() -> bool:
        account = account_coordinator(entry)
        await account.async_refresh()
        return account.last_update_success

    child = harness.world.home.child
    await async_add_home_user(harness, entry, child)
    await run(reject_child)
    (user,) = entry.runtime_data.home_users.values()
    await user.async_check_now()
    assert harness.state("binary_sensor.sign_in", child) == "on"

    await run(disorder)
    assert not await asked()
    await run(order)
    assert await asked()
    await run(reject)
    assert not await asked()
    assert harness.reauth_flows(entry)
    await run(sign_out)
    assert await reachable() == "on"
    told = {
        issue.translation_key for issue in ir.async_get(harness.hass).issues.values()
    }
    assert "server_unclaimed" in told


async def test_what_is_shown(
    harness: Harness, capsys: pytest.CaptureFixture[str]
) -> None:
    """The address, everybody who can sign in, and each command stand there."""
    simulator = Simulator(describe(harness.simulator))
    show_how_to_play(simulator)
    shown = capsys.readouterr().out
    assert f"\n  {harness.simulator.api_url}\n" in shown
    for account in harness.simulator.accounts.values():
        if account.username:
            assert f"\n  {account.username} " in shown
            assert f" {account.password or 'none'}\n" in shown
    child = harness.world.home.child
    assert f"\n  {child.title} " in shown
    assert f" {child.pin}\n" in shown
    for deed in deeds(simulator):
        assert f"\n  {deed.what}\n    {deed.command}\n" in shown
