"""The library in a process that loads it at run time."""

from __future__ import annotations

from pathlib import Path

from conftest import CONSUMERS, STRICT, Prefix, Sandbox, succeed


def test_loading_and_unloading(prefix: Prefix, sandbox: Sandbox, tmp_path: Path) -> None:
    program = tmp_path / "load"
    # The header is included for its types: nothing of the library is linked.
    succeed([
        *("cc", "-std=c99", *STRICT, CONSUMERS / "load.c", "-o", program),
        *prefix.flags("--cflags"),
        *("-ljansson", "-ldl"),
    ])
    assert "libargyle" not in succeed(["readelf", "--dynamic", program])
    assert succeed([program, prefix.library], sandbox.environment()) == "ok\n"
