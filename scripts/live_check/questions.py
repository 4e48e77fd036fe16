"""Questions of docs/plex-api.md §20, and their answers in words that hold no value."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """Answer a question by its number; an answer is no difference."""

    section: str
    question: str
    answer: str


def yes(condition: bool) -> str:
    """Return a truth value as a word."""
    return "yes" if condition else "no"
