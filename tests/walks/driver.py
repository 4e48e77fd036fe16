"""What both drivers have in common that get pages as data."""

from abc import ABC, abstractmethod
import asyncio
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .names import Step
from .texts import texts_of
from .ways import Choose, Created, Ended, Move, Submit, Wait, Watch, Way

_LONGEST_WAIT = 30


class AstrayError(AssertionError):
    """The dialog shows something else than the way has next."""


@dataclass(kw_only=True, repr=False)
class Driver(ABC):
    """Do moves in a dialog; `result` is the page that it shows."""

    result: Mapping[str, Any] = field(default_factory=dict)

    @property
    def errors(self) -> Mapping[str, str]:
        """Return the errors that are shown, by field; a menu tells one in its text."""
        if self.result.get("step_id") == Step.LINK_FAILED:
            given = self.result["description_placeholders"]
            shown = defaultdict(
                str,
                {
                    key.removesuffix("_md"): text
                    for key, text in given.items()
                    if key.endswith("_md")
                },
            )
            told = [
                key
                for key, text in texts_of("config.error").items()
                if text.format_map(shown) == shown["reason"]
            ]
            return {"base": told[0]}
        return self.result.get("errors") or {}

    async def walk(self, *ways: Way) -> None:
        """Do all moves of one way after the other."""
        for way in ways:
            for move in way:
                await self.do(move)

    async def do(self, move: Move) -> None:
        """Do a move; raises AstrayError where another one would be next."""
        match move:
            case Choose(step, item):
                self._expect("menu", step_id=step)
                await self.send({"next_step_id": item})
            case Submit(step, typed, errors):
                self._expect("form", step_id=step)
                await self.send(typed)
                if errors or self.errors:
                    self._expect("form", step_id=step, errors=errors)
            case Watch(step, use):
                self._expect("progress", step_id=step)
                use(self.result["description_placeholders"]["code"])
                await self._wait()
            case Wait(step):
                self._expect("progress", step_id=step)
                await self._wait()
            case Created():
                self._expect("create_entry")
            case Ended(reason):
                self._expect("abort", reason=reason)

    @abstractmethod
    async def send(self, content: Mapping[str, Any]) -> None:
        """Send what was chosen or typed, and take the next page."""

    @abstractmethod
    async def look(self) -> None:
        """Ask what is shown now."""

    async def _wait(self) -> None:
        """Look again and again until a progress is over."""
        async with asyncio.timeout(_LONGEST_WAIT):
            while self.result["type"] == "progress":
                await asyncio.sleep(0.02)
                await self.look()

    def _expect(self, kind: str, **wanted: object) -> None:
        found = {name: self.result.get(name) for name in ("type", *wanted)}
        if found != {"type": kind, **wanted}:
            raise AstrayError(f"the dialog shows {found} instead of {kind} {wanted}")
