"""Faces brought to one place by five landmarks: similarity to the template that face networks are trained with."""

import numpy as np
import torch
from PIL import Image

TEMPLATE_SIZE = 112
TEMPLATE = np.array(
    [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)]
)
"""(x, y) of left eye, right eye, nose tip, left and right corner of the mouth, as seen (ArcFace, arXiv 1801.07698)."""

FARTHEST = 1e6
"""A coordinate beyond it is in no image."""

LEAST_AREA = 1e-3
"""Of eyes times height of the face, relative to the spread of the landmarks: below, they lie on a line."""


def align(image: Image.Image | np.ndarray, landmarks: np.ndarray, size: int = TEMPLATE_SIZE) -> torch.Tensor:
    """The face with those landmarks as uint8 [C, S, S]: 1 channel of a grey image, else 3; black outside the image.

    `image` is a picture or uint8 [H, W] or [H, W, 3]. `landmarks` float [5, 2] are as `similarity` takes them. Pixels
    are interpolated linearly, as is customary, and rounded down. Raises ValueError for other shapes, and what
    `similarity` refuses.
    """
    if isinstance(image, np.ndarray):
        if image.dtype != np.uint8 or image.ndim not in (2, 3) or image.shape[2:] not in ((), (3,)):
            raise ValueError(f"The image is {image.dtype} {image.shape}: give uint8 [H, W] or [H, W, 3]")
        image = Image.fromarray(image)
    picture = image.convert("L" if image.mode in ("1", "L", "LA") else "RGB")
    forward = np.vstack([similarity(landmarks, size), (0, 0, 1)])
    backward = np.linalg.inv(forward)[:2]
    # Pillow counts from the corner of the first pixel, landmarks from its centre
    backward[:, 2] += 0.5 - backward[:, :2].sum(axis=1) / 2
    warped = picture.transform((size, size), Image.Transform.AFFINE, tuple(backward.ravel()), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(warped).reshape(size, size, -1)).permute(2, 0, 1)


def similarity(landmarks: np.ndarray, size: int = TEMPLATE_SIZE) -> np.ndarray:
    """float64 [2, 3]: rotation, scale and shift, never a reflection, that take landmarks closest to the template.

    `landmarks` float [5, 2] are (x, y) in pixels, in the order of `TEMPLATE`, whose coordinates grow with `size`. Least
    squares (Umeyama 1991); in the plane this is a line fit in complex numbers, w = a z + b. Raises ValueError for other
    shapes, coordinates in no image, and points that coincide, lie on a line or are mirrored.
    """
    if size < 1:
        raise ValueError(f"size is {size}: give the side of the image in pixels ({TEMPLATE_SIZE} is usual)")
    points = np.asarray(landmarks, dtype=np.float64)
    if points.shape != TEMPLATE.shape or not (np.abs(points) < FARTHEST).all():
        raise ValueError(f"The landmarks {points.tolist()} are no five points (x, y) in pixels: find them again")
    source, target = (pairs[:, 0] + 1j * pairs[:, 1] for pairs in (points, TEMPLATE * (size / TEMPLATE_SIZE)))
    centred = source - source.mean()
    spread = float(np.square(np.abs(centred)).sum())
    eyes, height = source[1] - source[0], (source[3] + source[4] - source[0] - source[1]) / 2
    if spread < 1 or (eyes.conjugate() * height).imag < LEAST_AREA * spread:
        raise ValueError(
            f"The landmarks {points.tolist()} coincide, lie on a line or are mirrored: give left eye, right eye, nose, "
            "left and right corner of the mouth as seen in the image"
        )
    factor = np.vdot(centred, target - target.mean()) / spread
    shift = target.mean() - factor * source.mean()
    return np.array([[factor.real, -factor.imag, shift.real], [factor.imag, factor.real, shift.imag]])
