"""The driver for Home Assistant's pages: moves of a way become clicks."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from playwright.sync_api import expect

from tests.walks.names import SECRET_FIELDS, Field, Issue, Step
from tests.walks.texts import ENGLISH, text, texts_of
from tests.walks.ways import Choose, Created, Ended, Move, Submit, Wait, Watch, Way

from .screen import Screen

ACCOUNT = "config"
SERVER = "config_subentries.server"
HOME_USER = "config_subentries.home_user"
DEVICES = "options"

# What Home Assistant itself says at the end, and the button to press then.
_CREATED = {
    ACCOUNT: ("Name and assign", "Skip and finish"),
    SERVER: ("Created configuration for", "Finish"),
    HOME_USER: ("Created configuration for", "Finish"),
}
_REPAIRED = ("The issue is repaired!", "Close")
_ENDED = {
    "reauth_successful": "Re-authentication was successful",
    "reconfigure_successful": "Reconfiguration was successful",
}
# What is said only where it is true, and set only in some dialogs.
_SOMETIMES = {"hints": "", "in_use": ""}
# The pictures of the documentation.
_KEPT = {
    f"{ACCOUNT}.{Step.USER}": "sign-in",
    f"{ACCOUNT}.{Step.PASSWORD}": "password",
    f"{ACCOUNT}.{Step.CODE}": "code",
    f"{ACCOUNT}.{Step.SERVERS}": "servers",
    f"{ACCOUNT}.{Step.LINK}": "link-code",
    f"{SERVER}.{Step.ADDRESS}": "add-server-by-address",
    f"{SERVER}.{Step.RECONFIGURE} filled": "change-server",
    f"{DEVICES}.{Step.INIT} filled": "sign-out-devices",
    f"{HOME_USER}.{Step.USER} filled": "add-home-user",
    f"issues.{Issue.UNCLAIMED}.fix_flow.{Step.CONFIRM}": "claim-server",
}


@dataclass
class PageDialog:
    """Click through a dialog, and see that it has its texts.

    `texts` is where its texts are; `labels` are what servers are called, by their
    machine identifiers, or devices, by their IDs. Home users go by their names.
    """

    screen: Screen
    texts: str
    placeholders: Mapping[str, str]
    labels: Mapping[str, str] = field(default_factory=dict)
    language: str = ENGLISH

    def text(self, key: str, **placeholders: str) -> str:
        """Return a text of the dialog."""
        return text(
            f"{self.texts}.{key}",
            self.language,
            **{**_SOMETIMES, **self.placeholders, **placeholders},
        ).strip()

    def walk(self, way: Way) -> None:
        """Do all the moves of a way."""
        for move in way:
            self.do(move)

    def do(self, move: Move) -> None:
        """Do a move, at the step that it is meant for."""
        match move:
            case Choose(step, item):
                with self.seen(step):
                    self.screen.click(self.text(f"step.{step}.menu_options.{item}"))
            case Submit(step, typed, errors):
                with self.seen(step):
                    self.fill(f"step.{step}", typed)
                    self._picture(f"{step} filled")
                    self.screen.press("Submit")
                    if errors:
                        self._see_errors(step, typed, errors)
            case Watch(step, use):
                code = self._code()
                with self.seen(step):
                    use(code)
            case Wait(step):
                # Home Assistant's page finds no title of a repair's progress.
                with self.screen.step(self.text(f"progress.{step}")):
                    self.screen.see(self.text(f"progress.{step}"))
                    self._picture(step)
            case Created():
                self._end(*_CREATED.get(self.texts, _REPAIRED))
            case Ended(reason):
                said = _ENDED.get(reason) or self.text(f"abort.{reason}")
                self._end(said, "Close")

    def fill(self, texts: str, typed: Mapping[str, Any]) -> None:
        """Fill the fields of a form or a section; switches stay as they are."""
        for name, value in typed.items():
            self.screen.see(self.text(f"{texts}.data.{name}"))
            self.screen.see(self.text(f"{texts}.data_description.{name}"))
            if name in (Field.SERVERS, Field.DEVICES):
                self._tick(value)
            elif name == Field.SERVER:
                self.screen.select(self.labels[value])
            elif name == Field.HOME_USER:
                self.screen.select(value)
            elif name == Field.SOURCES:
                self._add(value, self.text(f"{texts}.data.{name}"))
            elif isinstance(value, str):
                self.screen.type(name, value)

    @contextmanager
    def seen(self, step: Step) -> Iterator[None]:
        """See the texts of a step, and do what is to be done there."""
        texts = texts_of(f"{self.texts}.step.{step}", self.language)
        with self.screen.step(self.text(f"step.{step}.title")):
            self.screen.see(self.text(f"step.{step}.title"), exact=True)
            if "description" in texts:
                self.screen.see(self.text(f"step.{step}.description"))
            for kind in ("menu_options", "menu_option_descriptions"):
                for name in texts.get(kind, ()):
                    self.screen.see(self.text(f"step.{step}.{kind}.{name}"))
            self._picture(step)
            yield

    def _see_errors(
        self, step: Step, typed: Mapping[str, Any], errors: Mapping[str, str]
    ) -> None:
        """See that a form comes again with what was typed, secrets excepted."""
        for key in errors.values():
            self.screen.see(self.text(f"error.{key}"))
        for name, value in typed.items():
            if isinstance(value, str):
                kept = "" if name in SECRET_FIELDS else value
                assert self.screen.typed(name) == kept, (
                    f"{name} is not kept as it should"
                )
        self._picture(f"{step} wrong")

    def _tick(self, chosen: list[str]) -> None:
        """Tick the boxes of some servers or devices, and no others."""
        for identifier, label in self.labels.items():
            box = self.screen.page.locator("ha-checkbox", has_text=label)
            if box.count() and box.evaluate("box => box.checked") != (
                identifier in chosen
            ):
                self.screen.tick(box)

    def _add(self, sources: list[str], label: str) -> None:
        """Add sources by the names of their servers.

        The button is called by the label of the field in 2026.10.
        """
        buttons = partial(self.screen.page.get_by_role, "button", exact=True)
        add = buttons(name="Add").or_(buttons(name=label)).filter(visible=True)
        for source in sources:
            server = self.labels[source.removeprefix("server://")]
            self.screen.choose(add.last, "", server)

    def _code(self) -> str:
        """Return the code that is shown, with the address and the picture of it."""
        shown = self.screen.page.locator("ha-markdown h1").filter(visible=True)
        code = str(shown.inner_text())
        url = f"https://plex.tv/link/?pin={code}"
        link = self.screen.page.locator("ha-markdown a").filter(visible=True)
        expect(link, "the address to open").to_have_attribute("href", url)
        expect(link, "where it opens").to_have_attribute("target", "_blank")
        picture = self.screen.page.locator(f"ha-qr-code[data='{url}'] canvas")
        expect(picture, "the picture of the address").to_be_visible()
        told = self.text("progress.wait_for_link", code=code, url=url, qr="")
        self.screen.see(told.splitlines()[-1])
        return code

    def _end(self, said: str, button: str) -> None:
        """See how the dialog ends, and close it."""
        with self.screen.step(said):
            self.screen.see(said)
            self._picture("end")
            self.screen.press(button)

    def _picture(self, name: str) -> None:
        """Take a picture of the dialog, under its name in the documentation."""
        name = f"{self.texts}.{name}"
        if self.language != ENGLISH:
            name = f"{name} {self.language}"
        kept = _KEPT.get(name)
        self.screen.picture(kept or name, dialog=True, keep=kept is not None)
