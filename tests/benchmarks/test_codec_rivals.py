"""The benchmark beside CompressAI at a tiny size: its numbers, its rival, and what it says of them."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.codec_parts import DECODE, ENTROPY, HYPER, SYNTHESIS, coding_cases
from benchmarks.codec_rivals import HYPERPRIOR, SERIAL, Measured, Options, channel_scales, main, report, variants
from benchmarks.untrained_codecs import photograph, untrained_model
from law_rl.compression.codec import Codec
from law_rl.compression.network.codec_network import CodecConfig

TINY = CodecConfig(width=4, latents=6)
SIZES = ("--height=64", "--width=128", "--channels=4", "--latents=6", "--enhancement=2", "--threads=1", "--rounds=1")

STAND_IN = """
import torch
from torch import nn

class ScaleHyperprior:
    def __init__(self, width, latents):
        self.g_a = nn.Sequential(nn.Conv2d(3, latents, 16, 16))
        self.h_s = nn.Sequential(nn.Conv2d(width, latents, 1), nn.ReLU())
    def update(self): pass
    def eval(self): return self
    def compress(self, pixels):
        y = self.g_a(pixels)
        assert y.mean((0, 2, 3)).abs().max() < 1e-3
        self.spreads = y.std((0, 2, 3))
        assert torch.allclose(self.scales(), self.spreads, rtol=1e-3)
        return {"strings": [[b"y" * 100], [b"z" * 11]], "shape": pixels.shape}
    def decompress(self, strings, shape): return {"x_hat": torch.zeros(shape)}
    def scales(self): return self.h_s[-2].bias

class JointAutoregressiveHierarchicalPriors(ScaleHyperprior):
    def __init__(self, width, latents):
        super().__init__(width, latents)
        self.entropy_parameters = nn.Sequential(nn.Conv2d(width, 2 * latents, 1))
    def scales(self): return self.entropy_parameters[-1].bias.chunk(2)[0]
"""


def test_a_tiny_run_writes_its_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([*SIZES, "--out", str(tmp_path)])
    result = json.loads((tmp_path / "codec_rivals.json").read_text())
    assert len(result["sizes"]) == 2 * len(variants(Options())) and not result["compressai"]
    for name in result["sizes"]:
        assert result["seconds"][f"{name} decode"] > 0
        assert (f"{name} enhancement" in result["seconds"]) == ("enhancement" in name)
    assert "| K = 3, bfloat16 |" in (tmp_path / "codec_rivals.md").read_text()
    assert "CompressAI is not timed" in capsys.readouterr().out


def test_compressai_takes_part_where_it_is_named(tmp_path: Path) -> None:
    package = tmp_path / "compressai"
    package.mkdir()
    (package / "__init__.py").write_text("__version__ = '0'\n")
    (package / "models.py").write_text(STAND_IN)
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path} exec {sys.executable} "$@"\n')
    python.chmod(0o700)
    main([*SIZES, "--compressai", str(python), "--out", str(tmp_path / "out")])
    result = json.loads((tmp_path / "out" / "codec_rivals.json").read_text())
    assert result["compressai"] == "0" and result["sizes"][SERIAL] == result["sizes"][HYPERPRIOR] == 111
    assert {f"{HYPERPRIOR} encode", f"{HYPERPRIOR} decode", f"{SERIAL} decode"} <= set(result["seconds"])
    assert "--compressai PYTHON" in (tmp_path / "out" / "codec_rivals.md").read_text()


def test_an_interpreter_without_compressai_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([*SIZES, "--compressai", "/bin/false", "--out", str(tmp_path)])
    assert "ended before its models were ready" in capsys.readouterr().out


def test_the_parts_of_a_decoding_are_timed_with_it() -> None:
    picture = photograph(64, 128)
    assert picture.shape == (64, 128, 3) and picture.std() > 20
    model = untrained_model(TINY)
    cases, size = coding_cases(model, picture, "float32")
    assert size == len(Codec(model).encode(picture))
    assert all(cases[part]() > 0 for part in (DECODE, ENTROPY, HYPER, SYNTHESIS))
    scales = channel_scales(model, picture)
    assert scales.shape == (6,) and scales.dtype == np.float32 and scales.max() > 1


def test_the_verdict_follows_from_the_times() -> None:
    names = ("K = 1, float32", "K = 3, float32", HYPERPRIOR, SERIAL)

    def text(one: float, three: float) -> str:
        times = dict(zip((f"{name} {DECODE}" for name in names), (one, three, 1.0, 12.0), strict=True))
        return report(Measured(seconds=times, sizes=dict.fromkeys(names, 1000), compressai="1"), Options())

    fast = text(0.5, 0.9)
    assert fast.count(": all of ours.") == 3 and "| 0.90 | 13.3 |" in fast
    slower = text(0.5, 1.25)
    assert "the hyperprior's decoding: all of ours." in slower
    assert slower.count("all of ours but K = 3, float32.") == 2
    assert text(2.0, 2.0).count("none of ours") == 3
    ours = Measured(seconds={f"{names[0]} {DECODE}": 0.25}, sizes={names[0]: 1000})
    assert "| K = 1, float32 | 1,000 |  | 250 |  |" in report(ours, Options())
    assert "hyperprior's" not in report(ours, Options())
