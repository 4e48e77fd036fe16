"""The fields of the dialogs."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from freezegun.api import FrozenDateTimeFactory
import pytest

from custom_components.plex_auth.api.models import ListedServer
from custom_components.plex_auth.flows import forms
from homeassistant.core import HomeAssistant

AWAY = "{server}, last seen {date}"


def listed(identifier: str, name: str, owner: str | None = None) -> ListedServer:
    """Return a server as plex.tv lists it."""
    return ListedServer(
        name=name,
        machine_identifier=identifier,
        product_version=None,
        source_title=owner,
        owned=owner is None,
        owner_id=None if owner is None else 7,
        home=False,
        presence=None,
        public_address_matches=None,
        last_seen_at=None,
        https_required=False,
        access_token=None,
        connections=(),
    )


@pytest.mark.parametrize(
    ("servers", "labels"),
    [
        ([listed("a" * 40, "Plex"), listed("b" * 40, "Attic")], ["Plex", "Attic"]),
        (
            [listed("a" * 40, "Plex"), listed("b" * 40, "Plex", "Ben")],
            ["Plex", "Plex (Ben)"],
        ),
        (
            [listed("a" * 40, "Plex"), listed("b" * 40, "Plex")],
            ["Plex [aaaaaaaa]", "Plex [bbbbbbbb]"],
        ),
    ],
)
def test_servers_are_told_apart(servers: list[ListedServer], labels: list[str]) -> None:
    """Servers have their names, with the owner's or an identifier where that is needed."""
    for schema, field in (
        (forms.servers_schema(servers, AWAY), "servers"),
        (forms.server_schema(servers, AWAY), "server"),
        (forms.reconfigure_server_schema(servers, has_typed_token=False), "sources"),
    ):
        options = schema.schema[field].config["options"]
        assert [option["label"] for option in options] == labels
        assert [option["value"].removeprefix("server://") for option in options] == [
            server.machine_identifier for server in servers
        ]


async def test_server_that_has_been_away_for_long(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    """It is not chosen beforehand, and its label tells it from one of the same name."""
    await hass.config.async_set_time_zone("Pacific/Auckland")
    freezer.move_to("2026-11-24 12:00:00+00:00")
    now = datetime(2026, 11, 24, 12, tzinfo=UTC)
    month, late = timedelta(days=30), datetime(2026, 1, 31, 23, tzinfo=UTC)
    servers = [
        replace(listed(name, "{Plex}", owner), presence=presence, last_seen_at=seen)
        for name, owner, presence, seen in (
            ("alive", None, True, late),
            ("stale", None, False, late),
            ("away", None, False, now - month),
            ("over", None, False, now - month - timedelta(seconds=1)),
            ("untold", None, None, late),
            ("never", None, False, None),
            ("theirs", "Ben", False, late),
        )
    ]
    chosen = forms.servers_schema(servers, AWAY).schema
    (field,) = chosen
    assert field.default() == ["alive", "away", "untold", "never"]
    labels = {
        option["value"]: option["label"]
        for option in chosen[field].config["options"]
        if "seen" in option["label"]
    }
    assert labels == {
        "stale": "{Plex}, last seen 2026-02-01",
        "over": "{Plex}, last seen 2026-10-26",
        "theirs": "{Plex} (Ben), last seen 2026-02-01",
    }
