"""What the simulated world has beside its hosts: people and secrets."""

import pytest

from .simulated_plex import CLIENT, PASSWORD, SimulatedPlex


async def test_people(plex: SimulatedPlex) -> None:
    """Names are unique, not everybody has codes, and who is removed is gone."""
    with pytest.raises(ValueError, match="already"):
        plex.simulator.add_account("ben")
    with pytest.raises(ValueError, match="no two-factor"):
        plex.ben.code()
    plex.ben.sign_in_token(CLIENT)
    plex.simulator.remove_account(plex.ben)
    assert not plex.ben.tokens
    assert (await plex.sign_in("ben")).error == (401, 1001)


async def test_secrets_are_known(plex: SimulatedPlex) -> None:
    """All that must never leak can be listed, what is dead by now as well."""
    anna, server = plex.anna, plex.server
    first, transient = anna.sign_in_token(CLIENT), server.issue_transient_token(anna)
    second = (await plex.sign_in("anna", code=anna.code())).json
    code = (await plex.ask("POST", "/pins")).json["code"]
    await server.restart()
    assert {
        PASSWORD,
        anna.totp_secret,
        first,
        second["authToken"],
        second["pin"],
        second["services"][0]["token"],
        second["services"][1]["secret"],
        server.access_token_for(anna),
        transient,
        code,
    } <= plex.simulator.secrets()
