"""What actions and entities publish: only the fields listed here."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from homeassistant.util.json import JsonValueType

from .api.connections import Route, best_connection
from .api.devices import Device
from .api.models import Account, ListedServer, Source, TransientToken
from .api.server import server_source
from .const import ATTR_HOME_USER
from .home_user_coordinator import HomeUserCoordinator

_ACCOUNT: Final = (
    "id",
    "uuid",
    "username",
    "title",
    "email",
    "friendly_name",
    "thumb",
    "country",
    "locale",
    "confirmed",
    "joined_at",
    "email_only_auth",
    "has_password",
    "protected",
    "two_factor_enabled",
    "backup_codes_created",
    "remember_expires_at",
    "restricted",
    "anonymous",
    "guest",
    "home",
    "home_admin",
    "home_size",
    "max_home_size",
    "mailing_list_status",
    "experimental_features",
    "subscription_description",
    "entitlements",
    "roles",
)
_SUBSCRIPTION: Final = (
    "active",
    "status",
    "plan",
    "payment_service",
    "subscribed_at",
    "features",
)
_SUBSCRIPTION_PERIOD: Final = (
    "type",
    "mode",
    "state",
    "renews_at",
    "ends_at",
    "canceled",
    "grace_period",
    "on_hold",
)
_PROFILE: Final = (
    "auto_select_audio",
    "default_audio_language",
    "default_subtitle_language",
    "auto_select_subtitle",
)
_SERVICE: Final = ("identifier", "status")
_CONNECTION: Final = ("protocol", "address", "port", "uri", "local", "relay")
_DEVICE_DETAILS: Final = ("name", "product", "platform", "device")
_DEVICE: Final = (
    "id",
    *_DEVICE_DETAILS,
    "version",
    "created_at",
    "last_seen_at",
)
NEWEST_DEVICE: Final = ("id", *_DEVICE_DETAILS, "created_at")
_TRANSIENT_TOKEN: Final = ("token", "type", "scope", "issued_at", "expires_at")


def account_response(account: Account) -> dict[str, Any]:
    """Return an account's details."""
    return {
        **_published(account, _ACCOUNT),
        "subscription": _published(account.subscription, _SUBSCRIPTION),
        "subscriptions": _all(account.subscriptions, _SUBSCRIPTION_PERIOD),
        "past_subscriptions": _all(account.past_subscriptions, _SUBSCRIPTION_PERIOD),
        "profile": _published(account.profile, _PROFILE),
        "services": _all(account.services, _SERVICE),
    }


def device_response(device: Device, *, this_device: bool) -> dict[str, Any]:
    """Return an authorized device without its token."""
    return {
        **_published(device, _DEVICE),
        "server": device.is_server,
        "this_device": this_device,
    }


def device_event_attributes(device_id: int, device: Device | None) -> dict[str, Any]:
    """Return what identifies a device; of an unknown one, only its ID is known."""
    details = {name: getattr(device, name, None) for name in _DEVICE_DETAILS}
    return {"id": device_id, **details}


def newest_device_attributes(device: Device) -> dict[str, Any]:
    """Return what identifies a device, and when it signed in."""
    return _published(device, NEWEST_DEVICE)


def listed_server_response(server: ListedServer, *, added: bool) -> dict[str, Any]:
    """Return a listed server without its token."""
    return {
        "name": server.name,
        "source": server_source(server.machine_identifier),
        "added": added,
        "owned": server.owned,
        "presence": server.presence,
        "version": server.product_version,
        "connections": _all(server.connections, _CONNECTION),
    }


def transient_token_response(token: TransientToken) -> dict[str, Any]:
    """Return a transient token, including the token itself."""
    return _published(token, _TRANSIENT_TOKEN)


def source_response(source: Source) -> dict[str, Any]:
    """Return a source's connections and its token."""
    best = best_connection(source.connections)
    return {
        "name": source.name,
        "client_identifier": source.machine_identifier,
        "access_token": source.access_token,
        "connections": _all(source.connections, _CONNECTION),
        "best": _published(best, _CONNECTION) if best else None,
    }


def home_user_response(user: HomeUserCoordinator | None) -> dict[str, str]:
    """Return the name of the Home user, or nothing for the account itself."""
    return {} if user is None else {ATTR_HOME_USER: user.subentry.title}


def server_response(name: str, machine_identifier: str, route: Route) -> dict[str, str]:
    """Return the server that answered, and at which address."""
    return {
        "name": name,
        "machine_identifier": machine_identifier,
        "uri": route.uri,
        "connection": route.kind.value,
    }


def _all(models: Iterable[object], names: Iterable[str]) -> list[JsonValueType]:
    """Return the published fields of several models."""
    return [_published(model, names) for model in models]


def _published(model: object, names: Iterable[str]) -> dict[str, JsonValueType]:
    """Return the published fields of a model as plain data, times in ISO 8601."""
    return {name: _plain(getattr(model, name)) for name in names}


def _plain(value: Any) -> JsonValueType:
    """Return a value as plain data."""
    if isinstance(value, datetime):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value
