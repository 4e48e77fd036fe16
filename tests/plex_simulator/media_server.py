"""The addresses of a Plex Media Server (plex-api.md §3, §4, §6, §17, §21, §22.4)."""

import base64
from collections.abc import Awaitable, Callable, Iterable

from aiohttp import web

from .claiming import ClaimTokens
from .clock import epoch
from .errors import MediaServerError, SimulatedError
from .library import Item, Section
from .rendering import answer, error_page, media_container, wants_json
from .servers import Caller, MediaServer

# One transparent dot: what a client gets that plays an address with a token in it.
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)

_TO_WEB_CLIENT = (
    "<script>window.location = window.location.href"
    ".match(/(^.+\\/)[^\\/]*$/)[1] + 'web/index.html';</script>"
)
_MAINTENANCE = (
    '<Response code="503" title="Maintenance" '
    'status="Plex Media Server is currently running startup maintenance tasks."/>'
)
_STARTING = "<p>Plex Media Server is still starting up. Please retry later.</p>"

type _Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def render_error(
    request: web.Request, error: SimulatedError | web.HTTPException
) -> web.StreamResponse:
    """Return the HTML page for an error: a server has no error codes.

    See plex-api.md §0.1.
    """
    if isinstance(error, MediaServerError):
        return error_page(error.status, error.text, error.script)
    return error_page(error.status if isinstance(error, web.HTTPException) else 500)


class MediaServerRoutes:
    """Answer the requests to one server."""

    def __init__(self, server: MediaServer, claim_tokens: ClaimTokens) -> None:
        """Take the server whose state decides on the answers, and plex.tv's tokens."""
        self._server = server
        self._claim_tokens = claim_tokens

    def routes(self) -> list[web.RouteDef]:
        """Return the addresses; their names are those of faults and records."""
        return [
            web.get("/identity", self._identity, name="identity"),
            web.get("/", self._when_ready(self._root), name="root"),
            web.route(
                "*",
                "/security/token",
                self._when_ready(self._security_token),
                name="security_token",
            ),
            web.get(
                "/security/resources",
                self._when_ready(self._security_resources),
                name="security_resources",
            ),
            web.get(
                "/:/websockets/notifications",
                self._when_ready(self._notifications),
                name="notifications",
            ),
            web.post("/myplex/claim", self._when_ready(self._claim), name="claim"),
            web.delete(
                "/myplex/account", self._when_ready(self._unclaim), name="unclaim"
            ),
            web.get(
                "/library/metadata/{key}/{art:thumb|art}{stamp:(/.*)?}",
                self._when_ready(self._media),
                name="media",
            ),
            web.get(
                r"/library/metadata/{key:\d+}",
                self._when_ready(self._item),
                name="item",
            ),
            web.get(
                r"/library/metadata/{key:\d+}/children",
                self._when_ready(self._children),
                name="children",
            ),
            web.get(
                r"/library/parts/{path:.+}", self._when_ready(self._part), name="part"
            ),
            web.get("/library", self._when_ready(self._library), name="library"),
            web.get(
                "/library/sections{end:/?}",
                self._when_ready(self._sections),
                name="sections",
            ),
            web.get(
                r"/library/sections/{key:\d+}/all",
                self._when_ready(self._section),
                name="section",
            ),
        ]

    def _when_ready(self, handler: _Handler) -> _Handler:
        async def checked(request: web.Request) -> web.StreamResponse:
            if self._server.booting == "maintenance":
                raise MediaServerError(503, _MAINTENANCE)
            if self._server.booting is not None:
                raise MediaServerError(400, _STARTING)
            return await handler(request)

        return checked

    async def _identity(self, request: web.Request) -> web.StreamResponse:
        server = self._server
        content: dict[str, object] = {
            "size": 0,
            "apiVersion": "1.1.1",
            "claimed": server.claimed,
            "machineIdentifier": server.machine_identifier,
            "version": server.version,
        }
        if server.booting is not None:
            content["startState"] = server.start_state
        return media_container(request, content)

    async def _root(self, request: web.Request) -> web.StreamResponse:
        self._caller(request)
        server = self._server
        return media_container(
            request,
            {
                "size": 2,
                "allowCameraUpload": False,
                "allowChannelAccess": True,
                "allowMediaDeletion": True,
                "allowSharing": True,
                "allowSync": False,
                "allowTuners": False,
                "backgroundProcessing": True,
                "certificate": True,
                "claimed": server.claimed,
                "companionProxy": True,
                "countryCode": "deu",
                "diagnostics": "logs,databases,streaminglogs",
                "eventStream": True,
                "friendlyName": server.name,
                "hubSearch": True,
                "itemClusters": True,
                "livetv": 7,
                "machineIdentifier": server.machine_identifier,
                "mediaProviders": True,
                "multiuser": True,
                "musicAnalysis": 2,
                "myPlex": True,
                "myPlexMappingState": "mapped",
                "myPlexSigninState": "ok" if server.claimed else "none",
                "myPlexSubscription": server.owner.subscription.has_plex_pass,
                "myPlexUsername": server.owner.email if server.claimed else "",
                "offlineTranscode": 1,
                "ownerFeatures": "pass,session_kick,session_bandwidth_restrictions",
                "platform": server.platform,
                "platformVersion": server.platform_version,
                "pluginHost": True,
                "pushNotifications": False,
                "readOnlyLibraries": False,
                "requestParametersInCookie": True,
                "streamingBrainABRVersion": 3,
                "streamingBrainVersion": 2,
                "sync": True,
                "transcoderActiveVideoSessions": server.transcoding,
                "transcoderAudio": True,
                "transcoderLyrics": True,
                "transcoderPhoto": True,
                "transcoderSubtitles": True,
                "transcoderVideo": True,
                "transcoderVideoBitrates": "64,96,208,320,720,1500,2000,3000,4000,8000",
                "transcoderVideoQualities": "0,1,2,3,4,5,6,7,8,9",
                "transcoderVideoResolutions": "128,128,160,240,320,480,768,720,720,1080",
                "updatedAt": epoch(server.created_at),
                "updater": True,
                "version": server.version,
                "voiceSearch": True,
                "Directory": [
                    {"count": 1, "key": "library", "title": "library"},
                    {"count": 1, "key": "media", "title": "media"},
                ],
            },
        )

    async def _security_token(self, request: web.Request) -> web.StreamResponse:
        server = self._server
        if request.method == "POST" and not server.allow_post_token:
            raise MediaServerError(server.post_refusal_status)
        if (
            request.query.get("type") != "delegation"
            or request.query.get("scope") != "all"
        ):
            raise MediaServerError(400)
        # Whether a transient token may make another one is not known; here it may.
        caller = self._security_caller(request)
        return media_container(
            request,
            {
                "size": 0,
                "token": server.issue_transient_token(caller.account or server.owner),
            },
        )

    async def _security_resources(self, request: web.Request) -> web.StreamResponse:
        server = self._server
        if not server.supports_sources:
            raise MediaServerError(404)
        caller = self._security_caller(request)
        if not caller.is_owner:
            raise MediaServerError(403)
        source = request.query.get("source", "")
        kind, _, identifier = source.partition("://")
        if (
            kind not in ("server", "provider")
            or not identifier
            or request.query.get("refresh", "0") not in ("0", "1")
        ):
            raise MediaServerError(400)
        # A source may name a provider of a server, server://<server>/<provider>, whose
        # addresses are those of the server.
        # What Plex answers for one that is not known, or for the server itself, is not
        # known either (plex-api.md §14).
        known = server.sources.get(f"{kind}://{identifier.partition('/')[0]}")
        if known is None:
            raise MediaServerError(404)
        if request.query.get("refresh") == "1":
            server.refreshed_sources.append(source)
        device = {
            "name": known.name,
            "clientIdentifier": known.client_identifier,
            "accessToken": known.access_token(caller.account or server.owner),
            "Connection": [
                connection.as_source() for connection in known.connections()
            ],
        }
        return media_container(
            request,
            {"size": 1, "Device": [device] if server.device_as_list else device},
        )

    async def _claim(self, request: web.Request) -> web.StreamResponse:
        server = self._server
        if server.claimed or not server.trusts_network:
            raise MediaServerError(401)
        # The token counts in the query alone (plex-api.md §17.3).
        account = self._claim_tokens.redeem(request.query.get("token", ""))
        if account is None:
            raise MediaServerError(500)
        server.claim(account)
        return self._account(request, server.access_token_for(account))

    async def _unclaim(self, request: web.Request) -> web.StreamResponse:
        caller = self._caller(request)
        if not caller.is_owner:
            raise MediaServerError(403)
        self._server.unclaim()
        return self._account(request)

    def _account(
        self, request: web.Request, token: str | None = None
    ) -> web.StreamResponse:
        """Return what a server tells of its account: with a token (§19.1)."""
        return answer(
            request,
            "MyPlex",
            {
                "authToken": token,
                "username": self._server.owner.email if token else None,
                "mappingState": "mapped" if token else "unknown",
                "mappingError": "",
                "signInState": "ok" if token else "none",
                "publicAddress": self._server.public_address,
                "privatePort": self._server.port,
            },
        )

    async def _library(self, request: web.Request) -> web.StreamResponse:
        if not self._caller(request).is_owner:
            raise MediaServerError(403)
        return media_container(request, {"size": 0, "title1": "Plex Library"})

    async def _sections(self, request: web.Request) -> web.StreamResponse:
        caller, server = self._caller(request), self._server
        shown = [
            section.as_fields()
            for section in server.library.sections
            if server.may_see(caller, section)
        ]
        return media_container(request, {"size": len(shown), "Directory": shown})

    async def _section(self, request: web.Request) -> web.StreamResponse:
        caller, library = self._caller(request), self._server.library
        section = library.find_section(request.match_info["key"])
        if section is None:
            raise MediaServerError(404)
        self._require(caller, section)
        return _items(request, library.in_section(section), section)

    async def _media(self, request: web.Request) -> web.StreamResponse:
        self._caller(request)
        return web.Response(body=PICTURE, content_type="image/png")

    async def _notifications(self, request: web.Request) -> web.StreamResponse:
        is_owner = self._caller(request).is_owner
        return await self._server.notifications.serve(request, is_owner=is_owner)

    async def _item(self, request: web.Request) -> web.StreamResponse:
        item = self._known_item(request)
        return _items(request, [item], item.section)

    async def _children(self, request: web.Request) -> web.StreamResponse:
        parent = self._known_item(request)
        children = self._server.library.children(parent)
        start, size = (
            int(request.query.get(f"X-Plex-Container-{name}", default))
            for name, default in (("Start", 0), ("Size", len(children)))
        )
        return _items(request, children[start : start + size], parent.section)

    async def _part(self, request: web.Request) -> web.StreamResponse:
        caller = self._caller(request)
        found = self._server.library.find_part(request.path)
        if found is None:
            raise MediaServerError(404)
        item, part = found
        self._require(caller, item.section)
        headers = {"Accept-Ranges": "bytes"}
        wanted = request.http_range
        if wanted == slice(None, None, 1):
            return web.Response(
                body=part.content, content_type=part.content_type, headers=headers
            )
        size = len(part.content)
        start, end, _ = wanted.indices(size)
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        return web.Response(
            body=part.content[wanted],
            status=206,
            content_type=part.content_type,
            headers=headers,
        )

    def _known_item(self, request: web.Request) -> Item:
        caller = self._caller(request)
        item = self._server.library.find(request.match_info["key"])
        if item is None:
            raise MediaServerError(404)
        self._require(caller, item.section)
        return item

    def _require(self, caller: Caller, section: Section) -> None:
        """Refuse what a caller may not see (plex-api.md §22.4)."""
        if not self._server.may_see(caller, section):
            raise MediaServerError(self._server.section_refusal_status)

    def _caller(self, request: web.Request) -> Caller:
        caller = self._server.caller(_token(request))
        if caller is None:
            raise MediaServerError(401, script=_TO_WEB_CLIENT)
        return caller

    def _security_caller(self, request: web.Request) -> Caller:
        caller = self._server.caller(_token(request))
        if caller is None:
            raise MediaServerError(self._server.security_refusal_status)
        return caller


def _items(
    request: web.Request, items: Iterable[Item], section: Section
) -> web.StreamResponse:
    """Return items of a section: in JSON under one name, in XML under that of each kind."""
    found = list(items)
    content: dict[str, object] = {
        "size": len(found),
        "allowSync": True,
        "identifier": "com.plexapp.plugins.library",
        "librarySectionID": section.key,
    }
    named: dict[str, list[dict[str, object]]] = {}
    for item in found:
        name = "Metadata" if wants_json(request) else item.element
        named.setdefault(name, []).append(item.as_fields())
    return media_container(request, content | named)


def _token(request: web.Request) -> str:
    return request.headers.get("X-Plex-Token") or request.query.get("X-Plex-Token", "")
