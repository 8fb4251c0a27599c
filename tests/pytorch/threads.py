#!/usr/bin/env python3
"""What a second thread inside an operator is worth, one request at a time, by kind of network.

Exports an LSTM, a transformer encoder and two convolutional networks, and has `fulcrum bench inference` run each with
one thread and with two. For the table of docs/training.md; nothing else needs PyTorch.

  pip install torch onnx onnxscript
  cargo build --release --features cli
  threads.py [--fulcrum target/release/fulcrum] [--json]
"""

import argparse
import pathlib
import subprocess
import tempfile

import torch
from torch import nn


class Lstm(nn.Module):
    """32 moments of 64 values, two layers of 256."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(64, 256, num_layers=2, batch_first=True)
        self.head = nn.Linear(256, 10)

    def forward(self, x):
        return self.head(self.lstm(x)[0][:, -1])


class Transformer(nn.Module):
    """64 places of 128 values, two layers of four heads, written out so that every exporter takes it."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.ModuleDict({
            "norm_1": nn.LayerNorm(128), "qkv": nn.Linear(128, 384), "out": nn.Linear(128, 128),
            "norm_2": nn.LayerNorm(128), "up": nn.Linear(128, 512), "down": nn.Linear(512, 128),
        }) for _ in range(2))
        self.head = nn.Linear(128, 10)

    def forward(self, x):
        for layer in self.layers:
            q, k, v = (part.unflatten(2, (4, 32)).transpose(1, 2) for part in layer["qkv"](layer["norm_1"](x)).chunk(3, 2))
            heads = torch.softmax(q @ k.transpose(2, 3) / 32**0.5, 3) @ v
            x = x + layer["out"](heads.transpose(1, 2).flatten(2))
            x = x + layer["down"](nn.functional.gelu(layer["up"](layer["norm_2"](x))))
        return self.head(x.mean(1))


def block(channels, out, stride):
    """A depthwise separable one, as in MobileNet."""
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, stride, 1, groups=channels), nn.ReLU6(), nn.Conv2d(channels, out, 1), nn.ReLU6()
    )


def mobilenet():
    """96 x 96 in three colours."""
    widths = [(16, 24, 2), (24, 24, 1), (24, 48, 2), (48, 48, 1), (48, 96, 2), (96, 96, 1), (96, 192, 2)]
    blocks = [block(*width) for width in widths]
    start = [nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU6()]
    return nn.Sequential(*start, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(192, 10))


def convolutions():
    """Full 3 x 3 ones, 56 x 56 in 64 channels, as in ResNet."""
    layers = [nn.Conv2d(3, 64, 3, 1, 1), nn.ReLU()]
    for _ in range(3):
        layers += [nn.Conv2d(64, 64, 3, 1, 1), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


NETWORKS = {
    "lstm": (Lstm, (32, 64)),
    "transformer": (Transformer, (64, 128)),
    "mobilenet": (mobilenet, (3, 96, 96)),
    "convolutions": (convolutions, (3, 56, 56)),
}


def export(folder):
    paths = []
    for name, (make, shape) in NETWORKS.items():
        torch.manual_seed(1)
        path = folder / f"{name}.onnx"
        torch.onnx.export(
            make().eval(), (torch.randn(1, *shape),), path, input_names=["x"], output_names=["logits"],
            dynamic_axes={"x": {0: "n"}, "logits": {0: "n"}}, opset_version=17, dynamo=False,
        )
        paths.append(path)
    return paths


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fulcrum", default="target/release/fulcrum")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        command = [arguments.fulcrum, "bench", "inference"]
        for path in export(pathlib.Path(folder)):
            command += ["--model", path]
        for name in ("json", "quick"):
            command += [f"--{name}"] * getattr(arguments, name)
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
