"""Repair flow that claims an unclaimed server for the account."""

import asyncio
from functools import partial
from typing import Final, override

from yarl import URL

from homeassistant.components.repairs import RepairsFlowResult
from homeassistant.const import CONF_TOKEN
from homeassistant.util.hass_dict import HassKey

from ..api.addresses import PLEX_PORT
from ..api.claim import claim, require_claimable
from ..api.errors import (
    CannotConnectError,
    ClaimedElsewhereError,
    NotOwnerError,
    PlexError,
    SecureConnectionRequiredError,
    StillListedError,
    TokenRejectedError,
    WrongServerError,
)
from ..api.race import find_server
from ..api.server import PlexServer
from ..clients import async_create_plex_tv, async_is_public
from ..const import DOMAIN, LOGGER
from ..server_coordinator import ServerCoordinator
from . import checks
from .repair import ConfirmFlow

type _Claim = asyncio.Task[PlexError | None]

_DATA_CLAIMS: HassKey[dict[str, _Claim]] = HassKey(f"{DOMAIN}_claims")

_OWN_URL: Final = URL.build(
    scheme="http", host="127.0.0.1", port=PLEX_PORT, path="/web"
)

# Errors that mean that no address in the server's own network leads to it.
_ELSEWHERE: Final = (
    CannotConnectError,
    SecureConnectionRequiredError,
    WrongServerError,
)


class ClaimServerFlow(ConfirmFlow):
    """A flow that claims a server once the user agrees.

    Closing the dialog does not stop a claim, which may already have succeeded. Another
    dialog shows its progress.
    """

    _claim: _Claim
    _progress: asyncio.Task[object] | None = None

    @override
    async def _async_confirm(self, *, is_agreed: bool) -> RepairsFlowResult:
        """Ask for confirmation, or claim the server at an address in its network."""
        server = self._server
        if server is None:
            return self._abort("entry_not_loaded")
        claims = self.hass.data.setdefault(_DATA_CLAIMS, {})
        subentry_id = self._subentry.subentry_id
        if (running := claims.get(subentry_id)) is not None:
            self._claim = running
            return await self.async_step_claim()
        if server.account.needs_sign_in:
            return self._abort("sign_in_first")
        access = server.access
        found = await find_server(
            await access.target.private_ranks(partial(async_is_public, self.hass)),
            access.at,
            server.machine_identifier,
            is_ready=True,
        )
        if found.winner is None:
            if isinstance(found.error, _ELSEWHERE):
                return self._abort("not_in_network")
            return self._ask(found.error)
        route, identity = found.winner
        client = access.at(route.url)
        if not is_agreed:
            if identity.claimed is not False:
                server.async_poll_now()
                return self._abort("claimed")
            try:
                await require_claimable(client, access.target)
            except PlexError as err:
                return self._failed(err)
            return self._ask_at(client)
        if self._question == "confirm_proven" and not client.is_proven:
            return self._ask_at(client)
        # Another dialog may have started a claim meanwhile.
        if (running := claims.get(subentry_id)) is None:
            running = claims[subentry_id] = self.hass.async_create_background_task(
                self._async_claim(server, client), "plex_auth claim"
            )
            running.add_done_callback(lambda _: claims.pop(subentry_id))
        self._claim = running
        return await self.async_step_claim()

    async def async_step_confirm_proven(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Ask for confirmation where a certificate proves which server answers."""
        return await self.async_step_confirm(user_input)

    async def async_step_claim(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Show progress until the claim is finished."""
        if self._claim.done():
            self._progress = None
            return self.async_show_progress_done(next_step_id="outcome")
        if self._progress is None:
            # Home Assistant cancels a progress task when the dialog is closed.
            self._progress = self.hass.async_create_background_task(
                asyncio.wait([self._claim]), "plex_auth claim progress"
            )
        return self.async_show_progress(
            step_id="claim",
            progress_action="claim",
            description_placeholders=self._placeholders(),
            progress_task=self._progress,
        )

    async def async_step_outcome(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Finish if the server was claimed, or else show the reason."""
        if (error := self._claim.result()) is None:
            return self._done()
        return self._failed(error)

    def _ask_at(self, client: PlexServer) -> RepairsFlowResult:
        """Ask for confirmation; warn unless a certificate proves which server answers."""
        self._question = "confirm_proven" if client.is_proven else "confirm"
        return self._ask()

    def _failed(self, error: PlexError) -> RepairsFlowResult:
        """Show why the server is not claimed, with the question if a retry may help."""
        match error:
            case ClaimedElsewhereError():
                return self._abort("claimed_elsewhere")
            case NotOwnerError():
                return self._abort("not_owner")
            case StillListedError():
                return self._abort("still_listed")
            case TokenRejectedError():
                return self._abort("sign_in_first")
        return self._ask(error)

    @override
    def _placeholders(self, **more: str) -> dict[str, str]:
        """Return the names in the texts, and where a browser can claim the server."""
        return super()._placeholders(
            url=str(self._web_address), own_url=str(_OWN_URL), **more
        )

    @property
    def _web_address(self) -> URL:
        """Return the URL where a browser in its network can claim the server (§17.4).

        By default this is the address on the server's own machine.
        """
        if (server := self._server) is None:
            return _OWN_URL
        target = server.access.target
        addresses = [*filter(None, [target.url]), *target.known.agreeable_urls]
        return addresses[0] / "web" if addresses else _OWN_URL

    async def _async_claim(
        self, server: ServerCoordinator, client: PlexServer
    ) -> PlexError | None:
        """Claim the server at an address; return the error, if any."""
        entry, error = self._entry, None
        try:
            await server.account.async_verify()
            await claim(
                async_create_plex_tv(self.hass, entry.data),
                entry.data[CONF_TOKEN],
                client,
                server.access.target,
            )
        except PlexError as err:
            LOGGER.debug("Unable to claim %s: %s", server.name, err)
            error = err.without_frames()
        else:
            self._drop_typed_token()
        # The entry may have been reloaded meanwhile.
        if (current := self._server) is not None:
            await current.async_check_now()
        return error

    def _drop_typed_token(self) -> None:
        """Remove a typed token: plex.tv lists a new one (plex-api.md §17.4)."""
        if not self._is_removed():
            self._store(checks.without(self._subentry.data, CONF_TOKEN))
