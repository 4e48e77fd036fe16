"""What the simulated world has beside its hosts: time, names, people, secrets."""

from datetime import UTC, datetime, timedelta

from freezegun import freeze_time
import pytest

from tests.plex_simulator import Clock, PlexDirectResolver

from .simulated_plex import CLIENT, PASSWORD, SimulatedPlex


def test_clock() -> None:
    """The clock goes with the real one, plus what was added, and with freezegun."""
    clock = Clock()
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)
    clock.advance(timedelta(hours=1))
    with freeze_time("2030-01-01 00:00:00") as frozen:
        frozen.tick(60)
        clock.advance(timedelta(minutes=-1))
        assert clock.now() == datetime(2030, 1, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127-0-0-1.0123456789abcdef.plex.direct", "127.0.0.1"),
        ("0-0-0-0-0-0-0-1.0123456789abcdef.plex.direct", "::1"),
        ("localhost", "127.0.0.1"),
        ("not-an-address.0123456789abcdef.plex.direct", None),
        ("plex.tv", None),
    ],
)
async def test_resolver(host: str, address: str | None) -> None:
    """A plex.direct name says its address; other names are not known."""
    if address is None:
        with pytest.raises(OSError, match="not known"):
            await PlexDirectResolver().resolve(host)
    else:
        assert (await PlexDirectResolver().resolve(host))[0]["host"] == address


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
