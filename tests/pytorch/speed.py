#!/usr/bin/env python3
"""Compares a training step of fulcrum with one of eager PyTorch: same network, data, recipe and CPU, one thread each.

Needs PyTorch: `pip install torch onnx onnxscript onnxruntime==1.31.1` (the version that tests/tools/fetch_onnxruntime.py
pins), and `cargo build --features cli`. Cross entropy and SGD with momentum 0.9, batch 32; batch normalisation by
the statistics of the batch. Short blocks of steps of both, in turn; each pair of blocks gives one ratio.

  speed.py                       both networks, some two minutes
  speed.py --quick --json
  speed.py --profile             where the time of a step goes, by operator, in place of the comparison
"""

import argparse
import collections
import json
import pathlib
import platform
import tempfile
import time

import engine
import full_networks as nets
import numpy as np
import onnxruntime
import torch
from torch import nn

BATCH = 32
RATE = 1e-3
# Steps of each side in a block, by network; pairs of blocks.
STEPS = {"LeNet-size": 40, "MobileNet-size": 3}
PAIRS, QUICK_PAIRS = 81, 15
FIRST = 5


class Eager:
    """The same training in PyTorch."""

    def __init__(self, net):
        self.net = net.train()
        self.optimizer = torch.optim.SGD(net.parameters(), RATE, momentum=0.9)

    def step(self, x, y):
        self.optimizer.zero_grad()
        loss = nn.functional.cross_entropy(self.net(x), y)
        loss.backward()
        self.optimizer.step()
        return float(loss.detach())


def block(side, x, y, steps):
    """Wall and CPU time of a step, in milliseconds, of each in a block."""
    wall, cpu = time.perf_counter(), time.thread_time()
    for _ in range(steps):
        side.step(x, y)
    return (time.perf_counter() - wall) / steps * 1e3, (time.thread_time() - cpu) / steps * 1e3


def compare(name, pairs, folder):
    build, side, classes = nets.NETS[name]
    torch.manual_seed(1)
    net = build(classes)
    random = np.random.Generator(np.random.PCG64(1))
    x = random.uniform(0, 1, (BATCH, 1, side, side)).astype(np.float32)
    y = random.integers(0, classes, BATCH)
    size = dict(weights=nets.weights(net), forward_megamultiplications=nets.multiplications(net.eval(), torch.from_numpy(x)) / 1e6)
    recipe = ["--loss", "cross-entropy", "--optimizer", "momentum", "--batch-norm", "batch"]
    ours = engine.Trainer(engine.train_graph(net, side, BATCH, folder, *recipe), RATE)
    theirs = Eager(net)
    tensors = torch.from_numpy(x), torch.from_numpy(y)
    losses = [[ours.step(x, y) for _ in range(FIRST)], [theirs.step(*tensors) for _ in range(FIRST)]]
    times = []
    for pair in range(pairs):
        # Each side begins every other pair.
        if pair % 2:
            second = block(theirs, *tensors, STEPS[name])
            times.append((*block(ours, x, y, STEPS[name]), *second))
        else:
            times.append((*block(ours, x, y, STEPS[name]), *block(theirs, *tensors, STEPS[name])))
    times = np.array(times)
    ratios = times[:, 0] / times[:, 2]
    median = np.median(times, axis=0)
    return dict(
        net=name,
        batch=BATCH,
        **size,
        pairs=pairs,
        steps_per_block=STEPS[name],
        fulcrum_ms=median[0],
        pytorch_ms=median[2],
        ratio=float(median[0] / median[2]),
        ratio_p25=float(np.quantile(ratios, 0.25)),
        ratio_p75=float(np.quantile(ratios, 0.75)),
        fulcrum_cpu_ms=median[1],
        pytorch_cpu_ms=median[3],
        cpu_ratio=float(median[1] / median[3]),
        losses_differ_by=float(np.abs(np.subtract(*losses)).max()),
    )


def profile(name, folder, steps=10):
    """Milliseconds a step of each operator, the backward part apart, and of the costliest nodes."""
    build, side, classes = nets.NETS[name]
    torch.manual_seed(1)
    recipe = ["--loss", "cross-entropy", "--optimizer", "momentum", "--batch-norm", "batch"]
    out = engine.train_graph(build(classes), side, BATCH, folder, *recipe)
    work = engine.Trainer(out, RATE, profile=str(pathlib.Path(folder) / "profile"))
    x = np.random.Generator(np.random.PCG64(1)).uniform(0, 1, work.x.shape)
    for _ in range(steps):
        work.step(x, np.arange(BATCH) % classes)
    operators, single = collections.Counter(), collections.Counter()
    for event in json.loads(pathlib.Path(work.session.end_profiling()).read_text()):
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            node, spent = event["name"].removesuffix("_kernel_time"), event["dur"] / 1e3 / steps
            shapes = [next(iter(shape.values())) for shape in event["args"].get("input_type_shape", [])]
            operators[event["args"]["op_name"] + (" (backward)" if "/backward/" in node else "")] += spent
            single[f"{node} {shapes}"] += spent
    print(f"{name}: {sum(operators.values()):.2f} ms a step in nodes")
    for counter in (operators, single):
        for key, spent in counter.most_common(25):
            print(f"  {spent:8.3f}  {key}")


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.processor()


def told(row):
    print(
        f"{row['net']}: {row['weights']} weights, {row['forward_megamultiplications']:.2f} million multiplications forward, "
        f"batch {row['batch']}\n  a step: fulcrum {row['fulcrum_ms']:.2f} ms, PyTorch {row['pytorch_ms']:.2f} ms, "
        f"ratio {row['ratio']:.3f} (pairs' middle half {row['ratio_p25']:.3f} to {row['ratio_p75']:.3f})\n"
        f"  of CPU time: {row['fulcrum_cpu_ms']:.2f} and {row['pytorch_cpu_ms']:.2f} ms, ratio {row['cpu_ratio']:.3f}; "
        f"losses of the first {FIRST} steps within {row['losses_differ_by']:.1e}"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="fewer pairs of blocks")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--only", choices=nets.NETS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    names = [arguments.only] if arguments.only else list(nets.NETS)
    rows = []
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            if arguments.profile:
                profile(name, folder)
                continue
            rows.append(compare(name, QUICK_PAIRS if arguments.quick else PAIRS, folder))
        if not arguments.json:
            told(rows[-1])
    versions = dict(cpu=processor(), pytorch=torch.__version__, onnxruntime=onnxruntime.__version__)
    if arguments.json:
        print(json.dumps(dict(versions, threads=1, rows=rows), indent=2))
    elif rows:
        print(", ".join(f"{key} {value}" for key, value in versions.items()))


if __name__ == "__main__":
    main()
