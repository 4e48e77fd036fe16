"""Data flows one way: no module knows one above it, and there are no circles."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

INTEGRATION = Path(__file__).parents[1] / "custom_components" / "plex_auth"

# Each module of the client uses only those before it.
API = (
    "errors",
    "addresses",
    "bodies",
    "fields",
    "failures",
    "models",
    "devices",
    "homes",
    "items",
    "transport",
    "intervals",
    "connections",
    "known_server",
    "plex_tv",
    "server",
    "notifications",
    "shared_request",
    "race",
    "server_list",
    "claim",
    "server_access",
    "home_user_access",
    "successor",
    "reachability",
)
MOST_LINES = 350
MOST_METHODS = 15
MOST_METHODS_OF_FLOWS = 20
MOST_ATTRIBUTES = 8

# What is longer than that, and why it stands together all the same.
LONGER_MODULES = {
    "coordinator": (410, "polls and their bases are read together"),
    "sensor": (360, "the descriptions and entities of one platform"),
    "api.models": (500, "a list of fields"),
    "api.server_access": (465, "a route is chosen and given up by what its calls meet"),
}
LARGER_CLASSES = {
    "api.server_access.Routing": (16, "a route is chosen, checked and given up"),
    "api.server_access.ServerAccess": (20, "callers ask it instead of what it holds"),
}


def modules() -> dict[str, ast.Module]:
    """Return the modules of the integration by their dotted names within it."""
    return {
        ".".join(path.relative_to(INTEGRATION).with_suffix("").parts): ast.parse(
            path.read_text()
        )
        for path in INTEGRATION.rglob("*.py")
    }


MODULES = modules()


def imports(name: str) -> set[str]:
    """Return the modules of the integration that a module imports."""
    package = name.split(".")[:-1]
    found = set[str]()
    for node in ast.walk(MODULES[name]):
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        base = [*package[: len(package) - node.level + 1]]
        if node.module:
            base += node.module.split(".")
        dotted = ".".join(base)
        if dotted in MODULES:
            found.add(dotted)
            continue
        found |= {".".join([*base, alias.name]) for alias in node.names}
    return found


def classes() -> dict[str, ast.ClassDef]:
    """Return the classes of the integration by their names."""
    return {
        f"{name}.{node.name}": node
        for name, tree in MODULES.items()
        for node in tree.body
        if isinstance(node, ast.ClassDef)
    }


def most_methods(name: str) -> int:
    """Return how many methods a class may have."""
    usual = MOST_METHODS_OF_FLOWS if name.endswith("Flow") else MOST_METHODS
    return LARGER_CLASSES.get(name, (usual, ""))[0]


def attributes(node: ast.ClassDef) -> set[str]:
    """Return the names of the attributes that a class's own __init__ sets."""
    found = set[str]()
    for method in node.body:
        if isinstance(method, ast.FunctionDef) and method.name == "__init__":
            for part in ast.walk(method):
                match part:
                    case ast.Attribute(
                        value=ast.Name("self"), attr=name, ctx=ast.Store()
                    ):
                        found.add(name)
    return found


def test_imports_are_found() -> None:
    """The reader of imports sees relative ones, of modules and of names in them."""
    assert "api.errors" in imports("api.models")
    assert {"flows.checks", "flows.forms", "api.errors"} <= imports("flows.server")
    assert imports("api.errors") == set()
    assert all(found in MODULES for name in MODULES for found in imports(name))


def test_no_circles() -> None:
    """No module imports itself, over however many others."""
    graph = {name: imports(name) for name in MODULES if name != "__init__"}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as err:
        pytest.fail(f"a circle: {err.args[1]}")


def test_client_stands_by_itself() -> None:
    """Each module of the client uses only those above it, and nothing outside."""
    assert {f"api.{name}" for name in (*API, "__init__")} == {
        name for name in MODULES if name.startswith("api.")
    }
    for index, name in enumerate(API):
        assert imports(f"api.{name}") <= {f"api.{above}" for above in API[:index]}, name


def test_entities_and_dialogs_are_used_by_nobody() -> None:
    """Nothing below knows the platforms, the actions or the steps of a dialog."""
    tops = {
        *(
            "binary_sensor",
            "button",
            "event",
            "sensor",
            "config_flow",
            "diagnostics",
            "repairs",
        ),
        *("system_health", "trigger", "condition"),
    }
    assert not {found for name in MODULES for found in imports(name) if found in tops}


@pytest.mark.parametrize("name", sorted(MODULES))
def test_files_can_be_read_whole(name: str) -> None:
    """A file has one idea; a longer one has a reason."""
    path = INTEGRATION / f"{name.replace('.', '/')}.py"
    most, _ = LONGER_MODULES.get(name, (MOST_LINES, ""))
    assert len(path.read_text().splitlines()) <= most


def test_classes_are_small() -> None:
    """A class has one idea; the flows of Home Assistant have a method for each step."""
    assert {
        name: methods
        for name, node in classes().items()
        if (
            methods := sum(
                isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef)
                for part in node.body
            )
        )
        > most_methods(name)
    } == {}
    assert {
        name: found
        for name, node in classes().items()
        if len(found := attributes(node)) > MOST_ATTRIBUTES
    } == {}
