"""Hostile answers end in PlexError, in little memory, and leave nothing behind."""

import asyncio
from collections.abc import Iterator
from compression import zstd
from contextlib import suppress
import gzip
import tracemalloc
import zlib

from aiohttp import ClientSession, DummyCookieJar
import aiohttp_fast_zlib
import pytest

from custom_components.plex_auth.api.errors import PlexError
from custom_components.plex_auth.api.failures import plex_tv_error
from custom_components.plex_auth.api.transport import Transport

from .population import IDENTITY
from .raw_host import raw_host

MIB = 1024 * 1024


def answer(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """Return an answer that says how long its body is."""
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def packed(encoding: str, body: bytes, status: str = "200 OK") -> bytes:
    """Return an answer whose body is, or claims to be, compressed."""
    return answer(body, f"Content-Encoding: {encoding}", status=status)


def chunked(encoding: str, body: bytes) -> bytes:
    """Return a compressed answer in small chunks."""
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\n"
    chunks = b"".join(
        b"%x\r\n%s\r\n" % (len(part), part)
        for part in (body[start : start + 4000] for start in range(0, len(body), 4000))
    )
    return f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + chunks + b"0\r\n\r\n"


def retry(wish: str) -> bytes:
    """Return an answer that wants to be asked later."""
    return answer(b"{}", f"Retry-After: {wish}", status="429 Slow down")


ZEROS = b"\0" * (64 * MIB)
SMALL = b'{"a": 1}' * 50
BAD_UTF8 = b"HTTP/1.1 200 \xff\xfe\r\nX: \xff\r\nContent-Length: 2\r\n\r\n{}"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

# What may also be understood, as long as it does no harm.
CASES = {
    "gzip bomb": packed("gzip", gzip.compress(ZEROS)),
    "gzip bomb of an error": packed("gzip", gzip.compress(ZEROS), "500 X"),
    "gzip bomb in chunks": chunked("gzip", gzip.compress(ZEROS)),
    "deflate bomb": packed("deflate", zlib.compress(ZEROS)),
    "raw deflate bomb": packed("deflate", zlib.compress(ZEROS, wbits=-15)),
    "zstd bomb": packed("zstd", zstd.compress(ZEROS)),
    "zstd bomb in chunks": chunked("zstd", zstd.compress(ZEROS)),
    "gzip twice": packed("gzip, gzip", gzip.compress(gzip.compress(ZEROS))),
    "gzip members": packed("gzip", gzip.compress(b"") * 5000),
    "zstd members": packed("zstd", zstd.compress(b"") * 5000),
    "gzip cut": packed("gzip", gzip.compress(SMALL)[:-6]),
    "deflate cut": packed("deflate", zlib.compress(SMALL)[:-3]),
    "zstd cut": packed("zstd", zstd.compress(SMALL)[:-3]),
    "gzip cut in chunks": chunked("gzip", gzip.compress(SMALL)[:-6]),
    "gzip tail": packed("gzip", gzip.compress(SMALL) + b"garbage"),
    "deflate tail": packed("deflate", zlib.compress(SMALL) + b"garbage"),
    "zstd tail": packed("zstd", zstd.compress(SMALL) + b"garbage"),
    "gzip that is none": packed("gzip", b"abc"),
    "brotli": packed("br", b"abc"),
    "unknown encoding": packed("foo", b"abc"),
    "empty gzip": packed("gzip", b""),
    "gzip 304": packed("gzip", b"", "304 Not modified"),
    "101": b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nabc",
    "100 for ever": b"HTTP/1.1 100 Continue\r\n\r\n" * 20_000,
    "204 with body": answer(b"abc", status="204 No content"),
    "304": answer(b"", status="304 Not modified"),
    "two lengths": answer(b"abcd", "Content-Length: 3"),
    "negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\nabcd",
    "endless length": b"HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\na" % (b"9" * 26),
    "status 99": answer(b"abc", status="99 X"),
    "status 999": answer(b"abc", status="999 X"),
    "HTTP 2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "headers": answer(b"{", *(f"X{number}: y" for number in range(20_000))),
    "chunk extension": CHUNKED + b"2;" + b"x" * 100_000 + b"\r\n{}\r\n0\r\n\r\n",
    "trailers": CHUNKED + b"2\r\n{}\r\n0\r\n" + b"X: y\r\n" * 50_000 + b"\r\n",
    "no UTF-8": BAD_UTF8,
    "retry in a year of five digits": retry("Mon, 99 Feb 99999 99:99:99 +9999"),
    "retry before all time": retry("Mon, 01 Jan 0001 00:00:00 +2359"),
    "retry after all time": retry("Fri, 31 Dec 9999 23:59:59 -2359"),
    "retry in a far zone": retry("Mon, 01 Jan 2026 00:00:00 +99999999"),
    "retry in long": retry("9" * 5000),
    "retry in other digits": retry("٣٤"),
    "deep JSON": answer(b"[" * 1_000_000),
    "deep JSON objects": answer(b'{"a":' * 100_000),
    "deep JSON that ends": answer(b"[" * 50_000 + b"]" * 50_000),
    "deep XML": answer(b"<a>" * 140_000 + b"</a>" * 140_000),
    "wide XML": answer(b"<a>" + b"<a/>" * 260_000 + b"</a>"),
    "XML attributes": answer(
        b"<a " + b" ".join(b'a%d=""' % number for number in range(80_000)) + b"/>"
    ),
    "XML entity": answer(
        b'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/hostname">]><r>&x;</r>'
    ),
    "XML entity in UTF-16": answer(
        '<!DOCTYPE r [<!ENTITY x "boo">]><r>&x;</r>'.encode("utf-16")
    ),
    "XML in hex": answer(b'<?xml version="1.0" encoding="hex"?><r>+AGE-</r>'),
    "long number": answer(b'{"id": ' + b"9" * 900_000 + b"}"),
    "no numbers": answer(b'{"id": 1e999, "x": NaN, "y": -Infinity}'),
}
HARMLESS = {"BAD_UTF8", "no UTF-8", "no numbers", "chunk extension", "trailers"}
HARMLESS |= {
    "deep JSON that ends",
    "204 with body",
    "304",
    "gzip 304",
    "XML attributes",
}
HARMLESS |= {"gzip members", "zstd members", "empty gzip"}


@pytest.fixture
def library(request: pytest.FixtureRequest) -> Iterator[None]:
    """Unpack with Python's zlib, or with the one that Home Assistant uses."""
    if request.param:
        aiohttp_fast_zlib.enable()
    yield
    aiohttp_fast_zlib.disable()


@pytest.mark.parametrize(
    ("library", "name"),
    [
        *((False, name) for name in CASES),
        *((True, name) for name, case in CASES.items() if b"Content-Encoding" in case),
    ],
    indirect=["library"],
)
async def test_hostile_answer(library: None, name: str) -> None:
    """Whatever comes ends soon, in PlexError, and takes less than 16 MiB."""
    complaints: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    async with (
        raw_host(CASES[name]) as url,
        ClientSession(cookie_jar=DummyCookieJar()) as session,
    ):
        transport = Transport(session, IDENTITY)
        tracemalloc.start()
        try:
            async with asyncio.timeout(10):
                with (
                    suppress(PlexError)
                    if name in HARMLESS
                    else pytest.raises(PlexError)
                ):
                    await transport.request("GET", url, plex_tv_error)
        finally:
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
    # A tag has to be held whole, with all its attributes, before it can be refused.
    assert peak < (32 if name == "XML attributes" else 16) * MIB
    assert not complaints
