"""The servers of an account, asked for once for all who wish."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest
from yarl import URL

from custom_components.plex_auth.api.errors import (
    NotPermittedError,
    PlexError,
    TokenRejectedError,
    UnavailableError,
)
from custom_components.plex_auth.api.known_server import KnownServer
from custom_components.plex_auth.api.models import OWN_ACCOUNT, Connection, ListedServer
from custom_components.plex_auth.api.server_list import (
    POLL_INTERVAL,
    SHORTEST_INTERVAL,
    AccountServer,
    ServerList,
    by_identifier,
)

LISTED_TOKEN = "listed"
STORED_TOKEN = "stored"


def listed(identifier: str, token: str | None = LISTED_TOKEN) -> ListedServer:
    """Return a server as plex.tv lists it."""
    return ListedServer(
        name=identifier.upper(),
        machine_identifier=identifier,
        product_version=None,
        source_title=None,
        owned=True,
        owner_id=None,
        home=False,
        presence=None,
        public_address_matches=None,
        last_seen_at=None,
        https_required=False,
        access_token=token,
        connections=(
            Connection(
                protocol="https",
                address="192.168.1.2",
                port=32400,
                uri="https://192-168-1-2.x.plex.direct:32400",
                local=True,
                relay=False,
            ),
        ),
    )


class PlexTv:
    """Play plex.tv: list servers or fail, and count who asks."""

    def __init__(self) -> None:
        """Begin with one server."""
        self.servers = [listed("a")]
        self.error: PlexError | None = None
        self.verify_error: PlexError | None = None
        self.asked = self.verified = self.renewed = 0
        self.list = ServerList(self._ask, self._verify, on_renewed=self._renewed)

    async def _ask(self) -> list[ListedServer]:
        self.asked += 1
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        return self.servers

    async def _verify(self) -> None:
        self.verified += 1
        if self.verify_error is not None:
            raise self.verify_error

    def _renewed(self) -> None:
        self.renewed += 1


@pytest.fixture
def plex() -> PlexTv:
    """Return a plex.tv with a list that has asked nothing yet."""
    return PlexTv()


async def test_nothing_known_and_known(plex: PlexTv) -> None:
    """A list that plex.tv has not told yet is not an empty one."""
    seen = [(plex.list.is_known, len(plex.list), list(plex.list), plex.list.get("a"))]
    plex.servers = []
    await plex.list.renew(now=True)
    seen.append((plex.list.is_known, len(plex.list), list(plex.list), None))
    assert seen == [(False, 0, [], None), (True, 0, [], None)]
    plex.servers = [listed("a"), listed("b")]
    await plex.list.renew(now=True)
    assert list(plex.list) == plex.servers
    assert plex.list.get("b") == plex.servers[1]
    assert plex.renewed == 2


async def test_poll_is_granted_once_an_hour(
    plex: PlexTv, freezer: FrozenDateTimeFactory
) -> None:
    """A poll asks when the hour is over, or nearly: polls may come a bit early."""
    for step, asked in (
        (timedelta(0), 1),
        (timedelta(minutes=29, seconds=59.9), 1),
        (timedelta(minutes=29, seconds=59.9), 2),
        (timedelta(minutes=29, seconds=59.9), 2),
        (timedelta(minutes=29, seconds=59.9), 3),
        (POLL_INTERVAL, 4),
    ):
        freezer.tick(step)
        await plex.list.poll()
        assert plex.asked == asked


async def test_renewal_for_a_poll_and_for_an_action(
    plex: PlexTv, freezer: FrozenDateTimeFactory
) -> None:
    """A poll has its wish granted once in 15 minutes, an action at any time.

    What was asked at set-up does not count: a server may move right after it.
    """
    await plex.list.poll()
    for _ in range(3):
        await plex.list.renew()
    assert plex.asked == 2
    for _ in range(3):
        await plex.list.renew(now=True)
    assert plex.asked == 5
    freezer.tick(SHORTEST_INTERVAL - timedelta(seconds=1))
    await plex.list.renew()
    assert plex.asked == 5
    freezer.tick(timedelta(seconds=1))
    await plex.list.renew()
    assert plex.asked == 6


async def test_who_asks_at_once_shares_a_request(plex: PlexTv) -> None:
    """However many ask at once, they share what follows the first."""
    await asyncio.gather(*(plex.list.renew(now=True) for _ in range(5)))
    assert plex.asked <= 2


async def test_failure_keeps_what_is_known(
    plex: PlexTv, freezer: FrozenDateTimeFactory
) -> None:
    """A failure is raised to who asked, logged for a poll, and takes nothing away."""
    await plex.list.renew(now=True)
    plex.error = UnavailableError()
    with pytest.raises(UnavailableError):
        await plex.list.renew(now=True)
    freezer.tick(POLL_INTERVAL)
    await plex.list.poll()
    assert plex.asked == 3
    assert plex.list.get("a") is not None
    assert plex.verified == 0
    assert plex.renewed == 1


@pytest.mark.parametrize("verify_error", [None, TokenRejectedError(), PlexError()])
async def test_rejection(
    plex: PlexTv, verify_error: PlexError | None, freezer: FrozenDateTimeFactory
) -> None:
    """Who renews has the account asked about a rejection; a poll is the account's own."""
    plex.error, plex.verify_error = TokenRejectedError(), verify_error
    with pytest.raises(TokenRejectedError):
        await plex.list.renew(now=True)
    assert plex.verified == 1
    freezer.tick(POLL_INTERVAL)
    with pytest.raises(TokenRejectedError):
        await plex.list.poll()
    assert plex.verified == 1


@pytest.mark.parametrize("order", [1, -1])
async def test_owned_row_wins(plex: PlexTv, order: int) -> None:
    """A server that takes the identifier of an owned one does not replace it."""
    clone = replace(listed("a", None), owned=False, source_title="Mallory")
    plex.servers = [listed("a"), clone][::order]
    await plex.list.renew(now=True)
    server = plex.list.get("a")
    assert server is not None
    assert (server.owned, server.access_token) == (True, LISTED_TOKEN)


async def test_first_of_two_shared_rows_counts(plex: PlexTv) -> None:
    """Of two servers of one identifier that others own, the first one counts."""
    rows = [replace(listed("a", token), owned=False) for token in ("first", "second")]
    plex.servers = rows
    await plex.list.renew(now=True)
    assert plex.list.get("a") == rows[0]


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(
    ("owner", "token"), [(7, "of 7"), (8, "of 8"), (None, None), (9, None)]
)
async def test_row_of_the_stored_owner_wins(
    plex: PlexTv, order: int, owner: int | None, token: str | None
) -> None:
    """Of two servers of one identifier that others own, the stored owner's counts."""
    rows = [
        replace(listed("a", f"of {one}"), owned=False, owner_id=one) for one in (7, 8)
    ][::order]
    chosen = by_identifier(rows, {"a": owner, "b": 7})["a"]
    assert chosen.access_token == (token or rows[0].access_token)
    own = listed("a", "own")
    for all_rows in ([*rows, own], [own, *rows]):
        assert by_identifier(all_rows, {"a": owner})["a"] is own


# One server of it


def stored(token: str | None = STORED_TOKEN) -> KnownServer:
    """Return what was stored of a server."""
    return KnownServer(token=token, connections=(), https_required=False)


async def test_listed_before_stored_and_typed_before_all(plex: PlexTv) -> None:
    """What was typed counts, then what is listed now, then what was stored."""
    server = AccountServer(plex.list, "a", stored)
    typed = AccountServer(plex.list, "a", stored, typed_token="typed")
    before = server.listed
    assert (server.token, typed.token) == (STORED_TOKEN, "typed")
    ranks = [server.ranks]
    await plex.list.renew(now=True)
    assert (before, server.listed) == (None, plex.servers[0])
    assert (server.token, typed.token) == (LISTED_TOKEN, "typed")
    ranks.append(server.ranks)
    assert [len(one) for one in ranks] == [0, 2]
    with pytest.raises(NotPermittedError):
        _ = AccountServer(plex.list, "b", lambda: stored(None)).token


async def test_private_ranks(plex: PlexTv) -> None:
    """What leads to a server within its own network: private addresses, no relay."""

    def connection(uri: str, address: str, **more: bool) -> Connection:
        url = URL(uri)
        assert url.port is not None
        return Connection(
            protocol=url.scheme,
            address=address,
            port=url.port,
            uri=uri,
            local=more.get("local", False),
            relay=more.get("relay", False),
        )

    known = KnownServer(
        token="token",
        connections=(
            connection("https://10-0-0-1.x.plex.direct:32400", "10.0.0.1", local=True),
            connection("https://8-8-8-8.x.plex.direct:32400", "8.8.8.8"),
            connection("https://10-0-0-2.x.plex.direct:8443", "10.0.0.2", relay=True),
            connection("https://nas.example.com:32400", "nas.example.com", local=True),
        ),
        https_required=False,
        owner=OWN_ACCOUNT,
    )

    async def uris(
        url: str | None = None,
        *,
        https_required: bool = False,
        is_public: bool | None = None,
    ) -> list[str]:
        async def judge(asked: URL) -> bool | None:
            assert str(asked) == url
            return is_public

        server = AccountServer(
            plex.list,
            "one",
            lambda: replace(known, https_required=https_required),
            url=URL(url) if url else None,
        )
        ranks = await server.private_ranks(judge)
        return [route.uri for rank in ranks for route in rank]

    secure = "https://10-0-0-1.x.plex.direct:32400"
    assert await uris() == [secure, "http://10.0.0.1:32400"]
    assert await uris(https_required=True) == [secure]
    known = replace(known, owner=7)
    assert await uris() == [secure]
    # A typed address is judged by where it leads, whatever its name.
    for url in ("http://nas:32400", "https://plex.example.com:32400"):
        assert await uris(url, is_public=False) == [url]
        assert await uris(url, is_public=True) == []
        assert await uris(url, is_public=None) == []


@pytest.mark.parametrize(
    ("row", "kept", "token"),
    [
        ({"owned": True}, OWN_ACCOUNT, "stored"),
        ({"owned": True}, None, "stored"),
        ({"owned": True}, 7, None),
        ({"owner_id": 7}, 7, "stored"),
        ({"owner_id": 7}, None, None),
        ({}, None, "stored"),
    ],
)
async def test_completed_by_what_was_stored_of_the_same_owner(
    plex: PlexTv, row: dict[str, Any], kept: int | None, token: str | None
) -> None:
    """A row that lacks the token gets that of the same owner, and of no other."""
    plex.servers = [replace(listed("a", None), **({"owned": False} | row))]
    await plex.list.renew(now=True)
    server = AccountServer(plex.list, "a", lambda: replace(stored(), owner=kept))
    assert server.is_listed
    assert server.known.token == token
    assert server.known.owner == plex.servers[0].owner
    assert server.ranks


@pytest.mark.parametrize("kept", [OWN_ACCOUNT, 8])
@pytest.mark.parametrize("row", [{"owner_id": 7}, {"owner_id": None}])
async def test_row_of_another_owner_is_another_server(
    plex: PlexTv, row: dict[str, Any], kept: int
) -> None:
    """Neither the token nor the addresses of another owner's row are used."""
    plex.servers = [replace(listed("a"), owned=False, **row)]
    await plex.list.renew(now=True)
    known = replace(stored(), owner=kept)
    server = AccountServer(plex.list, "a", lambda: known)
    assert server.listed is plex.servers[0]
    assert not server.is_listed
    assert server.known is known


async def test_relocation(plex: PlexTv) -> None:
    """Something else is known only where plex.tv lists something else."""
    server = AccountServer(plex.list, "a", stored)
    assert await server.relocate(now=True)
    assert not await server.relocate(now=True)
    plex.servers = [listed("a", "other")]
    for error, moved in ((UnavailableError(), False), (None, True)):
        plex.error = error
        assert await server.relocate(now=True) is moved


async def test_new_token_for_a_refused_one(plex: PlexTv) -> None:
    """Another token than the refused one is good, the same one is not."""
    server = AccountServer(plex.list, "a", stored)
    assert await server.renewed_token(STORED_TOKEN) == LISTED_TOKEN
    assert (plex.verified, plex.asked) == (1, 1)
    with pytest.raises(NotPermittedError):
        await server.renewed_token(LISTED_TOKEN)
    plex.verify_error = plex.error = UnavailableError()
    assert await server.renewed_token(STORED_TOKEN) == LISTED_TOKEN
    plex.verify_error = TokenRejectedError()
    asked = plex.asked
    with pytest.raises(TokenRejectedError):
        await server.renewed_token(STORED_TOKEN)
    assert plex.asked == asked
