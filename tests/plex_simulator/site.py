"""What all hosts have in common: an HTTP application, recorded and spoilt at will."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
import ssl

from aiohttp import web
from aiohttp.typedefs import Handler
import trustme

from .certificates import Certificate, server_context
from .clock import Clock
from .errors import SimulatedError
from .faults import Exchange, Faults
from .listener import Listener
from .recording import RecordedRequest

CONTROL_PREFIX = "/_simulator/"
FORM = web.RequestKey("FORM", Mapping[str, str])

type ErrorRenderer = Callable[
    [web.Request, SimulatedError | web.HTTPException], web.StreamResponse
]


@dataclass
class Surroundings:
    """Hold what all hosts of one simulator share: clock, authority, and records."""

    clock: Clock
    authority: trustme.CA
    requests: list[RecordedRequest] = field(default_factory=list)
    recording: bool = True


class Site:
    """Serve one host: its routes, its listeners, and a certificate for its names."""

    def __init__(
        self,
        host: str,
        surroundings: Surroundings,
        names: tuple[str, ...],
        *,
        routes: Iterable[web.RouteDef],
        render_error: ErrorRenderer,
        decorate: Callable[[web.StreamResponse], None] | None = None,
    ) -> None:
        """Describe the host.

        `host` names it in records, `names` go into its certificate,
        `render_error` writes the bodies of errors, and `decorate` adds headers
        to every answer.
        """
        self.host = host
        self.surroundings = surroundings
        self.listeners: dict[str, Listener] = {}
        self.rejects_plain = False
        self._routes = list(routes)
        self.faults = Faults(
            route.kwargs["name"] for route in self._routes if "name" in route.kwargs
        )
        self._render_error = render_error
        self._decorate = decorate
        self._runner: web.AppRunner | None = None
        self._busy: set[asyncio.Task[object]] = set()
        self._tls: ssl.SSLContext | None
        self.set_certificate(names)

    @property
    def is_running(self) -> bool:
        """Return whether the host answers."""
        return self._runner is not None

    @property
    def connection_count(self) -> int:
        """Return how many connections are open."""
        server = self._runner.server if self._runner is not None else None
        return len(server.connections) if server is not None else 0

    def set_certificate(
        self, names: tuple[str, ...], kind: Certificate = Certificate.VALID
    ) -> None:
        """Show a new certificate from now on, and reset all open connections."""
        self._tls = server_context(self.surroundings.authority, names, kind)
        for listener in self.listeners.values():
            listener.cut_connections()

    def add_listener(
        self, way: str, address: str, port: int, names: tuple[str, ...] = ()
    ) -> Listener:
        """Prepare a listener; it opens when the site starts.

        With `names` it shows a certificate of its own, which is good for them.
        """
        own = (
            server_context(self.surroundings.authority, names, Certificate.VALID)
            if names
            else None
        )
        listener = Listener(
            way,
            address,
            port,
            protocol=self._protocol,
            tls=lambda: own or self._tls,
            allows_plain=lambda: not self.rejects_plain,
        )
        self.listeners[way] = listener
        return listener

    def reject_plain(self, rejected: bool) -> None:
        """Reset plain HTTP connections from now on, or allow them again.

        All that are open are reset with them.
        """
        self.rejects_plain = rejected
        if rejected:
            for listener in self.listeners.values():
                listener.cut_connections()

    def vanish(self) -> None:
        """Let all that is sent here go unheard from now on."""
        for listener in self.listeners.values():
            listener.fall_silent()

    def reappear(self) -> None:
        """Hear again, once it has stopped and started."""
        for listener in self.listeners.values():
            listener.is_silent = False

    async def start(self) -> None:
        """Start to answer on all listeners; does nothing when it does already."""
        if self._runner is not None:
            return
        application = web.Application(middlewares=[self._through])
        application.add_routes(self._routes)
        application.on_response_prepare.append(self._add_headers)
        runner = web.AppRunner(
            application, access_log=None, handler_cancellation=True, shutdown_timeout=1
        )
        await runner.setup()
        self._runner = runner
        try:
            for listener in self.listeners.values():
                if listener.is_enabled:
                    listener.open()
        except OSError:
            await self.close()
            raise

    async def close(self) -> None:
        """Stop, and give the ports back."""
        await self.stop()
        for listener in self.listeners.values():
            listener.release()

    async def stop(self) -> None:
        """Stop to answer: close ports, reset connections, cancel requests at work."""
        for listener in self.listeners.values():
            await listener.close()
        if (runner := self._runner) is None:
            return
        self._runner = None
        busy = self._busy - {asyncio.current_task()}
        for task in busy:
            task.cancel()
        if busy:
            await asyncio.wait(busy)
        # A reset connection tells its protocol in the next turn of the loop, with TLS one
        # turn later, and the task of the protocol ends after that.
        for _ in range(8):
            await asyncio.sleep(0)
        await runner.cleanup()

    def _protocol(self) -> asyncio.Protocol:
        if self._runner is None or self._runner.server is None:
            message = "a listener is open only while the host runs"
            raise RuntimeError(message)
        return self._runner.server()

    async def _add_headers(
        self, request: web.Request, response: web.StreamResponse
    ) -> None:
        if self._decorate is not None:
            self._decorate(response)

    @web.middleware
    async def _through(
        self, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        if request.path.startswith(CONTROL_PREFIX):
            return await handler(request)
        if (task := asyncio.current_task()) is not None:
            self._busy.add(task)
            task.add_done_callback(self._busy.discard)
        endpoint = request.match_info.route.name or "unknown"
        record = await self._record(request, endpoint)

        async def respond() -> web.StreamResponse:
            try:
                return await handler(request)
            except (SimulatedError, web.HTTPException) as error:
                return self._render_error(request, error)

        fault = self.faults.take(endpoint)
        response = await (
            respond() if fault is None else fault.play(Exchange(request, respond))
        )
        if request.transport is not None and not request.transport.is_closing():
            record.status = response.status
        return response

    async def _record(self, request: web.Request, endpoint: str) -> RecordedRequest:
        request[FORM] = await _form(request)
        address = (
            request.transport.get_extra_info("sockname")[:2]
            if request.transport is not None
            else None
        )
        record = RecordedRequest(
            when=self.surroundings.clock.now(),
            host=self.host,
            endpoint=endpoint,
            method=request.method,
            path=request.path,
            query=dict(request.query),
            headers=request.headers,
            form=request[FORM],
            secure=request.secure,
            way=next(
                (
                    way
                    for way, listener in self.listeners.items()
                    if (listener.host, listener.port) == address
                ),
                "",
            ),
        )
        if self.surroundings.recording:
            self.surroundings.requests.append(record)
        return record


async def _form(request: web.Request) -> dict[str, str]:
    if request.content_type != "application/x-www-form-urlencoded":
        return {}
    try:
        fields = await request.post()
    except LookupError, UnicodeDecodeError:
        return {}
    return {name: value for name, value in fields.items() if isinstance(value, str)}
