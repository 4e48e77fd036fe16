"""Chromium without a window."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from playwright.sync_api import Browser, Page, sync_playwright

_OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass(frozen=True)
class Chromium:
    """A running browser."""

    _browser: Browser

    def open_page(self, url: str) -> Page:
        """Return an empty page of its own user, for the addresses below `url`."""
        return self._browser.new_page(base_url=url, locale="en-US", timezone_id="UTC")


@contextmanager
def run_chromium(program: str) -> Iterator[Chromium]:
    """Run the browser for the time of the block."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=list(_OPTIONS)
        )
        yield Chromium(browser)
        browser.close()
