"""The devices that are signed in to an account (plex-api.md §16)."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from aiohttp import web

from .accounts import Account, AccountToken
from .clock import epoch, iso
from .errors import PlexTvError
from .rendering import media_container, plex_tv_answer
from .servers import MediaServer

type Authenticate = Callable[[web.Request], tuple[Account, AccountToken]]


class DeviceRoutes:
    """Answer the requests about devices, in either API of plex.tv.

    A managed user may not ask: that is a choice, no source says it.
    """

    def __init__(
        self, servers: Mapping[str, MediaServer], authenticate: Authenticate
    ) -> None:
        """Take the servers, and what finds who asks."""
        self._servers = servers
        self._authenticate = authenticate

    def routes(self, api: str, end: str) -> list[web.RouteDef]:
        """Return the addresses; their names are those of faults and records."""
        old, new = r"/devices/{id:\d+}.xml", rf"{api}/devices/{{id:\d+}}"
        return [
            web.get(f"{api}/devices{end}", self._list, name="devices"),
            web.get("/devices.xml", self._list_as_xml, name="devices_xml"),
            web.delete(old, self._remove, name="device_remove"),
            web.delete(new, self._remove, name="device_remove_v2"),
        ]

    async def _list(self, request: web.Request) -> web.StreamResponse:
        listed = [
            entry | {"createdAt": iso(since), "lastSeenAt": iso(since)}
            for entry, since in self._entries(self._may_ask(request))
        ]
        return plex_tv_answer(request, "devices", listed)

    async def _list_as_xml(self, request: web.Request) -> web.StreamResponse:
        listed = [
            {
                name: value
                for name, value in entry.items()
                if name not in ("connections", "syncLists")
            }
            | {"createdAt": epoch(since), "lastSeenAt": epoch(since)}
            | {"Connection": entry["connections"]}
            for entry, since in self._entries(self._may_ask(request))
        ]
        return media_container(
            request, {"publicAddress": "203.0.113.10", "Device": listed}
        )

    async def _remove(self, request: web.Request) -> web.StreamResponse:
        account = self._may_ask(request)
        device_id = int(request.match_info["id"])
        for token in list(account.token_details.values()):
            if token.device_id == device_id:
                account.revoke_token(token.client_identifier)
                return web.Response(status=200)
        for server in self._servers.values():
            if server.owner is account and server.device_id == device_id:
                server.rotate_access_tokens()
                server.stays_listed = False
                return web.Response(status=200)
        raise PlexTvError(1002)

    def _may_ask(self, request: web.Request) -> Account:
        account, _ = self._authenticate(request)
        if account.restricted:
            raise PlexTvError(1009)
        return account

    def _entries(
        self, account: Account
    ) -> Iterator[tuple[dict[str, object], datetime]]:
        """Yield the devices without their times, and since when each is there."""
        for token in account.token_details.values():
            client = token.client
            yield (
                _entry(
                    id=token.device_id,
                    name=client.name or client.device or token.product,
                    product=token.product,
                    productVersion=client.version,
                    platform=client.platform,
                    platformVersion=client.platform_version,
                    device=client.device,
                    clientIdentifier=token.client_identifier,
                    token=token.value,
                ),
                token.issued_at,
            )
        for server in self._servers.values():
            if server.owner is account:
                yield (
                    _entry(
                        id=server.device_id,
                        name=server.name,
                        product="Plex Media Server",
                        productVersion=server.version,
                        platform=server.platform,
                        platformVersion=server.platform_version,
                        device="PC",
                        provides="server",
                        clientIdentifier=server.machine_identifier,
                        token=server.own_token,
                        presence=True,
                        connections=[{"uri": server.http_url}],
                    ),
                    server.created_at,
                )


def _entry(**fields: object) -> dict[str, object]:
    """Return an entry with what all have (plex-api.md §16.1)."""
    return {
        "model": "",
        "vendor": "",
        "provides": "",
        "publicAddress": "203.0.113.10",
        "screenResolution": "",
        "screenDensity": None,
        "presence": False,
        "connections": [],
        "syncLists": [],
        **fields,
    }
