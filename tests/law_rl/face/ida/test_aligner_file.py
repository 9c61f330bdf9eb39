"""The aligner's file: whole, its owner's alone, and refused in one sentence where it is anything else."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from law_rl.face.ida.aligner import ScoreAligner
from law_rl.face.ida.aligner_file import FORMAT, KEY, read_aligner, write_aligner
from law_rl.face.ida.support import SupportConfig

PARAMS = ScoreAligner(support=SupportConfig(count=3)).get_params() | {"support": {"count": 3}}
TENSORS = {"candidates": torch.eye(4)}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "new" / "aligner.safetensors"
    write_aligner(path, PARAMS, TENSORS, torch.arange(4))
    params, tensors, identities = read_aligner(path)
    assert params == PARAMS and torch.equal(tensors["candidates"], TENSORS["candidates"])
    assert identities is not None and torch.equal(identities, torch.arange(4))
    write_aligner(path, PARAMS, {"candidates": torch.eye(8)[:, ::2]}, None)  # no contiguous one
    assert torch.equal(read_aligner(path)[1]["candidates"], torch.eye(8)[:, ::2]) and read_aligner(path)[2] is None


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "aligner.safetensors"
    with pytest.raises(FileNotFoundError, match="there is no aligner at"):
        ScoreAligner.load(path)
    write_aligner(path, PARAMS, TENSORS, None)
    content = path.read_bytes()
    for damaged in (b"", content[:20], content[:-3], b"\x80\x04" + content):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=f"{path.name} is damaged or no safetensors file"):
            ScoreAligner.load(path)
    save_file(TENSORS, path)
    with pytest.raises(ValueError, match="is a file of another kind"):
        ScoreAligner.load(path)
    save_file(TENSORS, path, {KEY: json.dumps({"format": FORMAT, "version": 2, "params": {}})})
    with pytest.raises(ValueError, match="has aligner version 2, this law-rl reads 1: upgrade"):
        ScoreAligner.load(path)


@pytest.mark.parametrize(
    "changed",
    [
        {"method": "cosine"},
        {"beta": -1},
        {"beta": "much"},
        {"method": ["shift"]},
        {"gamma": 3},
        {"support": {"count": 0}},
        {"support": {"size": 3}},
        {"support": 5},
        {"support": {"count": 9}},
        {"estimator": "learned"},
    ],
)
def test_parameters_that_do_not_fit_are_refused(tmp_path: Path, changed: dict[str, object]) -> None:
    path = tmp_path / "aligner.safetensors"
    write_aligner(path, {**PARAMS, **changed}, TENSORS, None)
    with pytest.raises(ValueError, match=f"{path.name} is no aligner that fits together"):
        ScoreAligner.load(path)


def test_tensors_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "aligner.safetensors"
    for tensors in ({"weights": torch.eye(4)}, {"candidates": torch.eye(4) * torch.nan}, {"candidates": torch.ones(4)}):
        write_aligner(path, PARAMS, tensors, None)
        with pytest.raises(ValueError, match="is no aligner that fits together"):
            ScoreAligner.load(path)
    write_aligner(path, PARAMS, TENSORS, torch.ones(4))
    with pytest.raises(ValueError, match=r"its identities are torch.float32 \(4,\)"):
        ScoreAligner.load(path)
    assert set(load_file(path)) == {"estimator.candidates", "identities"}
