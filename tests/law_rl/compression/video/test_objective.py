"""What is trained at which stage, and the buffer of decoded frames."""

from dataclasses import replace

import pytest
import torch

from law_rl.compression.video.clips import ClipSet
from law_rl.compression.video.network.video_network import VideoNetwork, build_video
from law_rl.compression.video.objective import VideoObjective, as_bytes, intra_frames, pixels
from law_rl.compression.video.training_config import VideoTrainingConfig
from tests.law_rl.compression.video.tiny import CONFIG, clip_set, intra_model

TRAINING = VideoTrainingConfig(lambda_=512.0, batch=2, crop=64, steps=8)
DRAWS = torch.tensor([[0.0, 0.9], [0.7, 0.1]])
"""Of three clips of three frames: the last frame of the first, and the middle one of the last."""


def network() -> VideoNetwork:
    return build_video(CONFIG, 0, lambda_=512.0)


def objective(config: VideoTrainingConfig = TRAINING, clips: ClipSet | None = None) -> VideoObjective:
    clips = clips or clip_set()
    return VideoObjective(clips, intra_frames(clips.frames, intra_model().network()), config)


def noise() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def trained_parts(progress: float) -> set[str]:
    net = network()
    for parameter in net.parameters():
        if parameter.abs().sum() == 0:
            torch.nn.init.normal_(parameter, std=0.02)
    objective().cost(net, DRAWS, noise(), progress).cost.mean().backward()
    return {name.split(".")[0] for name, p in net.named_parameters() if p.grad is not None}


def test_stages_train_their_parts() -> None:
    assert trained_parts(0.0) == {"flow"}
    assert trained_parts(0.3) == {"flow", "motion"}
    assert trained_parts(0.4) == {"flow", "motion", "compensation"}
    assert trained_parts(0.5) == {"flow", "motion", "compensation", "residual", "enhancement"}


def test_the_cost_of_all_parts_is_bits_and_error_beside_the_decoded_frame_before() -> None:
    one, net, clips = objective(), network(), clip_set()
    decoded = one.decoded.clone()
    cost = one.cost(net, DRAWS, noise(), 0.9)
    frames = pixels(clips.frames[[0, 2], [2, 1]])
    output = net(frames, pixels(decoded[[0, 2], [1, 0]]), noise())
    torch.testing.assert_close(cost.bpp, output.bits / 64**2)
    torch.testing.assert_close(cost.distortion, (output.reconstruction - frames).square().mean((1, 2, 3)))
    torch.testing.assert_close(cost.cost, cost.bpp + 512 * cost.distortion)


def test_decoded_frames_are_kept_as_the_next_references() -> None:
    one, net = objective(), network()
    before = one.decoded.clone()
    one.cost(net, DRAWS, noise(), 0.4)
    assert torch.equal(one.decoded, before)
    frames, references = pixels(clip_set().frames[[0, 2], [2, 1]]), pixels(before[[0, 2], [1, 0]])
    expected = as_bytes(net(frames, references, noise()).reconstruction)
    one.cost(net, DRAWS, noise(), 0.9)
    assert torch.equal(one.decoded[[0, 2], [2, 1]], expected)
    changed = (one.decoded != before).flatten(2).any(2)
    assert changed.nonzero().tolist() == [[0, 2], [2, 1]]
    assert one.state()["decoded"] is one.decoded


def test_original_references_stay_what_they_are() -> None:
    one, clips = objective(replace(TRAINING, reference="original")), clip_set()
    one.cost(network(), DRAWS, noise(), 0.9)
    assert torch.equal(one.decoded, clips.frames)


def test_the_flow_stage_knows_the_true_flow() -> None:
    net = network()
    cost = objective().cost(net, DRAWS, noise(), 0.0)
    clips, decoded = clip_set(), objective().decoded
    flows = net.flow.pyramid(pixels(clips.frames[[0, 2], [2, 1]]), pixels(decoded[[0, 2], [1, 0]]))
    expected = torch.zeros(2)
    for flow, scale in zip(flows, (8, 4), strict=True):
        error = flow - torch.tensor([1.0, 0.5]).view(1, 2, 1, 1) / scale
        expected += (error.square().sum(1) + 1e-4).sqrt().mean((1, 2))
    torch.testing.assert_close(cost.cost, expected)


def test_intra_frames_are_those_of_the_codec() -> None:
    clips, codec = clip_set(), intra_model().network()
    with torch.no_grad():
        expected = as_bytes(codec(pixels(clips.frames[1])).reconstruction)
    assert torch.equal(intra_frames(clips.frames, codec)[1], expected)


def test_a_flow_stage_without_true_flow_is_refused() -> None:
    footage = ClipSet(frames=clip_set().frames, flows=None)
    with pytest.raises(ValueError, match="true flow"):
        objective(clips=footage)
    objective(replace(TRAINING, flow=0.0), footage).cost(network(), DRAWS, noise(), 0.9)


def test_other_frames_or_references_have_another_hash() -> None:
    assert objective().content_hash == objective().content_hash
    assert objective().content_hash != objective(replace(TRAINING, reference="original")).content_hash
    assert objective().content_hash != objective(clips=clip_set(count=2)).content_hash
