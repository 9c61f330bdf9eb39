"""The training of the network of predicted frames."""

import hashlib
from dataclasses import asdict
from pathlib import Path

from torch import Tensor

from law_rl.compression.training import Training
from law_rl.compression.video.clips import ClipSet
from law_rl.compression.video.network.video_network import VideoConfig, VideoNetwork, build_video
from law_rl.compression.video.objective import VideoObjective
from law_rl.compression.video.training_config import VideoTrainingConfig


def video_training(
    video: VideoConfig,
    config: VideoTrainingConfig,
    clips: ClipSet,
    decoded: Tensor,
    checkpoint: Path | None = None,
    start: VideoNetwork | None = None,
) -> Training[VideoNetwork]:
    """The training of a network on the device of the clips, with their frames as an intra codec decodes them.

    It begins with the weights of `start` where one is given, else afresh; see `Training`. ValueError where `start` has
    another configuration.
    """
    if start is not None and start.config != video:
        raise ValueError("start has other parts or sizes than the network to train: give both the same configuration")
    network = build_video(video, config.seed, clips.frames.device, lambda_=config.lambda_)
    if start is not None:
        network.load_state_dict(start.state_dict())
    described = {"video": asdict(video), "started": start is not None and _weights_hash(start)}
    return Training(network, VideoObjective(clips, decoded, config), config, described, checkpoint)


def _weights_hash(network: VideoNetwork) -> str:
    digest = hashlib.sha256()
    for tensor in network.state_dict().values():
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
