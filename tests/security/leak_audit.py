"""The leak audit: what Home Assistant shows or keeps, searched for every secret.

An `Audit` collects texts by the place they were found in, and looks for secrets in them
once the run is over: as they are and in the usual encodings.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, is_dataclass
from itertools import accumulate
import logging
from pathlib import Path
import sqlite3
import traceback
from typing import Any, override

import pytest

from homeassistant.const import EVENT_HOMEASSISTANT_FINAL_WRITE, MATCH_ALL
from homeassistant.core import Event, HomeAssistant, State, callback
from homeassistant.helpers import (
    device_registry as dr,
    entity_registry as er,
    issue_registry as ir,
)

from .leaks import Form, Leak, Place, Secret, Text, forms, may_be_there, plainness

_BEGINNING = 4

# It stands for Home Assistant's own writing to files, and logs all that it would write.
_TEST_LIBRARY = "pytest_homeassistant_custom_component"


class _Everything(logging.Handler):
    """Give all records to an audit, whatever logger they come from."""

    def __init__(self, audit: Audit) -> None:
        super().__init__(logging.NOTSET)
        self._audit = audit

    @override
    def emit(self, record: logging.LogRecord) -> None:
        if not record.name.startswith(_TEST_LIBRARY):
            self._audit.add_record(record)


@dataclass(slots=True)
class Audit:
    """Collect texts, and find secrets in them."""

    texts: list[Text] = field(default_factory=list)
    exceptions: list[BaseException] = field(default_factory=list)

    def add(self, place: Place, where: str, value: object) -> None:
        """Take a value: a text as it is, and each item of what has items by its path."""
        for path, text in _leaves(value):
            self.texts.append(Text(place, f"{where}{path}", text))

    def add_record(self, record: logging.LogRecord) -> None:
        """Take a record of the log, and the exception that it shows."""
        where = f"{record.name}: {record.msg!s:.60}"
        try:
            text = record.getMessage()
        except TypeError, ValueError:
            text = f"{record.msg} {record.args}"
        self.texts.append(Text(Place.LOG, where, text))
        if record.exc_info and record.exc_info[1] is not None:
            self.add_exception(record.exc_info[1], f"logged by {record.name}")
        if record.exc_text:
            self.texts.append(Text(Place.LOG, where, record.exc_text))
        if record.stack_info:
            self.texts.append(Text(Place.LOG, where, record.stack_info))

    def add_exception(self, error: BaseException, where: str = "raised") -> None:
        """Take an exception and all that led to it, as texts and as what they hold."""
        if any(error is known for known in self.exceptions):
            return
        self.exceptions.append(error)
        self.add(Place.EXCEPTION, where, "".join(traceback.format_exception(error)))
        for link in _chain(error):
            name = f"{where}: {type(link).__name__}"
            for text in (
                str(link),
                repr(link),
                repr(link.args),
                repr(vars(link)),
                repr(getattr(link, "__notes__", None)),
                link.args,
                vars(link),
            ):
                self.add(Place.EXCEPTION, name, text)

    def listen(self, hass: HomeAssistant) -> None:
        """Take every event from now on, and with it every state there ever is."""

        @callback
        def _async_take(event: Event) -> None:
            self.add(Place.EVENT, str(event.event_type), event.as_dict())

        hass.bus.async_listen(MATCH_ALL, _async_take)

    @contextmanager
    def log_everything(self) -> Iterator[None]:
        """Take the log of every logger at debug meanwhile."""
        root = logging.getLogger()
        known = [*root.manager.loggerDict.values(), root]
        disabled = root.manager.disable
        with pytest.MonkeyPatch.context() as patch:
            for logger in known:
                if isinstance(logger, logging.Logger):
                    patch.setattr(logger, "level", logging.DEBUG)
                    patch.setattr(logger, "disabled", False)
            # Nobody wants to read all that.
            patch.setattr(root, "handlers", [_Everything(self)])
            logging.disable(logging.NOTSET)  # it lets loggers look at their levels anew
            yield
        logging.disable(disabled)

    def take_states(self, hass: HomeAssistant) -> None:
        """Take what the state machine has now."""
        for state in hass.states.async_all():
            self.add(Place.STATE, state.entity_id, state.state)
            self.add(Place.ATTRIBUTE, state.entity_id, dict(state.attributes))

    def take_registries(self, hass: HomeAssistant) -> None:
        """Take devices, entities and issues."""
        for device in dr.async_get(hass).devices:
            self.add(Place.REGISTRY, f"device {device.name}", device)
        for entity in er.async_get(hass).entities.values():
            self.add(Place.REGISTRY, f"entity {entity.entity_id}", entity)
        for issue in ir.async_get(hass).issues.values():
            self.add(Place.ISSUE, issue.issue_id, issue)

    async def async_take_storage(
        self, hass: HomeAssistant, storage: Mapping[str, Any]
    ) -> None:
        """Take all that Home Assistant keeps on disk, after it has written it.

        The recorder ends with this.
        """
        hass.bus.async_fire(EVENT_HOMEASSISTANT_FINAL_WRITE)
        await hass.async_block_till_done(wait_background_tasks=True)
        for key, stored in storage.items():
            data = stored
            if key == "core.config_entries":
                data = _named_entries(stored)
            self.add(Place.STORAGE, key, data)

    def take_database(self, database: Path) -> None:
        """Take a database of the recorder: as rows, and as the bytes of its files."""
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
            for number, row in enumerate(connection.iterdump()):
                self.add(Place.RECORDER, f"row {number}", row)
        connection.close()
        for file in database.parent.glob(f"{database.name}*"):
            self.add(
                Place.RECORDER, file.name, file.read_bytes().decode(errors="replace")
            )

    def take_files(self, folder: Path) -> None:
        """Take all files in a folder."""
        for file in folder.rglob("*"):
            if file.is_file():
                self.add(
                    Place.FILE,
                    str(file.relative_to(folder)),
                    file.read_bytes().decode(errors="replace"),
                )

    def find(self, secrets: Iterable[Secret]) -> list[Leak]:
        """Return where the secrets are, whether they may be there or not.

        Each secret is reported once for each text, in the plainest form.
        """
        needles = defaultdict[str, dict[str, tuple[Secret, Form]]](dict)
        for secret in secrets:
            for form, looks in forms(secret.value).items():
                for needle in looks:
                    needles[needle[:_BEGINNING]].setdefault(needle, (secret, form))
        texts = list(dict.fromkeys(self.texts))
        whole = "\0".join(text.text for text in texts)
        ends = list(accumulate(len(text.text) + 1 for text in texts))
        found = dict[tuple[Secret, Text], Form]()
        # Secrets of a kind begin alike, so few beginnings have to be looked for.
        for beginning, group in needles.items():
            lengths = {len(needle) for needle in group}
            at = whole.find(beginning)
            while at >= 0:
                for length in lengths:
                    if (hit := group.get(whole[at : at + length])) is not None:
                        secret, form = hit
                        text = texts[bisect_right(ends, at)]
                        form = min(form, found.get((secret, text), form), key=plainness)
                        found[secret, text] = form
                at = whole.find(beginning, at + 1)
        return [Leak(secret, form, text) for (secret, text), form in found.items()]

    def forbidden(self, secrets: Iterable[Secret]) -> list[Leak]:
        """Return where secrets are that must not be there."""
        return [leak for leak in self.find(secrets) if not may_be_there(leak)]


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and those that it came from, each once."""
    waiting, seen = [error], set[int]()
    while waiting:
        link = waiting.pop()
        if id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        if isinstance(link, BaseExceptionGroup):
            waiting += link.exceptions
        waiting += filter(None, (link.__cause__, link.__context__))


def _leaves(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield the texts in a value, keys included, each with its path."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield f"{path} key", str(key)
            yield from _leaves(item, f"{path}/{key}")
    elif isinstance(value, list | tuple | set | frozenset):
        for number, item in enumerate(value):
            yield from _leaves(item, f"{path}/{number}")
    elif is_dataclass(value) and not isinstance(value, type):
        for name in fields(value):
            yield from _leaves(getattr(value, name.name), f"{path}/{name.name}")
    elif hasattr(value, "__attrs_attrs__"):
        for name in value.__attrs_attrs__:
            yield from _leaves(getattr(value, name.name), f"{path}/{name.name}")
    elif isinstance(value, Event | State):
        yield from _leaves(value.as_dict(), path)
    else:
        yield path, str(value)


def _named_entries(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return stored entries under their unique ids, and their servers likewise."""
    return {
        str(entry["unique_id"]): {
            **entry,
            "subentries": {
                str(subentry["unique_id"]): subentry for subentry in entry["subentries"]
            },
        }
        for entry in stored["data"]["entries"]
    }
