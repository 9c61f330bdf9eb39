"""x264 and x265 as peers."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from law_rl.compression.image_metrics import psnr
from law_rl.compression.video import peers, pyav
from law_rl.compression.video.clip import Frame
from law_rl.compression.video.peers import VideoPeer, video_peers
from law_rl.counters import numpy_generator

av = pytest.importorskip("av", reason="needs PyAV: pip install 'law-rl[video]'")
SHIFT = 2
COARSE = numpy_generator(0, "test video peers").uniform(0, 255, (8, 24, 3))
PICTURE = np.repeat(np.repeat(COARSE, 8, 0), 8, 1).astype(np.uint8)
FRAMES: Sequence[Frame] = [PICTURE[:, SHIFT * index : SHIFT * index + 96] for index in range(12)]
EVERY = [pytest.param(peer, id=peer.name) for peer in video_peers(5)]


def psnrs(peer: VideoPeer, content: bytes) -> list[float]:
    return [psnr(a, b) for a, b in zip(FRAMES, peer.decode(content), strict=True)]


@pytest.mark.parametrize("peer", EVERY)
def test_frames_come_back_in_order_and_more_bits_are_worth_more(peer: VideoPeer) -> None:
    assert peer.available
    good, poor = (peer.encode(iter(FRAMES), Fraction(30), crf) for crf in (15, 39))
    assert len(good) > 1.5 * len(poor)
    assert min(psnrs(peer, good)) > max(psnrs(peer, poor)) and np.mean(psnrs(peer, good)) > 25
    frame = next(peer.decode(good))
    assert frame.dtype == np.uint8 and frame.shape == FRAMES[0].shape


@pytest.mark.parametrize("peer", EVERY)
def test_equal_frames_give_equal_bytes(peer: VideoPeer) -> None:
    assert peer.encode(FRAMES, None, 27) == peer.encode(FRAMES, None, 27)


@pytest.mark.parametrize("peer", EVERY)
def test_intra_frames_come_every_gop_and_close_it(peer: VideoPeer) -> None:
    """Also where the scene changes within one: the last frames are another picture."""
    frames = [*FRAMES[:7], *(255 - frame for frame in FRAMES[7:])]
    context = av.CodecContext.create(peers.DECODERS[peer.codec], "r")
    packets = [*context.parse(peer.encode(frames, None, 27)), *context.parse(None)]
    decoded = [frame for packet in [*packets, None] for frame in context.decode(packet)]
    assert [index for index, frame in enumerate(decoded) if frame.pict_type == 1] == [0, 5, 10]
    assert [index for index, packet in enumerate(packets) if packet.is_keyframe] == [0, 5, 10]


@pytest.mark.parametrize("peer", EVERY)
def test_settings_in_plain_text_cost_nothing(peer: VideoPeer) -> None:
    content = peer.encode(FRAMES[:1], None, 39)
    assert content.startswith(b"\0\0\0\1") and b"x26" not in content and b"http" not in content


@pytest.mark.parametrize("peer", EVERY)
def test_nothing_is_said_on_the_terminal(peer: VideoPeer, capfd: pytest.CaptureFixture[str]) -> None:
    list(peer.decode(peer.encode(FRAMES[:2], None, 27)))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("peer", EVERY)
def test_versions_name_encoder_and_library(peer: VideoPeer) -> None:
    assert peer.version.startswith(peer.codec.removeprefix("lib")) and "FFmpeg " in peer.version
    assert any(digit in peer.version.split(",")[0] for digit in "123456789")


def test_settings_are_what_is_compared() -> None:
    settings = {peer.name: peer.settings for peer in video_peers(10)}
    assert settings["x264 veryfast"].startswith("-preset veryfast -tune zerolatency -bf 2 -b_strategy 0 -g 10")
    assert settings["x264 medium"].startswith("-preset medium -g 10 -keyint_min 10 -sc_threshold 0")
    assert settings["x265 veryfast"].startswith("-preset veryfast -tune zerolatency -g 10")
    assert "open-gop=0" in settings["x265 medium"]


def test_high_definition_keeps_its_colours() -> None:
    """Encoder and decoder agree on the matrix from 720 lines on."""
    colour = np.full((720, 64, 3), (200, 40, 60), np.uint8)
    peer = video_peers(5)[0]
    (frame,) = peer.decode(peer.encode([colour], None, 15))
    assert np.abs(frame.astype(int) - colour).max() <= 4


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        ([], "x264 medium got no frame"),
        ([np.zeros((32, 33, 3), np.uint8)], "cannot halve the colours of 33 x 32: give even sides"),
        ([np.zeros((31, 32, 3), np.uint8)], "cannot halve the colours of 32 x 31"),
    ],
)
def test_frames_that_cannot_be_coded_are_refused(frames: list[Frame], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        video_peers(10)[1].encode(frames, None, 27)


def test_what_an_encoder_refuses_is_one_sentence() -> None:
    wrong = replace(video_peers(10)[0], options={"profile": "none at all"})
    with pytest.raises(ValueError, match="x264 veryfast refuses 96 x 64"):
        wrong.encode(FRAMES, None, 27)


@pytest.mark.parametrize(("change", "words"), [({"gop": 0}, "gop is 0"), ({"codec": "libvpx"}, "codec is libvpx")])
def test_settings_check_themselves(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        replace(video_peers(10)[0], **change)


def test_without_the_library_nothing_is_available(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (peers, pyav):
        monkeypatch.setattr(module, "find_spec", lambda name: None)
    peer = video_peers(10)[0]
    assert not peer.available
    with pytest.raises(ModuleNotFoundError, match=r"measuring x264 veryfast needs PyAV: pip install 'law-rl\[video\]'"):
        peer.encode(FRAMES, None, 27)
