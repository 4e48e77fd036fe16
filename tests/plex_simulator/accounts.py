"""Plex accounts: who they are, how they sign in, and the tokens that they have."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
import re
from secrets import choice, token_hex, token_urlsafe
from typing import TypedDict
from uuid import uuid4

import pyotp

from .clock import Clock, epoch, iso

REMEMBERED_FOR = timedelta(days=14)

_FEATURES = (
    "adaptive_bitrate",
    "cloudsync",
    "hardware_transcoding",
    "livetv",
    "lyrics",
    "pass",
    "rate-limit-client-token",
)
_CODE = re.compile(r"\d{6}")


def new_token(kind: str) -> str:
    """Return a token of the shape that Plex's have, marked with its `kind`.

    See plex-api.md §1.1: about 20 characters.
    """
    return f"{kind}{token_urlsafe(15)}"[:20]


@dataclass(slots=True, kw_only=True)
class Subscription:
    """Hold a subscription or its absence, and what there is `beside` it.

    See plex-api.md §1.1, `subscription`, `subscriptions`, `pastSubscriptions`.
    """

    active: bool = False
    status: str = "Inactive"
    plan: str | None = None
    description: str | None = None
    payment_service: str | None = None
    subscribed_at: datetime | None = None
    renews_at: datetime | None = None
    ends_at: datetime | None = None
    type: str = "plexpass"
    state: str = "active"
    beside: tuple[Subscription, ...] = ()

    @classmethod
    def lifetime(cls, subscribed_at: datetime) -> Subscription:
        """Return a Plex Pass that never ends."""
        return cls._paid("lifetime", "Lifetime", subscribed_at)

    @classmethod
    def yearly(cls, subscribed_at: datetime, renews_at: datetime) -> Subscription:
        """Return a Plex Pass that renews each year."""
        paid = cls._paid("yearly", "Annual", subscribed_at)
        return replace(paid, renews_at=renews_at)

    @classmethod
    def cancelled(
        cls, subscribed_at: datetime, ends_at: datetime, state: str = "active"
    ) -> Subscription:
        """Return a Plex Pass that was cancelled and still runs until `ends_at`.

        Its `state` is `active`, `pending_cancellation` or `canceled`.
        """
        paid = cls._paid("monthly", "Monthly", subscribed_at)
        status = "Canceled" if state == "canceled" else "PendingCancellation"
        return replace(paid, status=status, state=state, ends_at=ends_at)

    @classmethod
    def remote_watch(cls, subscribed_at: datetime, renews_at: datetime) -> Subscription:
        """Return a Remote Watch Pass, which is no Plex Pass, that renews each month."""
        return cls(
            active=True,
            status="Active",
            plan="remote-watch",
            description="Remote Watch Pass",
            payment_service="braintree",
            subscribed_at=subscribed_at,
            renews_at=renews_at,
            type="remotewatchpass",
        )

    @classmethod
    def _paid(cls, plan: str, name: str, subscribed_at: datetime) -> Subscription:
        return cls(
            active=True,
            status="Active",
            plan=plan,
            description=f"{name} Plex Pass",
            payment_service="braintree",
            subscribed_at=subscribed_at,
        )

    @classmethod
    def ended(cls, subscribed_at: datetime, ends_at: datetime) -> Subscription:
        """Return a Plex Pass that was over at `ends_at`."""
        return cls(
            status="Inactive",
            plan=None,
            subscribed_at=subscribed_at,
            ends_at=ends_at,
            state="ended",
        )

    @property
    def has_plex_pass(self) -> bool:
        """Return whether a Plex Pass that has not ended is among the subscriptions."""
        return any(
            one.active and one.type == "plexpass" for one in (self, *self.beside)
        )

    def with_beside(self, *others: Subscription) -> Subscription:
        """Return this subscription, listed before others of the same account."""
        return replace(self, beside=others)

    def items(self, *, past: bool) -> list[dict[str, object]]:
        """Return the list `pastSubscriptions` or `subscriptions`."""
        beside = [item for other in self.beside for item in other.items(past=past)]
        if (self.state == "ended") is not past or not (past or self.active):
            return beside
        return [
            {
                "id": None if past else "1000001",
                "mode": self.plan,
                "renewsAt": epoch(self.renews_at),
                "endsAt": epoch(self.ends_at),
                "canceled": self.ends_at is not None,
                "gracePeriod": False,
                "onHold": False,
                "canReactivate": False,
                "canUpgrade": False,
                "canDowngrade": False,
                "canConvert": False,
                "type": self.type,
                "transfer": None,
                "state": self.state,
                "billing": {"internalPaymentMethod": {}, "paymentMethodId": None},
            },
            *beside,
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Hold what a client says of itself as it signs in (plex-api.md §10)."""

    product: str = ""
    version: str = ""
    platform: str = ""
    platform_version: str = ""
    device: str = ""
    name: str = ""


@dataclass(slots=True, kw_only=True)
class AccountToken:
    """Hold a token that an account gave to one client: a device of the account.

    See plex-api.md §16.
    """

    value: str
    device_id: int
    client_identifier: str
    client: Client
    remembered: bool
    issued_at: datetime

    @property
    def product(self) -> str:
        """Return what the client calls itself."""
        return self.client.product


class AccountFields(TypedDict, total=False):
    """Name the fields that an account can be made with."""

    id: int
    uuid: str
    title: str
    friendly_name: str
    email: str
    password: str | None
    totp_secret: str | None
    email_only: bool
    confirmed: bool
    subscription: Subscription
    home: bool
    home_size: int
    home_admin: bool
    guest: bool
    restricted: bool
    restriction_profile: str | None
    pin: str | None
    joined_at: datetime
    backup_codes_created: bool
    mailing_list_status: str | None
    description: str
    overrides: dict[str, object]
    omitted: set[str]


@dataclass(kw_only=True)
class Account:
    """Hold one Plex account.

    `password` None is an account without one (Google, Apple, Facebook, or managed),
    `totp_secret` None one without two-factor authentication. `overrides` replaces
    fields of the account answer (written as Plex names them) and `omitted` leaves
    some out, for clients that have to be tolerant. `phantoms` is how many clients signed
    in once each and never again, as of a program with a new identifier each time. `pin`
    is what switching to this user of a Plex Home takes, None for nothing.
    `description` is for people.
    """

    clock: Clock
    username: str
    id: int
    email: str
    uuid: str = field(default_factory=lambda: token_hex(8))
    title: str = ""
    friendly_name: str = ""
    password: str | None = field(default_factory=lambda: new_token("password-"))
    totp_secret: str | None = None
    email_only: bool = False
    confirmed: bool = True
    subscription: Subscription = field(default_factory=Subscription)
    home: bool = False
    home_size: int = 1
    home_admin: bool = False
    guest: bool = False
    restricted: bool = False
    restriction_profile: str | None = None
    pin: str | None = None
    joined_at: datetime
    backup_codes_created: bool = False
    mailing_list_status: str | None = "active"
    description: str = ""
    overrides: dict[str, object] = field(default_factory=dict)
    omitted: set[str] = field(default_factory=set)
    pin_hash: str = field(default_factory=lambda: f"pin-{token_hex(16)}")
    service_token: str = field(default_factory=lambda: f"service-token-{token_hex(8)}")
    service_secret: str = field(
        default_factory=lambda: f"service-secret-{token_hex(8)}"
    )
    secrets_given: set[str] = field(default_factory=set)
    devices_made: int = 0
    phantoms: int = 0
    _tokens: dict[str, AccountToken] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return what the simulator knows the account by: user name, else title."""
        return self.username or self.title

    @property
    def protected(self) -> bool:
        """Return whether switching to this user of a Home takes a PIN."""
        return self.pin is not None

    @property
    def tokens(self) -> Mapping[str, str]:
        """Return the tokens that are valid, by client identifier."""
        return {identifier: token.value for identifier, token in self._tokens.items()}

    @property
    def token_details(self) -> Mapping[str, AccountToken]:
        """Return all that is known of the valid tokens, by client identifier."""
        return self._tokens

    def code(self) -> str:
        """Return the verification code that is right now."""
        return self._totp().at(self.clock.now())

    def expired_code(self) -> str:
        """Return a verification code that was right once and no longer is."""
        moment = self.clock.now() - timedelta(minutes=10)
        while self.accepts_code(code := self._totp().at(moment)):
            moment -= timedelta(minutes=1)
        return code

    def wrong_code(self) -> str:
        """Return six digits that are not accepted."""
        while self.accepts_code(
            code := "".join(choice("0123456789") for _ in range(6))
        ):
            pass
        return code

    def accepts_code(self, code: str) -> bool:
        """Return whether `code` is right now, one step ago, or in one step."""
        return bool(_CODE.fullmatch(code)) and self._totp().verify(
            code, for_time=self.clock.now(), valid_window=1
        )

    def accepts_password(self, password: str) -> bool:
        """Return whether `password` is the account's."""
        return self.password is not None and password == self.password

    def accepts_joined(self, password: str) -> bool:
        """Return whether `password` is the account's with a right code behind it.

        See plex-api.md §1.5.
        """
        return (
            self.totp_secret is not None
            and self.accepts_password(password[:-6])
            and self.accepts_code(password[-6:])
        )

    def sign_in_token(
        self,
        client_identifier: str,
        *,
        remembered: bool = True,
        client: Client | None = None,
    ) -> str:
        """Return a new token for this client; the one that it had dies.

        It stays the same device. See plex-api.md §13.5.
        """
        before = self._tokens.get(client_identifier)
        if before is None:
            self.devices_made += 1
        token = AccountToken(
            value=new_token("acct"),
            device_id=before.device_id
            if before is not None
            else self.id * 10 + self.devices_made,
            client_identifier=client_identifier,
            client=client or Client(),
            remembered=remembered,
            issued_at=self.clock.now(),
        )
        self._tokens[client_identifier] = token
        self.secrets_given.add(token.value)
        return token.value

    def find_token(self, value: str) -> AccountToken | None:
        """Return what is known of a token that is valid, or None."""
        return next(
            (token for token in self._tokens.values() if token.value == value), None
        )

    def add_device(self, client: Client | None = None) -> AccountToken:
        """Let a further client sign in, as another browser does; return what it has."""
        client_identifier = str(uuid4())
        self.sign_in_token(client_identifier, client=client)
        return self._tokens[client_identifier]

    def revoke_token(self, client_identifier: str) -> None:
        """End the token of one client, as when its device is removed at plex.tv."""
        self._tokens.pop(client_identifier, None)

    def revoke_tokens(self) -> None:
        """End all tokens, as "sign out of all devices" does."""
        self._tokens.clear()

    def answer(self, token: AccountToken, *, json: bool) -> dict[str, object]:
        """Return the account as sign-in and `GET /user` give it.

        See plex-api.md §1.1, and §1.2 for XML.
        """
        now = self.clock.now()
        subscribed_at = self.subscription.subscribed_at
        answer: dict[str, object] = {
            "id": self.id,
            "uuid": self.uuid,
            "username": self.username,
            "title": self.title or self.username,
            "email": self.email,
            "friendlyName": self.friendly_name,
            "locale": None,
            "confirmed": self.confirmed,
            "joinedAt": epoch(self.joined_at),
            "emailOnlyAuth": self.email_only,
            "hasPassword": self.password is not None,
            "protected": self.protected,
            "thumb": f"https://plex.tv/users/{self.uuid}/avatar?c={epoch(now)}",
            "authToken": token.value,
            "mailingListStatus": None
            if self.restricted or self.guest
            else self.mailing_list_status,
            "mailingListActive": self.mailing_list_status == "active"
            and not self.restricted,
            "scrobbleTypes": "",
            "country": "DE",
            "pin": self.pin_hash,
            "subscription": {
                "active": self.subscription.active,
                "subscribedAt": iso(subscribed_at)
                if json or subscribed_at is None
                else f"{subscribed_at:%Y-%m-%d %H:%M:%S} UTC",
                "status": self.subscription.status,
                "paymentService": self.subscription.payment_service,
                "plan": self.subscription.plan,
                "features": list(_FEATURES)
                if self.subscription.has_plex_pass
                else list(_FEATURES[:1]),
            },
            "subscriptionDescription": self.subscription.description,
            "restricted": self.restricted,
            "anonymous": None,
            "home": self.home,
            "guest": self.guest,
            "homeAdmin": self.home_admin,
            "homeSize": self.home_size,
            "maxHomeSize": 15,
            "rememberExpiresAt": epoch(now + REMEMBERED_FOR)
            if token.remembered
            else None,
            "profile": {
                "autoSelectAudio": True,
                "defaultAudioLanguage": "en",
                "defaultAudioLanguages": None,
                "defaultSubtitleLanguage": "en",
                "defaultSubtitleLanguages": None,
                "autoSelectSubtitle": 1,
                "defaultSubtitleAccessibility": 0,
                "defaultSubtitleForced": 1,
                "watchedIndicator": 1,
                "mediaReviewsVisibility": 0,
                "mediaReviewsLanguages": None,
            },
            "entitlements": ["all"] if self.subscription.has_plex_pass else [],
            "subscriptions": self.subscription.items(past=False),
            "pastSubscriptions": self.subscription.items(past=True),
            "trials": [],
            "services": self._services(),
            "adsConsent": None,
            "adsConsentSetAt": None,
            "adsConsentReminderAt": None,
            "experimentalFeatures": False,
            "twoFactorEnabled": self.totp_secret is not None,
            "backupCodesCreated": self.backup_codes_created,
            "attributionPartner": None,
        }
        if self.subscription.has_plex_pass:
            answer["roles"] = ["plexpass"]
        answer.update(self.overrides)
        return {
            name: value for name, value in answer.items() if name not in self.omitted
        }

    def secrets(self) -> set[str]:
        """Return every secret of this account, tokens that are dead by now included.

        None of them may be found in a log. A PIN and a verification code, which is not
        here either, are too short to be looked for: any number may contain them.
        """
        own = {
            self.pin_hash,
            self.service_token,
            self.service_secret,
            *self.secrets_given,
        }
        return own | {secret for secret in (self.password, self.totp_secret) if secret}

    def _totp(self) -> pyotp.TOTP:
        if self.totp_secret is None:
            message = f"{self.name} has no two-factor authentication"
            raise ValueError(message)
        return pyotp.TOTP(self.totp_secret)

    def _services(self) -> list[dict[str, object]]:
        return [
            {
                "identifier": "metadata-dev",
                "endpoint": "https://metadata.example.invalid",
                "token": self.service_token,
                "secret": None,
                "status": "online",
            },
            {
                "identifier": "collections",
                "endpoint": "https://collections.example.invalid",
                "token": None,
                "secret": self.service_secret,
                "status": "online",
            },
            {
                "identifier": "epg",
                "endpoint": "https://epg.example.invalid",
                "status": "offline",
            },
        ]
