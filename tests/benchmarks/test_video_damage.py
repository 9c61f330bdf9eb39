"""Damaged videos: what counts as handled, and what does not."""

import io
from pathlib import Path

import numpy as np
import pytest

from benchmarks import video_damage
from benchmarks.video_damage import DAMAGES, GOP, clip, damaged, main, verdict
from law_rl.compression.video.container import DamagedVideo, VideoReader
from law_rl.compression.video.video_codec import VideoCodec
from tests.law_rl.compression.video.tiny import intra_model, video_model


@pytest.fixture(scope="module")
def codec() -> VideoCodec:
    return VideoCodec(video_model(), intra_model())


def test_every_kind_of_damage_is_handled(codec: VideoCodec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video_damage, "load_video_codec", lambda model: codec)
    main(["--cases", str(2 * len(DAMAGES)), "--model", "tiny", "--out", str(tmp_path)])
    text = (tmp_path / "video_damage.md").read_text()
    assert "no other outcome" in text and all(f"| {kind} | 2 |" in text for kind in DAMAGES)


def test_damages_change_the_file(codec: VideoCodec) -> None:
    file = io.BytesIO()
    codec.encode(clip(4), file, gop=GOP)
    for number in range(len(DAMAGES)):
        kind, changed = damaged(file.getvalue(), number)
        assert kind == list(DAMAGES)[number] and changed != file.getvalue()


def test_what_must_not_happen_is_told(codec: VideoCodec, monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.BytesIO()
    codec.encode(clip(4), file, gop=GOP)
    content = file.getvalue()
    whole = [frame for _, frame in codec.decode(VideoReader(content))]
    assert verdict(codec, content, whole) == ("frames and the rest named", 4)
    wrong = [whole[0], np.roll(whole[1], 1), *whole[2:]]
    assert verdict(codec, content, wrong)[0] == "gave a wrong frame"

    def failing(error: BaseException) -> str:
        with monkeypatch.context() as patch:
            patch.setattr(codec, "decode", lambda *_, **__: (_ for _ in ()).throw(error))
            return verdict(codec, content, whole)[0]

    assert failing(DamagedVideo("it is damaged")) == "refused"
    assert failing(DamagedVideo("two\nlines")).startswith("said ")
    assert failing(IndexError("no")) == "raised IndexError: no"
    with monkeypatch.context() as patch:
        patch.setattr(codec, "decode", lambda *_, **__: iter([(0, whole[0])]))
        assert verdict(codec, content, whole)[0] == "named wrong frames"
