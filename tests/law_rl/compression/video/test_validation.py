"""The estimate of a network on clips: GOPs, its own decoded frames as references, and padding."""

import numpy as np
import pytest
import torch

from law_rl.compression.image_metrics import psnr
from law_rl.compression.video.objective import as_bytes, pixels
from law_rl.compression.video.validation import validate_video
from tests.law_rl.compression.video.tiny import intra_model, moving, video_model


def test_frames_are_predicted_from_the_decoded_one_before() -> None:
    network, intra, frames = video_model().network(), intra_model().network(), moving(3, 64, 64)
    tensors = [pixels(torch.tensor(frame).permute(2, 0, 1)[None]) for frame in frames]
    with torch.no_grad():
        first = intra(tensors[0])
        bits, qualities = [float(first.bits)], []
        decoded = as_bytes(first.reconstruction)
        qualities.append(psnr(frames[0], decoded[0].permute(1, 2, 0).numpy()))
        for frame, tensor in zip(frames[1:], tensors[1:], strict=True):
            output = network(tensor, pixels(decoded))
            decoded = as_bytes(output.reconstruction)
            bits.append(float(output.bits))
            qualities.append(psnr(frame, decoded[0].permute(1, 2, 0).numpy()))
    found = validate_video(network, intra, [frames], 3)
    assert found.bpp == pytest.approx(np.mean(bits) / 64**2)
    assert found.psnr == pytest.approx(np.mean(qualities))
    assert found.predicted_bpp == pytest.approx(np.mean(bits[1:]) / 64**2)
    assert found.predicted_psnr == pytest.approx(np.mean(qualities[1:]))
    assert 0 < found.motion_bpp < found.predicted_bpp


def test_a_gop_begins_with_an_intra_frame() -> None:
    network, intra, frames = video_model().network(), intra_model().network(), moving(4, 64, 64)
    whole = validate_video(network, intra, [frames], 2)
    halves = validate_video(network, intra, [frames[:2], frames[2:]], 10)
    assert whole == halves


def test_bits_of_padding_count_and_its_pixels_do_not() -> None:
    network, intra = video_model().network(), intra_model().network()
    found = validate_video(network, intra, [moving(2, 60, 50)], 2)
    padded = [np.pad(frame, ((0, 4), (0, 14), (0, 0)), mode="edge") for frame in moving(2, 60, 50)]
    whole = validate_video(network, intra, [padded], 2)
    assert found.bpp * 60 * 50 == pytest.approx(whole.bpp * 64 * 64)


def test_clips_without_a_predicted_frame_are_refused() -> None:
    with pytest.raises(ValueError, match="no frame is predicted"):
        validate_video(video_model().network(), intra_model().network(), [moving(2, 64, 64)], 1)
