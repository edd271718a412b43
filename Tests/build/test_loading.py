"""The libraries in a process that loads them at run time."""

from __future__ import annotations

from pathlib import Path

from conftest import CLIENT, CONSUMERS, SANDBOX, STRICT, Library, Prefix, Sandbox, succeed


def test_loading_and_unloading(
    library: Library, prefix: Prefix, sandbox: Sandbox, tmp_path: Path
) -> None:
    program = tmp_path / "load"
    # The headers are included for their types only; the libraries are not linked.
    succeed([
        *("cc", "-std=c99", *STRICT, CONSUMERS / "load.c", "-o", program),
        *prefix.flags("--cflags"),
        *("-ljansson", "-ldl"),
    ])
    assert "libargyle" not in succeed(["readelf", "--dynamic", program])
    use = "sandbox" if library == SANDBOX else "client"
    assert succeed([program, use, prefix.file(library)], sandbox.environment()) == "ok\n"


def test_unloading_while_a_name_is_resolved(prefix: Prefix, tmp_path: Path) -> None:
    program = tmp_path / "unload"
    # -rdynamic exports the program's getaddrinfo(), so that libcurl uses it.
    succeed([
        *("cc", "-std=c99", *STRICT, "-pthread", "-rdynamic", CONSUMERS / "unload.c", "-o", program),
        *prefix.flags("--cflags"),
        *("-ljansson", "-ldl"),
    ])
    assert succeed([program, prefix.file(CLIENT)]) == "ok\n"
