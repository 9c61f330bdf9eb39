"""The identification benchmark at a tiny size: its numbers, its rival, and how top-1 are compared."""

import json
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.face_identify import FAISS, OURS, Measured, Options, differing, main, probes_of, report, write_gallery
from law_rl.face.identify import identify

SIZES = ("--gallery=500", "--width=16", "--probes=20", "--threads=1", "--rounds=2")


def test_a_tiny_run_writes_its_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([*SIZES, "--folder", str(tmp_path), "--out", str(tmp_path / "out")])
    result = json.loads((tmp_path / "out" / "face_identify.json").read_text())
    assert list(result["seconds"]) == [OURS] and result["seconds"][OURS] > 0
    assert "20 probes, 500 x 16" in (tmp_path / "out" / "face_identify.md").read_text()
    assert "faiss is not timed" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_interpreter_without_faiss_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o700)
    main([*SIZES, "--faiss", str(python), "--out", str(tmp_path / "out")])
    assert "ended before its index was built" in capsys.readouterr().out


def test_faiss_takes_part_where_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "faiss.py").write_text(
        "import numpy as np\n"
        "__version__ = '0'\n"
        "def omp_set_num_threads(count): pass\n"
        "class IndexFlatIP:\n"
        "    def __init__(self, width): self.rows = np.empty((0, width), np.float32)\n"
        "    def add(self, rows): self.rows = np.concatenate([self.rows, rows])\n"
        "    def search(self, probes, k):\n"
        "        products = probes @ self.rows.T\n"
        "        return products.max(1)[:, None], products.argmax(1)[:, None]\n"
    )
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path} exec {sys.executable} "$@"\n')
    python.chmod(0o700)
    main([*SIZES, "--faiss", str(python), "--out", str(tmp_path / "out")])
    result = json.loads((tmp_path / "out" / "face_identify.json").read_text())
    assert result["faiss"] == "0" and result["differing"] == 0 and result["seconds"][FAISS] > 0


def test_other_top_1_count_unless_their_cosines_are_equal(tmp_path: Path) -> None:
    gallery = write_gallery(tmp_path / "gallery", Options(gallery=300, width=8, probes=5))
    probes = probes_of(gallery, 5)
    best = identify(probes, gallery, 2).indices.T.tolist()
    assert differing(gallery, probes, best[0], best[0]) == 0
    assert differing(gallery, probes, best[0], [best[1][0], *best[0][1:]]) == 1
    assert differing(gallery, torch.zeros(5, 8), best[0], best[1]) == 0  # all cosines are 0


def test_the_verdict_follows_from_the_times() -> None:
    options = Options(probes=1000)

    def text(ours: float) -> str:
        return report(Measured(seconds={OURS: ours, FAISS: 4.0}, faiss="1", build_seconds=3.0), options)

    assert "Ours is 2.00 times as fast: at least the aim of 1.0." in text(2.0)
    assert "Ours is 0.67 times as fast: at least 0.5." in text(6.0)
    assert "Ours is 0.40 times as fast: too slow." in text(10.0)
    assert "faiss" not in report(Measured(seconds={OURS: 1.0}), options).splitlines()[2]
