"""A video codec measured on a clip, by codecs that are known."""

import math
import time
from collections.abc import Iterable, Iterator

import numpy as np
import pytest

from law_rl.compression.image_metrics import ms_ssim
from law_rl.compression.rate_curve import RatePoint
from law_rl.compression.video.clip import Frame
from law_rl.compression.video.clip_metrics import EXACT, clip_point, measure_clip
from law_rl.counters import numpy_generator

FRAMES = list(numpy_generator(0, "test clip metrics").integers(0, 250, (3, 176, 200, 3), dtype=np.uint8))


def encode(frames: Iterable[Frame]) -> bytes:
    return b"".join(frame.tobytes() for frame in frames)


def brighter(content: bytes) -> Iterator[Frame]:
    """Frame i with i + 1 added."""
    for index, frame in enumerate(np.frombuffer(content, np.uint8).reshape(-1, *FRAMES[0].shape)):
        yield frame + np.uint8(index + 1)


def test_bits_are_those_of_every_pixel_and_qualities_the_means_over_frames() -> None:
    found = measure_clip("x", FRAMES, encode, brighter)
    assert (found.name, found.width, found.height, found.frames) == ("x", 200, 176, 3)
    assert found.bytes == 3 * 176 * 200 * 3 and found.bpp == 24
    assert found.psnr == pytest.approx(20 * math.log10(255) - 20 / 3 * math.log10(6))
    similarities = [ms_ssim(frame, frame + np.uint8(index + 1)) for index, frame in enumerate(FRAMES)]
    assert found.ms_ssim == pytest.approx(np.mean(similarities))
    assert found.encode_fps > 0 and found.decode_fps > 0


def test_small_frames_have_no_similarity_and_exact_ones_an_end() -> None:
    small = [frame[:175] for frame in FRAMES]
    found = measure_clip("x", small, encode, lambda content: iter(small))
    assert found.ms_ssim is None and found.psnr == EXACT


def test_only_the_codec_counts_in_the_times() -> None:
    def slowly(seconds: float) -> Iterator[Frame]:
        for frame in FRAMES:
            time.sleep(seconds)
            yield frame

    class Slow:
        def __iter__(self) -> Iterator[Frame]:
            return slowly(0.1)

    found = measure_clip("x", Slow(), encode, lambda content: slowly(0.02))
    assert found.encode_fps > 3 / 0.1 and 3 / 0.3 < found.decode_fps <= 3 / 0.06


@pytest.mark.parametrize(
    ("decoded", "words"), [(2, "what was decoded ends before frame 2"), (4, "the clip ends before")]
)
def test_frames_too_few_and_too_many_are_refused(decoded: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        measure_clip("x", FRAMES, encode, lambda content: (FRAMES * 2)[:decoded])


def test_a_point_is_the_mean_over_clips() -> None:
    one = measure_clip("x", FRAMES, encode, brighter)
    other = measure_clip("y", FRAMES[:1], encode, brighter)
    assert other.ms_ssim is not None and one.ms_ssim is not None
    expected = RatePoint(
        setting="27", bpp=24, psnr=(one.psnr + other.psnr) / 2, ms_ssim=(one.ms_ssim + other.ms_ssim) / 2
    )
    assert clip_point("27", [one, other]) == expected
