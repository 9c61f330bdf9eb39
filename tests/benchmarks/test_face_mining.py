"""The mining benchmark at a tiny size: what it writes, and that its check can fail."""

import json
from pathlib import Path

import pytest
import torch

from benchmarks.face_mining import clustered, main, verdict, wrong_rows
from law_rl.face.mining import hardest_identities


def test_a_tiny_run_writes_its_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = {"identities": 300, "width": 16, "count": 5, "checked": 40, "threads": 1, "rounds": 2}
    main([*(f"--{name}={value}" for name, value in sizes.items()), f"--out={tmp_path}"])
    result = json.loads((tmp_path / "face_mining.json").read_text())
    assert result["seconds"] > 0 and result["mebibytes"] >= 0 and result["wrong"] == 0
    assert "| 300 x 16 | 5 | 1 |" in (tmp_path / "face_mining.md").read_text()
    assert "the limits" not in capsys.readouterr().out  # they are for the full size


def test_rows_that_are_wrong_are_counted() -> None:
    prototypes = clustered(250, 8, "test")
    found = hardest_identities(prototypes, 4)
    assert wrong_rows(prototypes, found, 250) == 0
    found[[3, 77], :2] = found[[3, 77], :2].flip(1)
    assert wrong_rows(prototypes, found, 250) == 2


def test_vectors_are_clustered_and_of_length_one() -> None:
    vectors = clustered(400, 64, "test")
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(400))
    cosines = vectors @ vectors.T
    assert 0.15 < cosines.quantile(0.9) < 0.45 and cosines.quantile(0.5) < 0.2
    assert not torch.equal(clustered(400, 64, "other"), vectors)


def test_the_verdict_names_what_was_asked() -> None:
    assert verdict(60, 500) == "That is within the limits of 240 s and 2048 MiB, and within the aim of 90 s."
    assert "within the limits" in verdict(100, 500) and "above the aim" in verdict(100, 500)
    assert "NOT within" in verdict(60, 3000) and "NOT within" in verdict(300, 500)
