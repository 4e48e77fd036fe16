"""Repairs: the flow for each issue."""

from typing import Final

from homeassistant.components.repairs import RepairsFlow
from homeassistant.core import HomeAssistant

from .flows.claim import ClaimServerFlow
from .flows.home_user_sign_in import HomeUserSignInFlow
from .flows.repair import (
    AutomaticAddressFlow,
    NewTokenFlow,
    NotReachedFlow,
    RemoveServerFlow,
    SubentryRepairFlow,
)
from .flows.replaced import ReplacedServerFlow
from .issues import Issue

_FLOWS: Final[dict[Issue, type[SubentryRepairFlow]]] = {
    Issue.ADDRESS_FAILS: AutomaticAddressFlow,
    Issue.HOME_USER_SIGN_IN: HomeUserSignInFlow,
    Issue.NOT_LISTED: RemoveServerFlow,
    Issue.NOT_REACHED: NotReachedFlow,
    Issue.REPLACED: ReplacedServerFlow,
    Issue.TOKEN_REFUSED: NewTokenFlow,
    Issue.UNCLAIMED: ClaimServerFlow,
}


async def async_create_fix_flow(
    hass: HomeAssistant,
    issue_id: str,
    data: dict[str, str | int | float | None] | None,
) -> RepairsFlow:
    """Return the flow that fixes the issue of a server or a Home user."""
    assert data is not None
    entry = hass.config_entries.async_get_known_entry(str(data["entry_id"]))
    subentry = entry.subentries[str(data["subentry_id"])]
    return next(
        flow(entry, subentry)
        for issue, flow in _FLOWS.items()
        if issue_id == f"{issue}_{subentry.subentry_id}"
    )
