"""The steps that read the integration in each of its languages."""

from scripts.shared.simulator import Simulator
from tests.walks.names import DOMAIN, Field, Step
from tests.walks.texts import ENGLISH, OTHER_LANGUAGES, text
from tests.walks.ways import Choose, Watch

from . import home_user
from .dialog import ACCOUNT, PageDialog
from .screen import Screen


def read_languages(screen: Screen, simulator: Simulator) -> None:
    """See the menu, a form, the code and the Home users in each language, and return to English."""
    for language in OTHER_LANGUAGES:
        with screen.step(f"Read {language}"):
            _speak(screen, language)
            screen.press(text("config.initiate_flow.user", language))
        dialog = PageDialog(screen, ACCOUNT, {}, language=language)
        dialog.do(Choose(Step.USER, Step.ADVANCED))
        with dialog.seen(Step.ADVANCED):
            dialog.fill(f"step.{Step.ADVANCED}", {Field.API_URL: simulator.api_url})
            screen.page.keyboard.press("Enter")
        dialog.do(Choose(Step.USER, Step.LINK))
        dialog.do(Watch(Step.LINK, lambda _: None))
        screen.close_dialog()
        home_user.read_dialog(screen, language)
    _speak(screen, ENGLISH)


def _speak(screen: Screen, language: str) -> None:
    """Open the integration's page in a language."""
    screen.page.evaluate(
        "language => localStorage.setItem('selectedLanguage', JSON.stringify(language))",
        language,
    )
    screen.page.goto(f"/config/integrations/integration/{DOMAIN}")
    screen.see(text("config.initiate_flow.user", language), exact=True)
