"""Narrow networks of the kinds that train-graph is for, as one writes them in PyTorch."""

from dataclasses import dataclass
from typing import Callable

import torch
from torch import nn


@dataclass
class Network:
    make: Callable
    # Of one sample.
    shape: tuple
    loss: str = "cross-entropy"
    # What becomes of batch normalisation, where there is any: as train-graph's --batch-norm.
    norm: str = ""
    exports: tuple = ("script13", "script17", "dynamo18", "dynamo21")
    # Whether the optimizers are compared on it as well.
    optimized: bool = False

    def labels(self, output, torch):
        if self.loss == "cross-entropy":
            return torch.randint(0, output.shape[1], output.shape[:1])
        return torch.rand(output.shape)


def lenet():
    return nn.Sequential(
        nn.Conv2d(1, 4, 5, padding=2), nn.ReLU(), nn.AvgPool2d(2),
        nn.Conv2d(4, 6, 5), nn.Tanh(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(24, 16), nn.ReLU(), nn.Linear(16, 5),
    )


class Squeeze(nn.Module):
    """Squeeze and excitation."""

    def __init__(self, channels):
        super().__init__()
        self.down, self.up = nn.Conv2d(channels, 4, 1), nn.Conv2d(4, channels, 1)

    def forward(self, x):
        scale = torch.relu(self.down(nn.functional.adaptive_avg_pool2d(x, 1)))
        return x * nn.functional.hardsigmoid(self.up(scale))


class Inverted(nn.Module):
    """MobileNet's block: wide, depthwise, narrow."""

    def __init__(self, channels, wide, out, kernel, stride, squeeze, activation):
        super().__init__()
        layers = [nn.Conv2d(channels, wide, 1, bias=False), nn.BatchNorm2d(wide), activation()]
        layers += [nn.Conv2d(wide, wide, kernel, stride, kernel // 2, groups=wide, bias=False), nn.BatchNorm2d(wide)]
        layers += [Squeeze(wide)] * squeeze + [activation()]
        layers += [nn.Conv2d(wide, out, 1, bias=False), nn.BatchNorm2d(out)]
        self.layers = nn.Sequential(*layers)
        self.residual = stride == 1 and channels == out

    def forward(self, x):
        return x + self.layers(x) if self.residual else self.layers(x)


def mobilenet_v2():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU6(),
        Inverted(8, 16, 8, 3, 1, False, nn.ReLU6), Inverted(8, 24, 12, 3, 2, False, nn.ReLU6),
        Inverted(12, 24, 12, 3, 1, False, nn.ReLU6),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.0), nn.Linear(12, 5),
    )


def mobilenet_v3():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.Hardswish(),
        Inverted(8, 16, 8, 3, 1, True, nn.ReLU), Inverted(8, 24, 12, 5, 2, True, nn.Hardswish),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 16), nn.Hardswish(), nn.Linear(16, 5),
    )


class Basic(nn.Module):
    """ResNet's block, with a projection where the shape changes."""

    def __init__(self, channels, out, stride):
        super().__init__()
        self.one, self.norm_1 = nn.Conv2d(channels, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out)
        self.two, self.norm_2 = nn.Conv2d(out, out, 3, 1, 1, bias=False), nn.BatchNorm2d(out)
        self.short = nn.Identity()
        if stride != 1 or channels != out:
            self.short = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x):
        inner = self.norm_2(self.two(torch.relu(self.norm_1(self.one(x)))))
        return torch.relu(inner + self.short(x))


class Resnet(nn.Module):
    def __init__(self):
        super().__init__()
        self.start = nn.Sequential(nn.Conv2d(3, 8, 7, 2, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        self.layers = nn.Sequential(Basic(8, 8, 1), Basic(8, 12, 2))
        self.head = nn.Linear(12, 5)

    def forward(self, x):
        return self.head(torch.flatten(nn.functional.adaptive_avg_pool2d(self.layers(self.start(x)), (1, 1)), 1))


class Csp(nn.Module):
    """YOLO's: half of the channels through a bottleneck, all parts joined."""

    def __init__(self, channels, out):
        super().__init__()
        self.into, self.inner = nn.Conv2d(channels, out, 1), nn.Conv2d(out // 2, out // 2, 3, padding=1)
        self.out = nn.Conv2d(out + out // 2, out, 1)

    def forward(self, x):
        left, right = nn.functional.silu(self.into(x)).chunk(2, 1)
        return nn.functional.silu(self.out(torch.cat([left, right, right + nn.functional.silu(self.inner(right))], 1)))


class Yolo(nn.Module):
    """A pyramid of two scales with a head each; the boxes of both in one output."""

    def __init__(self):
        super().__init__()
        self.start = nn.Conv2d(3, 6, 3, 2, 1)
        self.fine, self.down = Csp(6, 8), nn.Conv2d(8, 8, 3, 2, 1)
        self.coarse, self.pool, self.up = Csp(8, 8), nn.MaxPool2d(5, 1, 2), nn.Upsample(scale_factor=2, mode="nearest")
        self.widen, self.join = nn.ConvTranspose2d(8, 4, 2, 2), Csp(20, 8)
        self.heads = nn.ModuleList([nn.Conv2d(8, 7, 1), nn.Conv2d(8, 7, 1)])

    def forward(self, x):
        fine = self.fine(nn.functional.silu(self.start(x)))
        coarse = self.coarse(nn.functional.silu(self.down(fine)))
        coarse = coarse + self.pool(coarse)
        fine = self.join(torch.cat([fine, self.up(coarse), self.widen(coarse)], 1))
        maps = [head(scale) for head, scale in zip(self.heads, (fine, coarse))]
        return torch.cat([scale.flatten(2) for scale in maps], 2).permute(0, 2, 1)


class Boxes(Yolo):
    """The same with what a detector answers: places within a cell, sizes as powers, scores."""

    def forward(self, x):
        place, size, score = super().forward(x).split([2, 2, 3], 2)
        return torch.cat([torch.sigmoid(place) * 2 - 0.5, torch.exp(size.clamp(max=4)), torch.sigmoid(score)], 2)


class Lstm(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(6, 10, batch_first=True)
        self.head = nn.Linear(10, 5)

    def forward(self, x):
        return self.head(self.lstm(x)[0][:, -1])


class Unrolled(nn.Module):
    """An LSTM cell over four moments, in single operators."""

    def __init__(self):
        super().__init__()
        self.cell, self.head = nn.Linear(16, 40), nn.Linear(10, 5)

    def forward(self, x):
        hidden = torch.zeros_like(x[:, 0, :1]).expand(-1, 10)
        memory = hidden
        for moment in range(4):
            into, forget, candidate, out = self.cell(torch.cat([x[:, moment], hidden], 1)).chunk(4, 1)
            memory = torch.sigmoid(forget) * memory + torch.sigmoid(into) * torch.tanh(candidate)
            hidden = torch.sigmoid(out) * torch.tanh(memory)
        return self.head(hidden)


class Attention(nn.Module):
    """Two heads over the places, scaled dot products by PyTorch's own function."""

    def __init__(self, width):
        super().__init__()
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x):
        q, k, v = (part.unflatten(2, (2, -1)).transpose(1, 2) for part in self.qkv(x).chunk(3, 2))
        return self.out(nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.places = nn.Linear(6, 12), nn.Parameter(torch.zeros(1, 7, 12))
        self.norm_1, self.attention = nn.LayerNorm(12), Attention(12)
        self.norm_2, self.up, self.down = nn.LayerNorm(12), nn.Linear(12, 24), nn.Linear(24, 12)
        self.head = nn.Linear(12, 5)

    def forward(self, x):
        x = self.embed(x) + self.places
        x = x + self.attention(self.norm_1(x))
        x = x + self.down(nn.functional.gelu(self.up(self.norm_2(x))))
        return self.head(x.mean(1))


class Encoder(nn.Module):
    """PyTorch's own layer."""

    def __init__(self):
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(12, 2, 24, dropout=0.0, activation="gelu", batch_first=True)
        self.head = nn.Linear(12, 5)

    def forward(self, x):
        return self.head(self.layer(x)[:, 0])


# The oldest operators that the exporter writes scaled dot products in are of set 14.
ATTENTION = ("script14", "script17", "dynamo18", "dynamo21")

NETWORKS = {
    "lenet": Network(lenet, (1, 18, 18), optimized=True),
    "mobilenet_v2": Network(mobilenet_v2, (3, 24, 24), norm="batch"),
    "mobilenet_v3": Network(mobilenet_v3, (3, 24, 24), norm="frozen"),
    "resnet": Network(Resnet, (3, 32, 32), norm="batch"),
    "yolo": Network(Yolo, (3, 16, 16), loss="bce"),
    "boxes": Network(Boxes, (3, 16, 16), loss="mse"),
    "lstm": Network(Lstm, (5, 6)),
    "unrolled": Network(Unrolled, (4, 6)),
    "transformer": Network(Transformer, (7, 6), exports=ATTENTION),
    "encoder": Network(Encoder, (7, 12), exports=ATTENTION),
}
