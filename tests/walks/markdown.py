"""What pages make of the Markdown in the texts of dialogs and issues."""

from collections.abc import Iterator, Mapping
import re
from string import punctuation
from typing import Any, Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

_PARSER: Final = MarkdownIt("gfm-like", {"linkify": False, "html": True})
# Pages make links of bare addresses, too, which this parser does not.
_BARE: Final = re.compile(
    r"(https?|ftp)://|www\.[\w-]|[\w.+-]@[\w-]+\.\w", re.IGNORECASE
)
# Our own texts, without names.
_OWN_TEXTS: Final = {"hints_md", "in_use_md", "reasons_md"}
_ONLY_WORDS: Final = {"paragraph_open", "paragraph_close", "text", "text_special"}
_PUNCTUATION: Final = re.escape(punctuation)
_ESCAPED: Final = re.compile(rf"([^{_PUNCTUATION}]|\\[{_PUNCTUATION}])*")


def words(markdown: str) -> str:
    """Return the words that a page shows of a text."""
    return "".join(token.content for token in _tokens(markdown))


def elements(markdown: str) -> list[str]:
    """Return what a page makes of a text, other than paragraphs of words."""
    return [
        *(token.type for token in _tokens(markdown) if token.type not in _ONLY_WORDS),
        *_BARE.findall(markdown),
    ]


def check_names(texts: Any, placeholders: Mapping[str, str]) -> None:
    """Check that no name becomes an element in the texts of a step, or in one text."""
    for key, text in placeholders.items():
        if (escaped := placeholders.get(f"{key}_md")) is not None:
            assert _ESCAPED.fullmatch(escaped), key
            assert words(escaped) == text, key
    harmless = {
        key: "x"
        if (key.endswith("_md") and key not in _OWN_TEXTS)
        or f"{key}_md" in placeholders
        else text
        for key, text in placeholders.items()
    }
    for text in _markdown_of(texts):
        found = elements(text.format_map(placeholders))
        assert found == elements(text.format_map(harmless)), text


def _markdown_of(texts: Any) -> Iterator[str]:
    """Yield the texts in which pages render Markdown."""
    if isinstance(texts, str):
        yield texts
        return
    if "description" in texts:
        yield texts["description"]
    yield from texts.get("data_description", {}).values()


def _tokens(markdown: str) -> Iterator[Token]:
    """Yield what the parser finds."""
    for token in _PARSER.parse(markdown):
        if token.type != "inline":
            yield token
        yield from token.children or ()
