"""Between RGB and the luma and chroma that video files hold, 8 bits each."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from law_rl.compression.video.clip import Frame

Plane = NDArray[np.uint8]
Floats = NDArray[np.float64]
HD = 720
"""Lines from which on a clip that does not name its matrix is taken to be BT.709, as players do; below, BT.601."""


@dataclass(frozen=True)
class Matrix:
    """The weights of red and blue in luma, green has the rest; chroma is B - luma and R - luma, scaled to +-1/2."""

    red: float
    blue: float

    @property
    def green(self) -> float:
        return 1 - self.red - self.blue


BT601, BT709 = Matrix(0.299, 0.114), Matrix(0.2126, 0.0722)


def usual_matrix(height: int) -> Matrix:
    """That of a clip that does not name one."""
    return BT709 if height >= HD else BT601


@dataclass(frozen=True, kw_only=True)
class Levels:
    """What 8-bit codes mean: luma from `black` on over `luma` codes, chroma +-1/2 over `chroma` codes around 128."""

    black: int
    luma: int
    chroma: int


LIMITED, FULL = Levels(black=16, luma=219, chroma=224), Levels(black=0, luma=255, chroma=255)
"""ITU-R BT.601 and BT.709 for 8 bits, and JFIF."""


def to_rgb(luma: Plane, blue: Plane, red: Plane, matrix: Matrix, levels: Levels) -> Frame:
    """The frame uint8 [H, W, 3] of a luma and two chroma planes uint8 [H, W].

    R = Y + 2 (1 - red) Cr, B = Y + 2 (1 - blue) Cb, and G such that Y is the weighted sum; in float64, rounded to the
    nearest (halves to even) and clipped to 0..255. Source: ITU-R BT.601-7, 2.5; BT.709-6, 3.
    """
    codes = np.arange(256, dtype=np.float64)
    lumas = (codes - levels.black) * (255 / levels.luma)
    chromas = (codes - 128) * (255 / levels.chroma)
    from_red, from_blue = 2 * (1 - matrix.red) * chromas, 2 * (1 - matrix.blue) * chromas
    y = lumas[luma]
    green = y - (matrix.red / matrix.green * from_red)[red] - (matrix.blue / matrix.green * from_blue)[blue]
    return np.stack([_code(y + from_red[red]), _code(green), _code(y + from_blue[blue])], 2)


def from_rgb(frame: Frame, matrix: Matrix, levels: Levels) -> tuple[Plane, Plane, Plane]:
    """Luma, blue and red chroma uint8 [H, W] of a frame uint8 [H, W, 3]: the inverse of `to_rgb` up to the rounding of
    the planes, which with limited levels moves a colour by up to 2.
    """
    red, green, blue = (frame[..., channel] / 255 for channel in range(3))
    y = matrix.red * red + matrix.green * green + matrix.blue * blue
    chromas = ((blue - y) / (2 * (1 - matrix.blue)), (red - y) / (2 * (1 - matrix.red)))
    b, r = (_code(128 + levels.chroma * chroma) for chroma in chromas)
    return _code(levels.black + levels.luma * y), b, r


def _code(values: Floats) -> Plane:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
