"""The fields of the dialogs."""

import pytest

from custom_components.plex_auth.api.models import ListedServer
from custom_components.plex_auth.flows import forms


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
        (forms.servers_schema(servers), "servers"),
        (forms.server_schema(servers), "server"),
        (forms.reconfigure_server_schema(servers, has_typed_token=False), "sources"),
    ):
        options = schema.schema[field].config["options"]
        assert [option["label"] for option in options] == labels
        assert [option["value"].removeprefix("server://") for option in options] == [
            server.machine_identifier for server in servers
        ]
