"""The list of authorized devices, and removing one."""

from datetime import UTC, datetime
from typing import Any

import pytest

from custom_components.plex_auth.api import errors
from custom_components.plex_auth.api.bodies import LARGEST_BODY, Json
from custom_components.plex_auth.api.devices import Device, newest_first
from custom_components.plex_auth.api.plex_tv import PlexTv
from tests.plex_simulator import Client, Fault, PlexSimulator

from .population import Population

ENTRY: dict[str, Any] = {
    "id": 5,
    "name": "Phone",
    "product": "Plex for Android",
    "productVersion": "10.1",
    "platform": "Android",
    "device": "Pixel",
    "clientIdentifier": "abc",
    "provides": "client,player",
    "token": "secret-of-the-phone",
    "createdAt": "2026-01-02T03:04:05Z",
    "lastSeenAt": 1_780_000_000,
}
PHONE = Client(
    name="Phone", product="Plex for Android", version="10.1", platform="Android"
)
BROWSER = Client(
    name="Firefox of the laptop in the study",
    product="Plex Web",
    version="4.145.1",
    platform="Firefox",
    platform_version="140.0",
    device="Linux",
)
WAYS = ["devices", "devices_xml"]


def only(data: Json) -> Device:
    """Return the only device of an answer."""
    (device,) = Device.parse_devices(data)
    return device


@pytest.mark.parametrize(
    "data",
    [
        [ENTRY],
        {"devices": [ENTRY]},
        {"devices": {"device": [ENTRY]}},
        {"MediaContainer": {"size": "1", "Device": [ENTRY]}},
        {"MediaContainer": {"Device": ENTRY}},
    ],
    ids=["list", "named list", "XML of the second API", "container", "one in it"],
)
def test_parse(data: Json) -> None:
    """A device is read from each form of a list, without its token."""
    device = only(data)
    assert device == Device(
        id=5,
        name="Phone",
        product="Plex for Android",
        platform="Android",
        device="Pixel",
        version="10.1",
        created_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        last_seen_at=datetime.fromtimestamp(1_780_000_000, UTC),
        client_identifier="abc",
        is_server=False,
    )
    assert "secret-of-the-phone" not in repr(device)
    assert not hasattr(device, "token")


@pytest.mark.parametrize(
    ("fields", "label"),
    [
        ({"platform": "Android"}, "Phone, Plex for Android, Android"),
        ({"product": "Phone", "platform": None}, "Phone"),
        ({"name": "", "product": "Plex Web", "platform": ""}, "Plex Web"),
        ({"name": None, "product": None, "platform": None}, "ID 5"),
    ],
)
def test_label(fields: dict[str, Any], label: str) -> None:
    """A device is called by what is known of it, but nothing twice."""
    assert only([ENTRY | fields]).label == label


def test_newest_first() -> None:
    """The device that signed in last is the first; unknown times are the last."""
    times = {1: 30, 2: None, 3: 20, 4: 30}
    entries: list[Json] = [
        ENTRY | {"id": one, "createdAt": when} for one, when in times.items()
    ]
    listed = newest_first(Device.parse_devices(entries))
    assert [device.id for device in listed] == [4, 1, 3, 2]


@pytest.mark.parametrize(
    ("fields", "is_server"),
    [
        ({"provides": "server"}, True),
        ({"provides": "player,server"}, True),
        ({"provides": "", "product": "Plex Media Server"}, True),
        ({"provides": "pubsub-server"}, False),
        ({"provides": None}, False),
    ],
)
def test_server(fields: dict[str, Json], is_server: bool) -> None:
    """What offers a server is one, and so is what is called one."""
    assert only([ENTRY | fields]).is_server is is_server


def test_empty_and_wrong_fields() -> None:
    """Names are one line; what is empty or of a wrong type is None."""
    device = only([{"id": "7", "name": "A\nB ", "product": "", "device": 3}])
    assert (device.id, device.name) == (7, "A B")
    assert (device.product, device.device, device.created_at) == (None, None, None)
    assert device.client_identifier is None


def test_entries_without_an_id() -> None:
    """An entry without an id is left out; where all are, it is no list of devices."""
    assert only([{"name": "x"}, ENTRY, None]).id == 5
    empty: list[Json] = [[], {"MediaContainer": {"size": "0"}}, {"devices": []}]
    wrong: list[Json] = [[{"name": "x"}], [1, 2], {}, "text", {"devices": 1}, None]
    wrong += empty  # the device that asks is in each list
    for data in wrong:
        with pytest.raises(errors.UnexpectedAnswerError):
            Device.parse_devices(data)


@pytest.mark.parametrize("way", WAYS)
async def test_devices(
    plex: PlexSimulator, account: PlexTv, population: Population, way: str
) -> None:
    """The devices are listed by the first call, else by the second."""
    if way == "devices_xml":
        plex.faults.set("devices", Fault.status(404))
    owner = population.owner
    added = owner.add_device(PHONE)
    for _ in range(2):
        devices = {one.id: one for one in await account.devices(population.token)}
        phone = devices[added.device_id]
        assert (phone.name, phone.product) == ("Phone", "Plex for Android")
        assert phone.client_identifier == added.client_identifier
        assert phone.created_at is not None
        assert phone.created_at.tzinfo is UTC
        assert {one.name for one in devices.values() if one.is_server} == {
            "Küche",
            "Cellar",
        }
    asked = [request.endpoint for request in plex.requests]
    assert asked == [WAYS[0], *[WAYS[1]] * (way == WAYS[1])] * 2
    assert not any(secret in repr(devices) for secret in plex.secrets())
    for request in plex.requests:
        assert population.token not in str(request.query)


async def test_large_account(
    plex: PlexSimulator, account: PlexTv, population: Population
) -> None:
    """2,000 devices are too many for JSON; the same list in XML is short enough."""
    for _ in range(2000):
        population.owner.add_device(BROWSER)
    assert len(await account.devices(population.token)) > 2000
    assert [request.endpoint for request in plex.requests] == WAYS


async def test_list_over_the_limit(
    plex: PlexSimulator, account: PlexTv, population: Population
) -> None:
    """A list that is too large in both ways is told to be that."""
    for way in WAYS:
        plex.faults.set(way, Fault.huge_body(LARGEST_BODY + 1))
    with pytest.raises(errors.TooManyDevicesError):
        await account.devices(population.token)
    assert [request.endpoint for request in plex.requests] == WAYS
    plex.faults.clear("devices")
    plex.requests.clear()
    assert await account.devices(population.token)
    assert [request.endpoint for request in plex.requests] == WAYS[:1]


async def test_no_way(
    plex: PlexSimulator, account: PlexTv, population: Population
) -> None:
    """Where plex.tv knows neither way there is no list; other failures are not tried on."""
    for way in WAYS:
        plex.faults.set(way, Fault.status(410))
    with pytest.raises(errors.NotFoundError):
        await account.devices(population.token)
    plex.faults.set("devices", Fault.status(503))
    plex.requests.clear()
    with pytest.raises(errors.UnavailableError):
        await account.devices(population.token)
    assert [request.endpoint for request in plex.requests] == WAYS[:1]


async def test_managed_user(plex: PlexSimulator, account: PlexTv) -> None:
    """A managed user may not ask."""
    managed = plex.add_account("", title="Emil", restricted=True)
    with pytest.raises(errors.NotPermittedError):
        await account.devices(managed.sign_in_token("client-3"))


@pytest.mark.parametrize("status", [None, 404, 405, 410])
async def test_remove_device(
    plex: PlexSimulator, account: PlexTv, population: Population, status: int | None
) -> None:
    """A device is removed, in the second way where there is no first; its token ends."""
    if status is not None:
        plex.faults.set("device_remove", Fault.status(status))
    owner, device = population.owner, population.owner.add_device()
    token = population.token
    await account.remove_device(token, device.device_id)
    assert owner.find_token(device.value) is None
    assert owner.find_token(token) is not None
    asked = [request.endpoint for request in plex.requests]
    assert asked == ["device_remove", "device_remove_v2"][: 1 + (status is not None)]
    with pytest.raises(errors.TokenRejectedError):
        await account.user(device.value)


async def test_remove_device_that_is_not_there(
    plex: PlexSimulator, account: PlexTv, population: Population
) -> None:
    """A device that is not there is told to be that; a refusal is not tried again."""
    with pytest.raises(errors.NotFoundError):
        await account.remove_device(population.token, 1)
    plex.requests.clear()
    plex.faults.set("device_remove", Fault.plex_error(1009, 403))
    with pytest.raises(errors.NotPermittedError):
        await account.remove_device(population.token, 1)
    assert len(plex.requests) == 1


@pytest.mark.parametrize("path", ["", "/behind/a/proxy"])
def test_addresses(path: str) -> None:
    """The first API stands beside the second, wherever that is."""
    calls = PlexTv(None, f"https://plex.example{path}/api/v2")  # type: ignore[arg-type]
    assert str(calls._root) == f"https://plex.example{path}"
