"""The architecture: each target imports exactly its dependencies in the manifest."""

from __future__ import annotations

import json
import re

import pytest

from conftest import ROOT, run

#: Modules that only some targets may use, and those targets.
RESTRICTED = {"CCurl": {"Transport"}, "CArgyle": {"ArgyleABI", "ArgyleSandboxABI"}}


@pytest.fixture(scope="module")
def dependencies() -> dict[str, set[str]]:
    """The names of the dependencies of each target in Sources."""
    result = run(["swift", "package", "--package-path", ROOT, "dump-package"])
    assert result.returncode == 0, result.stderr
    targets = json.loads(result.stdout)["targets"]
    return {
        target["name"]: {dependency["byName"][0] for dependency in target["dependencies"]}
        for target in targets
        if target["type"] in {"regular", "executable"}
    }


def imports(target: str) -> set[str]:
    """Returns the modules that a target's sources import."""
    text = "\n".join(path.read_text() for path in (ROOT / "Sources" / target).rglob("*.swift"))
    names = set(re.findall(r"(?m)^(?:\s*@\w+ )*\s*import (?:\w+ )?(\w+)", text))
    # One target in the manifest contains the modules of both headers.
    return {"CArgyle" if name == "CArgyleSandbox" else name for name in names}


def test_targets_import_their_dependencies(dependencies: dict[str, set[str]]) -> None:
    assert dependencies["Argyle"]
    modules = set(dependencies) | set().union(*dependencies.values())
    for target, expected in dependencies.items():
        if any((ROOT / "Sources" / target).rglob("*.swift")):
            assert imports(target) & modules == expected, target


@pytest.mark.parametrize("module", RESTRICTED)
def test_restricted_module_is_used_only_where_allowed(module: str, dependencies: dict[str, set[str]]) -> None:
    users = {target for target, names in dependencies.items() if module in names or module in imports(target)}
    assert users == RESTRICTED[module]
