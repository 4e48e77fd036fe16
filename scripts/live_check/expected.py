"""What is expected of each call, as docs/plex-api.md has it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from .shapes import Spec


@dataclass(frozen=True)
class Call:
    """Describe a call of the integration: how it is shown, and what it should answer."""

    title: str
    statuses: tuple[int, ...] = (200,)
    form: str = "json"
    fields: Spec = field(default_factory=dict)


def _under(prefix: str, fields: Mapping[str, str]) -> dict[str, str]:
    return {f"{prefix}{name}": kind for name, kind in fields.items()}


_PIN = {
    "id": "int",
    "code": "str",
    "qr": "str or missing",
    "product": "str or null",
    "trusted": "bool",
    "clientIdentifier": "str",
    "location": "any",
    "expiresIn": "int",
    "createdAt": "str",
    "expiresAt": "str",
    "authToken": "str or null",
    "newRegistration": "bool or null",
}

_PERIOD = {
    "": "object",
    ".id": "str or int or null or missing",
    ".mode": "str or null",
    ".renewsAt": "int or null",
    ".endsAt": "int or null",
    ".type": "str",
    ".state": "str",
    ".canceled": "bool",
    ".gracePeriod": "bool",
    ".onHold": "bool",
    ".canReactivate": "bool or missing",
    ".canUpgrade": "bool or missing",
    ".canDowngrade": "bool or missing",
    ".canConvert": "bool or missing",
    ".transfer": "any or missing",
    ".billing": "any or missing",
}

_USER = {
    "id": "int",
    "uuid": "str",
    "username": "str",
    "title": "str",
    "email": "str",
    "friendlyName": "str",
    "locale": "str or null",
    "confirmed": "bool",
    "joinedAt": "int",
    "emailOnlyAuth": "bool",
    "hasPassword": "bool",
    "protected": "bool",
    "thumb": "str",
    "authToken": "str",
    "mailingListStatus": "str or null",
    "mailingListActive": "bool",
    "scrobbleTypes": "str",
    "country": "str",
    "pin": "str or missing",
    "subscription": "object",
    "subscription.active": "bool",
    "subscription.subscribedAt": "str or null",
    "subscription.status": "str",
    "subscription.paymentService": "str or null",
    "subscription.plan": "str or null",
    "subscription.features": "list",
    "subscription.features[]": "str",
    "subscriptionDescription": "str or null",
    "restricted": "bool",
    "anonymous": "bool or null",
    "home": "bool",
    "guest": "bool",
    "homeAdmin": "bool",
    "homeSize": "int",
    "maxHomeSize": "int",
    "rememberExpiresAt": "int or null or missing",
    "profile": "object",
    "profile.autoSelectAudio": "bool",
    "profile.defaultAudioAccessibility": "int or missing",
    "profile.defaultAudioLanguage": "str or null",
    "profile.defaultAudioLanguages": "any or missing",
    "profile.defaultSubtitleLanguage": "str or null",
    "profile.defaultSubtitleLanguages": "any or missing",
    "profile.autoSelectSubtitle": "int",
    "profile.defaultSubtitleAccessibility": "int",
    "profile.defaultSubtitleForced": "int",
    "profile.watchedIndicator": "int",
    "profile.mediaReviewsVisibility": "int",
    "profile.mediaReviewsLanguages": "any or missing",
    "entitlements": "list",
    "entitlements[]": "str",
    "roles": "list or missing",
    "roles[]": "str",
    "subscriptions": "list",
    **_under("subscriptions[]", _PERIOD),
    "pastSubscriptions": "list",
    **_under("pastSubscriptions[]", _PERIOD),
    "trials": "any",
    "providers": "any or missing",
    "services": "list",
    "services[]": "object",
    "services[].identifier": "str",
    "services[].endpoint": "str",
    "services[].status": "str",
    "services[].token": "str or null or missing",
    "services[].secret": "str or null or missing",
    "adsConsent": "bool or null",
    "adsConsentSetAt": "int or null",
    "adsConsentReminderAt": "int or null",
    "experimentalFeatures": "bool",
    "twoFactorEnabled": "bool",
    "backupCodesCreated": "bool",
    "attributionPartner": "str or null or missing",
    "certificateVersion": "int or missing",
}

_RESOURCES = {
    "[]": "object",
    **_under(
        "[].",
        {
            "name": "str",
            "product": "str",
            "productVersion": "str",
            "platform": "str or null",
            "platformVersion": "str or null",
            "device": "str or null",
            "clientIdentifier": "str",
            "createdAt": "str",
            "lastSeenAt": "str",
            "provides": "str",
            "ownerId": "int or null",
            "sourceTitle": "str or null",
            "publicAddress": "str",
            "accessToken": "str or null or missing",
            "owned": "bool",
            "home": "bool",
            "synced": "bool",
            "relay": "bool",
            "presence": "bool",
            "httpsRequired": "bool",
            "publicAddressMatches": "bool",
            "dnsRebindingProtection": "bool",
            "natLoopbackSupported": "bool",
            "connections": "list",
            "connections[]": "object",
            "connections[].protocol": "str",
            "connections[].address": "str",
            "connections[].port": "int",
            "connections[].uri": "str",
            "connections[].local": "bool",
            "connections[].relay": "bool",
            "connections[].IPv6": "bool",
        },
    ),
}

_DEVICES = {
    "[]": "object",
    **_under(
        "[].",
        {
            "id": "int",
            "name": "str",
            "product": "str",
            "productVersion": "str or null",
            "platform": "str or null",
            "platformVersion": "str or null",
            "device": "str or null",
            "model": "str or null",
            "vendor": "str or null",
            "provides": "str or null",
            "clientIdentifier": "str",
            "version": "str or null or missing",
            "token": "str or null or missing",
            "publicAddress": "str or null",
            "screenResolution": "str or null",
            "screenDensity": "int or null",
            "presence": "bool",
            "createdAt": "str",
            "lastSeenAt": "str",
            "connections": "list",
            "connections[]": "object",
            "connections[].uri": "str",
            "syncLists": "list or missing",
            "syncLists[]": "any",
        },
    ),
}


def _container(fields: Mapping[str, str]) -> dict[str, str]:
    return {"MediaContainer": "object", **_under("MediaContainer.", fields)}


_CONNECTION = {
    "": "object",
    ".protocol": "str",
    ".address": "str",
    ".port": "int",
    ".uri": "str",
    ".local": "bool",
    ".relay": "bool or missing",
}

_DEVICE = {
    ".name": "str",
    ".clientIdentifier": "str",
    ".accessToken": "str",
    ".Connection": "list",
    **_under(".Connection[]", _CONNECTION),
}

_ERROR = {
    "errors": "list",
    "errors[]": "object",
    "errors[].code": "int",
    "errors[].message": "str",
    "errors[].status": "int or missing",
}

CREATE_PIN = Call("POST /pins (§7.1)", (201,), fields=_PIN)
CHECK_PIN = Call("GET /pins/{id} (§7.2)", fields=_PIN)
USER = Call("GET /user (§2)", fields=_USER)
RESOURCES = Call("GET /resources (§5)", fields=_RESOURCES)
DEVICES = Call("GET /devices (§16.1)", fields=_DEVICES)
IDENTITY = Call(
    "GET {server}/identity (§6.1)",
    fields=_container(
        {
            "size": "int",
            "apiVersion": "str or missing",
            "claimed": "bool",
            "machineIdentifier": "str",
            "version": "str",
        }
    ),
)
ROOT = Call(
    "GET {server}/ (§6.2)",
    fields=_container(
        {
            "friendlyName": "str",
            "machineIdentifier": "str",
            "version": "str",
            "myPlexSigninState": "str",
            "*": "any",
        }
    ),
)
ROOT_WITH_TRANSIENT_TOKEN = Call(
    "GET {server}/ with the transient token (§3)", fields=ROOT.fields
)
TRANSIENT_TOKEN = Call(
    "POST {server}/security/token (§3)",
    fields=_container({"size": "int", "token": "str"}),
)
SOURCE = Call(
    "GET {server}/security/resources (§4)",
    fields=_container(
        {
            "size": "int",
            "Device": "object or list",
            **_under("Device", _DEVICE),
            "Device[]": "object",
            **_under("Device[]", _DEVICE),
        }
    ),
)
HOME_USERS = Call(
    "GET /home/users (§22.1)",
    fields={
        "id": "int",
        "name": "str",
        "guestUserID": "int or null",
        "guestUserUUID": "str or null",
        "guestEnabled": "bool",
        "subscription": "bool",
        "users": "list",
        "users[]": "object",
        **_under(
            "users[].",
            {
                "id": "int",
                "uuid": "str",
                "title": "str",
                "username": "str or null",
                "email": "str or null",
                "friendlyName": "str or null or missing",
                "thumb": "str or null",
                "hasPassword": "bool",
                "restricted": "bool",
                "restrictionProfile": "str or null",
                "admin": "bool",
                "guest": "bool",
                "protected": "bool",
                "updatedAt": "int or missing",
                "pin": "str or null or missing",
            },
        ),
    },
)
# A managed user has neither user name nor e-mail address.
HOME_SWITCH = Call(
    "POST /home/users/{uuid}/switch (§22.2)",
    (201,),
    fields=_USER | dict.fromkeys(("username", "email"), "str or null"),
)
RESOURCES_OF_HOME_USER = Call(
    "GET /resources of the Home user (§22.2)", fields=_RESOURCES
)
SIGN_OUT_OF_HOME_USER = Call(
    "DELETE /users/signout of the Home user (§9)", (204,), form="nothing"
)
SIGN_OUT = Call("DELETE /users/signout (§9)", (204,), form="nothing")
USER_AFTERWARDS = Call("GET /user after the sign-out (§2)", (401,), fields=_ERROR)
