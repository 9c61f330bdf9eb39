"""What a finished training leaves: the model's file, and its card beside it."""

from pathlib import Path

from law_rl.compression.bitstream.model_file import CodecModel
from law_rl.compression.card import PhotographFacts, write_model
from law_rl.compression.model_card import CodecCard
from law_rl.compression.network.codec_network import CodecNetwork
from law_rl.compression.photograph_files import PhotographFiles
from law_rl.compression.training import Training
from law_rl.compression.validation import validate


def put_out(training: Training[CodecNetwork], files: PhotographFiles, path: Path, *, quality: int) -> CodecCard:
    """Writes the model with the averaged weights to `path`, and its card beside it; gives the card.

    ValueError where weights are not finite.
    """
    config, device = training.config, training.device
    network = training.network()
    model = CodecModel.export(network, lambda_=config.lambda_, quality=quality, distortion=config.distortion)
    card = CodecCard(
        codec=network.config,
        training=config,
        quality=quality,
        parameters=model.parameters,
        bytes=0,
        photographs=PhotographFacts.of(files),
        validation=validate(model.network(device), files.validation, device),
        steps=training.step,
        seconds=training.seconds,
        device=training.device_name,
    )
    return write_model(path, model, card)
