"""What a finished training leaves: the model's file, and its card beside it."""

from dataclasses import replace
from pathlib import Path

from law_rl.compression.bitstream.model_file import CodecModel
from law_rl.compression.model_card import CodecCard, PhotographFacts, write_card
from law_rl.compression.photograph_files import PhotographFiles
from law_rl.compression.training import Training
from law_rl.compression.validation import validate


def put_out(training: Training, files: PhotographFiles, path: Path, *, quality: int) -> CodecCard:
    """Writes the model with the averaged weights to `path`, and its card beside it; gives the card.

    The model's file holds the card's facts too, but for its own size. ValueError where weights are not finite.
    """
    config, device = training.config, training.device
    model = CodecModel.export(training.network(), lambda_=config.lambda_, quality=quality, distortion=config.distortion)
    card = CodecCard(
        codec=training.codec,
        training=config,
        quality=quality,
        parameters=sum(weight.numel() for weight in model.weights.values()),
        bytes=0,
        photographs=PhotographFacts.of(files),
        validation=validate(model.network(device), files.validation, device),
        steps=training.step,
        seconds=training.seconds,
        device=training.device_name,
    )
    provenance = {name: value for name, value in card.to_json().items() if name != "bytes"}
    replace(model, provenance=provenance).save(path)
    card = replace(card, bytes=path.stat().st_size)
    write_card(path, card)
    return card
