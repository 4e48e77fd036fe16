"""Somebody who means harm: a machine at a server's address, and names with traps."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from tests.harness import Harness
from tests.plex_simulator import (
    Account,
    Certificate,
    HostileNames,
    Impostor,
    MediaServer,
    RecordedRequest,
    Way,
)

# What a machine shows that is not the server: no certificate, its own, or a forged one.
CERTIFICATES: Final = (
    Certificate.ABSENT,
    Certificate.VALID,
    Certificate.UNKNOWN_AUTHORITY,
)
_TURNS: Final = 200  # of the event loop, in which a request under way fails


@dataclass(frozen=True, slots=True, kw_only=True)
class Disguise:
    """Say what an impostor claims to be."""

    certificate: Certificate
    claimed: bool | None
    is_right: bool

    def may_get(
        self, impostor: Impostor, request: RecordedRequest, *, accepts_plain: bool
    ) -> set[str]:
        """Return the secrets that a request may bring to it, as SECURITY.md has it.

        Plain HTTP in the home network proves nothing. A machine there that has the
        identity of a server, and does not say that it belongs to nobody, gets the tokens
        for this server: the one that plex.tv lists or somebody typed, and the transient
        tokens that the server has given; where the server is only shared, no earlier
        than somebody has typed such an address for it. It gets no token for anything
        else, neither an account token nor a claim token. Over TLS, with another
        identity, or once it says that it belongs to nobody, it gets no secret at all.
        """
        if request.secure or not self.is_right or self.claimed is False:
            return set()
        return impostor.server.secrets() if accepts_plain else set()


@dataclass(slots=True)
class Adversary:
    """Take addresses of servers and give them back, and let names be hostile."""

    harness: Harness
    servers: list[MediaServer]
    # Servers for which somebody has typed, or agreed to, an address without TLS.
    typed: set[MediaServer] = field(default_factory=set)
    _impostors: dict[Impostor, Disguise] = field(default_factory=dict)
    _restore: list[Callable[[], None]] = field(default_factory=list)

    @property
    def names(self) -> HostileNames:
        """Return hostile names."""
        return self.harness.world.hostile.names

    @property
    def impostors(self) -> list[Impostor]:
        """Return the impostors that have an address, the oldest first."""
        return list(self._impostors)

    @property
    def free(self) -> list[MediaServer]:
        """Return the servers that have their own address."""
        taken = [impostor.server for impostor in self._impostors]
        return [one for one in self.servers if one not in taken]

    async def take(self, server: MediaServer, disguise: Disguise) -> None:
        """Let another machine answer at the address of a server.

        Nobody answers there in between, so that what was sent to the server does not
        arrive at the other one.
        """
        await server.close_way(Way.LOCAL)
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        impostor = await self.harness.simulator.add_impostor(
            server, certificate=disguise.certificate, claimed=disguise.claimed
        )
        if not disguise.is_right:
            impostor.machine_identifier = "f" * 40
        self._impostors[impostor] = disguise
        await impostor.take_over()

    async def give_back(self, *impostors: Impostor) -> None:
        """Let servers have their addresses again, and check what was got there."""
        for impostor in impostors:
            await self.harness.simulator.remove_impostor(impostor)
        try:
            self.check()
        finally:
            for impostor in impostors:
                del self._impostors[impostor]

    def rename(self, server: MediaServer, name: str) -> None:
        """Let a server have a hostile name, and its owner the same one."""
        named: tuple[tuple[MediaServer | Account, str], ...]
        named = (server, "name"), (server.owner, "title"), (server, "platform")
        for one, attribute in named:
            self._restore.append(
                partial(setattr, one, attribute, getattr(one, attribute))
            )
            setattr(one, attribute, name)

    def check(self) -> None:
        """Check that no impostor got what it must not, and that no name was followed."""
        for impostor, disguise in self._impostors.items():
            server = impostor.server
            is_own = server.owner is self.harness.anna
            accepts_plain = is_own or server in self.typed
            for request in impostor.requests:
                wrong = impostor.secrets_in(request) - disguise.may_get(
                    impostor, request, accepts_plain=accepts_plain
                )
                what = f"{request.method} {request.path}, secure: {request.secure}"
                assert not wrong, f"{what} brings {wrong} to {disguise}"
            impostor.requests.clear()
        assert not self.harness.world.hostile.beacon.requests

    async def end(self) -> None:
        """Give everything back, addresses and names."""
        while self._restore:
            self._restore.pop()()
        await self.give_back(*self.impostors)
