"""Data models of Plex.

A field that is missing or of the wrong type is None; unknown fields are ignored. The
only secrets kept are the tokens that the caller asked for; no `repr` shows them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final, Literal, Self, dataclass_transform

from .bodies import Json
from .errors import UnexpectedAnswerError
from .fields import MAX_VERSION, Fields, name_but_email, unwrap

_MAX_CONNECTIONS: Final = 128
_MAX_SERVERS: Final = 1000
_MAX_ITEMS: Final = 128
_LONG_AWAY: Final = timedelta(days=30)
_PLEX_PASS: Final = "plexpass"
_REMOTE_WATCH_PLAN: Final = "remote-watch"
OWN_ACCOUNT: Final = 0
"""The owner of a server that the account itself owns; Plex's own IDs are above."""

TRANSIENT_TOKEN_LIFETIME: Final = timedelta(hours=48)


@dataclass_transform(
    frozen_default=True, kw_only_default=True, field_specifiers=(field,)
)
def model[ModelT](cls: type[ModelT]) -> type[ModelT]:
    """Make a dataclass that type checkers treat as frozen; slots would cost time."""
    return dataclass(kw_only=True)(cls)


def require_container(data: Json) -> Fields:
    """Return a server response's `MediaContainer`, or raise UnexpectedAnswerError."""
    container = data  # itself, before version 1.3 (plex-api.md §6.1)
    if isinstance(data, dict) and data.get("_elementType") != "MediaContainer":
        container = data.get("MediaContainer")
    if not isinstance(container, dict):
        raise UnexpectedAnswerError
    return Fields(container)


@model
class Subscription:
    """The paid plan of an account (plex-api.md §1.1)."""

    active: bool | None
    status: str | None
    plan: str | None
    payment_service: str | None
    subscribed_at: datetime | None
    features: tuple[str, ...]

    @classmethod
    def parse(cls, fields: Fields) -> Self:
        """Parse the object `subscription`."""
        return cls(
            active=fields.boolean("active"),
            status=fields.text("status"),
            plan=fields.text("plan"),
            payment_service=fields.text("paymentService"),
            subscribed_at=fields.moment("subscribedAt"),
            features=fields.texts("features", "feature"),
        )


@model
class SubscriptionPeriod:
    """A current or past subscription (plex-api.md §1.1)."""

    type: str | None
    mode: str | None
    state: str | None
    renews_at: datetime | None
    ends_at: datetime | None
    canceled: bool | None
    grace_period: bool | None
    on_hold: bool | None

    @classmethod
    def parse_all(cls, account: Fields, key: str) -> tuple[Self, ...]:
        """Parse the list under a key, `subscriptions` or `pastSubscriptions`."""
        periods = islice(account.children(key, "subscription"), _MAX_ITEMS)
        return tuple(map(cls._parse, periods))

    @classmethod
    def _parse(cls, fields: Fields) -> Self:
        """Parse an item of the list."""
        return cls(
            type=fields.text("type"),
            mode=fields.text("mode"),
            state=fields.text("state"),
            renews_at=fields.moment("renewsAt"),
            ends_at=fields.moment("endsAt"),
            canceled=fields.boolean("canceled"),
            grace_period=fields.boolean("gracePeriod"),
            on_hold=fields.boolean("onHold"),
        )

    @property
    def is_plex_pass(self) -> bool:
        """Return whether this is a Plex Pass, also if Plex does not name the type."""
        return self.type in (None, _PLEX_PASS)

    @property
    def is_endless(self) -> bool:
        """Return whether Plex names neither a renewal nor an end."""
        return self.renews_at is None and self.ends_at is None

    def is_over(self, now: datetime) -> bool:
        """Return whether the subscription is over; a canceled one runs to its end."""
        if self.state == "canceled":
            return self.ends_at is None or self.ends_at <= now
        return self.state in ("ended", "lapsed")


@model
class Profile:
    """The language preferences of an account (plex-api.md §1.1)."""

    auto_select_audio: bool | None
    default_audio_language: str | None
    default_subtitle_language: str | None
    auto_select_subtitle: int | None

    @classmethod
    def parse(cls, fields: Fields) -> Self:
        """Parse the object `profile`."""
        return cls(
            auto_select_audio=fields.boolean("autoSelectAudio"),
            default_audio_language=fields.text("defaultAudioLanguage"),
            default_subtitle_language=fields.text("defaultSubtitleLanguage"),
            auto_select_subtitle=fields.integer("autoSelectSubtitle"),
        )


@model
class Service:
    """A service of plex.tv, without its token and secret."""

    identifier: str | None
    status: str | None

    @classmethod
    def parse_all(cls, account: Fields) -> tuple[Self, ...]:
        """Parse the first ones of the list `services`."""
        services = islice(account.children("services", "service"), _MAX_ITEMS)
        return tuple(
            [
                cls(identifier=fields.text("identifier"), status=fields.text("status"))
                for fields in services
            ]
        )


@model
class Account:
    """A Plex account, without its secrets (plex-api.md §1.1)."""

    id: int
    uuid: str
    username: str | None
    title: str | None
    email: str | None = field(repr=False)
    friendly_name: str | None
    thumb: str | None
    country: str | None
    locale: str | None
    confirmed: bool | None
    joined_at: datetime | None
    email_only_auth: bool | None
    has_password: bool | None
    protected: bool | None
    two_factor_enabled: bool | None
    backup_codes_created: bool | None
    remember_expires_at: datetime | None
    restricted: bool | None
    anonymous: bool | None
    guest: bool | None
    home: bool | None
    home_admin: bool | None
    home_size: int | None
    max_home_size: int | None
    mailing_list_status: str | None
    experimental_features: bool | None
    subscription: Subscription
    subscription_description: str | None
    subscriptions: tuple[SubscriptionPeriod, ...]
    past_subscriptions: tuple[SubscriptionPeriod, ...]
    entitlements: tuple[str, ...]
    roles: tuple[str, ...]
    profile: Profile
    services: tuple[Service, ...]

    @classmethod
    def parse(cls, data: Json) -> Self:
        """Parse the response to a sign-in or `GET /user`, JSON or XML.

        Raises UnexpectedAnswerError if `id` or `uuid` is missing.
        """
        fields = unwrap(data, "user")
        account_id, uuid = fields.integer("id"), fields.identifier("uuid")
        if account_id is None or uuid is None:
            raise UnexpectedAnswerError
        return cls(
            id=account_id,
            uuid=uuid,
            username=fields.line("username"),
            title=fields.line("title"),
            email=fields.text("email"),
            friendly_name=fields.line("friendlyName"),
            thumb=fields.text("thumb"),
            country=fields.text("country"),
            locale=fields.text("locale"),
            confirmed=fields.boolean("confirmed"),
            joined_at=fields.moment("joinedAt"),
            email_only_auth=fields.boolean("emailOnlyAuth"),
            has_password=fields.boolean("hasPassword"),
            protected=fields.boolean("protected"),
            two_factor_enabled=fields.boolean("twoFactorEnabled"),
            backup_codes_created=fields.boolean("backupCodesCreated"),
            remember_expires_at=fields.moment("rememberExpiresAt"),
            restricted=fields.boolean("restricted"),
            anonymous=fields.boolean("anonymous"),
            guest=fields.boolean("guest"),
            home=fields.boolean("home"),
            home_admin=fields.boolean("homeAdmin"),
            home_size=fields.integer("homeSize"),
            max_home_size=fields.integer("maxHomeSize"),
            mailing_list_status=fields.text("mailingListStatus"),
            experimental_features=fields.boolean("experimentalFeatures"),
            subscription=Subscription.parse(fields.child("subscription")),
            subscription_description=fields.text("subscriptionDescription"),
            subscriptions=SubscriptionPeriod.parse_all(fields, "subscriptions"),
            past_subscriptions=SubscriptionPeriod.parse_all(
                fields, "pastSubscriptions"
            ),
            entitlements=fields.texts("entitlements", "entitlement"),
            roles=fields.texts("roles", "role"),
            profile=Profile.parse(fields.child("profile")),
            services=Service.parse_all(fields),
        )

    @property
    def own_name(self) -> str | None:
        """Return the name at Plex, None if there is none but the email address."""
        return name_but_email((self.title, self.username), self.email)

    @property
    def name(self) -> str:
        """Return a display name; it is logged, so it is never an email address."""
        return self.own_name or "Plex account"

    def current_subscriptions(self, now: datetime) -> list[SubscriptionPeriod]:
        """Return the Plex Passes that are not over, or else the other subscriptions."""
        current = [one for one in self.subscriptions if not one.is_over(now)]
        return [one for one in current if one.is_plex_pass] or current

    def has_plex_pass(self, now: datetime) -> bool | None:
        """Return whether a Plex Pass is active, None if Plex does not report it."""
        if not self.subscription.active:
            return self.subscription.active
        if current := self.current_subscriptions(now):
            return current[0].is_plex_pass
        return self.subscription.plan != _REMOTE_WATCH_PLAN


@model
class SignIn:
    """An account that signed in, and its new token."""

    account: Account
    token: str = field(repr=False)

    @classmethod
    def parse(cls, data: Json) -> Self:
        """Parse a sign-in response; raise UnexpectedAnswerError without a token."""
        token = unwrap(data, "user").token("authToken")
        if token is None:
            raise UnexpectedAnswerError
        return cls(account=Account.parse(data), token=token)


@model
class Pin:
    """A link code, valid for `expires_in` seconds, and its token (plex-api.md §7).

    The token is None until the code is entered.
    """

    id: int
    code: str = field(repr=False)
    expires_in: int | None
    token: str | None = field(repr=False)

    @classmethod
    def parse(cls, data: Json) -> Self:
        """Parse a PIN; raise UnexpectedAnswerError without an ID or a plain code."""
        fields = unwrap(data, "pin")
        pin_id, code = fields.integer("id"), fields.identifier("code")
        if pin_id is None or code is None or not code.replace("-", "").isalnum():
            raise UnexpectedAnswerError
        return cls(
            id=pin_id,
            code=code,
            expires_in=fields.integer("expiresIn"),
            token=fields.token("authToken"),
        )


@model
class Connection:
    """An address of a server or source (plex-api.md §4, §5)."""

    protocol: str | None
    address: str | None
    port: int | None
    uri: str
    local: bool
    relay: bool

    @classmethod
    def parse_all(cls, connections: Iterable[Fields]) -> tuple[Self, ...]:
        """Parse the first connections, skipping those without a `uri`."""
        return tuple(
            [
                cls(
                    protocol=fields.text("protocol"),
                    address=fields.text("address"),
                    port=fields.integer("port"),
                    uri=uri,
                    local=fields.boolean("local") or False,
                    relay=fields.boolean("relay") or False,
                )
                for fields in islice(connections, _MAX_CONNECTIONS)
                if (uri := fields.text("uri"))
            ]
        )


@model
class ListedServer:
    """A server as plex.tv lists it for an account (plex-api.md §5).

    `owner_id` is None if the account itself owns the server, and `home` is whether it is
    shared within the Plex Home.
    """

    name: str
    machine_identifier: str
    product_version: str | None
    source_title: str | None
    owned: bool
    owner_id: int | None
    home: bool
    presence: bool | None
    public_address_matches: bool | None
    last_seen_at: datetime | None
    https_required: bool
    access_token: str | None = field(repr=False)
    connections: tuple[Connection, ...]

    @property
    def owner(self) -> int | None:
        """Return the owner: OWN_ACCOUNT, the ID of another account, or None if unknown."""
        return OWN_ACCOUNT if self.owned else self.owner_id or None

    @property
    def label(self) -> str:
        """Return the server's name, with its owner's if it is shared."""
        return f"{self.name} ({self.source_title})" if self.source_title else self.name

    def is_named(self, text: str) -> bool:
        """Return whether a typed text is the server's name, with or without its owner."""
        typed = text.strip().casefold()
        return typed in (self.name.casefold(), self.label.casefold())

    def has_been_away_long(self, now: datetime) -> bool:
        """Return whether the server is away and was not seen for 30 days."""
        seen = self.last_seen_at
        return self.presence is False and seen is not None and now - seen > _LONG_AWAY

    @classmethod
    def parse_servers(cls, rows: Iterable[Json]) -> tuple[Self, ...]:
        """Parse the servers among the rows of `GET /resources`.

        If there are over 1,000, owned ones come first, and the rest is left out.
        """
        servers = list(filter(None, map(cls._parse_server, map(Fields, rows))))
        if len(servers) > _MAX_SERVERS:
            servers.sort(key=lambda server: not server.owned)
        return tuple(servers[:_MAX_SERVERS])

    @classmethod
    def _parse_server(cls, fields: Fields) -> Self | None:
        """Parse an item of the list; return None if it is not a server."""
        machine_identifier = fields.identifier("clientIdentifier")
        provides = (fields.text("provides") or "").split(",")
        if machine_identifier is None or "server" not in provides:
            return None
        return cls(
            name=fields.line("name") or machine_identifier,
            machine_identifier=machine_identifier,
            product_version=fields.line("productVersion", MAX_VERSION),
            source_title=fields.line("sourceTitle"),
            owned=fields.boolean("owned") or False,
            owner_id=fields.integer("ownerId"),
            home=fields.boolean("home") or False,
            presence=fields.boolean("presence"),
            public_address_matches=fields.boolean("publicAddressMatches"),
            last_seen_at=fields.moment("lastSeenAt"),
            https_required=fields.boolean("httpsRequired") or False,
            access_token=fields.token("accessToken"),
            connections=Connection.parse_all(
                fields.children("connections", "connection")
            ),
        )


@model
class Identity:
    """A server's identity, without `start_state` once ready (plex-api.md §6.1)."""

    machine_identifier: str
    version: str | None
    claimed: bool | None
    start_state: str | None

    @classmethod
    def parse(cls, data: Json) -> Self:
        """Parse an `/identity` response; raise UnexpectedAnswerError if invalid."""
        fields = require_container(data)
        machine_identifier = fields.identifier("machineIdentifier")
        if machine_identifier is None:
            raise UnexpectedAnswerError
        return cls(
            machine_identifier=machine_identifier,
            version=fields.line("version", MAX_VERSION),
            claimed=fields.boolean("claimed"),
            start_state=fields.text("startState"),
        )


@model
class TransientToken:
    """A transient token, its time of issue, and its Home user (plex-api.md §3).

    `home_user` is the name of a Home user, None for the account itself.
    """

    token: str = field(repr=False)
    type: Literal["delegation"]
    scope: Literal["all"]
    issued_at: datetime
    home_user: str | None = None

    @classmethod
    def parse(cls, data: Json) -> Self:
        """Parse a token issued now; raise UnexpectedAnswerError without one."""
        token = require_container(data).text("token")
        if token is None:
            raise UnexpectedAnswerError
        return cls(
            token=token, type="delegation", scope="all", issued_at=datetime.now(UTC)
        )

    @property
    def expires_at(self) -> datetime:
        """Return the latest expiry; a restart of the server ends the token earlier."""
        return self.issued_at + TRANSIENT_TOKEN_LIFETIME


@model
class Source:
    """A source's connections and its token (plex-api.md §4)."""

    name: str | None
    machine_identifier: str | None
    access_token: str | None = field(repr=False)
    connections: tuple[Connection, ...]

    @classmethod
    def parse(cls, data: Json) -> Self:
        """Parse a `/security/resources` response; `Device` is an object or a list.

        An empty container gives a source without connections. Raises
        UnexpectedAnswerError if the response is not a container.
        """
        device = require_container(data).child("Device")
        return cls(
            name=device.line("name"),
            machine_identifier=device.identifier("clientIdentifier"),
            access_token=device.text("accessToken"),
            connections=Connection.parse_all(device.children("Connection")),
        )
