"""Fields and schemas of all dialogs."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

from probatio import Secret
import voluptuous as vol

from homeassistant.config_entries import SOURCE_USER
from homeassistant.const import (
    CONF_DEVICES,
    CONF_PASSWORD,
    CONF_PIN,
    CONF_TOKEN,
    CONF_URL,
    CONF_USERNAME,
    CONF_VERIFY_SSL,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers.selector import (
    BooleanSelector,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)
from homeassistant.helpers.translation import async_get_translations
from homeassistant.util import dt as dt_util

from ..api.devices import Device
from ..api.homes import HomeUser
from ..api.models import ListedServer
from ..api.server import server_source
from ..const import (
    CONF_API_URL,
    CONF_CLIENT_IDENTIFIER,
    CONF_HOME_USER,
    CONF_SERVER,
    CONF_SERVERS,
    CONF_SOURCES,
    CONF_VERIFICATION_CODE,
    DOMAIN,
)

type _Fields = dict[vol.Marker, Any]

_TOKEN_SELECTOR: Final = TextSelector(
    TextSelectorConfig(type=TextSelectorType.PASSWORD, autocomplete="off")
)
_URL_SELECTOR: Final = TextSelector(TextSelectorConfig(type=TextSelectorType.URL))
_TOKEN_FIELD: Final[_Fields] = {vol.Required(Secret(CONF_TOKEN)): _TOKEN_SELECTOR}
_OPTIONAL_TOKEN_FIELD: Final[_Fields] = {
    vol.Optional(Secret(CONF_TOKEN)): _TOKEN_SELECTOR
}
_VERIFY_SSL_FIELD: Final[_Fields] = {
    vol.Required(CONF_VERIFY_SSL, default=True): BooleanSelector()
}

# The fields of each sign-in step.
_SIGN_IN_FIELDS: Final[dict[str, _Fields]] = {
    "password": {
        vol.Required(CONF_USERNAME): TextSelector(
            TextSelectorConfig(type=TextSelectorType.TEXT, autocomplete="username")
        ),
        vol.Required(Secret(CONF_PASSWORD)): TextSelector(
            TextSelectorConfig(
                type=TextSelectorType.PASSWORD, autocomplete="current-password"
            )
        ),
    },
    "token": _TOKEN_FIELD,
    "advanced": {
        vol.Optional(CONF_API_URL): _URL_SELECTOR,
        vol.Optional(CONF_CLIENT_IDENTIFIER): TextSelector(),
    },
    "code": {
        vol.Required(Secret(CONF_VERIFICATION_CODE)): TextSelector(
            TextSelectorConfig(autocomplete="one-time-code")
        )
    },
}

EMPTY_SCHEMA: Final = vol.Schema({})
PIN_SCHEMA: Final = vol.Schema({vol.Required(Secret(CONF_PIN)): _TOKEN_SELECTOR})
ADDRESS_SCHEMA: Final = vol.Schema(
    {vol.Required(CONF_URL): _URL_SELECTOR, **_VERIFY_SSL_FIELD}
)
# A keyboard for URLs may have no space, which the name of a server may have.
NEW_ADDRESS_SCHEMA: Final = vol.Schema(
    {
        vol.Required(CONF_URL): TextSelector(),
        **_VERIFY_SSL_FIELD,
        **_OPTIONAL_TOKEN_FIELD,
    }
)
TOKEN_SCHEMA: Final = vol.Schema(_TOKEN_FIELD)


def sign_in_schema(step_id: str, source: str | None) -> vol.Schema:
    """Return the form of a sign-in step; an entry keeps its client identifier."""
    fields = _SIGN_IN_FIELDS[step_id]
    if source != SOURCE_USER:
        fields = {key: fields[key] for key in fields if key != CONF_CLIENT_IDENTIFIER}
    return vol.Schema(fields)


async def async_away_label(hass: HomeAssistant) -> str:
    """Return the label of a server that has been away long, with placeholders."""
    return await async_text(hass, "selector.server.options.away")


async def async_devices_schema(
    hass: HomeAssistant, devices: Iterable[Device]
) -> vol.Schema:
    """Return the form that selects devices, in the given order, by their IDs."""
    seen_label = await async_text(hass, "selector.device.options.last_seen")
    labels = [
        (str(device.id), str(device.id), _device_label(device, seen_label))
        for device in devices
    ]
    selector = SelectSelector(
        SelectSelectorConfig(
            options=[
                SelectOptionDict(value=value, label=label)
                for value, label in _distinct(labels)
            ],
            multiple=True,
            mode=SelectSelectorMode.LIST,
        )
    )
    # A required field would preselect the first device.
    return vol.Schema({vol.Optional(CONF_DEVICES): selector})


def servers_schema(servers: Iterable[ListedServer], away_label: str) -> vol.Schema:
    """Return the form that lists all servers, with own servers preselected.

    Those that have been away long are not.
    """
    listed, now = list(servers), dt_util.utcnow()
    own = [
        server.machine_identifier
        for server in listed
        if server.owned and not server.has_been_away_long(now)
    ]
    selector = _server_selector(listed, away_label, multiple=True)
    return vol.Schema({vol.Optional(CONF_SERVERS, default=own): selector})


def server_schema(servers: Iterable[ListedServer], away_label: str) -> vol.Schema:
    """Return the form that selects one server."""
    selector = _server_selector(servers, away_label)
    return vol.Schema({vol.Required(CONF_SERVER): selector})


def home_user_schema(users: Iterable[HomeUser]) -> vol.Schema:
    """Return the form that selects a user of the Plex Home."""
    labels = _distinct((user.uuid, str(user.id), user.title) for user in users)
    options = [SelectOptionDict(value=uuid, label=label) for uuid, label in labels]
    selector = SelectSelector(
        SelectSelectorConfig(options=options, mode=SelectSelectorMode.LIST)
    )
    return vol.Schema({vol.Required(CONF_HOME_USER): selector})


def reconfigure_server_schema(
    known_sources: Iterable[ListedServer] | None, *, has_typed_token: bool
) -> vol.Schema:
    """Return the form that changes a server, including a token if one was typed.

    The sources are left out if there is no list of those to suggest.
    """
    fields: _Fields = {vol.Optional(CONF_URL): _URL_SELECTOR, **_VERIFY_SSL_FIELD}
    if has_typed_token:
        fields |= _OPTIONAL_TOKEN_FIELD
    if known_sources is not None:
        fields[vol.Optional(CONF_SOURCES, default=[])] = SelectSelector(
            SelectSelectorConfig(
                options=[
                    SelectOptionDict(value=server_source(identifier), label=label)
                    for identifier, label in _labels(known_sources)
                ],
                multiple=True,
                custom_value=True,
                mode=SelectSelectorMode.DROPDOWN,
            )
        )
    return vol.Schema(fields)


def _server_selector(
    servers: Iterable[ListedServer], away_label: str, *, multiple: bool = False
) -> SelectSelector:
    """Return a server selector; labels of shared servers include the owner."""
    return SelectSelector(
        SelectSelectorConfig(
            options=[
                SelectOptionDict(value=identifier, label=label)
                for identifier, label in _labels(servers, away_label)
            ],
            multiple=multiple,
            mode=SelectSelectorMode.LIST,
        )
    )


def _labels(
    servers: Iterable[ListedServer], away_label: str = "{server}"
) -> list[tuple[str, str]]:
    """Return the identifier and a unique label of each server."""
    return _distinct(
        (
            server.machine_identifier,
            server.machine_identifier[:8],
            _label(server, away_label),
        )
        for server in servers
    )


def _distinct(labels: Iterable[tuple[str, str, str]]) -> list[tuple[str, str]]:
    """Return each value and label; equal labels end with the mark between the two."""
    listed = list(labels)
    count = Counter(label for _, _, label in listed)
    return [
        (value, label if count[label] == 1 else f"{label} [{mark}]")
        for value, mark, label in listed
    ]


def _label(server: ListedServer, away_label: str) -> str:
    """Return the label of a server, with the date for one that has been away long."""
    seen = server.last_seen_at
    if seen is None or not server.has_been_away_long(dt_util.utcnow()):
        return server.label
    return away_label.format(server=server.label, date=dt_util.as_local(seen).date())


def _device_label(device: Device, seen_label: str) -> str:
    """Return the label of a device, with the date it was last seen if known."""
    if (seen := device.last_seen_at) is None:
        return device.label
    return seen_label.format(device=device.label, date=dt_util.as_local(seen).date())


def server_hints(servers: Iterable[ListedServer]) -> dict[str, bool]:
    """Return which hints are true of a form that lists servers, own ones preselected."""
    listed, now = list(servers), dt_util.utcnow()
    own_are_away = [one.has_been_away_long(now) for one in listed if one.owned]
    return {
        "own": False in own_are_away,
        "away": True in own_are_away,
        "shared": any(one.source_title for one in listed),
    }


async def async_hints(
    hass: HomeAssistant, section: str, hints: Mapping[str, bool], **names: str
) -> str:
    """Return the hints that are true, in Home Assistant's language.

    A form has one text for all cases. Among a section's texts, only those of errors may
    have keys of any kind.
    """
    texts = [
        await async_text(hass, f"{section}.error.hint_{key}")
        for key in hints
        if hints[key]
    ]
    return " ".join(text.format(**names) for text in texts)


async def async_text(hass: HomeAssistant, path: str) -> str:
    """Return a translated text in Home Assistant's language; `path` names its keys."""
    texts = await async_get_translations(
        hass, hass.config.language, path.partition(".")[0], [DOMAIN]
    )
    return texts[f"component.{DOMAIN}.{path}"]
