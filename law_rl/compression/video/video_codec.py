"""Videos to .edicv files and back: the video codec as a user calls it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from law_rl.compression.bitstream.model_file import CodecModel
from law_rl.compression.bitstream.range_coder import CodingError
from law_rl.compression.network.codec_network import HYPER_STRIDE
from law_rl.compression.video.container import (
    CodedFrame,
    DamagedVideo,
    VideoHeader,
    VideoReader,
    VideoWriter,
    crc_of_pixels,
)
from law_rl.compression.video.frame_coder import IntraCoder, PredictedCoder
from law_rl.compression.video.model_file import VideoModel
from law_rl.compression.video.shipped import video_model_path

Frame = NDArray[np.uint8]
GOP = 10
"""Frames from one intra frame to the next where nothing else is asked for."""


class VideoCodec:
    """Codes videos with one model and its intra model.

    The encoder's networks run on `device`; all that a decoder computes runs exactly on the CPU, so a frame is decoded
    to the same pixels on every machine, for any number of threads, and is the reference that the encoder had. Raises
    ValueError for an intra model that is not the one that the video model goes with.
    """

    def __init__(self, model: VideoModel, intra: CodecModel, *, device: str | torch.device = "cpu") -> None:
        if intra.hash != model.intra:
            raise ValueError(
                f"the intra model is {intra.hash.hex()}, the video model goes with {model.intra.hex()}: give that one"
            )
        self.model = model
        self._hash = model.hash
        self._intra = IntraCoder(intra.network(device), intra.tables)
        self._predicted = PredictedCoder(model.network(device), model.tables)

    def encode(
        self,
        frames: Iterable[Frame],
        file: BinaryIO,
        *,
        gop: int = GOP,
        rate: Fraction | None = None,
        show: Callable[[int], None] | None = None,
    ) -> int:
        """Writes frames uint8 [H, W, 3] of one size as they come, an intra frame every `gop` frames; gives how many.

        `show` hears the number of finished frames after each. Raises ValueError for no frames, for another array, and
        where the network gives no finite latents.
        """
        writer: VideoWriter | None = None
        waiting: list[CodedFrame] = []
        decoded, count = torch.empty(0), 0
        for frame in frames:
            padded = _padded(frame)
            if writer is None:
                writer = VideoWriter(file, self._header(frame, gop, rate))
                first = frame.shape
            if frame.shape != first:
                raise ValueError(f"frame {count} is {frame.shape}, the first is {first}: give frames of one size")
            content, decoded = self._encode_frame(padded, decoded if waiting else None)
            waiting.append(CodedFrame(content=content, pixels_crc=crc_of_pixels(_cropped(decoded, frame.shape))))
            count += 1
            if len(waiting) == gop:
                writer.write_gop(waiting)
                waiting = []
            if show is not None:
                show(count)
        if writer is None:
            raise ValueError("the video has no frames: give at least one")
        if waiting:
            writer.write_gop(waiting)
        writer.close()
        return count

    def decode(
        self,
        reader: VideoReader,
        frames: range | None = None,
        *,
        lost: Callable[[range, DamagedVideo], None] | None = None,
    ) -> Iterator[tuple[int, Frame]]:
        """The numbers and pixels uint8 [H, W, 3] of these frames, all by default, GOP by GOP.

        A GOP that is damaged gives no frame: `lost` hears its frames and why, or else DamagedVideo is raised. Raises
        DamagedVideo at once for a video of another model.
        """
        if reader.header.model != self._hash:
            raise DamagedVideo(
                f"the video was made with model {reader.header.model.hex()}, this is {self._hash.hex()}: use that model"
            )
        wanted = range(reader.frames) if frames is None else frames
        for number, entry in enumerate(reader.gops):
            if entry.frames.stop <= wanted.start or entry.frames.start >= wanted.stop:
                continue
            try:
                images = self.decode_gop(reader, number)
            except DamagedVideo as error:
                if lost is None:
                    raise
                lost(entry.frames, error)
                continue
            yield from ((at, image) for at, image in zip(entry.frames, images, strict=True) if at in wanted)

    def decode_gop(self, reader: VideoReader, number: int) -> list[Frame]:
        """The frames of one GOP; DamagedVideo where one of them is not what was encoded."""
        header, entry = reader.header, reader.gops[number]
        shape = (header.height, header.width, 3)
        images: list[Frame] = []
        decoded: Tensor | None = None
        for place, coded in enumerate(reader.read_gop(number)):
            try:
                decoded = self._decode_frame(coded.content, decoded, shape)
            except CodingError as error:
                raise DamagedVideo(
                    f"frame {entry.first + place} cannot be decoded ({error}): copy the file again"
                ) from error
            images.append(_cropped(decoded, shape))
            if crc_of_pixels(images[-1]) != coded.pixels_crc:
                raise DamagedVideo(
                    f"frame {entry.first + place} comes out otherwise than it was encoded: copy the file again"
                )
        return images

    def _header(self, frame: Frame, gop: int, rate: Fraction | None) -> VideoHeader:
        return VideoHeader(
            width=frame.shape[1],
            height=frame.shape[0],
            gop=gop,
            rate=rate,
            quality=self.model.quality,
            model=self._hash,
        )

    @torch.inference_mode()
    def _encode_frame(self, padded: Tensor, reference: Tensor | None) -> tuple[bytes, Tensor]:
        return self._intra.encode(padded) if reference is None else self._predicted.encode(padded, reference)

    @torch.inference_mode()
    def _decode_frame(self, content: bytes, reference: Tensor | None, shape: Sequence[int]) -> Tensor:
        if reference is None:
            return self._intra.decode(content, (_whole(shape[0]), _whole(shape[1])))
        return self._predicted.decode(content, reference)


def load_video_codec(
    model: str | Path | int, *, intra: Path | None = None, device: str | torch.device = "cpu"
) -> VideoCodec:
    """The codec of a model that ships, by its quality or name, or of a model's file, by its path.

    `intra` is the file of its intra model, where that does not ship. Raises FileNotFoundError where there is none, and
    ValueError, one sentence, for files that are no such models.
    """
    loaded = VideoModel.load(video_model_path(model))
    return VideoCodec(loaded, loaded.intra_model(intra), device=device)


def _padded(frame: Frame) -> Tensor:
    """A frame as uint8 [1, 3, H, W], its edges repeated up to multiples of 64."""
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or not frame.size:
        raise ValueError(f"the frame is {frame.dtype} {frame.shape}: give uint8 [H, W, 3]")
    margins = [(0, -size % HYPER_STRIDE) for size in frame.shape[:2]]
    return torch.from_numpy(np.pad(frame, [*margins, (0, 0)], mode="edge")).permute(2, 0, 1)[None]


def _cropped(decoded: Tensor, shape: Sequence[int]) -> Frame:
    """A decoded frame uint8 [1, 3, H, W] as pixels [h, w, 3]."""
    image: Frame = decoded[0, :, : shape[0], : shape[1]].permute(1, 2, 0).contiguous().numpy()
    return image


def _whole(size: int) -> int:
    return size + -size % HYPER_STRIDE
