"""A Plex JWT as the token of a server: as if none was listed."""

from unittest.mock import patch

import pytest

from .helpers import account_coordinator, known_server, server_coordinator, server_data
from .home import Home
from .plex_simulator import MediaServer

JWT = "eyJhbGciOiJFZERTQSJ9.eyJpc3MiOiJwbGV4LnR2In0.c2lnbmF0dXJl"


@pytest.mark.parametrize("is_stored", [False, True])
async def test_listed_jwt(home: Home, is_stored: bool) -> None:
    """It is sent to no server and stored nowhere, and nobody has to sign in again."""
    kept = known_server(home.server, home.anna)
    if not is_stored:
        kept["token"] = JWT
    with patch.object(MediaServer, "access_token_for", return_value=JWT):
        entry = await home.add(
            home.anna, server_data(home.server, home.anna, last_known=kept)
        )
        await account_coordinator(entry).servers.renew(now=True)
        assert server_coordinator(entry, home.server).last_update_success
        if is_stored:
            assert await home.transient_token()
        else:
            error = await home.failure("get_transient_token")
            assert error.translation_key == "not_permitted"
        await home.settle()
    assert not home.reauth_flows(entry)
    assert not any(JWT in str(request.headers) for request in home.simulator.requests)
    if is_stored:
        assert JWT not in str(entry.as_dict())
