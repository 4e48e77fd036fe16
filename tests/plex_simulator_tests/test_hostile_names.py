"""Hostile names: they arrive as they are, and what they point to counts who asks."""

import pytest

from tests.plex_simulator.hostile_names import LONGEST
from tests.plex_simulator.worlds import HostileWorld, add_hostile

from .simulated_plex import CLIENT, PASSWORD, SimulatedPlex


@pytest.fixture
async def hostile(plex: SimulatedPlex) -> HostileWorld:
    """Return an account with hostile names."""
    return await add_hostile(plex.simulator)


async def test_arrive_as_they_are(plex: SimulatedPlex, hostile: HostileWorld) -> None:
    """Neither plex.tv nor a server changes a name, in JSON or in XML."""
    names, account = hostile.names, hostile.account
    account.password = PASSWORD
    signed_in = (await plex.sign_in("mallory")).json
    titles = [signed_in[key] for key in ("title", "friendlyName")]
    assert titles == [names.account] * 2
    token = account.tokens[CLIENT]
    own, shared, *devices = (await plex.get("/resources", token)).json
    assert (own["name"], own["sourceTitle"]) == (names.server, None)
    assert shared["name"] == names.shared_server
    assert shared["sourceTitle"] == names.friend
    assert [one["name"] for one in devices] == list(names.single)
    url = f"{plex.simulator.base_url}/devices.xml"
    listed = (await plex.get(url, token, accept=None)).xml.iterfind("Device")
    assert [one.get("name") for one in listed] == [*names.single, "", names.server]
    access_token = hostile.own.access_token_for(account)
    root = (await plex.get(f"{hostile.own.http_url}/", access_token)).json
    assert root["MediaContainer"]["friendlyName"] == names.server


async def test_lengths(hostile: HostileWorld) -> None:
    """What has to arrive whole does, even if no more of a name is read."""
    names = hostile.names
    for whole in (names.account, names.server, names.shared_server, *names.single[:-1]):
        assert len(whole) <= LONGEST
    for cut in (names.friend, names.long):
        assert len(cut) > LONGEST
    assert names.friend.index(names.address) + len(names.address) <= LONGEST


async def test_beacon(plex: SimulatedPlex, hostile: HostileWorld) -> None:
    """It counts every request to it, and no other."""
    url = f"{plex.simulator.base_url}/_simulator/beacon"
    assert (await plex.get(url)).json == {"requests": []}
    answer = await plex.get(f"{hostile.names.url}/picture")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "image/png")
    (request,) = hostile.beacon.requests
    assert (request.method, request.path) == ("GET", "/picture")
    told = (await plex.get(url)).json["requests"]
    assert [one["path"] for one in told] == ["/picture"]
    assert not plex.simulator.requests
    await plex.simulator.stop()
    with pytest.raises(OSError, match="Connect call failed"):
        await plex.get(f"{hostile.names.url}/picture")


async def test_no_beacon(plex: SimulatedPlex) -> None:
    """Without hostile names there is nothing to ask."""
    assert await plex.status(f"{plex.simulator.base_url}/_simulator/beacon") == 404
