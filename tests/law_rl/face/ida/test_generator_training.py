"""The training of a generator from first to last: killed and resumed, and files that do not belong to it."""

import stat
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from law_rl.counters import torch_generator
from law_rl.face.ida import generator_training
from law_rl.face.ida.gan import GanConfig, GanTraining
from law_rl.face.ida.generator import GeneratorConfig
from law_rl.face.ida.generator_training import train_generator

TINY = GanConfig(generator=GeneratorConfig(size=16, noise_width=4, width=2), batch_size=4, iterations=7)


class KilledError(Exception):
    pass


@pytest.fixture(autouse=True)
def short_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generator_training, "EVERY", 3)


def faces(seed: int = 0) -> Tensor:
    return torch.randint(256, (9, 1, 16, 16), generator=torch_generator(seed, "faces")).to(torch.uint8)


def test_it_is_the_average_after_all_iterations() -> None:
    training, seen = GanTraining(faces(), TINY, seed=2), []
    for _ in range(7):
        training.step()
    generator = train_generator(faces(), TINY, seed=2, observer=lambda done, total: seen.append((done, total)))
    assert all(map(torch.equal, generator.parameters(), training.average.parameters()))
    assert seen == [(3, 7), (6, 7), (7, 7)]
    assert not generator.training


def test_a_killed_training_ends_with_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, cut = tmp_path / "whole.safetensors", tmp_path / "cut.safetensors"
    expected = train_generator(faces(), TINY, seed=0, path=whole)

    def kill(done: int, total: int) -> None:
        if done == 6:
            raise KilledError

    with pytest.raises(KilledError):
        train_generator(faces(), TINY, seed=0, path=cut, observer=kill)
    seen: list[int] = []
    resumed = train_generator(faces(), TINY, seed=0, path=cut, observer=lambda done, _: seen.append(done))
    assert seen == [7]
    assert whole.read_bytes() == cut.read_bytes()
    assert all(map(torch.equal, expected.parameters(), resumed.parameters()))

    monkeypatch.setattr(GanTraining, "step", lambda _: pytest.fail("nothing was left to do"))
    finished = train_generator(faces(), TINY, seed=0, path=cut)
    assert all(map(torch.equal, expected.parameters(), finished.parameters()))


def test_snapshots_are_the_owners_alone(tmp_path: Path) -> None:
    train_generator(faces(), TINY, seed=0, path=tmp_path / "snapshot")
    assert stat.S_IMODE((tmp_path / "snapshot").stat().st_mode) == 0o600


@pytest.mark.parametrize("other", ["seed", "images", "config"])
def test_a_snapshot_of_another_training_is_refused(other: str, tmp_path: Path) -> None:
    path = tmp_path / "snapshot"
    train_generator(faces(), TINY, seed=0, path=path)
    images = faces(1) if other == "images" else faces()
    config = replace(TINY, lr=0.5) if other == "config" else TINY
    with pytest.raises(ValueError, match="snapshot is of another training of a generator"):
        train_generator(images, config, seed=int(other == "seed"), path=path)


@pytest.mark.parametrize("damage", ["cut", "empty", "foreign"])
def test_a_damaged_snapshot_is_refused(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "snapshot"
    train_generator(faces(), TINY, seed=0, path=path)
    content = path.read_bytes()
    path.write_bytes({"cut": content[:-9], "empty": b"", "foreign": b"\x08" + 7 * b"\0" + b"{}      "}[damage])
    with pytest.raises(ValueError, match=r"snapshot is damaged or no snapshot of a generator .*: delete it"):
        train_generator(faces(), TINY, seed=0, path=path)


def test_a_training_that_diverges_says_so(tmp_path: Path) -> None:
    path = tmp_path / "snapshot"
    with pytest.raises(ValueError, match=r"not finite by iteration \d .*: lower lr, now 1e\+30"):
        train_generator(faces(), replace(TINY, lr=1e30), seed=0, path=path)
    assert not path.exists()
