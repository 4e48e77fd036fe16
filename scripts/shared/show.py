"""How the demo shows what Home Assistant has."""

from collections.abc import Iterable, Mapping
import json
import re
from typing import Any

_INNERMOST = re.compile(r"([\[{])\s+([^\[\]{}]*?)\s+([\]}])")
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
        shown = json.dumps(shorten(response), indent=2, ensure_ascii=False)
        print(f"\n{action}\n{_INNERMOST.sub(_in_a_line, shown)}")


def _in_a_line(found: re.Match[str]) -> str:
    return f"{found[1]}{' '.join(found[2].split())}{found[3]}"


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
