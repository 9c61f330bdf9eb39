"""What of our codec is timed: the whole ways, and the parts of the way back."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.timing import Cases, seconds
from law_rl.compression.bitstream.container import Container
from law_rl.compression.bitstream.latent_coder import LatentCoder
from law_rl.compression.bitstream.model_file import CodecModel
from law_rl.compression.codec import Codec, Precision
from law_rl.compression.network.codec_network import HYPER_STRIDE, LATENT_STRIDE

ENCODE, DECODE = "encode", "decode"
ENTROPY, HYPER, SYNTHESIS, ENHANCEMENT = PARTS = ("entropy decoding", "hyper-decoder", "synthesis", "enhancement")


def coding_cases(model: CodecModel, picture: NDArray[np.uint8], precision: Precision) -> tuple[Cases, int]:
    """Encoding and decoding the picture and each of the decoding's parts, ready to be timed; and the file's bytes."""
    codec = Codec(model, precision=precision)
    content = codec.encode(picture)
    ways = {ENCODE: _timed(lambda: codec.encode(picture)), DECODE: _timed(lambda: codec.decode(content))}
    return ways | _decoding_parts(model, content, precision), len(content)


def _decoding_parts(model: CodecModel, content: bytes, precision: Precision) -> dict[str, Callable[[], float]]:
    network, file = model.network(), Container.decode(content)
    coder = LatentCoder(network.hyper_decoder, model.config.components, model.tables)
    rows, columns = -(-file.header.height // HYPER_STRIDE), -(-file.header.width // HYPER_STRIDE)
    shape, ratio = (model.config.width, rows, columns), HYPER_STRIDE // LATENT_STRIDE
    hyper_symbols = coder.decode_hyper_latents(file.hyper_latents.content, shape)
    parameters = coder.parameters(hyper_symbols)

    def latents() -> NDArray[np.float32]:
        coder.decode_hyper_latents(file.hyper_latents.content, shape)
        return coder.quantised(coder.decode_latents(file.latents.content, parameters), parameters)

    def run(module: Any, inputs: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            outputs: torch.Tensor = module(inputs)
            return outputs

    grid = torch.from_numpy(latents().reshape(1, -1, ratio * rows, ratio * columns))
    grid = grid.contiguous(memory_format=torch.channels_last)
    pixels = run(network.synthesis, grid)
    parts = {
        ENTROPY: _timed(latents),
        HYPER: _timed(lambda: coder.parameters(hyper_symbols)),
        SYNTHESIS: _timed(lambda: run(network.synthesis, grid)),
    }
    return parts | ({ENHANCEMENT: _timed(lambda: run(network.enhancement, pixels))} if model.config.enhancement else {})


def _timed(work: Callable[[], object]) -> Callable[[], float]:
    return lambda: seconds(work)
