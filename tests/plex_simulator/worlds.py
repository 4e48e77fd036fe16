"""Ready-made populations of accounts and servers."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Unpack

import pyotp

from .accounts import Account, AccountFields, Client, Subscription
from .beacon import Beacon
from .homes import Home
from .hostile_names import HostileNames
from .library import Item, Kind, Library, Section
from .servers import MediaServer
from .simulator import PlexSimulator

CHILD_PIN = "2580"
PODCASTS = "tv.plex.provider.podcasts"


@dataclass(frozen=True, kw_only=True)
class HostileWorld:
    """Hold an account all of whose names are hostile, and what it has.

    It owns a server, and has another one from a friend, who can be no better trusted.
    """

    names: HostileNames
    beacon: Beacon
    account: Account
    friend: Account
    own: MediaServer
    shared: MediaServer


async def add_hostile(simulator: PlexSimulator) -> HostileWorld:
    """Add an account with hostile names for itself, its servers and its devices."""
    beacon = await simulator.add_beacon()
    names = HostileNames(beacon.url)
    account = simulator.add_account(
        "mallory",
        description="hostile names everywhere, one own server, a shared one",
        title=names.account,
        friendly_name=names.account,
    )
    friend = simulator.add_account(
        "oscar", description="a hostile name, shares a server", title=names.friend
    )
    for name in names.single:
        account.add_device(Client(name=name, product=name, platform=name, device=name))
    own = await simulator.add_server(names.server, account)
    own.library.add(Kind.MOVIE, names.link, ["/films/[1](2).mkv"])
    return HostileWorld(
        names=names,
        beacon=beacon,
        account=account,
        friend=friend,
        own=own,
        shared=await simulator.add_server(
            names.shared_server, friend, shared_with=[account]
        ),
    )


@dataclass(frozen=True, kw_only=True)
class HomeWorld:
    """Hold a Plex Home, and what its child may see at a server of the admin.

    The child has a PIN and may see one section alone; the managed user has no PIN and
    sees everything, and so does the adult, who has an account of their own.
    """

    home: Home
    admin: Account
    managed: Account
    child: Account
    adult: Account
    guest: Account
    server: MediaServer
    section: Section
    film: Item


def add_home(
    simulator: PlexSimulator, server: MediaServer, managed: Account | None = None
) -> HomeWorld:
    """Make a Home of the owner of a server and others, who may use it but for the guest.

    `managed` is a managed user who is there already.
    """
    admin = server.owner
    managed = managed or simulator.add_account(
        "", title="Emil", password=None, restricted=True
    )
    young = simulator.add_account(
        "",
        password=None,
        restricted=True,
        restriction_profile="little_kid",
        pin=CHILD_PIN,
        title="Lina",
        description="child of a home: has a PIN, may see one section",
    )
    adult = simulator.add_account(
        "ida", title="Ida", description="adult of a home, with an own account"
    )
    guest = simulator.add_account(
        "", title="Guest", password=None, description="guest of a home"
    )
    server.shared_with += [
        user for user in (managed, young, adult) if user not in server.shared_with
    ]
    section = server.library.add_section(Kind.MOVIE, "Kids' Films")
    film = server.library.add(
        Kind.MOVIE, "The Snail", ["/kids/The Snail.mkv"], section=section
    )
    server.restrict(young, section)
    return HomeWorld(
        home=simulator.homes.add(admin, managed, young, adult, guest=guest),
        admin=admin,
        managed=managed,
        child=young,
        adult=adult,
        guest=guest,
        server=server,
        section=section,
        film=film,
    )


@dataclass(frozen=True, kw_only=True)
class DemoWorld:
    """Hold the accounts and servers of `demo` by what they stand for."""

    two_factor: Account
    free: Account
    yearly: Account
    email_only: Account
    managed: Account
    social: Account
    without_servers: Account
    three_servers: Account
    living_room: MediaServer
    basement: MediaServer
    shared: MediaServer
    home: HomeWorld
    hostile: HostileWorld
    film: Item
    show: Item
    season: Item
    episode: Item


async def demo(simulator: PlexSimulator) -> DemoWorld:
    """Fill the simulator with one account of each kind, and servers.

    Servers are own, shared, or need secure connections.
    """
    now = simulator.clock.now()

    def add(username: str, **fields: Unpack[AccountFields]) -> Account:
        fields.setdefault("title", username.capitalize())
        return simulator.add_account(username, **fields)

    two_factor = add(
        "anna",
        description="two-factor authentication, lifetime Plex Pass, two own servers",
        totp_secret=pyotp.random_base32(),
        backup_codes_created=True,
        subscription=Subscription.lifetime(now - timedelta(days=1500)),
    )
    free = add(
        "ben", description="no two-factor authentication, no Plex Pass, a shared server"
    )
    yearly = add(
        "carla",
        description="yearly Plex Pass, one own server that she shares",
        subscription=Subscription.yearly(
            now - timedelta(days=300), now + timedelta(days=65)
        ),
    )
    email_only = add(
        "dora", description="can sign in with the e-mail address only", email_only=True
    )
    managed = add(
        "",
        description="managed user of Anna's home: no user name, e-mail or password",
        title="Emil",
        password=None,
        restricted=True,
    )
    social = add(
        "fritz",
        description="signs in with Google: no password, link code only",
        password=None,
    )
    without_servers = add(
        "gina",
        description="no server, a Plex Pass that has ended, e-mail not confirmed",
        confirmed=False,
        subscription=Subscription.ended(
            now - timedelta(days=900), now - timedelta(days=100)
        ),
    )
    three_servers = add("hugo", description="three own servers")

    living_room = await simulator.add_server(
        "Living Room", two_factor, shared_with=[free, managed]
    )
    living_room.add_provider(PODCASTS, "Podcasts")
    film, show, season, episode = _fill(living_room.library)
    basement = await simulator.add_server("Basement", two_factor)
    shared = await simulator.add_server(
        "Carla's Films", yearly, shared_with=[two_factor]
    )
    for name in ("Attic", "Garage"):
        await simulator.add_server(name, three_servers)
    await simulator.add_server("Vault", three_servers, https_required=True)
    return DemoWorld(
        two_factor=two_factor,
        free=free,
        yearly=yearly,
        email_only=email_only,
        managed=managed,
        social=social,
        without_servers=without_servers,
        three_servers=three_servers,
        living_room=living_room,
        basement=basement,
        shared=shared,
        hostile=await add_hostile(simulator),
        home=add_home(simulator, living_room, managed),
        film=film,
        show=show,
        season=season,
        episode=episode,
    )


def _fill(library: Library) -> tuple[Item, Item, Item, Item]:
    """Add a film of two versions, the first in two parts, and a show with an episode."""
    film = library.add(
        Kind.MOVIE,
        "The Long Way Home",
        ["/films/The Long Way Home 1.mkv", "/films/The Long Way Home 2.mkv"],
        ["/films/The Long Way Home, small.mp4"],
    )
    show = library.add(Kind.SHOW, "Neighbours")
    season = library.add(Kind.SEASON, "Season 1", parent=show)
    episode = library.add(
        Kind.EPISODE, "The Fence", ["/shows/Neighbours 1x01.mkv"], parent=season
    )
    return film, show, season, episode


@dataclass(frozen=True, kw_only=True)
class FixedWorld:
    """Hold accounts and servers whose identifiers are always the same."""

    plex_pass: Account
    free: Account
    managed: Account
    child: Account
    attic: MediaServer
    cellar: MediaServer


async def async_fixed_world(simulator: PlexSimulator) -> FixedWorld:
    """Fill the simulator with a world that snapshots can show."""
    now = simulator.clock.now()
    plex_pass = simulator.add_account(
        "paula",
        id=1001,
        uuid="aaaaaaaaaaaaaaaa",
        title="Paula",
        totp_secret="JBSWY3DPEHPK3PXP",
        subscription=Subscription.yearly(
            now - timedelta(days=300), now + timedelta(days=65)
        ),
    )
    free = simulator.add_account(
        "frank", id=1002, uuid="bbbbbbbbbbbbbbbb", title="Frank", confirmed=False
    )
    managed = simulator.add_account(
        "",
        id=1003,
        uuid="cccccccccccccccc",
        title="Mia",
        password=None,
        restricted=True,
    )
    child = simulator.add_account(
        "",
        id=1004,
        uuid="dddddddddddddddd",
        title="Leo",
        password=None,
        restricted=True,
        pin=CHILD_PIN,
    )
    simulator.homes.add(plex_pass, managed, child)
    attic = await simulator.add_server(
        "Attic", plex_pass, shared_with=[free, managed, child]
    )
    cellar = await simulator.add_server("Cellar", plex_pass)
    attic.machine_identifier = "a" * 40
    cellar.machine_identifier = "c" * 40
    attic.device_id, cellar.device_id = 1001, 1002
    return FixedWorld(
        plex_pass=plex_pass,
        free=free,
        managed=managed,
        child=child,
        attic=attic,
        cellar=cellar,
    )


WORLDS = {"demo": demo}
