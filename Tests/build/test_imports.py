"""The architecture: what each target imports is what the manifest says it depends on."""

from __future__ import annotations

import json
import re

import pytest

from conftest import ROOT, run

#: What a target may not depend on, and who alone may.
ALONE = {"CCurl": {"Transport"}, "CArgyle": {"ArgyleABI", "ArgyleSandboxABI"}}


@pytest.fixture(scope="module")
def dependencies() -> dict[str, set[str]]:
    """The names of what each target of Sources depends on."""
    result = run(["swift", "package", "--package-path", ROOT, "dump-package"])
    assert result.returncode == 0, result.stderr
    targets = json.loads(result.stdout)["targets"]
    return {
        target["name"]: {dependency["byName"][0] for dependency in target["dependencies"]}
        for target in targets
        if target["type"] in {"regular", "executable"}
    }


def imports(target: str) -> set[str]:
    """The modules that the sources of a target import."""
    text = "\n".join(path.read_text() for path in (ROOT / "Sources" / target).rglob("*.swift"))
    names = set(re.findall(r"(?m)^(?:\s*@\w+ )*\s*import (?:\w+ )?(\w+)", text))
    # One target of the manifest has the modules of both headers.
    return {"CArgyle" if name == "CArgyleSandbox" else name for name in names}


def test_targets_import_what_they_depend_on(dependencies: dict[str, set[str]]) -> None:
    assert dependencies["Argyle"]
    modules = set(dependencies) | set().union(*dependencies.values())
    for target, expected in dependencies.items():
        if any((ROOT / "Sources" / target).rglob("*.swift")):
            assert imports(target) & modules == expected, target


@pytest.mark.parametrize("module", ALONE)
def test_one_alone_imports_it(module: str, dependencies: dict[str, set[str]]) -> None:
    users = {target for target, names in dependencies.items() if module in names or module in imports(target)}
    assert users == ALONE[module]
