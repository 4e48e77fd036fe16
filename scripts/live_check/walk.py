"""The calls in their order: sign in, look at everything, sign out."""

import asyncio
from collections.abc import Awaitable, Callable
import uuid

from yarl import URL

from custom_components.plex_auth.api.bodies import Json
from custom_components.plex_auth.api.connections import Route
from custom_components.plex_auth.api.errors import PlexError
from custom_components.plex_auth.api.failures import plex_tv_error
from custom_components.plex_auth.api.items import Item
from custom_components.plex_auth.api.known_server import KnownServer
from custom_components.plex_auth.api.models import ListedServer, Pin
from custom_components.plex_auth.api.plex_tv import PlexTv
from custom_components.plex_auth.api.race import race
from custom_components.plex_auth.api.server import PlexServer

from . import expected
from .home import HomeLook, Switch
from .questions import Answer, yes
from .recorder import Recorder
from .stopped import Stopped

_BETWEEN_READINGS = 2.0
_TRANSIENT = "transient-"


class Walk:
    """Make the calls and remember the answers to the questions."""

    def __init__(
        self,
        recorder: Recorder,
        api_url: str,
        server_name: str | None,
        switch: Switch | None,
    ) -> None:
        """Call plex.tv at an address, and the server of a name or the first own one.

        `switch` names the Home user to switch to, None for nobody.
        """
        self.answers: list[Answer] = []
        self._recorder = recorder
        self._check = recorder.check
        self._api = URL(api_url)
        self._plex = PlexTv(recorder.transport(), api_url)
        self._server_name = server_name
        self._home = HomeLook(recorder, self._plex, self.answers)
        self._switch = switch

    async def run(self, show_code: Callable[[str], Awaitable[None]]) -> None:
        """Sign in by a code, look at everything and sign out again.

        `show_code` is given the code that a person enters. Raises Stopped when nobody
        does, or there is no server or Home user to look at.
        """
        token = await self._sign_in(show_code)
        try:
            await self._look_around(token)
            if self._switch is not None:
                await self._home.switch(token, self._switch)
        finally:
            await self._check(expected.SIGN_OUT, self._plex.sign_out(token))
            await self._check(expected.USER_AFTERWARDS, self._plex.user(token))

    async def _sign_in(self, show_code: Callable[[str], Awaitable[None]]) -> str:
        pin = await self._check(expected.CREATE_PIN, self._plex.create_pin())
        if pin is None:
            raise Stopped("plex.tv gave no code to sign in with")
        self._answer("§20.4", "Does a code live 900 s?", yes(pin.expires_in == 900))
        await show_code(pin.code)
        linked = await self._wait_for_link(pin)
        await self._check(expected.CHECK_PIN, self._plex.check_pin(pin.id))
        return linked

    async def _wait_for_link(self, pin: Pin) -> str:
        deadline = asyncio.get_running_loop().time() + (pin.expires_in or 0)
        while asyncio.get_running_loop().time() < deadline:
            found = await self._plex.check_pin(pin.id)
            if found.token is not None:
                return found.token
            await asyncio.sleep(_BETWEEN_READINGS)
        raise Stopped("nobody entered the code in time")

    async def _look_around(self, token: str) -> None:
        account = await self._check(expected.USER, self._plex.user(token))
        has_home = account is not None and bool(account.home)
        await self._home.list_users(token, has_home=has_home)
        await self._look_at_devices(token)
        listed = await self._check(expected.RESOURCES, self._plex.servers(token))
        if not listed:
            raise Stopped("the account lists no server")
        chosen = self._choose(listed)
        others = [server for server in listed if server is not chosen]
        self._answer(
            "§20.8",
            "Is the access token of an own server the account token?",
            " and ".join(
                sorted({yes(one.access_token == token) for one in listed if one.owned})
            )
            or "no own server",
        )
        await self._look_at_server(chosen, others)

    async def _look_at_devices(self, token: str) -> None:
        transport = self._recorder.transport()

        def ask(url: URL) -> Awaitable[Json]:
            return transport.request("GET", url, plex_tv_error, token=token)

        listed = await self._check(expected.DEVICES, ask(self._api / "devices"))
        if isinstance(listed, list):
            has_tokens = any(
                isinstance(entry, dict) and entry.get("token") for entry in listed
            )
            self._answer(
                "§20.1", "Are there tokens in the list of devices?", yes(has_tokens)
            )
        url = self._api.with_path(self._api.path.removesuffix("/api/v2"))
        status, form = await self._recorder.attempt(ask(url / "devices.xml"))
        self._answer(
            "§20.1", "What does devices.xml answer to JSON?", f"{status} {form}"
        )

    def _choose(self, listed: tuple[ListedServer, ...]) -> ListedServer:
        if self._server_name is None:
            return next((server for server in listed if server.owned), listed[0])
        for server in listed:
            if server.name.casefold() == self._server_name.casefold():
                return server
        raise Stopped("the account lists no server of that name")

    async def _look_at_server(
        self, chosen: ListedServer, others: list[ListedServer]
    ) -> None:
        token = chosen.access_token
        route = await self._find_route(chosen)
        if route is None or token is None:
            raise Stopped("the server cannot be reached, or has no access token")
        server = PlexServer(self._recorder.transport(), route.url)
        identity = await self._check(
            expected.IDENTITY, server.identity(chosen.machine_identifier)
        )
        is_unclaimed = identity is not None and identity.claimed is False
        if chosen.owned:
            self._answer(
                "§20.12",
                "Does a server that is listed as owned say that it is unclaimed?",
                yes(is_unclaimed),
            )
        if is_unclaimed:
            raise Stopped("the server says that it is unclaimed, so it gets no token")
        await self._check(expected.ROOT, server.check_token(token))
        issued = await self._check(
            expected.TRANSIENT_TOKEN, server.transient_token(token)
        )
        if issued is not None:
            await self._check(
                expected.ROOT_WITH_TRANSIENT_TOKEN, server.check_token(issued.token)
            )
            self._answer(
                "§3", f"Does it begin with {_TRANSIENT}?", _begins(issued.token)
            )
        if chosen.owned:
            await self._look_at_sources(server, token, chosen, others)
        await self._look_at_socket(server, token)
        status, form = await self._recorder.attempt(
            server.part(token, Item(path="/library/metadata/1"))
        )
        self._answer(
            "§21.1", "What does /library/metadata/1 answer?", f"{status} {form}"
        )
        status, form = await self._recorder.attempt(
            server.check_token(f"made-up-{uuid.uuid4()}")
        )
        self._answer(
            "§20.10", "What does / answer to a made-up token?", f"{status} {form}"
        )

    async def _look_at_socket(self, server: PlexServer, token: str) -> None:
        try:
            socket = await server.notifications(token)
        except PlexError as err:
            answer = f"no: {err.status or type(err).__name__}"
        else:
            answer = yes(True)
            await socket.close()
        self._answer(
            "§20.9", "Does the socket open with the token in the header?", answer
        )

    async def _look_at_sources(
        self,
        server: PlexServer,
        token: str,
        chosen: ListedServer,
        others: list[ListedServer],
    ) -> None:
        def ask(identifier: str) -> Awaitable[object]:
            return server.source_connection_information(token, f"server://{identifier}")

        if others:
            source = await self._check(
                expected.SOURCE,
                server.source_connection_information(
                    token, f"server://{others[0].machine_identifier}"
                ),
            )
            if source is not None and source.access_token is not None:
                self._answer(
                    "§20.6",
                    f"Does the token of a source begin with {_TRANSIENT}?",
                    _begins(source.access_token),
                )
        for question, identifier in (
            ("What is the answer to an unknown source?", "0" * 40),
            ("And about the server itself?", chosen.machine_identifier),
        ):
            status, form = await self._recorder.attempt(ask(identifier))
            self._answer("§20.7", question, f"{status} {form}")

    async def _find_route(self, chosen: ListedServer) -> Route | None:
        transport = self._recorder.transport()

        async def probe(route: Route) -> object:
            return await PlexServer(transport, URL(route.url)).identity(
                chosen.machine_identifier
            )

        found = await race(KnownServer.from_listed(chosen).ranks, probe)
        return found.winner and found.winner[0]

    def _answer(self, section: str, question: str, answer: str) -> None:
        self.answers.append(Answer(section, question, answer))


def _begins(token: str) -> str:
    return yes(token.startswith(_TRANSIENT))
