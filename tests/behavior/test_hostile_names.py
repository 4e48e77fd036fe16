"""Names with Markdown, elements and braces in them are names, wherever they are shown.

The dialogs check each page that they show: `check_names`.
"""

from collections.abc import Awaitable, Callable

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from homeassistant.config_entries import SOURCE_RECONFIGURE, SOURCE_USER
from homeassistant.const import CONF_TOKEN
from homeassistant.helpers import issue_registry as ir
from tests.conftest import Dns, Network
from tests.harness import Harness
from tests.helpers import server_coordinator, server_data, subentry_of, with_typed_token
from tests.plex_simulator import Account
from tests.plex_simulator.worlds import PODCASTS
from tests.repair_dialog import OpenRepair
from tests.walks import ways
from tests.walks.dialog import Dialog, config_dialog, person, server_dialog
from tests.walks.markdown import check_names, elements, words
from tests.walks.names import DOMAIN, SIGN_IN_WAYS, Field, Issue, Step
from tests.walks.texts import text, texts_of

NAME = (
    "# [a](http://e.example) ![b](//e.example/b) <img src=//e.example/c> "
    "<ha-alert>d</ha-alert> www.e.example f@e.example {name} `g`"
)
PUBLIC = "203.0.113.9"


@pytest.fixture(autouse=True)
def hostile(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give all accounts and servers the name; look at a link code more often."""
    assert len(NAME) <= 128
    for account in harness.simulator.accounts.values():
        account.title = NAME
    for server in harness.simulator.servers.values():
        server.name = NAME
    monkeypatch.setattr("custom_components.plex_auth.flows.link.POLL_SECONDS", 0.01)


def test_name() -> None:
    """The name would be more than words, in each way."""
    assert {
        *("heading_open", "link_open", "image", "html_inline", "code_inline"),
        *("http", ""),
    } <= set(elements(NAME))


async def sign_in(
    harness: Harness,
    account: Account,
    way: str,
    source: str = SOURCE_USER,
    **context: str,
) -> Dialog:
    """Sign in to an account; return what is shown then."""
    dialog = config_dialog(harness.hass, harness.simulator)
    await dialog.start(DOMAIN, source=source, **context)
    who = person(harness.simulator, account)
    if source == SOURCE_USER:
        await dialog.walk(ways.use_api(who))
    if way == Step.LINK:
        await dialog.walk(ways.go_on(who, way, ways.MENUS[source]))
    else:
        await dialog.choose(way)
        await dialog.submit(ways.right(who, way))
    return dialog


@pytest.mark.parametrize("way", SIGN_IN_WAYS)
async def test_signing_in(harness: Harness, way: str) -> None:
    """The pages that name an account show its name, whether it has servers or not."""
    dialog = await sign_in(harness, harness.ben, way)
    assert dialog.step == Step.SERVERS
    assert dialog.result["description_placeholders"]["name"] == NAME
    await dialog.submit({Field.SERVERS: []})
    assert dialog.result["result"].title == NAME
    again = await sign_in(harness, harness.ben, way)
    assert again.result["reason"] == "already_configured"
    other = await sign_in(harness, harness.world.without_servers, way)
    assert other.result["description"] == "no_servers"
    await harness.settle()


@pytest.mark.parametrize("way", SIGN_IN_WAYS)
@pytest.mark.parametrize("source", [SOURCE_RECONFIGURE, ways.REAUTH])
async def test_signing_in_to_another_account(
    harness: Harness, source: str, way: str
) -> None:
    """Both names are in the error, which is plain in a form and Markdown in a menu."""
    entry = await harness.add(harness.ben)
    dialog = await sign_in(
        harness,
        harness.world.yearly,
        way,
        source,
        entry_id=entry.entry_id,
        unique_id=str(entry.unique_id),
    )
    told = text("config.error.wrong_account", name=NAME, other=NAME)
    given = dialog.result["description_placeholders"]
    if way == Step.LINK:
        assert dialog.step == Step.LINK_FAILED
        assert elements(given["reason_md"]) == []
        assert words(given["reason_md"]) == told
    else:
        assert dialog.errors == {"base": "wrong_account"}
        error = texts_of("config.error.wrong_account")
        assert error.format_map(given) == told
    await harness.settle()


async def test_adding_and_changing_a_server(
    harness: Harness, entry: MockConfigEntry
) -> None:
    """Menu, forms and ends show the name."""
    dialog = server_dialog(harness.hass, harness.simulator)
    handler = (entry.entry_id, "server")
    for step in (Step.LISTED, Step.ADDRESS):
        await dialog.start(handler, source=SOURCE_USER)
        assert dialog.result["description_placeholders"]["name"] == NAME
        await dialog.choose(step)
        assert dialog.step == step
    await dialog.submit({Field.URL: harness.server.http_url, Field.VERIFY_SSL: True})
    assert dialog.result["reason"] == "already_configured"
    subentry_id = subentry_of(entry, harness.server).subentry_id
    await dialog.start(handler, source=SOURCE_RECONFIGURE, subentry_id=subentry_id)
    assert dialog.result["description_placeholders"]["name"] == NAME
    for server in (harness.world.basement, harness.world.shared):
        harness.add_server(entry, server)
    await dialog.start(handler, source=SOURCE_USER)
    await dialog.choose(Step.LISTED)
    assert dialog.result["reason"] == "no_more_servers"
    await harness.settle()


async def unclaimed(harness: Harness) -> MockConfigEntry:
    """Let the server belong to nobody."""
    entry = await harness.add(harness.anna, harness.server)
    harness.server.unclaim()
    await server_coordinator(entry, harness.server).async_check_now()
    return entry


async def not_listed(harness: Harness) -> MockConfigEntry:
    """Let the server be shared no longer."""
    harness.server.shared_with.remove(harness.ben)
    return await harness.add(harness.ben, harness.server)


async def token_refused(harness: Harness) -> MockConfigEntry:
    """Let the server refuse a typed token."""
    added = with_typed_token(harness.server, sources=[f"provider://{PODCASTS}"])
    added["data"] = {**added["data"], CONF_TOKEN: "refused"}
    return await harness.add(harness.world.yearly, added)


async def too_old(harness: Harness) -> MockConfigEntry:
    """Let the server be too old for the sources that it is to report."""
    harness.server.version = "1.15.3.876"
    sources = [f"provider://{PODCASTS}"]
    added = server_data(harness.server, harness.anna, sources=sources)
    return await harness.add(harness.anna, added)


async def not_reached(harness: Harness) -> MockConfigEntry:
    """Let no name of plex.direct be resolved, nor the server be reached otherwise."""
    harness.server = await harness.add_hidden_server()
    harness.server.name = NAME
    return await harness.add(harness.world.three_servers, harness.server)


async def address_fails(harness: Harness) -> MockConfigEntry:
    """Let the server have a typed address that leads to nothing."""
    url = "http://plex.example.org"
    added = server_data(harness.server, harness.anna, url=url, verify_ssl=True)
    entry = await harness.add(harness.anna, added)
    await server_coordinator(entry, harness.server).async_check_now()
    return entry


async def exposed(harness: Harness) -> MockConfigEntry:
    """Let the server have a typed address on the internet."""
    url = f"http://{PUBLIC}:{harness.server.port}"
    added = server_data(harness.server, harness.anna, url=url, verify_ssl=True)
    return await harness.add(harness.anna, added)


@pytest.mark.parametrize(
    ("meet", "keys"),
    [
        (unclaimed, [Issue.UNCLAIMED]),
        (not_listed, [Issue.NOT_LISTED]),
        (token_refused, [Issue.TOKEN_REFUSED]),
        (too_old, ["server_too_old"]),
        (not_reached, [Issue.NOT_REACHED]),
        (address_fails, [Issue.ADDRESS_FAILS]),
        (exposed, ["plain_http"]),
    ],
)
async def test_repairs(
    harness: Harness,
    dns: Dns,
    network: Network,
    plex_direct: None,
    open_repair: OpenRepair,
    freezer: FrozenDateTimeFactory,
    meet: Callable[[Harness], Awaitable[MockConfigEntry]],
    keys: list[str],
) -> None:
    """An issue has the names, and so has each page of its repair up to the end."""
    dns.plex_direct = meet is not not_reached
    network[PUBLIC, harness.server.port] = harness.server.port
    entry = await meet(harness)
    if meet is not_reached:
        await harness.lose(freezer)
    await harness.settle()
    issues = ir.async_get(harness.hass).issues.values()
    assert sorted(str(issue.translation_key) for issue in issues) == keys
    for issue in issues:
        given = issue.translation_placeholders
        assert given is not None
        assert (given["account"], given["server"]) == (NAME, NAME)
        check_names(texts_of(f"issues.{issue.translation_key}"), given)
    dialogs = [
        await open_repair(entry, harness.server, key)
        for key in keys
        if key in set(Issue)
    ]
    await harness.remove(entry, harness.server)
    for dialog in dialogs:
        given = dialog.result["description_placeholders"]
        assert (given["account"], given["server"]) == (NAME, NAME)
        await dialog.submit(**dict.fromkeys(dialog.fields, "typed"))
        assert dialog.result["reason"] == "server_removed"
