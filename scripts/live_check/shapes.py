"""The shape of an answer: which fields it has, and of which types; never a value."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
import re

# What a field may be is written like "str or null or missing"; "any" is not looked into.
# A path is written like "services[].token"; a name "*" stands for all that are not named.
type Spec = Mapping[str, str]

_KINDS = {
    dict: "object",
    list: "list",
    str: "str",
    bool: "bool",
    int: "int",
    float: "float",
    type(None): "null",
}
# A name that looks like anything else may be a value: a token or a name of a person. One
# as long as a token has to read as words.
_SHOWN_NAME = re.compile(
    r"[A-Za-z][A-Za-z_]{0,16}[0-9]{0,2}|[a-z]{3,}(?:[A-Z][a-z]{2,}){1,8}"
)


class Kind(StrEnum):
    """Say in what an answer differs."""

    STATUS = "status"
    FORM = "form"
    MISSING = "missing"
    UNKNOWN = "unknown"
    TYPE = "type"


@dataclass(frozen=True, order=True)
class Difference:
    """Name what was expected at a place of an answer, and what was found there."""

    kind: Kind
    path: str
    expected: str
    found: str


@dataclass(frozen=True)
class Comparison:
    """Hold the fields that were found as expected, and all differences."""

    seen: frozenset[str]
    differences: tuple[Difference, ...]


def compare(spec: Spec, data: object) -> Comparison:
    """Compare the data of an answer with what is expected of it."""
    seen = set[str]()
    differences = set(_walk(spec, "", data, seen))
    return Comparison(frozenset(seen), tuple(sorted(differences)))


def kind_of(value: object) -> str:
    """Return the name of a value's type."""
    return _KINDS[type(value)]


def _walk(spec: Spec, path: str, value: object, seen: set[str]) -> Iterator[Difference]:
    allowed = _allowed(spec, path)
    if not allowed:
        yield Difference(Kind.UNKNOWN, _shown(path), "nothing", kind_of(value))
        return
    if "any" in allowed:
        seen.add(path)
        return
    if (kind := kind_of(value)) not in allowed:
        yield Difference(Kind.TYPE, path, " or ".join(allowed), kind)
        return
    seen.add(path)
    if isinstance(value, dict):
        yield from _missing(spec, path, value)
        for name, child in value.items():
            yield from _walk(spec, _join(path, name), child, seen)
    elif isinstance(value, list):
        for item in value:
            yield from _walk(spec, f"{path}[]", item, seen)


def _missing(spec: Spec, path: str, names: Iterable[str]) -> Iterator[Difference]:
    for name in _children(spec, path) - set(names) - {"*"}:
        child = _join(path, name)
        if "missing" not in (allowed := _allowed(spec, child)):
            yield Difference(Kind.MISSING, child, " or ".join(allowed), "nothing")


def _allowed(spec: Spec, path: str) -> list[str]:
    if not path:
        return ["object", "list"]
    parent, dot, _ = path.rpartition(".")
    expected = spec.get(path) or spec.get(f"{parent}{dot}*", "")
    return expected.split(" or ") if expected else []


def _children(spec: Spec, path: str) -> set[str]:
    found = set[str]()
    for known in spec:
        parent, _, name = known.rpartition(".")
        if parent == path and not name.endswith("[]"):
            found.add(name)
    return found


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _shown(path: str) -> str:
    parent, dot, name = path.rpartition(".")
    bare = name.removesuffix("[]")
    if not _SHOWN_NAME.fullmatch(bare):
        name = "(a name that may be a value)"
    return f"{parent}{dot}{name}"
