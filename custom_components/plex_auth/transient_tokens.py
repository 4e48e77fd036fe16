"""The transient tokens that we issued, in memory only.

They outlive a reload of the entry, but not Home Assistant itself nor the server's
removal.
"""

from homeassistant.core import HomeAssistant, callback
from homeassistant.util.hass_dict import HassKey

from .api.models import TransientToken
from .const import DOMAIN

_DATA_TOKENS: HassKey[dict[str, TransientToken]] = HassKey(f"{DOMAIN}_transient_tokens")


@callback
def async_get_token(hass: HomeAssistant, subentry_id: str) -> TransientToken | None:
    """Return the last token issued by a server, None where there is none any more."""
    return hass.data.get(_DATA_TOKENS, {}).get(subentry_id)


@callback
def async_remember_token(
    hass: HomeAssistant, subentry_id: str, token: TransientToken
) -> None:
    """Keep the token that a server issued last."""
    hass.data.setdefault(_DATA_TOKENS, {})[subentry_id] = token


@callback
def async_forget_token(hass: HomeAssistant, subentry_id: str) -> None:
    """Drop a server's token, if there is one."""
    hass.data.get(_DATA_TOKENS, {}).pop(subentry_id, None)
