"""The small convolutional network, for tests and quick experiments."""

from torch import nn

from law_rl.classification.networks.layers import Body, Conv2d, GlobalAveragePool


def small_cnn(channels: int, *, width: int) -> Body:
    """Three 3x3 convolutions of width, 2 width and 4 width channels, the last two with stride 2, each followed by batch
    normalisation and ReLU; then the global mean. Takes images of any size."""
    body = nn.Sequential()
    inputs = channels
    for outputs, stride in ((width, 1), (2 * width, 2), (4 * width, 2)):
        body.extend([Conv2d(inputs, outputs, 3, stride), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)])
        inputs = outputs
    return body.append(GlobalAveragePool()), inputs
