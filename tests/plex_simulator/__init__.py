"""A simulator of Plex: plex.tv and any number of media servers, on loopback ports.

In a test:

    async with PlexSimulator() as simulator:
        anna = simulator.add_account("anna", totp_secret=pyotp.random_base32())
        server = await simulator.add_server("Living Room", anna)
        ...  # let the client under test use simulator.api_url
        simulator.faults.set("user", Fault.status(503), times=2)
        await server.restart()
        assert simulator.requests_to("user")

Each server has one port that answers plain HTTP and TLS alike, as a real one does. Its
certificate is for a plex.direct name: give the client a `PlexDirectResolver` and
`ca_pem()`, or let it use `http_url`. What else a name stands for, as a router may have
it, is in the resolver's `names`.

Accounts can be a Plex Home, whose users are switched to as plex.tv does it; what no
source says for sure is set at `simulator.homes`:

        simulator.homes.add(anna, child)
        server.restrict(child, server.library.add_section(Kind.MOVIE, "Kids' Films"))

Another machine can answer for a server, and shows what it gets:

        impostor = await simulator.add_impostor(server, claimed=False)
        await impostor.take_over()  # the address of the server
        assert not impostor.tokens

Alone, with a ready-made world of accounts and servers:

    python -m tests.plex_simulator [--port N] [--https] [--world demo] [--ca-file FILE]

It prints one line of JSON with addresses, accounts and servers, runs until SIGINT or
SIGTERM, and is steered at its `control_url`:

    GET    world                         the same JSON again
    POST   servers/<identifier>/<what>   restart [boot_state], ready, stop, start,
                                         change_port, renew_certificate,
                                         rotate_access_tokens, vanish, reappear,
                                         share username, unshare, claim username,
                                         unclaim [listed], trust, distrust (its network)
    POST   accounts/<name>/revoke_tokens
    POST   accounts/<name>/sign_out_devices
                                         revoke_tokens, and its servers unclaim [listed]
    GET    accounts/<name>/code          the verification code that is right now
    POST   pins/<code>/link              username: who claims the link code
    POST   faults                        endpoint, kind, what that kind takes, times,
                                         host: machine identifier, or plex.tv
    DELETE faults
    POST   clock                         seconds to go forward
    GET    requests?count=N&endpoint=X   what has arrived
    GET    beacon                        what has arrived where hostile names point to

An account without a user name has its title for a name. What the hosts answer follows
the project's collection of facts about Plex, `plex-api.md`, where its sections are named;
where Plex's behaviour is not known the choice is said there, and can be changed by an
attribute.
"""

from .accounts import Account, AccountToken, Client, Subscription
from .beacon import Beacon
from .certificates import Certificate
from .clock import Clock
from .connections import Connection, PlexDirectResolver, plex_direct_address
from .faults import FAULT_KINDS, Fault, Faults, fault_named
from .homes import Home, Homes
from .hostile_names import HostileNames
from .impostor import Impostor
from .pins import Pin, Pins
from .plex_tv import SignInGuard
from .recording import RecordedRequest
from .servers import MediaServer, Source, TransientToken, Way
from .simulator import PLEX_TV, PlexSimulator

__all__ = [
    "FAULT_KINDS",
    "PLEX_TV",
    "Account",
    "AccountToken",
    "Beacon",
    "Certificate",
    "Client",
    "Clock",
    "Connection",
    "Fault",
    "Faults",
    "Home",
    "Homes",
    "HostileNames",
    "Impostor",
    "MediaServer",
    "Pin",
    "Pins",
    "PlexDirectResolver",
    "PlexSimulator",
    "RecordedRequest",
    "SignInGuard",
    "Source",
    "Subscription",
    "TransientToken",
    "Way",
    "fault_named",
    "plex_direct_address",
]
