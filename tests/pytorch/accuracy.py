#!/usr/bin/env python3
"""Trains one network with fulcrum's step graph and with PyTorch, and compares what both have learned.

Needs what speed.py needs. The MobileNet-size network, 50 classes, pictures like the synthetic camera's (shapes.py); start
weights, pictures, their order and the learning rate are the same on both sides. Accuracy is that on pictures not trained on,
batch normalisation by the running statistics: of fulcrum as eval.onnx gives it.

  accuracy.py                    seeds 1, 2 and 3; exit code 0 if the mean difference is at most 2 points
  accuracy.py --seeds 1 --steps 200 --json
"""

import argparse
import json
import math
import sys
import tempfile
import time

import engine
import full_networks as nets
import numpy as np
import shapes
import torch
from torch import nn

BATCH, HIGHEST_RATE, WARM_UP = 32, 0.1, 50
HELD_OUT = 64 * BATCH
LIMIT = 2.0


def rate(step, steps):
    """Rises over the first steps, then falls as half a cosine."""
    if step < WARM_UP:
        return HIGHEST_RATE * (step + 1) / WARM_UP
    return HIGHEST_RATE * (1 + math.cos(math.pi * (step - WARM_UP) / max(1, steps - WARM_UP))) / 2


def batches(x, y):
    for start in range(0, len(y), BATCH):
        yield x[start : start + BATCH], y[start : start + BATCH]


def fulcrum(net, data, held_out, steps, folder):
    recipe = ["--loss", "cross-entropy", "--optimizer", "momentum", "--batch-norm", "batch"]
    work = engine.Trainer(engine.train_graph(net, shapes.SIDE, BATCH, folder, *recipe), HIGHEST_RATE)
    for step, (x, y) in enumerate(batches(*data)):
        work.lr[()] = rate(step, steps)
        loss = work.step(x, y)
    judge = engine.session(work.out / "eval.onnx")
    wanted = {entry.name for entry in judge.get_inputs()}
    state = {name: value for name, value in work.state().items() if name in wanted}
    right = [judge.run(["metric"], dict(state, x=x, y=y))[0] for x, y in batches(*held_out)]
    return float(np.mean(right)) * 100, loss


def pytorch(net, data, held_out, steps):
    optimizer = torch.optim.SGD(net.train().parameters(), HIGHEST_RATE, momentum=0.9)
    for step, (x, y) in enumerate(batches(*data)):
        optimizer.param_groups[0]["lr"] = rate(step, steps)
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(torch.from_numpy(x)), torch.from_numpy(y))
        loss.backward()
        optimizer.step()
    net.eval()
    with torch.no_grad():
        right = [(net(torch.from_numpy(x)).argmax(1).numpy() == y).mean() for x, y in batches(*held_out)]
    return float(np.mean(right)) * 100, float(loss.detach())


def compare(seed, steps):
    start = time.monotonic()
    torch.manual_seed(seed)
    net = nets.mobilenet(shapes.CLASSES)
    data, held_out = shapes.pictures(seed, steps * BATCH), shapes.pictures(1_000_000 + seed, HELD_OUT)
    with tempfile.TemporaryDirectory() as folder:
        ours, our_loss = fulcrum(net, data, held_out, steps, folder)
    theirs, their_loss = pytorch(net, data, held_out, steps)
    return dict(
        seed=seed,
        steps=steps,
        fulcrum_percent=ours,
        pytorch_percent=theirs,
        points=ours - theirs,
        last_losses=[our_loss, their_loss],
        seconds=time.monotonic() - start,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--steps", type=int, default=800)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for seed in arguments.seeds:
        row = compare(seed, arguments.steps)
        rows.append(row)
        if not arguments.json:
            print(
                f"seed {seed}, {row['steps']} steps: fulcrum {row['fulcrum_percent']:.2f} %, PyTorch "
                f"{row['pytorch_percent']:.2f} %, difference {row['points']:+.2f} points ({row['seconds']:.0f} s)",
                flush=True,
            )
    mean = float(np.mean([row["points"] for row in rows]))
    if arguments.json:
        print(json.dumps(dict(mean_points=mean, limit=LIMIT, rows=rows), indent=2))
    else:
        print(f"mean difference {mean:+.2f} points (limit {LIMIT})")
    sys.exit(0 if abs(mean) <= LIMIT else 1)


if __name__ == "__main__":
    main()
