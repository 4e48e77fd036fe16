"""A request that several callers share, each of whom may be cancelled."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from custom_components.plex_auth.api.errors import CannotConnectError, UnavailableError
from custom_components.plex_auth.api.shared_request import SharedRequest


class Request:
    """Play a request that takes as long as the test wants."""

    def __init__(self) -> None:
        """Start with a shared request that nobody has made."""
        self.count = 0
        self.error: Exception | None = None
        self.tasks: list[asyncio.Task[None]] = []
        self.answer = asyncio.Event()
        self.shared = SharedRequest(self._make, self._start)

    async def caller(self) -> asyncio.Task[None]:
        """Return a caller who has come, and now waits."""
        caller = asyncio.create_task(self.shared.share())
        await turns()
        return caller

    def _start(self, request: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        self.tasks.append(asyncio.create_task(request))
        return self.tasks[-1]

    async def _make(self) -> None:
        self.count += 1
        await self.answer.wait()
        if self.error is not None:
            raise self.error


async def turns() -> None:
    """Let everybody who can go on do so."""
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.fixture
async def request_() -> Request:
    """Return a request that is not answered yet."""
    return Request()


async def test_callers_at_once_share(request_: Request) -> None:
    """Those who come in the same moment share one request."""
    request_.answer.set()
    await asyncio.gather(*(request_.shared.share() for _ in range(3)))
    assert request_.count == 1


async def test_callers_who_come_later_share_the_next(request_: Request) -> None:
    """Those who come while it is being made share one further request."""
    callers = [await request_.caller() for _ in range(4)]
    assert request_.count == 1
    request_.answer.set()
    await asyncio.gather(*callers)
    assert request_.count == 2


@pytest.mark.parametrize("cancelled", range(3))
async def test_cancelled_caller_spoils_nothing(
    request_: Request, cancelled: int
) -> None:
    """The others get their answer, whoever of them goes."""
    callers = [await request_.caller() for _ in range(3)]
    gone = callers.pop(cancelled)
    gone.cancel()
    await asyncio.wait([gone])
    assert gone.cancelled()
    request_.answer.set()
    await asyncio.gather(*callers)
    assert request_.count == 2


async def test_request_outlives_its_only_caller(request_: Request) -> None:
    """A request that nobody waits for any more is made to its end."""
    caller = await request_.caller()
    caller.cancel()
    await asyncio.wait([caller])
    request_.answer.set()
    await asyncio.gather(*request_.tasks)
    assert request_.count == 1


async def test_failure_is_shared(request_: Request) -> None:
    """A failure is raised to all who share the request, and to nobody after them."""
    request_.error = UnavailableError()
    callers = [await request_.caller() for _ in range(3)]
    request_.answer.set()
    results = await asyncio.gather(*callers, return_exceptions=True)
    assert results == [request_.error] * 3
    request_.error = None
    await request_.shared.share()
    assert request_.count == 3


async def test_failure_without_a_caller(
    request_: Request, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody complains of a failure that nobody waits for any more."""
    request_.error = UnavailableError()
    caller = await request_.caller()
    caller.cancel()
    request_.answer.set()
    await asyncio.wait([caller, *request_.tasks])
    request_.tasks.clear()
    assert "never retrieved" not in caplog.text


async def test_cancelled_request(request_: Request) -> None:
    """Who waits for a request that is cancelled cannot connect; the next one works."""
    callers = [await request_.caller() for _ in range(2)]
    request_.tasks[0].cancel()
    with pytest.raises(CannotConnectError):
        await callers[0]
    request_.answer.set()
    await callers[1]
    await request_.shared.share()


async def test_join(request_: Request) -> None:
    """Who joins waits for the request that is being made, but makes none."""
    await request_.shared.join()
    assert request_.count == 0
    request_.error = UnavailableError()
    await request_.caller()
    joined = asyncio.create_task(request_.shared.join())
    await turns()
    request_.answer.set()
    with pytest.raises(UnavailableError):
        await joined
    assert request_.count == 1
