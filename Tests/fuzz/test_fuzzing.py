"""Runs each fuzz target on its seeds, and then for some thousand generated inputs.

For a longer run, once Tests/run has built the program, with a folder CORPUS for the inputs that are found:

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
# Number of runs, which take about six seconds per target on an idle machine. Slow targets come first.
RUNS = {
    **{"answer": 6_000, "claims": 6_000, "next": 9_000},
    **{"metadata": 30_000, "retry_after": 40_000, "options": 80_000},
}


def fuzz(target: str, directory: Path, *arguments: str | Path) -> tuple[int, str]:
    """Runs a target, and returns its exit status and output. libFuzzer saves an input that fails in the directory."""
    result = subprocess.run(
        [PROGRAM, "-timeout=120", f"-artifact_prefix={directory}/", *arguments],
        # Swift's backtracer would hang when libFuzzer handles the crash.
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
    # The coverage includes the library's code, not only the target's.
    loaded = re.search(r"\((\d+) inline 8-bit counters\)", output)
    assert loaded is not None and int(loaded[1]) > 5000, output
    done = re.search(r"^#(\d+)\s+DONE\s+cov: (\d+)", output, re.MULTILINE)
    assert done is not None and int(done[1]) >= RUNS[target], output
    assert int(done[2]) > 200, output


def test_failure_is_reported(tmp_path: Path) -> None:
    status, output = fuzz("none", tmp_path, SEEDS / TARGETS[0])
    assert status != 0
    assert "ARGYLE_FUZZ_TARGET must be one of answer, " in output
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("crash-")] != []
