#!/usr/bin/env python3
"""Writes what PyTorch's autograd says of whole networks; tests/fixtures/autograd.py holds train-graph to it.

Each network is exported as users do it, by the exporter of TorchScript and by that of torch.export, and its gradients
are taken in float64. Exporters transpose, reorder and join weights; since every parameter has a value of its own, the
value tells where each element of a tensor of the file comes from, and so which gradient belongs to it.

  pip install torch onnx onnxscript
  references.py [--out tests/pytorch/references]
"""

import argparse
import copy
import pathlib
import warnings

import numpy as np
import onnx
import torch
from narrow_networks import NETWORKS
from onnx import numpy_helper

BATCH = 4
# The older exporter's oldest and a middle set of operators, the newer one's oldest and newest that train-graph reads.
EXPORTS = {"script13": (13, False), "script14": (14, False), "script17": (17, False), "dynamo18": (18, True), "dynamo21": (21, True)}
STEPS, RATE, CLIP, DECAY = 3, 0.05, 0.5, 0.1


def spread(module):
    """Every parameter and running statistic gets values that no other has, of a size that suits it."""
    torch.manual_seed(1)
    with torch.no_grad():
        for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
            if tensor.dtype != torch.float32:
                continue
            if tensor.dim() > 1:
                tensor.copy_(torch.randn(tensor.shape) / tensor[0].numel() ** 0.5)
            elif "running_mean" in name or name.endswith("bias"):
                tensor.copy_(0.1 * torch.randn(tensor.shape))
            else:
                tensor.copy_(0.8 + 0.4 * torch.rand(tensor.shape))


def loss_of(kind, output, y):
    return {
        "cross-entropy": torch.nn.functional.cross_entropy,
        "mse": torch.nn.functional.mse_loss,
        "bce": torch.nn.functional.binary_cross_entropy_with_logits,
    }[kind](output, y)


def gradients(module, kind, x, y):
    """Loss and gradients in float64."""
    double = copy.deepcopy(module).double()
    y = y if y.dtype == torch.int64 else y.double()
    loss = loss_of(kind, double(x.double()), y)
    loss.backward()
    return loss.item(), {name: it.grad.float().numpy() for name, it in double.named_parameters()}


def export(module, x, path, opset, dynamo, optimize):
    options = {"input_names": ["x"], "output_names": ["out"], "opset_version": opset, "dynamo": dynamo}
    if dynamo:
        options |= {"dynamic_shapes": ({0: torch.export.Dim("n")},), "optimize": optimize}
    else:
        options |= {"dynamic_axes": {"x": {0: "n"}, "out": {0: "n"}}, "do_constant_folding": False}
        options["training"] = torch.onnx.TrainingMode.PRESERVE
    torch.onnx.export(module, (x,), path, verbose=False, **options)
    model = onnx.load(path)
    # Neither the stack traces nor the docs of each node matter here.
    for node in model.graph.node:
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    for info in model.graph.value_info:
        info.ClearField("metadata_props")
    model.ClearField("metadata_props")
    (path.parent / (path.name + ".data")).unlink(missing_ok=True)
    onnx.save(model, path)
    return model


def references(model, parameters, found):
    """Of each weight of the file the gradient, its elements found by their values."""
    names = list(parameters)
    values = np.concatenate([parameters[name].ravel() for name in names])
    slopes = np.concatenate([found[name].ravel() for name in names])
    order = np.argsort(values)
    values, slopes = values[order], slopes[order]
    if (np.diff(values) == 0).any():
        raise SystemExit("two parameters have the same value; take another seed")
    made = {}
    for tensor in model.graph.initializer:
        own = numpy_helper.to_array(tensor)
        if own.dtype != np.float32 or not own.size:
            continue
        places = np.searchsorted(values, own.ravel()).clip(max=len(values) - 1)
        if (values[places] == own.ravel()).all():
            made[tensor.name] = slopes[places].reshape(own.shape)
    if sum(gradient.size for gradient in made.values()) != len(values):
        raise SystemExit("the file has more or fewer weights than the module")
    return made


def optimized(module, kind, optimizer, clip, data):
    """The parameters after a few steps of one of PyTorch's optimizers."""
    module = copy.deepcopy(module).double()
    weights = list(module.parameters())
    made = {
        "sgd": lambda: torch.optim.SGD(weights, RATE),
        "momentum": lambda: torch.optim.SGD(weights, RATE, momentum=0.9),
        "adam": lambda: torch.optim.Adam(weights, RATE),
        "adamw": lambda: torch.optim.AdamW(weights, RATE, weight_decay=DECAY),
    }[optimizer]()
    for x, y in data:
        made.zero_grad()
        loss_of(kind, module(x.double()), y).backward()
        if clip:
            torch.nn.utils.clip_grad_norm_(weights, CLIP)
        made.step()
    return {name: it.detach().float().numpy() for name, it in module.named_parameters()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parent / "references")
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    arguments.out.mkdir(exist_ok=True)
    warnings.filterwarnings("ignore")
    for name, network in NETWORKS.items():
        if not name.startswith(arguments.only):
            continue
        module = network.make()
        spread(module)
        module.train(network.norm == "batch")
        x = torch.randn(BATCH, *network.shape)
        y = network.labels(module(x), torch)
        # Running statistics have moved by that.
        spread(module)
        loss, found = gradients(module, network.loss, x, y)
        parameters = {name: it.detach().numpy() for name, it in module.named_parameters()}
        for kind in network.exports:
            opset, dynamo = EXPORTS[kind]
            # The newer exporter's optimiser folds batch normalisation into convolutions: nothing is left to train of it.
            optimize = not network.norm
            path = arguments.out / f"{name}.{kind}.onnx"
            model = export(copy.deepcopy(module), x, path, opset, dynamo, optimize)
            made = references(model, parameters, found)
            kept = {f"g.{key}": it for key, it in made.items()}
            how = np.array([network.loss, network.norm])
            np.savez_compressed(path.with_suffix(".npz"), x=x, y=y, loss=loss, how=how, **kept)
            print(f"{path.name}: {len(model.graph.node)} nodes, {len(made)} weights")
        if network.optimized:
            data = [(torch.randn_like(x), y) for _ in range(STEPS)]
            kept = {"x": torch.stack([x for x, _ in data]), "y": y}
            for optimizer in ("sgd", "momentum", "adam", "adamw"):
                for clip in (False, True):
                    end = optimized(module, network.loss, optimizer, clip, data)
                    kept |= {f"{optimizer}{'.clipped' * clip}.{key}": it for key, it in end.items()}
            np.savez_compressed(arguments.out / f"{name}.steps.npz", **kept)


if __name__ == "__main__":
    main()
