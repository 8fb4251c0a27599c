"""Forward models for the GPU measurements, exported from torchvision: python3 tests/gpu/export.py DIR"""

import sys

import torch
import torchvision

CLASSES = 50


def main(folder):
    torch.manual_seed(1)
    for name, size in [("resnet18", 128), ("mobilenet_v2", 128)]:
        model = getattr(torchvision.models, name)(num_classes=CLASSES).eval()
        frames = torch.randn(2, 3, size, size)
        batch = torch.export.Dim("batch", min=1, max=256)
        path = f"{folder}/{name}.onnx"
        torch.onnx.export(model, (frames,), path, dynamo=True, opset_version=18, external_data=False,
                          dynamic_shapes=({0: batch},), input_names=["x"], output_names=["logits"])
        print(path)


if __name__ == "__main__":
    main(sys.argv[1])
