"""Identification against a gallery on the disk: brute force's answer, with cosines, progress and clear refusals."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

import law_rl.face.identify as module
from law_rl.counters import torch_generator
from law_rl.distillation.vectors import unit
from law_rl.face.embedding_file import EmbeddingFile
from law_rl.face.embedding_writer import EmbeddingWriter
from law_rl.face.identify import identify


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch_generator(seed, "identify test"))


def gallery_of(path: Path, embeddings: Tensor) -> EmbeddingFile:
    with EmbeddingWriter(path, width=embeddings.shape[1], dtype=embeddings.dtype) as writer:
        writer.append(embeddings)
    return EmbeddingFile.open(path)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
@pytest.mark.parametrize("k", [1, 7])
def test_the_same_as_brute_force(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype, k: int) -> None:
    monkeypatch.setattr(module, "ROWS", 37)
    embeddings = (drawn(300, 32) * torch.linspace(0.1, 20, 300)[:, None]).to(dtype)
    probes = embeddings[::7].float() + 0.5 * drawn(43, 32, seed=1)
    found = identify(probes, gallery_of(tmp_path / "gallery", embeddings), k)
    cosines = unit(probes.double()) @ unit(embeddings.double()).T
    best = cosines.topk(k)
    assert torch.equal(found.indices, best.indices)
    torch.testing.assert_close(found.similarities.double(), best.values, rtol=0, atol=2e-7)


def test_equal_rows_tie_wherever_they_are_and_zero_rows_score_zero(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROWS", 10)
    row = drawn(1, 16).half()
    embeddings = row.repeat(45, 1)
    embeddings[[0, 12, 44]] = 0
    found = identify(
        torch.cat([row.float(), -row.float(), torch.zeros(1, 16)]), gallery_of(tmp_path / "g", embeddings), 45
    )
    equal = [place for place in range(45) if place not in (0, 12, 44)]
    assert found.indices.tolist() == [[*equal, 0, 12, 44], [0, 12, 44, *equal], list(range(45))]
    assert found.similarities[0].unique().tolist() == pytest.approx([0, 1], abs=2e-7)
    assert not found.similarities[2].any()


def test_lengths_beyond_the_everyday_are_directions_too(tmp_path: Path) -> None:
    rows = unit(drawn(8, 16))
    scaled = rows * torch.tensor([1e-30, 1e-11, 1e-7, 1.0, 1e3, 1e14, 1e25, 1e38])[:, None]
    found = identify(rows, gallery_of(tmp_path / "gallery", scaled), 1)
    assert found.indices[1:].flatten().tolist() == list(range(1, 8))  # 1e-30 is below `unit`'s shortest
    assert (found.similarities[1:] > 0.999999).all()


def test_progress_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROWS", 40)
    told: list[tuple[int, int]] = []
    identify(drawn(2, 4), gallery_of(tmp_path / "g", drawn(90, 4)), observer=lambda *done: told.append(done))
    assert told == [(40, 90), (80, 90), (90, 90)]


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    gallery = gallery_of(tmp_path / "gallery", drawn(3, 4).half())
    for probes, k, words in (
        (drawn(2, 5), 1, r"probes are \(2, 5\) and the embeddings in .*gallery have 4 entries"),
        (drawn(4), 1, r"probes are \(4,\)"),
        (drawn(2, 4), 0, "k is 0: ask for at least 1 match and at most 3"),
        (drawn(2, 4), 4, "k is 4: ask for at least 1 match and at most 3"),
        (drawn(2, 4) * math.nan, 1, "probes hold numbers that are not finite"),
    ):
        with pytest.raises(ValueError, match=words):
            identify(probes, gallery, k)
