"""Plex Homes: who is in one, and switching to a user of it (plex-api.md §22)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from aiohttp import web

from .accounts import Account, AccountToken, Client
from .errors import PlexTvError
from .rendering import FORCED_XML, media_container, plex_tv_answer, wants_json

type Authenticate = Callable[[web.Request], tuple[Account, AccountToken]]
type ClientOf = Callable[[web.Request], Client]

_FIRST_HOME_ID = 3_000_001


@dataclass(slots=True, kw_only=True)
class Home:
    """Hold a Home: its admin, the other users, and perhaps a guest."""

    id: int
    name: str
    admin: Account
    members: list[Account]
    guest: Account | None

    @property
    def users(self) -> tuple[Account, ...]:
        """Return all users as they are listed, the admin first and the guest last."""
        guest = () if self.guest is None else (self.guest,)
        return (self.admin, *self.members, *guest)

    def answer(self) -> dict[str, object]:
        """Return the Home itself, without its users."""
        return {
            "id": self.id,
            "name": self.name,
            "guestUserID": None if self.guest is None else self.guest.id,
            "guestUserUUID": None if self.guest is None else self.guest.uuid,
            "guestEnabled": self.guest is not None,
            "subscription": self.admin.subscription.has_plex_pass,
        }


class Homes:
    """Keep the Homes of plex.tv, and how it does what no source knows for sure.

    `no_home_code` is the error of an account that is in no Home; None lists nobody.
    `enforces_pins` lets nobody switch without the PIN; otherwise only a PIN that is sent
    is checked. `knows_uuids` and `has_second_api` say which calls know a user, and
    `rotates_tokens` whether a switch ends the token that the same client had of the
    user. `ends_own_token` is whether it ends the token of who switches. `switch_status`
    is that of success.
    """

    def __init__(self) -> None:
        """Start without a Home."""
        self.no_home_code: int | None = 1002
        self.enforces_pins = True
        self.knows_uuids = True
        self.has_second_api = True
        self.rotates_tokens = True
        self.ends_own_token = False
        self.switch_status = 201
        self._homes: list[Home] = []

    def add(
        self, admin: Account, *members: Account, guest: Account | None = None
    ) -> Home:
        """Make a Home of accounts, which say so of themselves from now on."""
        home = Home(
            id=_FIRST_HOME_ID + len(self._homes),
            name=f"{admin.title}'s Home",
            admin=admin,
            members=list(members),
            guest=guest,
        )
        for user in home.users:
            user.home = True
            user.home_size = 1 + len(members)
        admin.home_admin = True
        if guest is not None:
            guest.guest = True
        self._homes.append(home)
        return home

    def remove_member(self, account: Account) -> None:
        """Take a user out of the Home; an account that is managed has no token then."""
        for home in self._homes:
            if account in home.members:
                home.members.remove(account)
                for user in home.users:
                    user.home_size = 1 + len(home.members)
        account.home = False
        if account.restricted:
            account.revoke_tokens()

    def add_member(self, home: Home, account: Account) -> None:
        """Take a user into a Home, who may have been in it before."""
        home.members.append(account)
        account.home = True
        for user in home.users:
            user.home_size = 1 + len(home.members)

    def of(self, account: Account) -> Home | None:
        """Return the Home that an account is in, or None."""
        return next((home for home in self._homes if account in home.users), None)

    def share(self, one: Account, other: Account) -> bool:
        """Return whether two accounts are in one Home."""
        home = self.of(one)
        return home is not None and other in home.users


class HomeRoutes:
    """Answer the requests about Homes, in either API of plex.tv."""

    def __init__(
        self, homes: Homes, authenticate: Authenticate, client_of: ClientOf
    ) -> None:
        """Take the Homes, and what finds who asks."""
        self._homes = homes
        self._authenticate = authenticate
        self._client_of = client_of

    def routes(self, first: str, api: str, end: str) -> list[web.RouteDef]:
        """Return the addresses; their names are those of faults and records."""
        return [
            web.get(f"{api}/home{end}", self._home, name="home"),
            web.get(f"{api}/home/users{end}", self._list, name="home_users"),
            web.get(f"{first}/home/users", self._list_as_xml, name="home_users_v1"),
            web.post(
                f"{api}/home/users/{{user}}/switch{end}",
                self._switch,
                name="home_switch",
            ),
            web.post(
                rf"{first}/home/users/{{user:\d+}}/switch",
                self._switch_in_xml,
                name="home_switch_v1",
            ),
        ]

    async def _home(self, request: web.Request) -> web.StreamResponse:
        home, _ = self._home_of(request)
        if home is None:
            raise PlexTvError(1002)
        return plex_tv_answer(request, "home", home.answer())

    async def _list(self, request: web.Request) -> web.StreamResponse:
        home, account = self._home_of(request)
        if home is None:
            if self._homes.no_home_code is not None:
                raise PlexTvError(self._homes.no_home_code)
            return plex_tv_answer(request, "home", {"id": account.id, "users": []})
        users = list(_entries(home))
        return plex_tv_answer(request, "home", home.answer() | {"users": users})

    async def _list_as_xml(self, request: web.Request) -> web.StreamResponse:
        request[FORCED_XML] = True
        home, account = self._home_of(request)
        users = [] if home is None else list(_entries(home))
        return media_container(
            request,
            {
                "friendlyName": "myPlex",
                "identifier": "com.plexapp.plugins.myplex",
                "machineIdentifier": f"{account.id:040x}",
                "totalSize": len(users),
                "size": len(users),
                "guestUserID": None if home is None else home.answer()["guestUserID"],
                "User": users,
            },
        )

    async def _switch(self, request: web.Request) -> web.StreamResponse:
        home, _ = self._home_of(request)
        wanted = request.match_info["user"]
        if not self._homes.has_second_api:
            raise PlexTvError(1002)
        user = _find(home, wanted, by_uuid=self._homes.knows_uuids)
        if not self._accepts_pin(request, user):
            raise PlexTvError(1041)
        token = self._issue(request, user)
        answer = user.answer(token, json=wants_json(request))
        return plex_tv_answer(request, "user", answer, self._homes.switch_status)

    async def _switch_in_xml(self, request: web.Request) -> web.StreamResponse:
        request[FORCED_XML] = True
        home, _ = self._home_of(request)
        user = _find(home, request.match_info["user"], by_uuid=False)
        if not self._accepts_pin(request, user):
            # With which status is not known; here with the one that the body names.
            refusal = {"code": 401, "status": "Invalid PIN"}
            return plex_tv_answer(request, "Response", refusal, 401)
        token = self._issue(request, user)
        answer = user.answer(token, json=False)
        answer["authenticationToken"] = answer.pop("authToken")
        return plex_tv_answer(request, "user", answer, self._homes.switch_status)

    def _home_of(self, request: web.Request) -> tuple[Home | None, Account]:
        account, _ = self._authenticate(request)
        return self._homes.of(account), account

    def _accepts_pin(self, request: web.Request, user: Account) -> bool:
        pin = request.query.get("pin")
        if user.pin is None or (pin is None and not self._homes.enforces_pins):
            return True
        return pin == user.pin

    def _issue(self, request: web.Request, user: Account) -> AccountToken:
        """Return a token of a user for the client that asks."""
        account, own = self._authenticate(request)
        identifier = (
            request.headers.get("X-Plex-Client-Identifier") or own.client_identifier
        )
        if self._homes.rotates_tokens or identifier not in user.tokens:
            user.sign_in_token(identifier, client=self._client_of(request))
        if self._homes.ends_own_token:
            account.revoke_token(own.client_identifier)
        return user.token_details[identifier]


def _find(home: Home | None, wanted: str, *, by_uuid: bool) -> Account:
    """Return the user of a Home; nobody can switch to a guest, which is a choice."""
    for user in home.users if home is not None else ():
        if wanted == str(user.id) or (by_uuid and wanted == user.uuid):
            if user.guest:
                raise PlexTvError(1009)
            return user
    raise PlexTvError(1002)


def _entries(home: Home) -> Iterator[dict[str, object]]:
    """Yield the users of a Home as they are listed."""
    for user in home.users:
        yield {
            "id": user.id,
            "uuid": user.uuid,
            "title": user.title or user.username,
            "username": user.username or None,
            "email": user.email or None,
            "thumb": f"https://plex.tv/users/{user.uuid}/avatar",
            "hasPassword": user.password is not None,
            "restricted": user.restricted,
            "restrictionProfile": user.restriction_profile,
            "admin": user is home.admin,
            "guest": user.guest,
            "protected": user.protected,
        }
