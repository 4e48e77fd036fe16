"""The steps that read the integration in each of its languages."""

from tests.walks.texts import ENGLISH, OTHER_LANGUAGES, text

from .screen import Screen
from .world import World


def read_languages(screen: Screen, world: World) -> None:
    """See the menu and the form of the sign-in in each language, and return to English."""
    for language in OTHER_LANGUAGES:
        with screen.step(f"Read {language}"):
            _speak(screen, world, language)
            screen.press(text("config.initiate_flow.user", language))
            step = "config.step.user"
            screen.see(text(f"{step}.description", language))
            screen.picture(f"sign-in-{language}", dialog=True, keep=False)
            screen.click(text(f"{step}.menu_options.password", language))
            screen.see(text("config.step.password.description", language))
            screen.click(text("config.step.password.sections.advanced.name", language))
            screen.picture(f"password-{language}", dialog=True, keep=False)
    _speak(screen, world, ENGLISH)


def _speak(screen: Screen, world: World, language: str) -> None:
    """Open the integration's page in a language."""
    screen.page.evaluate(
        "language => localStorage.setItem('selectedLanguage', JSON.stringify(language))",
        language,
    )
    screen.page.goto(f"{world.url}/config/integrations/integration/plex_auth")
    screen.see(text("config.initiate_flow.user", language), exact=True)
