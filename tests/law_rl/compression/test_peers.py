"""The codecs of Pillow as peers."""

from dataclasses import replace

import numpy as np
import pytest

from law_rl.compression.peers import PEERS, Peer

RAMP = np.linspace(0, 255, 64)
RGB = np.stack([np.add.outer(RAMP, RAMP) / 2, np.tile(RAMP, (64, 1)), np.tile(RAMP[:, None], 64)], 2).astype(np.uint8)


@pytest.mark.parametrize("peer", [peer for peer in PEERS if peer.available], ids=lambda peer: peer.name)
@pytest.mark.parametrize("pixels", [RGB, RGB[..., 0].copy()], ids=["RGB", "grey"])
def test_more_quality_costs_more_and_is_worth_more(peer: Peer, pixels: np.ndarray) -> None:
    sizes, errors = [], []
    for quality in (peer.qualities[0], peer.qualities[-1]):
        content = peer.encode(pixels, quality)
        decoded = peer.decode(content, grey=pixels.ndim == 2)
        assert decoded.shape == pixels.shape and decoded.dtype == np.uint8
        sizes.append(len(content))
        errors.append(float(np.square(decoded.astype(float) - pixels).mean()))
    assert sizes[0] < sizes[1] and errors[0] > errors[1] and errors[1] < 10


def test_qualities_rise() -> None:
    assert {peer.name for peer in PEERS} == {"JPEG", "WebP", "AVIF"}
    assert all(list(peer.qualities) == sorted(set(peer.qualities)) for peer in PEERS)


def test_what_pillow_lacks_is_not_available() -> None:
    assert PEERS[0].available
    assert not replace(PEERS[0], format="BPG").available
