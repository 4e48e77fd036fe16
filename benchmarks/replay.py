"""Answers of the simulated Plex, kept: `python -m benchmarks.replay WORLD`.

The simulator needs about a millisecond for an answer, more than a quick client. Many
calls at once would show how fast the simulator is; so they go to this process, which has
each answer from the simulator once and then repeats it. It prints the world with its own
addresses in place of the simulator's and runs until SIGTERM.
"""

import asyncio
import json
from pathlib import Path
import signal
import socket
import sys
from typing import override
from urllib.parse import urlsplit

_END_OF_HEAD = b"\r\n\r\n"
_MATTERS = (b"accept:", b"x-plex-token:")


def main() -> None:
    """Run until SIGTERM."""
    asyncio.run(_run(json.loads(Path(sys.argv[1]).read_text())))


async def _run(world: dict[str, object]) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    text = json.dumps(world)
    accounts = world["accounts"]
    assert isinstance(accounts, list)
    for url in (str(world["base_url"]), accounts[0]["servers"][0]["url"]):
        upstream = urlsplit(url)
        address = (upstream.hostname or "", upstream.port or 0)
        kept: dict[bytes, bytes] = {}
        server = await loop.create_server(
            lambda address=address, kept=kept: _Replay(address, kept),  # type: ignore[misc]
            "127.0.0.1",
        )
        port = server.sockets[0].getsockname()[1]
        text = text.replace(url, f"http://127.0.0.1:{port}")
    print(text, flush=True)
    await stopped.wait()


class _Replay(asyncio.Protocol):
    """Answer the requests of one connection with what is kept."""

    def __init__(self, upstream: tuple[str, int], kept: dict[bytes, bytes]) -> None:
        self._upstream = upstream
        self._kept = kept
        self._buffer = b""

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    @override
    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (request := _first_message(self._buffer)) is not None:
            self._buffer = self._buffer[len(request) :]
            lines = request.partition(_END_OF_HEAD)[0].split(b"\r\n")
            matters = [line for line in lines if line.lower().startswith(_MATTERS)]
            key = b"\n".join([lines[0], *matters])
            if (answer := self._kept.get(key)) is None:
                answer = self._kept[key] = _ask(self._upstream, request)
            self._transport.write(answer)


def _ask(address: tuple[str, int], request: bytes) -> bytes:
    """Return the simulator's own answer."""
    with socket.create_connection(address) as connection:
        connection.sendall(request)
        answer = b""
        while _first_message(answer) is None:
            if not (chunk := connection.recv(1 << 16)):
                message = "the simulator closed the connection"
                raise RuntimeError(message)
            answer += chunk
    return answer


def _first_message(data: bytes) -> bytes | None:
    """Return the first whole message, head and body, None if it is not complete."""
    head, found, _ = data.partition(_END_OF_HEAD)
    if not found:
        return None
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    end = len(head) + len(_END_OF_HEAD) + length
    return data[:end] if len(data) >= end else None


if __name__ == "__main__":
    main()
