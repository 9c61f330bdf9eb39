"""Video codecs to be compared with: x264 and x265 through PyAV."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from importlib.util import find_spec
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from law_rl.compression.video.clip import Frame
from law_rl.compression.video.pyav import USUAL_RATE, as_rgb, check_pyav, usual_colorspace

if TYPE_CHECKING:
    import av
    from av.video.codeccontext import VideoCodecContext

CRFS = (15, 19, 23, 27, 31, 35, 39)
Encoder = Literal["libx264", "libx265"]
DECODERS: Mapping[Encoder, Literal["h264", "hevc"]] = {"libx264": "h264", "libx265": "hevc"}
MESSAGES: Mapping[Encoder, str] = {"libx264": "6", "libx265": "39-40"}
"""Numbers of the units that hold no picture (SEI), in which both encoders write their settings in plain text."""
SIGNATURE = re.compile(rb"x264 - core \d+[ \w]*|x265 \(build \d+\) - [\w.+-]+")


@dataclass(frozen=True, kw_only=True)
class VideoPeer:
    """An encoder of FFmpeg with the constant rate factors at which it is measured.

    Every `gop` frames an intra frame at which decoding can begin, none in between, on one thread; `options` are set
    besides; what else the preset and the encoder's defaults say holds. Equal frames give equal bytes: to that end x264
    does without its newest instructions (of x264 165, the AVX-512 code of the preset medium gives other bytes from run
    to run), which makes it up to 15 % slower.
    """

    name: str
    codec: Encoder
    preset: str
    gop: int
    crfs: tuple[int, ...] = CRFS
    options: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.codec not in DECODERS:
            raise ValueError(f"codec is {self.codec}: give one of {', '.join(DECODERS)}")
        if self.gop < 1:
            raise ValueError(
                f"gop is {self.gop}: give the number of frames from one intra frame to the next, 1 or more"
            )

    @property
    def available(self) -> bool:
        """Whether PyAV is there and its FFmpeg was built with the encoder."""
        if find_spec("av") is None:
            return False
        import av

        return self.codec in av.codecs_available

    @property
    def version(self) -> str:
        """Of the encoder, as it writes it into its streams, and of FFmpeg; ValueError where it writes none."""
        import av

        packets = self._packets([np.zeros((64, 64, 3), np.uint8)], None, self.crfs[0])
        if (found := SIGNATURE.search(b"".join(map(bytes, packets)))) is None:
            raise ValueError(f"{self.name} does not say its version: name it by hand")
        return f"{found.group().decode().strip()}, FFmpeg {av.ffmpeg_version_info}"

    @property
    def settings(self) -> str:
        """All that is set besides the rate factor, as options of ffmpeg's command line."""
        return " ".join(f"-{name} {value}" for name, value in self._options().items())

    def encode(self, frames: Iterable[Frame], rate: Fraction | None, crf: float) -> bytes:
        """The raw stream (Annex B) of frames uint8 [H, W, 3] at a constant rate factor, at 25 frames per second where
        `rate` is None.

        Colours become yuv420p of limited range, BT.709 from 720 lines on and BT.601 below, by FFmpeg's bicubic filter.
        Counted in the peer's favour: no container, parameter sets once, and not the text of its settings.
        Raises ValueError for no frames, odd sides and what the encoder refuses, ModuleNotFoundError without PyAV.
        """
        check_pyav(f"measuring {self.name}")
        from av.bitstream import BitStreamFilterContext

        units = BitStreamFilterContext(f"filter_units=remove_types={MESSAGES[self.codec]}", DECODERS[self.codec])
        packets = self._packets(frames, rate, crf)
        return b"".join(bytes(part) for packet in packets for part in units.filter(packet))

    def decode(self, content: bytes) -> Iterator[Frame]:
        """The frames uint8 [H, W, 3] of a stream that `encode` gave, their chroma interpolated by FFmpeg's bicubic
        filter; on one thread.
        """
        check_pyav(f"measuring {self.name}")
        from av.video.codeccontext import VideoCodecContext

        context = VideoCodecContext.create(DECODERS[self.codec], "r")
        context.thread_count = 1
        for packet in [*context.parse(content), *context.parse(None), None]:
            yield from map(as_rgb, context.decode(packet))

    def _packets(self, frames: Iterable[Frame], rate: Fraction | None, crf: float) -> "list[av.Packet[Any]]":
        """The parameter sets, then the packets of the pictures."""
        import av

        rest = iter(frames)
        if (first := next(rest, None)) is None:
            raise ValueError(f"{self.name} got no frame: give one at least")
        height, width = first.shape[:2]
        if height % 2 or width % 2:
            raise ValueError(f"{self.name} cannot halve the colours of {width} x {height}: give even sides")
        context = self._context(width, height, rate or USUAL_RATE, crf)
        try:
            pictures = [
                packet
                for index, frame in enumerate(chain([first], rest))
                for packet in context.encode(_yuv(frame, index))
            ]
            pictures += context.encode(None)
        except av.FFmpegError as error:
            raise ValueError(f"{self.name} refuses {width} x {height} ({error.strerror}): give other frames") from error
        return [av.Packet(context.extradata), *pictures]

    def _context(self, width: int, height: int, rate: Fraction, crf: float) -> "VideoCodecContext":
        from av.codec.context import Flags
        from av.video.codeccontext import VideoCodecContext

        context = VideoCodecContext.create(self.codec, "w")
        context.width, context.height, context.pix_fmt = width, height, "yuv420p"
        context.framerate, context.time_base = rate, 1 / rate
        context.thread_count = 1
        context.flags |= Flags.global_header
        context.options = {**self._options(), "crf": str(crf)}
        return context

    def _options(self) -> dict[str, str]:
        gop = str(self.gop)
        if self.codec == "libx264":
            fixed = {"keyint_min": gop, "sc_threshold": "0", "x264-params": "asm=SSSE3"}
        else:
            places = f"min-keyint={gop}:scenecut=0:open-gop=0"
            fixed = {"x265-params": f"{places}:pools=none:frame-threads=1:log-level=none"}
        return {"preset": self.preset, **self.options, "g": gop, **fixed}


def _yuv(pixels: Frame, index: int) -> "av.VideoFrame":
    import av
    from av.video.reformatter import ColorRange, Interpolation

    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24").reformat(
        format="yuv420p",
        dst_colorspace=usual_colorspace(len(pixels)),
        dst_color_range=ColorRange.MPEG,
        interpolation=Interpolation.BICUBIC,
        threads=1,
    )
    frame.pts = index
    return frame


def video_peers(gop: int) -> tuple[VideoPeer, ...]:
    """x264 and x265, each at the preset veryfast, set as in DVC's comparison (1812.00101: no latency; x264 with two
    B-frames at fixed places), and at the default preset.
    """
    fast = {"tune": "zerolatency"}
    x264_fast = {**fast, "bf": "2", "b_strategy": "0"}
    return (
        VideoPeer(name="x264 veryfast", codec="libx264", preset="veryfast", gop=gop, options=x264_fast),
        VideoPeer(name="x264 medium", codec="libx264", preset="medium", gop=gop),
        VideoPeer(name="x265 veryfast", codec="libx265", preset="veryfast", gop=gop, options=fast),
        VideoPeer(name="x265 medium", codec="libx265", preset="medium", gop=gop),
    )
