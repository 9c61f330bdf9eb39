"""The benchmark that trains codecs: which trainings it makes, what it writes, and what it does not do twice."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import codec_jobs, train_codecs
from benchmarks.codec_jobs import VARIANTS, Options, groups
from law_rl.compression.bitstream.model_file import CodecModel
from law_rl.compression.network.codec_network import CodecConfig
from law_rl.compression.training import Moment

HEAVY = {"scipy", "sklearn", "pandas", "matplotlib", "gymnasium", "stable_baselines3", "ray"}


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Options:
    monkeypatch.setattr(codec_jobs, "SMALL", CodecConfig(width=4, latents=6))
    folder = tmp_path / "photographs"
    folder.mkdir()
    rows, columns = np.mgrid[:64, :70]
    for number in range(2):
        waves = [127 + 120 * np.sin(rows / (3 + number)) * np.cos(columns / period) for period in (4, 6, 9)]
        Image.fromarray(np.stack(waves, 2).astype(np.uint8)).save(folder / f"{number}.png")
    return Options(
        folders=(folder,), pictures=folder, out=tmp_path / "out", models=("small",), steps=2, batch=1, crop=64
    )


def train(options: Options) -> None:
    for name, jobs in groups(options).items():
        train_codecs.train_group(options, name, jobs)


def test_the_trainings_of_what_ships() -> None:
    found = groups(Options(lambdas=(256.0, 1024.0), steps=1))
    assert [job.name for job in found["small"]] == ["small-256", "small-1024"]
    assert [job.quality for job in (*found["small"], *found["paper"])] == [1, 2, 3]
    assert found["paper"][0].config.learning_rate < found["small"][0].config.learning_rate
    several = groups(Options(learning_rates=(1e-4, 1e-3), lambdas=(256.0,), seeds=(0, 1), models=("small",), steps=1))
    assert len({job.name for job in several["small"]}) == 4


def test_an_ablation_changes_one_thing_at_a_time() -> None:
    found = groups(Options(ablation=True, seeds=(3, 4, 5), lambdas=(256.0, 1024.0), steps=1))
    assert list(found) == ["seed 3", "seed 4", "seed 5"]
    names = [job.name for jobs in found.values() for job in jobs]
    assert len(set(names)) == len(names) == 3 * 2 * len(VARIANTS)
    plain = next(job for job in found["seed 4"] if job.variant == "plain")
    for job in found["seed 4"]:
        assert job.config == replace(plain.config, lambda_=job.config.lambda_)
    with pytest.raises(ValueError, match=r"variants has 'nothing': choose among plain"):
        groups(Options(variants=("nothing",), steps=1))


def test_it_writes_models_rows_and_a_table_once(options: Options, capsys: pytest.CaptureFixture[str]) -> None:
    options = replace(options, lambdas=(256.0, 1024.0))
    train(options)
    assert "small: 100 %, step 2" in capsys.readouterr().out
    model = CodecModel.load(options.out / "small-1024.safetensors")
    assert (model.lambda_, model.quality) == (1024.0, 2)
    row = json.loads((options.out / "rows" / "small-256.json").read_text())
    assert row["steps"] == 2 and row["bpp"] > 0 and row["training"]["lambda_"] == 256
    text = train_codecs.write_table(options)
    assert "small-256 | 256 | 2 |" in text and "the pictures of photographs" in text
    assert [row["name"] for row in json.loads((options.out / "results.json").read_text())["rows"]] == [
        "small-256",
        "small-1024",
    ]
    (options.out / "small-256.safetensors").unlink()
    train(options)  # all rows are there
    assert not (options.out / "small-256.safetensors").exists()


def test_an_ablation_leaves_rows_alone(options: Options) -> None:
    options = replace(options, ablation=True, variants=("plain", "all"), lambdas=(512.0,), checkpoints=False)
    train(options)
    assert sorted(path.name for path in options.out.iterdir()) == ["rows"]
    assert sorted(path.stem for path in (options.out / "rows").iterdir()) == ["all-512", "plain-512"]


def test_a_group_that_breaks_is_tried_again_on_a_gpu_alone(options: Options, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[bool, list[str]]] = []

    def run(tried: Options, names: list[str]) -> list[str]:
        seen.append((tried.cuda_graph, list(names)))
        return ["small"] if tried.cuda_graph else []

    monkeypatch.setattr(train_codecs, "_run", run)
    assert train_codecs.run_groups(options) == ["small"]
    both = replace(options, models=("small", "paper"), device="cuda")
    assert train_codecs.run_groups(both) == []
    assert seen == [(True, ["small"]), (True, ["small", "paper"]), (False, ["small"])]
    assert train_codecs.run_groups(replace(both, minutes=0.1)) == ["small"]


def test_a_line_tells_the_mean_cost_and_the_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    lines = train_codecs.Lines("small", 2)
    for number, progress in ((0, 0.5), (1, 0.5), (0, 1.0), (1, 1.0)):
        lines.show(
            number, Moment(step=100, progress=progress, seconds=50.0, cost=number + 1.0, bpp=1.0, distortion=0.0)
        )
    assert capsys.readouterr().out == "small: 100 %, step 100, 2.0 a second, mean cost 1.500, about 0 s left\n"


def test_it_needs_few_packages() -> None:
    script = f"import sys, benchmarks.train_codecs; print(*(set(sys.modules) & {HEAVY!r}))"
    root = Path(__file__).parents[2]
    process = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True)
    assert process.stdout.split() == []
