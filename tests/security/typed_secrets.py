"""Somebody who types secrets into every field that takes text.

The fields are those that a page or an action has when the typist comes to it: nothing
here names any of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
import re
from typing import Any, Final

import voluptuous as vol

from homeassistant.exceptions import HomeAssistantError
from tests.walks.names import DOMAIN
from tests.walks.rest import RestDialog
from tests.walks.ways import Submit, Typed

from .audited_user import AuditedUser
from .dialog_paths import DialogPath
from .leaks import Kind, Leak, Place, Secret

SCRIPT: Final = "call"  # any action, with any fields

# What somebody may paste: a token, an address with a token and one with a password.
# Where something is right in the field, it is that address.
PASTED: Final = {
    Kind.ACCOUNT_TOKEN: "{secret}",
    Kind.SERVER_TOKEN: "{right}?X-Plex-Token={secret}",
    Kind.PASSWORD: "http://anna:{secret}@127.0.0.1:1",
}
_SHOWN_AGAIN: Final = re.compile(r"\w+/data_schema/.*/description/suggested_value.*")


@dataclass(frozen=True, slots=True)
class PageField:
    """A field of a page, in a section or in none."""

    name: str
    section: str | None
    is_secret: bool
    takes_text: bool
    takes_many: bool

    def right(self, typed: Mapping[str, Any]) -> str:
        """Return the text of this field among what is right to type."""
        inside = typed if self.section is None else typed.get(self.section, {})
        return str(inside.get(self.name, ""))

    def fill(self, typed: Mapping[str, Any], text: str) -> Typed:
        """Return what is right to type, but for a text in this field."""
        value = {self.name: [text] if self.takes_many else text}
        if self.section is None:
            return {**typed, **value}
        return {**typed, self.section: {**typed.get(self.section, {}), **value}}


def page_fields(
    schema: Sequence[Mapping[str, Any]], section: str | None = None
) -> Iterator[PageField]:
    """Yield the fields of a page's schema, sections and what is in them included.

    A field takes text unless it is a switch, or offers nothing but what it lists.
    """
    for part in schema:
        is_section = part.get("type") == "expandable"
        ((kind, options),) = part.get("selector", {"": {}}).items()
        is_list = kind == "select" and not options["custom_value"]
        yield PageField(
            name=part["name"],
            section=section,
            is_secret=part.get("secret", False),
            takes_text=not (is_section or is_list or kind == "boolean"),
            takes_many=options.get("multiple", False),
        )
        if is_section:
            yield from page_fields(part["schema"], part["name"])


@dataclass(slots=True)
class SecretTypist:
    """Type secrets, each of them into one field only, and know where that was.

    `seen` are the steps and fields of the dialogs, `typing` is the latest text.
    """

    user: AuditedUser
    name: str = "typist"
    typing: str = ""
    seen: set[tuple[str, str]] = field(default_factory=set)
    secrets: list[Secret] = field(default_factory=list)
    _shown_again: set[str] = field(default_factory=set)

    async def go(self, path: DialogPath) -> None:
        """Go a path to its end, after each text was typed in each field on the way.

        It begins anew where a text was taken.
        """
        typed = set[tuple[str, PageField, Kind]]()
        while not await self._reaches_the_end(path, typed):
            pass

    def may_be_there(self, leak: Leak) -> bool:
        """Tell whether a dialog shows in a field what was typed there, if it is open."""
        text = leak.text
        is_field = text.place is Place.FLOW and _SHOWN_AGAIN.fullmatch(text.where)
        return bool(is_field) and text.text in self._shown_again

    async def act(self, action: str, fields: Typed, domain: str = DOMAIN) -> None:
        """Type each text into each field of an action, and call it each time."""
        services = self.user.hass.services.async_services_for_domain(domain)
        schema = services[action].schema
        assert isinstance(schema, vol.Schema)
        for name in map(str, schema.schema):
            for kind in PASTED:
                where = f"{action} {name}"
                text = self._text(where, kind, str(fields.get(name, "")))
                data = {**fields, name: text}
                await self.user.act(action, data, domain)
                await self._run_script(f"{domain}.{action}", data)

    async def _run_script(self, action: str, data: Typed) -> None:
        """Let a script call an action, which logs what goes wrong and keeps a trace."""
        with suppress(HomeAssistantError, vol.Invalid):
            await self.user.hass.services.async_call(
                "script", SCRIPT, {"action": action, "data": data}, blocking=True
            )

    async def _reaches_the_end(
        self, path: DialogPath, typed: set[tuple[str, PageField, Kind]]
    ) -> bool:
        """Go a path until a text is taken."""
        dialog = await path.open()
        for move in path.way():
            if isinstance(move, Submit) and not await self._stumble(
                dialog, move, typed
            ):
                return False
            await dialog.do(move)
        return True

    async def _stumble(
        self,
        dialog: RestDialog,
        move: Submit,
        typed: set[tuple[str, PageField, Kind]],
    ) -> bool:
        """Type what was not typed yet into a page, and tell whether it is still there."""
        page = dict(dialog.result)
        for one in page_fields(page["data_schema"]):
            self.seen.add((page["step_id"], one.name))
            for kind in PASTED if one.takes_text else ():
                if (page["step_id"], one, kind) in typed:
                    continue
                typed.add((page["step_id"], one, kind))
                where = f"{page['step_id']} {one.name}"
                text = self._text(where, kind, one.right(move.typed))
                if not one.is_secret:
                    self._shown_again.add(text)
                await dialog.send(one.fill(move.typed, text))
                if dialog.result.get("step_id") != page["step_id"]:
                    await _leave(dialog)
                    return False
        return True

    def _text(self, where: str, kind: Kind, right: str) -> str:
        """Return a text to type with a new secret in it, as long as a token of Plex."""
        secret = f"{self.name:.5}-{len(self.secrets):06}-Markers"
        self.secrets.append(Secret(kind, secret, where))
        right = right or "http://127.0.0.1:1"
        self.typing = PASTED[kind].format(secret=secret, right=right)
        return self.typing


async def _leave(dialog: RestDialog) -> None:
    """Close a dialog unless it has ended."""
    if dialog.result["type"] not in ("create_entry", "abort"):
        await dialog.close()
