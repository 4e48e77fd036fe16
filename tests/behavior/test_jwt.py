"""A Plex JWT as the token of a server: as if none was listed."""

from unittest.mock import patch

import pytest

from tests.harness import Harness
from tests.helpers import (
    account_coordinator,
    known_server,
    server_coordinator,
    server_data,
)
from tests.plex_simulator import MediaServer

JWT = "eyJhbGciOiJFZERTQSJ9.eyJpc3MiOiJwbGV4LnR2In0.c2lnbmF0dXJl"


@pytest.mark.parametrize("is_stored", [False, True])
async def test_listed_jwt(harness: Harness, is_stored: bool) -> None:
    """It is sent to no server and stored nowhere, and nobody has to sign in again."""
    kept = known_server(harness.server, harness.anna)
    if not is_stored:
        kept["token"] = JWT
    with patch.object(MediaServer, "access_token_for", return_value=JWT):
        entry = await harness.add(
            harness.anna, server_data(harness.server, harness.anna, last_known=kept)
        )
        await account_coordinator(entry).servers.renew(now=True)
        assert server_coordinator(entry, harness.server).last_update_success
        if is_stored:
            assert await harness.transient_token()
        else:
            error = await harness.failure("get_transient_token")
            assert error.translation_key == "not_permitted"
        await harness.settle()
    assert not harness.reauth_flows(entry)
    assert not any(
        JWT in str(request.headers) for request in harness.simulator.requests
    )
    if is_stored:
        assert JWT not in str(entry.as_dict())
