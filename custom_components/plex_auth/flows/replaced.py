"""Repair flow for a server that was set up again."""

from datetime import datetime
from typing import Any, override

from homeassistant.components.repairs import RepairsFlowResult
from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.const import CONF_TOKEN, CONF_URL, CONF_VERIFY_SSL
from homeassistant.core import HomeAssistant, callback
from homeassistant.util import dt as dt_util

from ..api.errors import PlexError
from ..api.known_server import KnownServer
from ..api.models import ListedServer
from ..api.server import server_source
from ..api.successor import answering_instead
from ..clients import stored_server
from ..const import CONF_LAST_KNOWN, CONF_SOURCES, SUBENTRY_TYPE_SERVER
from ..issues import Issue, async_successor
from ..server_coordinator import ServerCoordinator
from . import checks, forms
from .repair import ConfirmFlow


class ReplacedServerFlow(ConfirmFlow):
    """A flow that lets a server take the place of one that was set up again."""

    _shown: str | None = None
    """The machine identifier of the server that the user is asked about."""

    @override
    async def _async_confirm(self, *, is_agreed: bool) -> RepairsFlowResult:
        """Take the successor after confirmation, if plex.tv still lists it as one."""
        error: PlexError | None = None
        if is_agreed and self._server is not None:
            try:
                await self._server.account.servers.renew(now=True)
            except PlexError as err:
                error = err
        if self._is_removed():
            return self._abort("server_removed")
        if (server := self._server) is None:
            return self._abort("entry_not_loaded")
        if (successor := async_successor(server)) is None:
            return self._abort("not_replaced")
        is_seen = successor.machine_identifier == self._shown
        if not is_agreed or error is not None or not is_seen:
            self._shown = successor.machine_identifier
            target = server.access.target
            old = target.listed if target.is_listed else None
            return self._ask(
                error,
                successor=successor.name,
                server_seen=await self._async_seen(old),
                successor_seen=await self._async_seen(successor),
            )
        # Its last event is of the old server.
        server.issued_token.destroy()
        _async_replace(self.hass, self._entry, self._subentry, server, successor)
        return self._done()

    async def _async_seen(self, listed: ListedServer | None) -> str:
        """Return when plex.tv last saw a server, in Home Assistant's language."""
        path = f"issues.{Issue.REPLACED}.fix_flow.error"
        if listed is None:
            return await forms.async_text(self.hass, f"{path}.not_listed")
        if (seen := listed.last_seen_at) is None:
            return await forms.async_text(self.hass, f"{path}.never_seen")
        text = await forms.async_text(self.hass, f"{path}.last_seen")
        return text.format(time=_shown_time(seen))


@callback
def _async_replace(
    hass: HomeAssistant,
    entry: ConfigEntry[Any],
    subentry: ConfigSubentry,
    server: ServerCoordinator,
    successor: ListedServer,
) -> None:
    """Store the successor of a server, also where another server watches it.

    A typed token is the old server's. A typed address is kept if the successor answers
    there. The reload that follows moves the device and the entities.
    """
    former, current = server.machine_identifier, successor.machine_identifier
    dropped = [CONF_TOKEN]
    if current not in answering_instead(server.access):
        dropped += [CONF_URL, CONF_VERIFY_SSL]
    is_named_by_plex = subentry.title == stored_server(subentry).name
    hass.config_entries.async_update_subentry(
        entry,
        subentry,
        unique_id=current,
        title=successor.name if is_named_by_plex else subentry.title,
        data=checks.without(subentry.data, *dropped)
        | {CONF_LAST_KNOWN: KnownServer.from_listed(successor).as_stored()},
    )
    for other in list(entry.get_subentries_of_type(SUBENTRY_TYPE_SERVER)):
        sources = [
            server_source(current) if source == server_source(former) else source
            for source in other.data.get(CONF_SOURCES, ())
        ]
        # It may watch both.
        once = list(dict.fromkeys(sources))
        hass.config_entries.async_update_subentry(
            entry, other, data={**other.data, CONF_SOURCES: once}
        )


def _shown_time(time: datetime) -> str:
    """Return a time without seconds, in Home Assistant's time zone."""
    return dt_util.as_local(time).strftime("%Y-%m-%d %H:%M")
