"""The two networks that the programs of this folder train, in PyTorch: of LeNet's size and of MobileNet's.

Both see pictures of 1 x 28 x 28 or 1 x 32 x 32, the sizes of the synthetic camera and of the networks that the
built-in benchmarks train.
"""

from torch import nn


def lenet(classes=10):
    """LeNet-5 for 28 x 28: two convolutions of 5 x 5, max pools, three linear layers, ReLU; 61,706 weights."""
    return nn.Sequential(
        *(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
        *(nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, classes)),
    )


class Block(nn.Module):
    """MobileNetV2's inverted residual: widen, convolve each channel alone, narrow; the input is added if it fits."""

    def __init__(self, channels, out, stride, widen):
        super().__init__()
        inner = channels * widen
        self.layers = nn.Sequential(
            *(nn.Conv2d(channels, inner, 1, bias=False), nn.BatchNorm2d(inner), nn.ReLU6()),
            *(nn.Conv2d(inner, inner, 3, stride, 1, groups=inner, bias=False), nn.BatchNorm2d(inner), nn.ReLU6()),
            *(nn.Conv2d(inner, out, 1, bias=False), nn.BatchNorm2d(out)),
        )
        self.adds = stride == 1 and channels == out

    def forward(self, x):
        return x + self.layers(x) if self.adds else self.layers(x)


def mobilenet(classes=50):
    """MobileNetV2 cut to 32 x 32: a stem, five inverted residuals, a last 1 x 1 layer; 17 convolutions, 38,402 weights."""
    net = mobilenet_layers(classes)
    # The exporter makes one tensor of equal ones, so that layers would share running statistics: none may be equal.
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.9, 1.1)
            nn.init.uniform_(layer.bias, -0.01, 0.01)
            nn.init.uniform_(layer.running_mean, -0.01, 0.01)
            nn.init.uniform_(layer.running_var, 0.9, 1.1)
    return net


def mobilenet_layers(classes):
    plan = [(16, 16, 1, 2), (16, 24, 2, 4), (24, 24, 1, 4), (24, 32, 2, 4), (32, 32, 1, 4)]
    return nn.Sequential(
        *(nn.Conv2d(1, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU6()),
        *(Block(*sizes) for sizes in plan),
        *(nn.Conv2d(32, 128, 1, bias=False), nn.BatchNorm2d(128), nn.ReLU6()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, classes)),
    )


# Name: builder, side of the picture, classes.
NETS = {"LeNet-size": (lenet, 28, 10), "MobileNet-size": (mobilenet, 32, 50)}


def weights(net):
    """Trained values."""
    return sum(parameter.numel() for parameter in net.parameters())


def multiplications(net, x):
    """Multiplications of one forward pass of one picture: of convolutions and linear layers."""
    found = []

    def count(layer, _, y):
        reads = layer.weight[0].numel()
        found.append(y[0].numel() * reads)

    hooks = [layer.register_forward_hook(count) for layer in net.modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]
    net(x)
    for hook in hooks:
        hook.remove()
    return sum(found)
