"""How much there is of what must not grow."""

import asyncio
from dataclasses import asdict, dataclass
import gc
from pathlib import Path
import re
from typing import Any, Final

from custom_components.plex_auth.const import DOMAIN
from homeassistant.const import EVENT_HOMEASSISTANT_FINAL_WRITE

from .harness import Harness

_IS_OF_OTHERS: Final = re.compile(r"Store\.|_process_keepalive")


@dataclass(frozen=True, slots=True)
class ResourceUsage:
    """Hold how much there is of what must not grow."""

    tasks: int
    timers: int
    connections: int
    descriptors: int
    listeners: int
    flows: int
    states: int

    @classmethod
    def now(cls, harness: Harness) -> ResourceUsage:
        """Count it; what nobody holds any more does not count.

        Neither do timers and listeners for what Home Assistant saves a little later, nor
        timers of idle connections.
        """
        gc.collect()
        loop: Any = asyncio.get_running_loop()
        listeners = harness.hass.bus.async_listeners()
        listeners.pop(EVENT_HOMEASSISTANT_FINAL_WRITE, None)
        flows = harness.hass.config_entries.flow.async_progress_by_handler(DOMAIN)
        return cls(
            tasks=len(asyncio.all_tasks()),
            timers=sum(
                not timer.cancelled() and not _IS_OF_OTHERS.search(repr(timer))
                for timer in loop._scheduled
            ),
            connections=harness.simulator.connection_count,
            descriptors=sum(1 for _ in Path("/proc/self/fd").iterdir()),
            listeners=sum(listeners.values()),
            flows=len(flows),
            states=len(harness.hass.states.async_all()),
        )

    def grown_since(self, before: ResourceUsage) -> dict[str, tuple[int, int]]:
        """Return what there is more of than chance explains.

        Idle connections come and go, each with a task of the simulator and a descriptor
        at both ends.
        """
        slack = {"tasks": 3, "connections": 3, "descriptors": 6}
        was, now = asdict(before), asdict(self)
        return {
            name: (was[name], now[name])
            for name in now
            if now[name] > was[name] + slack.get(name, 0)
        }
