"""The audit finds what leaks: each kind of secret, in each encoding, wherever it is."""

import logging
from pathlib import Path
import sqlite3
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import device_registry as dr, issue_registry as ir
from homeassistant.helpers.storage import Store
from tests.plex_simulator import HostileNames
from tests.walks.names import DOMAIN, Action, Step

from .hostile_names import broken_lines
from .leak_audit import Audit
from .leaks import Form, Kind, Leak, Place, Secret, Text, forms, may_be_there, report


def secret_of(kind: Kind, form: Form) -> Secret:
    """Return a secret that looks different in each encoding."""
    return Secret(kind, f'{kind.name} "&/+ä?\\ {form.name}', "own")


def planted() -> dict[tuple[Kind, Form], str]:
    """Return a text for each kind of secret in each encoding."""
    return {
        (kind, form): "before "
        + max(forms(secret_of(kind, form).value)[form], key=len)
        + " after"
        for kind in Kind
        for form in Form
    }


def fail_with(text: str) -> None:
    """Raise an error that says nothing, from one that says it all."""
    try:
        raise ValueError(text)  # noqa: TRY301
    except ValueError:
        raise HomeAssistantError("nothing to see") from None


async def async_plant(
    hass: HomeAssistant, audit: Audit, place: Place, text: str, folder: Path
) -> None:
    """Put a text into a place, the way that a mistake would."""
    match place:
        case Place.LOG:
            logging.getLogger("aiohttp.anything").debug("sent %s", text)
        case Place.EVENT:
            hass.bus.async_fire("anything", {"deep": [{"in": text}]})
        case Place.STATE:
            # A state is short: whoever writes a longer one gets it cut.
            hass.states.async_set("sensor.a", text)
            audit.take_states(hass)
        case Place.ATTRIBUTE:
            hass.states.async_set("sensor.a", "on", {"list": [{"key": text}]})
            audit.take_states(hass)
        case Place.REGISTRY:
            entry = MockConfigEntry(domain="test")
            entry.add_to_hass(hass)
            dr.async_get(hass).async_get_or_create(
                config_entry_id=entry.entry_id, identifiers={("test", text)}
            )
            audit.take_registries(hass)
        case Place.ISSUE:
            ir.async_create_issue(
                hass,
                "test",
                "issue",
                is_fixable=False,
                severity=ir.IssueSeverity.WARNING,
                translation_key="key",
                translation_placeholders={"name": text},
            )
            audit.take_registries(hass)
        case Place.EXCEPTION:
            try:
                fail_with(text)
            except HomeAssistantError:
                logging.getLogger("anything").exception("failed")
        case Place.STORAGE:
            store = Store[dict[str, Any]](hass, 1, "anything")
            store.async_delay_save(lambda: {"deep": [{text: None}]}, 60)
        case Place.RECORDER:
            with sqlite3.connect(folder / "recorder.db") as connection:
                connection.execute("create table if not exists kept (value text)")
                connection.execute("insert into kept values (?)", (text,))
            connection.close()
            audit.take_database(folder / "recorder.db")
        case Place.FILE:
            (folder / "home-assistant.log").write_text(text)
            audit.take_files(folder)
        case _:
            audit.add(place, "anything", {"deep": [{"in": text}]})


@pytest.mark.parametrize("place", Place)
async def test_planted_leaks_are_found(
    hass: HomeAssistant,
    audit: Audit,
    hass_storage: dict[str, Any],
    tmp_path: Path,
    place: Place,
) -> None:
    """The audit finds each kind of secret in each encoding, wherever it is planted."""
    secrets = [secret_of(kind, form) for kind in Kind for form in Form]
    audit.listen(hass)
    assert not audit.find(secrets)
    for text in planted().values():
        await async_plant(hass, audit, place, text, tmp_path)
        await hass.async_block_till_done()
        if place is Place.STORAGE:
            await audit.async_take_storage(hass, hass_storage)
    leaks = [leak for leak in audit.forbidden(secrets) if leak.text.place is place]
    assert {leak.secret for leak in leaks} == set(secrets)
    assert {leak.form for leak in leaks} == set(Form)
    assert report(leaks)


def test_broken_lines_are_found(audit: Audit) -> None:
    """A line of our log is found that a name has broken; others' lines are theirs."""
    names = HostileNames("http://127.0.0.1:1")
    ours = logging.getLogger(f"custom_components.{DOMAIN}.any")
    for name in names.single:
        ours.warning("%s is away", name)
        logging.getLogger("anything").warning("%s is away", name)
    ours.error("No page", exc_info=ValueError(names.link))
    broken = {f"{name} is away" for name in (names.override, names.line_break)}
    assert broken_lines(audit) == broken


ENTRIES = "core.config_entries"
ENTRY = f"{ENTRIES}/own/data/token"
SERVERS = f"{ENTRIES}/account/subentries"
SERVER = f"{SERVERS}/own/data"
HOME_USER = f"{SERVERS}/user/data"
ISSUED = f"{Action.TRANSIENT_TOKEN}/token"
SHOWN = f"{Step.LINK}/description_placeholders/code"


@pytest.mark.parametrize(
    ("kind", "place", "where", "may_be"),
    [
        (Kind.ACCOUNT_TOKEN, Place.STORAGE, ENTRY, True),
        (Kind.ACCOUNT_TOKEN, Place.STORAGE, f"{ENTRY} key", False),
        (Kind.ACCOUNT_TOKEN, Place.STORAGE, f"{ENTRIES}/other/data/token", False),
        (Kind.ACCOUNT_TOKEN, Place.STORAGE, f"{ENTRIES}/own/options/token", False),
        (Kind.ACCOUNT_TOKEN, Place.STORAGE, f"{SERVER}/token", True),
        (Kind.ACCOUNT_TOKEN, Place.STORAGE, f"{SERVERS}/other/data/token", False),
        (Kind.ACCOUNT_TOKEN, Place.STORAGE, f"{SERVER}/server_tokens/own", False),
        (Kind.ACCOUNT_TOKEN, Place.STORAGE, f"{SERVER}/last_known/token", False),
        (Kind.ACCOUNT_TOKEN, Place.STORAGE, "core.restore_state/own/data/token", False),
        (Kind.ACCOUNT_TOKEN, Place.RESPONSE, ISSUED, False),
        (Kind.ACCOUNT_TOKEN, Place.LOG, ENTRY, False),
        (Kind.SERVER_TOKEN, Place.STORAGE, f"{SERVER}/token", True),
        (Kind.SERVER_TOKEN, Place.STORAGE, f"{SERVER}/last_known/token", True),
        (Kind.SERVER_TOKEN, Place.STORAGE, f"{SERVERS}/other/data/token", False),
        (Kind.SERVER_TOKEN, Place.STORAGE, f"{HOME_USER}/server_tokens/own", True),
        (Kind.SERVER_TOKEN, Place.STORAGE, f"{HOME_USER}/server_tokens/other", False),
        (Kind.SERVER_TOKEN, Place.STORAGE, f"{HOME_USER}/token", False),
        (Kind.SERVER_TOKEN, Place.STORAGE, ENTRY, False),
        (Kind.SERVER_TOKEN, Place.RESPONSE, ISSUED, False),
        (Kind.TRANSIENT_TOKEN, Place.RESPONSE, ISSUED, True),
        (Kind.TRANSIENT_TOKEN, Place.RESPONSE, f"{Action.SERVERS}/token", False),
        (Kind.TRANSIENT_TOKEN, Place.EVENT, "state_changed", False),
        (Kind.TRANSIENT_TOKEN, Place.STORAGE, f"{SERVER}/token", False),
        (Kind.TRANSIENT_TOKEN, Place.STORAGE, f"{HOME_USER}/server_tokens/own", False),
        (Kind.TYPED_PIN, Place.STORAGE, f"{HOME_USER}/token", False),
        (Kind.TYPED_PIN, Place.FLOW, Step.PIN, False),
        (Kind.TYPED_PIN, Place.LOG, HOME_USER, False),
        (Kind.EMAIL, Place.RESPONSE, f"{Action.TOKEN_DETAILS}/account/email", True),
        (Kind.EMAIL, Place.RESPONSE, f"{Action.SERVERS}/servers/0/name", False),
        (Kind.EMAIL, Place.STORAGE, ENTRY, False),
        (Kind.LINK_CODE, Place.FLOW, SHOWN, True),
        (Kind.LINK_CODE, Place.FLOW, SHOWN.replace("code", "url"), True),
        (Kind.LINK_CODE, Place.FLOW, SHOWN.replace("code", "qr"), True),
        (Kind.LINK_CODE, Place.FLOW, SHOWN.replace("code", "name"), False),
        (Kind.LINK_CODE, Place.LOG, SHOWN, False),
        (Kind.CLAIM_TOKEN, Place.STORAGE, ENTRY, False),
        (Kind.CLAIM_TOKEN, Place.FLOW, Step.CLAIM, False),
        (Kind.PASSWORD, Place.STORAGE, ENTRY, False),
        (Kind.CODE, Place.FLOW, Step.CODE, False),
        (Kind.SERVICE_SECRET, Place.STORAGE, ENTRY, False),
        (Kind.HOME_PIN, Place.STORAGE, ENTRY, False),
        (Kind.TOTP_KEY, Place.STORAGE, ENTRY, False),
    ],
)
def test_what_may_be_where(kind: Kind, place: Place, where: str, may_be: bool) -> None:
    """Only the rules let a secret be somewhere: that kind, in that place, of that owner."""
    leak = Leak(Secret(kind, "secret-secret", "own"), Form.RAW, Text(place, where, ""))
    assert may_be_there(leak) is may_be
