"""The benchmark that trains video codecs: which chains it makes, what they begin with, and what is not done twice."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import train_videos
from benchmarks.train_videos import LAMBDAS, VARIANTS, Chain, Options, chains, main, training_config
from law_rl.compression.video.model_file import VideoModel
from law_rl.compression.video.objective import intra_frames
from tests.law_rl.compression.video.tiny import CONFIG, clip_set, intra_model


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = {name: (CONFIG, decoded) for name, (_, decoded) in VARIANTS.items()}
    monkeypatch.setattr(train_videos, "VARIANTS", parts)
    monkeypatch.setattr(train_videos, "_clips", lambda *_: clip_set())
    monkeypatch.setattr(train_videos, "_intra", lambda name: intra_model())
    monkeypatch.setattr(train_videos, "_decoded", lambda *_: intra_frames(clip_set().frames, intra_model().network()))


def test_processes_share_the_chains() -> None:
    options = Options(out=Path("videos"), seeds=(0, 1))
    every = chains(options)
    assert len(every) == 2 * len(VARIANTS) and {chain.seed for chain in every[: len(VARIANTS)]} == {0}
    parts = [chains(replace(options, part=part, parts=2)) for part in (0, 1)]
    assert sorted(map(repr, parts[0] + parts[1])) == sorted(map(repr, every))
    with pytest.raises(ValueError, match=r"variants has 'H\.264'"):
        chains(replace(options, variants=("H.264",)))


def test_variants_differ_by_one_thing() -> None:
    options = Options(out=Path("videos"))
    plain = training_config(options, Chain(variant="DVC", seed=1), 3)
    for variant in VARIANTS:
        other = training_config(options, Chain(variant=variant, seed=1), 3)
        assert replace(other, reference="decoded") == plain
        assert other.reference == ("original" if variant == "no buffer update" else "decoded")
    assert [VARIANTS[name][0].motion for name in ("DVC", "no motion codec")] == [32, 0]
    assert [VARIANTS[name][0].compensation for name in ("DVC", "no refinement")] == [16, 0]


def test_a_chain_goes_down_the_lambdas_once(tiny: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Any] = []
    make = train_videos.video_training

    def watched(video: Any, config: Any, clips: Any, decoded: Any, checkpoint: Any, before: Any) -> Any:
        started.append((config.lambda_, config.stage(0.0), before is not None))
        return make(video, config, clips, decoded, checkpoint, before)

    monkeypatch.setattr(train_videos, "video_training", watched)
    arguments = ["--out", str(tmp_path), "--variants", "DVC", "--seeds", "1", "--steps", "10", "--further", "2"]
    main([*arguments, "--size", "64"])
    assert started == [(1024.0, "flow", False), (384.0, "all", True), (128.0, "all", True)]
    for quality, (lambda_, _) in LAMBDAS.items():
        model = VideoModel.load(Chain(variant="DVC", seed=1).path(tmp_path, quality))
        assert (model.quality, model.lambda_, model.intra) == (quality, lambda_, intra_model().hash)
        assert model.provenance["variant"] == "DVC"
    assert not list(tmp_path.glob("*.checkpoint"))
    main([*arguments, "--size", "64"])
    assert len(started) == 3
