"""Versions of the integration that run in turn on one storage, as a user installs them."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
import importlib
from pathlib import Path
import sys
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import async_test_home_assistant

from custom_components.plex_auth.const import DOMAIN
from homeassistant import loader
from homeassistant.config_entries import HANDLERS, ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers import (
    area_registry as ar,
    category_registry as cr,
    device_registry as dr,
    entity_registry as er,
    floor_registry as fr,
    issue_registry as ir,
    label_registry as lr,
    restore_state as rs,
    translation,
)
from scripts.shared.failure import Failure

from .documentation import ROOT
from .helpers import async_settle
from .versions import unpack

_PACKAGE = "custom_components"


class Installation:
    """A configuration folder of Home Assistant, with one version at a time."""

    def __init__(self, folder: Path) -> None:
        """Start with an empty folder."""
        self._config = folder / "config"
        self._versions = folder / "versions"
        self._config.mkdir()

    @asynccontextmanager
    async def run(self, version: str | None = None) -> AsyncIterator[HomeAssistant]:
        """Run Home Assistant with a version, given by its commit, or today's.

        All entries are set up; what is stored is written at the end.
        """
        code = ROOT if version is None else await self._async_get(version)
        with _installed(code):
            async with async_test_home_assistant(
                load_registries=False, config_dir=str(self._config)
            ) as hass:
                await _async_load(hass)
                try:
                    yield hass
                    await async_settle(hass)
                finally:
                    await hass.async_stop(force=True)

    async def _async_get(self, commit: str) -> Path:
        """Return the folder with the code of a version; skip without the history."""
        try:
            return await asyncio.to_thread(unpack, commit, self._versions)
        except Failure:
            pytest.skip("the history of the repository is not here")


def the_entry(hass: HomeAssistant) -> ConfigEntry[Any]:
    """Return the one entry that there is."""
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    return entry


async def _async_load(hass: HomeAssistant) -> None:
    """Load all that is stored, and set up the entries."""
    hass.data.pop(loader.DATA_CUSTOM_COMPONENTS)
    # Tests share the texts that were read once, but each version has its own.
    cache = hass.data[translation.TRANSLATION_FLATTEN_CACHE]
    cache.cache_data = replace(cache.cache_data, loaded={}, cache={})
    dr.async_setup(hass)
    for registry in (ar, cr, dr, er, fr, ir, lr, rs):
        await registry.async_load(hass)
    await hass.config_entries.async_initialize()
    for entry in hass.config_entries.async_entries():
        await hass.config_entries.async_setup(entry.entry_id)
    await async_settle(hass)


@contextmanager
def _installed(code: Path) -> Iterator[None]:
    """Import the integration from a folder, and afterwards from where it was before."""
    modules, handler = _taken(), HANDLERS.get(DOMAIN)
    sys.path.insert(0, str(code))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(code))
        _taken()
        sys.modules.update(modules)
        importlib.invalidate_caches()
        if handler is not None:
            HANDLERS[DOMAIN] = handler


def _taken() -> dict[str, Any]:
    """Return the modules of custom integrations, which are no longer imported."""
    names = [name for name in sys.modules if f"{name}.".startswith(f"{_PACKAGE}.")]
    return {name: sys.modules.pop(name) for name in names}
