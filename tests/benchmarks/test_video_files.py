"""What is said of whole video files."""

import json
from pathlib import Path

import pytest
from PIL import Image

from benchmarks import video_files
from benchmarks.video_files import digests, main
from law_rl.compression.video.container import VideoReader
from law_rl.compression.video.model_file import VideoModel
from law_rl.compression.video.video_codec import VideoCodec
from tests.law_rl.compression.video.tiny import intra_model, moving, video_model


@pytest.mark.parametrize("exact", [True, False])
def test_files_are_measured_and_frames_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exact: bool) -> None:
    codec = VideoCodec(video_model(), intra_model())
    monkeypatch.setattr(VideoModel, "intra_model", lambda self: intra_model())
    monkeypatch.setattr(video_files, "load_video_codec", lambda model: codec)

    def elsewhere(path: Path, model: str, threads: int) -> list[str]:
        found = digests([frame for _, frame in codec.decode(VideoReader(path.read_bytes()))])
        return found if exact or threads == 1 else [*found[:-1], "another"]

    monkeypatch.setattr(video_files, "_decoded_elsewhere", elsewhere)
    (tmp_path / "clips" / "one").mkdir(parents=True)
    for number, frame in enumerate(moving(4, 64, 64)):
        Image.fromarray(frame).save(tmp_path / "clips" / "one" / f"{number}.png")
    video_model().save(tmp_path / "tiny.safetensors")
    main([str(tmp_path / "clips"), "--models", str(tmp_path / "tiny.safetensors"), "--gop", "2", "--threads", "1",
          "--out", str(tmp_path)])  # fmt: skip
    (row,) = json.loads((tmp_path / "video_files.json").read_text())["rows"]
    assert row["exact"] is exact and row["frames"] == 4
    assert 0 < row["over_estimate"] < 3  # a tiny file is mostly headers
    text = (tmp_path / "video_files.md").read_text()
    assert "| tiny, one | 4 |" in text and ("| all |" in text) is exact
