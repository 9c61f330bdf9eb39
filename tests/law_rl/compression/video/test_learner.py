"""The video codec's learner: its loss, its references and its metric against their definitions, and snapshots."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from law_rl.compression.video.learner import VideoLearner, VideoLearnerConfig, log_motion
from law_rl.compression.video.network.video_network import VideoOutput
from law_rl.compression.video.objective import as_bytes, pixels
from law_rl.counters import torch_generator
from law_rl.files import load_tree, save_tree
from law_rl.learner import BASELINE, Directive
from law_rl.weighting import ByIndex, KeepLowest, LinearTanh
from tests.law_rl.compression.patch_trainings import same_networks
from tests.law_rl.compression.video.crop_trainings import CONFIG, dataset, make, train


def bits_per_pixel(output: VideoOutput) -> torch.Tensor:
    return (output.motion_bits + output.residual_bits).double() / 4096


def errors(images: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    return (images.double() - others.double()).square().mean(dim=(1, 2, 3))


def test_training_lowers_the_cost() -> None:
    learner = make(epochs=15)
    before = learner.evaluate("train")
    assert train(learner).evaluate("train")["rd_db"] > before["rd_db"] + 0.1


@pytest.mark.parametrize("weights", [{}, {"distortion": 2.5, "prediction": 0.5}, {"distortion": 0.0}])
def test_a_batch_is_trained_on_its_weighted_terms_and_seen_at_the_target(weights: dict[str, float]) -> None:
    learner, ids = make(), torch.tensor([3, 1, 8])  # clip 1 at time 2, clip 0 at 2, clip 4 at 1
    learner._direct(Directive(losses=weights))
    decoded = learner._decoded.clone()
    objective = learner._objective_of(ids, 5)
    frames = pixels(torch.stack([dataset().train.frames[n, t] for n, t in ((1, 2), (0, 2), (4, 1))]))
    references = pixels(torch.stack([decoded[n, t] for n, t in ((1, 1), (0, 1), (4, 0))]))
    output = learner.network(frames, references, torch_generator(0, "quantisation noise", 5))
    error, bits = errors(output.reconstruction, frames), bits_per_pixel(output)
    predicted = errors(output.warped, frames) + errors(output.prediction, frames)
    share = {"distortion": 1.0, "prediction": 0.0} | weights
    expected = bits + 256 * (share["distortion"] * error + share["prediction"] * predicted)
    assert torch.allclose(objective.losses.double(), expected, rtol=1e-5)
    batch = objective.batch
    assert torch.allclose(batch.losses.double(), bits + 256 * error, rtol=1e-5)
    assert torch.allclose(batch.losses, batch.given("bits", "") + 256 * batch.given("distortion", ""))
    assert torch.equal(batch.given("motion", ""), log_motion(output.flow))
    assert batch.given("gradient_energy", "").tolist() == pytest.approx([energy(frame) for frame in frames], abs=1e-4)
    assert objective.losses.requires_grad and not batch.losses.requires_grad


def energy(image: torch.Tensor) -> float:
    along, down = image.double().diff(dim=2).square().mean(), image.double().diff(dim=1).square().mean()
    return math.log((along + down).item() / 2)


def test_references_are_the_frames_as_they_were_decoded_last() -> None:
    learner = make()
    before = learner._decoded.clone()
    assert torch.equal(before, dataset().train.intra)
    frames = pixels(dataset().train.frames[[2], 1])
    output = learner.network(frames, pixels(before[[2], 0]), torch_generator(0, "quantisation noise", 0))
    learner._objective_of(torch.tensor([4]), 0)
    assert torch.equal(learner._decoded[2, 1], as_bytes(output.reconstruction)[0])
    before[2, 1] = learner._decoded[2, 1]
    assert torch.equal(learner._decoded, before), "no other frame may change"


def test_the_metric_follows_decoded_frames_at_the_target_whatever_is_trained_on() -> None:
    learner = train(make(), Directive(losses={"distortion": 3.0, "prediction": 1.0}), until=1)
    measured, crops = learner.evaluate("validation"), dataset().validation
    rates, distortions = [], []
    for clip in range(3):
        reference = crops.intra[[clip], 0]
        for time in (1, 2):
            frame = pixels(crops.frames[[clip], time])
            with torch.no_grad():
                output = learner.network.eval()(frame, pixels(reference))
            rates.append(bits_per_pixel(output).item())
            distortions.append(errors(output.reconstruction, frame).item())
            reference = as_bytes(output.reconstruction)
    costs = [rate + 256 * error for rate, error in zip(rates, distortions, strict=True)]
    assert measured["rd_db"] == pytest.approx(10 * math.log10(256 * len(costs) / math.fsum(costs)), abs=1e-3)
    assert measured["bpp"] == pytest.approx(math.fsum(rates) / 6, rel=1e-4)
    assert measured["psnr"] == pytest.approx(-10 * math.fsum(map(math.log10, distortions)) / 6, abs=1e-3)
    assert learner.metric == "rd_db"


def test_measuring_moves_nothing() -> None:
    learner = train(make(), until=1)
    before, decoded = learner.snapshot()["network"], learner._decoded.clone()
    assert learner.evaluate("train") == learner.evaluate("train")
    assert all(torch.equal(before[name], value) for name, value in learner.network.state_dict().items())
    assert torch.equal(learner._decoded, decoded)


def test_costs_of_all_frames_are_in_the_order_of_the_samples() -> None:
    learner = make()
    costs = learner._losses_of_all()
    assert costs.shape == (10,) == (len(dataset().train),)
    alone = replace(
        dataset(), train=replace(dataset().train, frames=dataset().train.frames[[3]], intra=dataset().train.intra[[3]])
    )
    assert torch.allclose(learner._rounded(alone.train).cost, costs[6:8], rtol=1e-4)


@pytest.mark.parametrize("name", VideoLearnerConfig.known)
def test_every_feature_weights_frames(name: str) -> None:
    rule = LinearTanh(features=(name,), weights=(0.5,), bias=0.0, gain=1.0)
    learner = make(features=(name,))
    report = learner.train_stage(Directive(weighting=rule))
    assert not report.failure and report.view.ema_weight > 0
    assert not same_networks(learner, train(make(features=(name,)), until=1))


def test_a_frame_of_no_weight_leaves_no_trace() -> None:
    """Training on the first three clips is the same whatever the others show."""
    kept = tuple(float(i < 6) for i in range(10))
    frames = dataset().train.frames.clone()
    frames[3:] = 255 - frames[3:]
    other = replace(dataset(), train=replace(dataset().train, frames=frames))
    for directive, same in ((Directive(weighting=ByIndex(weights=kept)), True), (BASELINE, False)):
        ours, theirs = (
            train(VideoLearner(CONFIG, data, 0), directive, until=1).network.state_dict() for data in (dataset(), other)
        )
        assert all(torch.allclose(ours[name], theirs[name], atol=1e-5) for name in ours) == same


def test_the_lowest_costs_can_be_kept() -> None:
    assert not make(epochs=4).train_stage(Directive(weighting=KeepLowest(share=0.5))).failure


@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("through_a_file", [False, True])
def test_training_goes_on_from_a_snapshot_bit_for_bit(precision: str, through_a_file: bool, tmp_path: Path) -> None:
    whole, cut_off = (make(precision=precision) for _ in range(2))
    rule = LinearTanh(features=("motion",), weights=(0.3,), bias=0.0, gain=1.0)
    directive = Directive(weighting=rule, losses={"distortion": 1.5, "prediction": 0.2})
    train(whole, directive)
    snapshot = train(cut_off, directive, until=2).snapshot()
    if through_a_file:
        save_tree(tmp_path / "snapshot", snapshot)
        snapshot = load_tree(tmp_path / "snapshot")
    train(cut_off)  # later training does not change the snapshot
    resumed = make(precision=precision)
    resumed.restore(snapshot)
    train(resumed, directive)
    assert same_networks(resumed, whole) and resumed.view() == whole.view()
    assert torch.equal(resumed._decoded, whole._decoded)


def test_a_fork_goes_its_own_way_from_the_same_state() -> None:
    learner = train(make(), until=1)
    fork, decoded = learner.fork(), learner._decoded.clone()
    assert same_networks(fork, learner) and fork.dataset.train is not None
    train(fork)
    assert torch.equal(learner._decoded, decoded) and not torch.equal(fork._decoded, decoded)
    assert same_networks(train(learner), fork)


def test_seeds_draw_noise_batches_and_initialisation() -> None:
    assert same_networks(train(make(3)), train(make(3))) and not same_networks(train(make(3)), train(make(4)))


def test_motion_is_the_mean_length_of_the_flow() -> None:
    flow = torch.zeros(3, 2, 4, 4)
    flow[0, 0], flow[0, 1], flow[1, 0, :, :2] = 3.0, -4.0, 1.0
    assert log_motion(flow).tolist() == pytest.approx([math.log(5), math.log(0.5), math.log(0.01)])


def test_what_is_no_training_is_refused_in_one_sentence() -> None:
    with pytest.raises(ValueError, match="features names entropy, which this codec does not know: choose from loss"):
        replace(CONFIG, features=("entropy",))
    with pytest.raises(
        ValueError, match="the directive weights the loss 'teacher_output', which this training has not"
    ):
        make().train_stage(Directive(losses={"teacher_output": 1.0}))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_it_trains_on_a_gpu() -> None:
    learner = train(make(device="cuda", precision="bf16"), Directive(losses={"prediction": 0.1}))
    assert math.isfinite(learner.evaluate("test")["rd_db"])
