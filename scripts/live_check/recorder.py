"""The integration's own transport, and what Plex answered through it."""

from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any, Self, override

from aiohttp import ClientSession, DummyCookieJar, TraceConfig, TraceRequestEndParams
from yarl import URL

from custom_components.plex_auth.api.bodies import Json, decode
from custom_components.plex_auth.api.errors import PlexError
from custom_components.plex_auth.api.failures import Failure, FailureReader
from custom_components.plex_auth.api.transport import ClientInfo, Transport

from .expected import Call
from .shapes import Comparison, Difference, Kind, compare


@dataclass(frozen=True)
class Record:
    """Hold how a call ended: its status (0: no answer) and what differs."""

    call: Call
    status: int
    fields: int
    differences: tuple[Difference, ...]


@dataclass
class _Answer:
    """Hold the answer that came last; its data only until it has been compared."""

    status: int = 0
    form: str = "nothing"
    data: Json = None


class Recorder:
    """Let calls be made as the integration makes them, and compare their answers."""

    def __init__(self, client: ClientInfo) -> None:
        """Record under a client's name. Use it in an `async with` block."""
        self.records: list[Record] = []
        self._client = client
        self._last = _Answer()
        trace = TraceConfig()
        trace.on_request_end.append(self._on_request_end)
        self._session = ClientSession(
            cookie_jar=DummyCookieJar(), trace_configs=[trace]
        )

    async def __aenter__(self) -> Self:
        """Return the recorder itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the session."""
        await self._session.close()

    def transport(self) -> Transport:
        """Return the transport to call Plex through."""
        return _RecordingTransport(self._session, self._client, self._last)

    async def check[T](self, call: Call, answer: Awaitable[T]) -> T | None:
        """Await a call, compare its answer, and return its result, None without one."""
        self._clear()
        result: T | None = None
        reason = ""
        try:
            result = await answer
        except PlexError as err:
            reason = type(err).__name__
        self.records.append(self._record(call, reason))
        self._clear()
        return result

    async def attempt(self, answer: Awaitable[object]) -> tuple[int, str]:
        """Await a call of which nothing is expected; return its status and form."""
        self._clear()
        with suppress(PlexError):
            await answer
        status, form = self._last.status, self._last.form
        self._clear()
        return status, form

    def _record(self, call: Call, reason: str) -> Record:
        last = self._last
        if not last.status:
            found = Difference(Kind.STATUS, "", _listed(call.statuses), reason)
            return Record(call, 0, 0, (found,))
        if last.status not in call.statuses:
            found = Difference(
                Kind.STATUS, "", _listed(call.statuses), str(last.status)
            )
            return Record(call, last.status, 0, (found,))
        if last.form != call.form:
            found = Difference(Kind.FORM, "", call.form, last.form)
            return Record(call, last.status, 0, (found,))
        compared = Comparison(frozenset(), ())
        if call.form == "json":
            compared = compare(call.fields, last.data)
        return Record(call, last.status, len(compared.seen), compared.differences)

    async def _on_request_end(
        self, session: ClientSession, _: SimpleNamespace, params: TraceRequestEndParams
    ) -> None:
        response = params.response
        self._last.status = response.status
        self._last.form = _form(response.content_type, response.status)

    def _clear(self) -> None:
        self._last.status, self._last.form, self._last.data = 0, "nothing", None


class _RecordingTransport(Transport):
    """Keep what is in an answer for the recorder, before the models drop the rest."""

    def __init__(
        self, session: ClientSession, client: ClientInfo, last: _Answer
    ) -> None:
        super().__init__(session, client)
        self._last = last

    @override
    async def _send(
        self, method: str, url: URL, failure_reader: FailureReader, **options: Any
    ) -> bytes:
        def read(failure: Failure) -> PlexError:
            self._keep(failure.body)
            return failure_reader(failure)

        body = await super()._send(method, url, read, **options)
        self._keep(body)
        return body

    def _keep(self, body: bytes) -> None:
        with suppress(PlexError):
            self._last.data = decode(body)


def _form(content_type: str, status: int) -> str:
    if status == HTTPStatus.NO_CONTENT:
        return "nothing"
    for form in ("json", "xml", "html"):
        if form in content_type:
            return form
    return "something else"


def _listed(statuses: tuple[int, ...]) -> str:
    return " or ".join(map(str, statuses))
