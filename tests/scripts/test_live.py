"""The look at Plex finds what differs, and shows no value of any answer."""

from collections.abc import Callable

import pytest

from scripts.live_check.home import Switch
from scripts.live_check.look import Look, look
from scripts.live_check.shapes import Difference, Kind, compare
from tests.harness import Harness
from tests.plex_simulator import PLEX_TV, Account, Fault
from tests.plex_simulator.worlds import CHILD_PIN

type Plant = Callable[[Harness], None]


async def look_at(
    harness: Harness,
    server_name: str | None = None,
    switch: Switch | None = None,
    who: Account | None = None,
) -> Look:
    """Look at the simulated Plex; Anna enters the code, or whoever else is given."""

    async def enter(code: str) -> None:
        assert harness.simulator.pins.link(code, who or harness.anna)

    return await look(harness.simulator.api_url, server_name, enter, switch)


def answer(endpoint: str, fault: Fault, of: str = "plex.tv") -> Plant:
    """Return what lets plex.tv or Anna's server answer a call in another way."""

    def plant(harness: Harness) -> None:
        host = harness.simulator if of == "plex.tv" else harness.server
        host.faults.set(endpoint, fault)

    return plant


def account(**fields: object) -> Plant:
    """Return what gives Anna's account other fields."""
    return lambda harness: harness.anna.overrides.update(fields)


def without(name: str) -> Plant:
    """Return what takes a field from Anna's account."""
    return lambda harness: harness.anna.omitted.add(name)


IDENTITY = '{"MediaContainer": {"size": 0, "machineIdentifier": 7, "version": "1.41"}}'
PLANTED: dict[str, tuple[Plant, str]] = {
    "a field is missing": (
        without("homeSize"),
        "missing  homeSize: expected int, found nothing",
    ),
    "a field is new": (
        account(novelty=True),
        "unknown  novelty: expected nothing, found bool",
    ),
    "a field has another type": (
        account(joinedAt="2020-01-01"),
        "type     joinedAt: expected int, found str",
    ),
    "a field in a list has another type": (
        account(services=[{"identifier": "a", "endpoint": "b", "status": 3}]),
        "type     services[].status: expected str, found int",
    ),
    "a list is an object": (
        account(entitlements={"all": True}),
        "type     entitlements: expected list, found object",
    ),
    "XML instead of JSON": (
        answer("resources", Fault.xml_instead()),
        "form     the answer: expected json, found xml",
    ),
    "a field in the list of devices is new": (
        answer(
            "devices",
            Fault.body(
                '[{"id": "5", "novelty": 1, "token": "a-secret", "connections": []}]'
            ),
        ),
        "unknown  [].novelty: expected nothing, found int",
    ),
    "no list of devices": (
        answer("devices", Fault.status(404)),
        "status   the answer: expected 200, found 404",
    ),
    "a user of the Home has another type": (
        lambda harness: setattr(harness.world.home.child, "restricted", 1),
        "type     users[].restricted: expected bool, found int",
    ),
    "a page": (
        answer("user", Fault.html(502)),
        "status   the answer: expected 200, found 502",
    ),
    "another status of success": (
        answer("signout", Fault.status(200)),
        "status   the answer: expected 204, found 200",
    ),
    "no transient token": (
        answer("security_token", Fault.status(403), "server"),
        "status   the answer: expected 200, found 403",
    ),
    "no answer": (
        answer("security_resources", Fault.reset(), "server"),
        "status   the answer: expected 200, found",
    ),
    "a sign-in that goes on": (
        answer("signout", Fault.status(204)),
        "status   the answer: expected 401, found 200",
    ),
}


async def test_all_as_expected(harness: Harness) -> None:
    """Nothing differs at the simulator; what was asked for is ended there."""
    tokens = set(harness.anna.tokens)
    found = await look_at(harness)
    assert found.is_as_expected, found.report
    assert found.report.splitlines()[-1].endswith(" calls, 0 differences")
    assert set(harness.anna.tokens) == tokens
    assert len(harness.simulator.requests_to("security_token")) == 1
    asked = {request.endpoint for request in harness.simulator.requests}
    # Removing a device and signing in by password are left out, since they change much.
    assert {"user", "resources", "devices", "devices_xml", "signout"} <= asked
    assert {"identity", "root", "security_resources", "item", "notifications"} <= asked
    assert not {"device_remove", "device_remove_v2", "signin", "home_switch"} & asked
    told = "Who is in the Home? 5 users, 1 admin, 1 guest, 2 restricted, 1 protected"
    assert told in " ".join(found.report.split())
    assert "Are there tokens in the list of devices? yes" in " ".join(
        found.report.split()
    )


async def test_unclaimed_server(harness: Harness) -> None:
    """A listed server that says that it is unclaimed gets no token; that is an answer."""
    harness.server.unclaim(listed=True)
    found = await look_at(harness, harness.server.name)
    report = " ".join(found.report.split())
    assert "listed as owned say that it is unclaimed? yes" in report
    assert "it gets no token" in report
    sent = [one for one in harness.simulator.requests if one.host != PLEX_TV]
    assert {one.endpoint for one in sent} == {"identity"}
    assert not any("X-Plex-Token" in one.headers for one in sent)


@pytest.mark.parametrize("name", PLANTED)
async def test_planted_difference(harness: Harness, name: str) -> None:
    """Each difference is found and named."""
    plant, line = PLANTED[name]
    plant(harness)
    found = await look_at(harness)
    assert not found.is_as_expected
    assert line in found.report


async def test_no_value(harness: Harness) -> None:
    """No value and no name that may be one is in the report."""
    secret = harness.anna.sign_in_token("other")
    without_digits = "acctmHueAxfCv_jLOUGH"
    harness.anna.overrides.update(
        {secret: {"of": 1}, without_digits: 1, "novelty": "nobody@example.invalid"}
    )
    report = (await look_at(harness)).report
    values = {
        *harness.anna.secrets(),
        without_digits,
        *(
            "example.invalid",
            harness.anna.uuid,
            harness.anna.title,
            harness.server.name,
        ),
        *(user.title for user in harness.world.home.home.users),
        *(harness.server.machine_identifier, "127.0.0.1", "transient-0"),
    }
    assert [value for value in values if value in report] == []
    assert "(a name that may be a value)" in report


@pytest.mark.parametrize(
    ("name", "ended"),
    [
        ("basement", None),
        ("Carla's Films", None),
        ("Nowhere", "the account lists no server of that name"),
    ],
)
async def test_server(harness: Harness, name: str, ended: str | None) -> None:
    """The server of a name is asked; a shared one is asked for no sources."""
    found = await look_at(harness, name)
    assert found.is_as_expected == (ended is None), found.report
    assert (f"Ended early: {ended}" in found.report) == (ended is not None)
    asked = bool(harness.simulator.requests_to("security_resources"))
    assert asked == (name == "basement")
    assert harness.simulator.requests_to("signout")


@pytest.mark.parametrize("name", ["lina", "Emil"])
async def test_switch_to_home_user(harness: Harness, name: str) -> None:
    """A switch is compared; the user's token is signed out, and the account's after it."""
    home = harness.world.home
    user = home.child if name == "lina" else home.managed
    pins = [CHILD_PIN]
    found = await look_at(harness, switch=Switch(name, pins.pop))
    assert found.is_as_expected, found.report
    assert bool(pins) is not user.protected
    assert not user.tokens
    assert len(harness.simulator.requests_to("home_switch")) == 1
    report = " ".join(found.report.split())
    assert "Does the account's token work after a switch? yes: 200" in report
    assert "Is the access token of a server the token of the switch? no" in report
    assert "And after the user's token was signed out? yes: 200" in report
    secrets = {CHILD_PIN, user.title, *user.secrets_given, *user.secrets()}
    assert [secret for secret in secrets if secret in found.report] == []


@pytest.mark.parametrize("name", ["Guest", "Nobody"])
async def test_nobody_to_switch_to(harness: Harness, name: str) -> None:
    """Nobody is switched to who is a guest or not in the Home."""
    found = await look_at(harness, switch=Switch(name, str))
    assert "Ended early: the Home has no user of that name" in found.report
    assert not harness.simulator.requests_to("home_switch")
    assert len(harness.simulator.requests_to("signout")) == 1


async def test_refused_switch(harness: Harness) -> None:
    """A wrong PIN is a difference, sent once; nothing is left signed in."""
    found = await look_at(harness, switch=Switch("Lina", lambda: "0000"))
    assert "status   the answer: expected 201, found 403" in found.report
    assert len(harness.simulator.requests_to("home_switch")) == 1
    assert not harness.world.home.child.tokens
    assert "Does the account's token work after a switch?" in found.report


async def test_account_without_a_home(harness: Harness) -> None:
    """That an account has no Home is an answer and no difference."""
    found = await look_at(harness, who=harness.ben)
    assert found.is_as_expected, found.report
    report = " ".join(found.report.split())
    assert "What is the answer without a Home? 404 json" in report


def test_comparison() -> None:
    """Fields that may be missing or anything are no difference; lists are looked into."""
    spec = {
        "a": "int or null",
        "b": "any or missing",
        "c": "list",
        "c[]": "object",
        "c[].d": "str or missing",
        "e": "object or missing",
        "e.*": "any",
    }
    assert not compare(spec, {"a": None, "c": [{}, {"d": "x"}]}).differences
    assert not compare(spec, {"a": 1, "b": [{}], "c": [], "e": {"x": 1}}).differences
    assert compare(spec, {"c": [{"d": 1}, 5], "f": 1.5}).differences == (
        Difference(Kind.MISSING, "a", "int or null", "nothing"),
        Difference(Kind.TYPE, "c[]", "object", "int"),
        Difference(Kind.TYPE, "c[].d", "str or missing", "int"),
        Difference(Kind.UNKNOWN, "f", "nothing", "float"),
    )
