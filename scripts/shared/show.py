"""How the demo shows what Home Assistant has."""

from collections.abc import Iterable, Mapping
import json
import re
from typing import Any

_WIDTH = 180
_TOKEN_KEYS = {"token", "access_token"}
_TOKEN_IN_URL = re.compile(r"(X-Plex-Token=.{4})[^&]*")


def show_states(states: Iterable[Mapping[str, Any]]) -> None:
    """Print the states of entities, one line each, by their names."""
    print()
    for state in sorted(states, key=lambda state: state["attributes"]["friendly_name"]):
        name = state["attributes"]["friendly_name"]
        print(f"  {name:<45} {state['state']:<30} {state['entity_id']}")


def show_responses(responses: Mapping[str, Any]) -> None:
    """Print the responses of actions, tokens shortened."""
    for action, response in responses.items():
        print(f"\n{action}")
        print(f"  {_lines(shorten(response), '  ')}")


def _lines(value: Any, indent: str) -> str:
    """Return JSON in which everything short has one line."""
    text = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or len(text) <= _WIDTH:
        return text
    inner = f"{indent}  "
    if isinstance(value, dict):
        parts = [f"{json.dumps(key)}: {_lines(value[key], inner)}" for key in value]
    else:
        parts = [_lines(item, inner) for item in value]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return f",\n{inner}".join([f"{opening}\n{inner}{parts[0]}", *parts[1:]]) + (
        f"\n{indent}{closing}"
    )


def shorten(value: Any, key: str = "") -> Any:
    """Return a response with only the beginning of each token."""
    if isinstance(value, dict):
        return {name: shorten(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [shorten(item) for item in value]
    if isinstance(value, str):
        if key in _TOKEN_KEYS:
            return f"{value[:4]}…"
        return _TOKEN_IN_URL.sub(r"\1…", value)
    return value
