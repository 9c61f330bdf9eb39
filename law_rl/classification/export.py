"""A trained network for use without law-rl: its weights as safetensors, and an ONNX graph that takes raw images."""

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn

from law_rl.classification.network_file import KEY, NetworkFacts, plain_copy, save_network
from law_rl.classification.networks import Classifier
from law_rl.files import write_atomic


def export_network(network: nn.Module, directory: Path, facts: NetworkFacts, *, name: str) -> dict[str, int]:
    """Writes NAME.safetensors (`save_network`), then NAME.onnx (`save_onnx`); returns the bytes of each file.

    Raises what these two raise.
    """
    weights, graph = directory / f"{name}.safetensors", directory / f"{name}.onnx"
    save_network(network, weights, facts)
    save_onnx(network, graph, facts)
    return {path.name: path.stat().st_size for path in (weights, graph)}


def save_onnx(network: nn.Module, path: Path, facts: NetworkFacts, *, private: bool = False) -> None:
    """Writes the network as an ONNX graph from `images` to `logits` and `embedding`, whole or not at all.

    `images` are float32 [N, C, H, W] from 0 to 255 for any N: normalisation is part of the graph. `logits` are float32
    [N, classes], which an embedder has not, `embedding` float32 [N, D] is what the last layer sees. The metadata entry
    "law_rl" holds the facts as JSON. The network is left as it is; equal networks give equal bytes with equal versions
    of torch, onnx and onnxscript. `private` is as in `write_atomic`.

    Raises ModuleNotFoundError where onnx or onnxscript is missing, TypeError for what is no Classifier, ValueError
    where the weights are not those of `facts.network`, or not finite.
    """
    if missing := [package for package in ("onnx", "onnxscript") if find_spec(package) is None]:
        raise ModuleNotFoundError(f"writing {path.name} needs {' and '.join(missing)}: pip install 'law-rl[onnx]'")
    graph = _FromRawImages(plain_copy(network, facts), facts).eval()
    example = torch.zeros(2, *facts.image_shape)
    with _quiet():
        program = torch.onnx.export(
            graph,
            (example,),
            dynamo=True,
            verbose=False,
            input_names=["images"],
            output_names=["logits", "embedding"] if facts.class_names else ["embedding"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
        )
    assert program is not None  # as it is whenever dynamo=True
    model = program.model_proto
    for node in model.graph.node:
        node.ClearField("metadata_props")  # stack traces, with the paths of this machine
    model.metadata_props.add(key=KEY, value=json.dumps(facts.to_json()))
    write_atomic(path, model.SerializeToString(deterministic=True), private=private)


class _FromRawImages(nn.Module):
    """Images as they are, float32 [N, C, H, W] from 0 to 255, to logits [N, classes] and embeddings [N, D]; those of an
    embedder to embeddings alone.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: Classifier, facts: NetworkFacts) -> None:
        super().__init__()
        self.network, self.classifies = network, bool(facts.class_names)
        for name, values in (("mean", facts.mean), ("std", facts.std)):
            self.register_buffer(name, torch.tensor(values, dtype=torch.float32).view(1, -1, 1, 1))

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        embedding = self.network.embed((images - self.mean) / self.std)
        return (self.network.classifier(embedding), embedding) if self.classifies else (embedding,)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silences the exporter's notes on packages that are not needed, and deprecations inside torch."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    finally:
        logger.setLevel(level)
