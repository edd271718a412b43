"""Runs the fuzz targets: over their seeds, and some thousand times each from there on.

For longer, once Tests/run has built it, with a folder CORPUS for what is found on the way:

    ARGYLE_FUZZ_TARGET=answer SWIFT_BACKTRACE=enable=no .build-fuzz/release/ArgyleFuzz \\
        -max_total_time=600 CORPUS Tests/fuzz/seeds/answer
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / ".build-fuzz" / "release" / "ArgyleFuzz"
SEEDS = Path(__file__).parent / "seeds"
TARGETS = sorted(path.name for path in SEEDS.iterdir())
# How often, which takes some six seconds on a machine that does nothing else. Those that are slow come first.
RUNS = {
    **{"answer": 6_000, "claims": 6_000, "next": 9_000},
    **{"metadata": 30_000, "retry_after": 40_000, "options": 80_000},
}


def fuzz(target: str, directory: Path, *arguments: str | Path) -> tuple[int, str]:
    """Runs a target, which leaves an input that it fails with in the directory; gives status and output."""
    result = subprocess.run(
        [PROGRAM, "-timeout=120", f"-artifact_prefix={directory}/", *arguments],
        # Swift's back-tracer waits for ever for a program that libFuzzer has caught.
        env={**os.environ, "ARGYLE_FUZZ_TARGET": target, "SWIFT_BACKTRACE": "enable=no"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=1000,
        check=False,
    )
    return result.returncode, result.stdout.decode(errors="replace")


@pytest.mark.parametrize("target", TARGETS)
def test_seeds(target: str, tmp_path: Path) -> None:
    seeds = sorted((SEEDS / target).iterdir())
    assert len(seeds) > 20
    status, output = fuzz(target, tmp_path, *seeds)
    assert status == 0, output
    assert output.count("\nExecuted ") == len(seeds)


@pytest.mark.parametrize("target", TARGETS)
def test_short_run(target: str, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    status, output = fuzz(target, tmp_path, f"-runs={RUNS[target]}", corpus, SEEDS / target)
    assert status == 0, output
    # The library's own code is counted, not only that of the target.
    loaded = re.search(r"\((\d+) inline 8-bit counters\)", output)
    assert loaded is not None and int(loaded[1]) > 5000, output
    done = re.search(r"^#(\d+)\s+DONE\s+cov: (\d+)", output, re.MULTILINE)
    assert done is not None and int(done[1]) >= RUNS[target], output
    assert int(done[2]) > 200, output


def test_a_failure_is_told(tmp_path: Path) -> None:
    status, output = fuzz("none", tmp_path, SEEDS / TARGETS[0])
    assert status != 0
    assert "ARGYLE_FUZZ_TARGET names no target" in output
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("crash-")] != []
