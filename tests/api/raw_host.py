"""A host that answers with whatever bytes there are to send."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from yarl import URL


@asynccontextmanager
async def raw_host(content: bytes) -> AsyncIterator[URL]:
    """Answer every request with exactly these bytes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(content)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        address, port = server.sockets[0].getsockname()[:2]
        yield URL(f"http://{address}:{port}/")
        server.close_clients()
