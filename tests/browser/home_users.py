"""The steps of somebody who lets their child watch."""

from collections.abc import Iterator
from typing import Final

from playwright.sync_api import expect

from tests.walks.names import Field, Step
from tests.walks.texts import text
from tests.walks.ways import Created, Move, Submit
from tests.walks.world import ANNAS_NAME

from . import actions, entry
from .dialog import HOME_USER, PageDialog
from .screen import Screen

_CHILD: Final = "Lina"
_PIN: Final = "2580"
_FILM: Final = "/library/metadata/5"


def get_token_for_child(screen: Screen) -> None:
    """Add the child, at the second attempt at its PIN, and get a token for it.

    Afterwards the child is removed, and the integration's page is open.
    """
    entry.open_integration(screen)
    screen.press(text(f"{HOME_USER}.initiate_flow.user"))
    names = {"account": ANNAS_NAME, "home_user": _CHILD}
    PageDialog(screen, HOME_USER, names, {_CHILD: _CHILD}).walk(_add())
    screen.see(_CHILD, exact=True)
    actions.open_actions(screen)
    shown = actions.get_token_for(screen, _CHILD, _FILM)
    expect(shown, "the response").to_contain_text(f"home_user: {_CHILD}")
    entry.open_integration(screen)
    entry.remove_server(screen, _CHILD)


def _add() -> Iterator[Move]:
    yield Submit(Step.USER, {Field.HOME_USER: _CHILD})
    yield Submit(Step.PIN, {Field.PIN: "0000"}, {"base": "invalid_pin"})
    yield Submit(Step.PIN, {Field.PIN: _PIN})
    yield Created()
