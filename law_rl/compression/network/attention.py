"""Channel attention: the importance of each latent channel, from the whole image."""

from typing import cast

from torch import Tensor, nn

from law_rl.compression.network.layers import Conv2d


class ChannelAttention(nn.Module):
    """[B, C, h, w] times a gate (0, 1) a channel: sigmoid(W2 relu(W1 mean over positions)), C / reduction units inside.

    Source: the squeeze-and-excitation form of a third party's EDIC (arXiv 2002.03370); our reading, as the authors
    released none. `CodecConfig.attention` says to which latents it is applied.
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        hidden = max(1, channels // reduction)
        self.gate = nn.Sequential(Conv2d(channels, hidden, 1), nn.ReLU(), Conv2d(hidden, channels, 1), nn.Sigmoid())

    def forward(self, latents: Tensor) -> Tensor:
        return latents * cast(Tensor, self.gate(latents.mean((2, 3), keepdim=True)))
