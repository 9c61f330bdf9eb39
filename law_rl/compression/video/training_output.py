"""What a finished training of predicted frames leaves: the model's file, and its card beside it."""

from pathlib import Path

from law_rl.compression.card import PhotographFacts, write_model
from law_rl.compression.training import Training
from law_rl.compression.video.model_card import ClipFacts, IntraFacts, VideoCard
from law_rl.compression.video.model_file import VideoModel
from law_rl.compression.video.network.video_network import VideoNetwork
from law_rl.compression.video.training_clips import TrainingClips
from law_rl.compression.video.training_config import VideoTrainingConfig
from law_rl.compression.video.validation import validate_video
from law_rl.compression.video.video_codec import GOP


def put_out(
    training: Training[VideoNetwork],
    clips: TrainingClips,
    path: Path,
    *,
    quality: int,
    start: VideoModel | None = None,
) -> VideoCard:
    """Writes the model with the averaged weights to `path`, and its card beside it; gives the card.

    `start` is the model that the training went on from. ValueError where weights are not finite.
    """
    config, device, intra = training.config, training.device, clips.intra.model
    assert isinstance(config, VideoTrainingConfig)
    network = training.network()
    model = VideoModel.export(
        network, lambda_=config.lambda_, quality=quality, distortion=config.distortion, intra=intra.hash
    )
    card = VideoCard(
        video=network.config,
        training=config,
        quality=quality,
        parameters=model.parameters,
        bytes=0,
        intra=IntraFacts.of(clips.intra),
        start="" if start is None else start.hash.hex(),
        photographs=PhotographFacts.of(clips.photographs),
        clips=ClipFacts.of(clips),
        validation=validate_video(model.network(device), intra.network(device), clips.held_out(), GOP),
        steps=training.step,
        seconds=training.seconds,
        device=training.device_name,
    )
    return write_model(path, model, card)
