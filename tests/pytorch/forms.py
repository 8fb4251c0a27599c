#!/usr/bin/env python3
"""Measures the forms that a gradient can be written in, on ONNX Runtime with one thread: why train-graph writes which.

Needs `pip install numpy onnx onnxruntime==1.31.1`. Each form is a graph of its own over the same data; the median of
repeated runs counts, the forms of a question in turn. For the table of docs/training.md.
"""

import time

import numpy as np
import onnxruntime
from onnx import TensorProto, helper

REPEATS = 40
BATCH = 32
node = helper.make_node


def load(nodes, feed, outputs):
    kinds = {np.dtype("float32"): TensorProto.FLOAT, np.dtype("int64"): TensorProto.INT64}
    inputs = [helper.make_tensor_value_info(name, kinds[value.dtype], value.shape) for name, value in feed.items()]
    results = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    model = helper.make_model(
        helper.make_graph(nodes, "form", inputs, results), opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    binding = session.io_binding()
    for name, value in feed.items():
        binding.bind_cpu_input(name, value)
    for name in outputs:
        binding.bind_output(name)
    return lambda: session.run_with_iobinding(binding)


def compare(question, forms):
    runs = {name: load(*form) for name, form in forms.items()}
    times = {name: [] for name in forms}
    for _ in range(REPEATS):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - start)
    for name, taken in times.items():
        print(f"| {question} | {name} | {np.median(taken) * 1e3:.2f} |")


def data(channels, side):
    random = np.random.Generator(np.random.PCG64(1))
    x, dy = (random.standard_normal((BATCH, channels, side, side), dtype=np.float32) for _ in range(2))
    return {"x": x, "dy": dy}


def scalar(value):
    return np.array(value, np.float32)


def clips(channels, side):
    feed = dict(data(channels, side), low=scalar(0), high=scalar(6), zero=scalar(0))
    two = [
        node("Max", ["x", "low"], ["a"]), node("Min", ["a", "high"], ["y"]),
        node("LessOrEqual", ["a", "high"], ["m"]), node("Where", ["m", "dy", "zero"], ["da"]),
        node("GreaterOrEqual", ["x", "low"], ["n"]), node("Where", ["n", "da", "zero"], ["dx"]),
    ]
    one = [
        node("Clip", ["x", "low", "high"], ["y"]), node("Equal", ["x", "y"], ["m"]),
        node("Cast", ["m"], ["f"], to=TensorProto.FLOAT), node("Mul", ["dy", "f"], ["dx"]),
    ]
    only = {key: feed[key] for key in ("x", "dy", "low", "high")}
    forms = {"Max, Min; two Where": (two, feed, ["y", "dx"]), "Clip; Equal, Cast, Mul": (one, only, ["y", "dx"])}
    compare(f"Clip and its gradient, {channels} x {side} x {side}", forms)


def lines(channels, side):
    feed = {"x": data(channels, side)["x"], "a": np.ones((channels, 1, 1), np.float32), "b": np.ones((channels, 1, 1), np.float32)}
    single = [node("Mul", ["x", "a"], ["s"]), node("Add", ["s", "b"], ["y"])]
    flat = {key: np.ones(channels, np.float32) for key in ("a", "b", "m", "v")}
    whole = [node("BatchNormalization", ["x", "a", "b", "m", "v"], ["y"])]
    forms = {"Mul, Add": (single, feed, ["y"]), "BatchNormalization": (whole, dict(x=feed["x"], **flat), ["y"])}
    compare(f"A line by channel, {channels} x {side} x {side}", forms)


def depthwise(channels, side):
    """The gradient of 3 x 3 weights of a convolution of each channel alone, padded by 1."""
    base = dict(data(channels, side), pads=np.array([0, 0, 1, 1, 0, 0, 1, 1]), all=np.array([0, 2, 3]), axes=np.array([2, 3]))
    nodes, feed = [node("Pad", ["x", "pads"], ["p"])], dict(base)
    for tap in range(9):
        row, column = divmod(tap, 3)
        feed |= {f"s{tap}": np.array([row, column]), f"e{tap}": np.array([row + side, column + side])}
        nodes += [
            node("Slice", ["p", f"s{tap}", f"e{tap}", "axes"], [f"v{tap}"]), node("Mul", [f"v{tap}", "dy"], [f"m{tap}"]),
            node("ReduceSum", [f"m{tap}", "all"], [f"w{tap}"], keepdims=0),
        ]
    views = nodes, feed, [f"w{tap}" for tap in range(9)]
    width = side + 2
    length = side * width - 2
    feed = {key: base[key] for key in ("x", "dy", "pads")}
    feed |= dict(all=np.array([0, 2]), axes=np.array([2]), wide=np.array([0, 0, 0, 0, 0, 0, 0, 2]), zero=np.array([0]),
                 length=np.array([length]), flat=np.array([0, 0, -1]))
    nodes = [
        node("Pad", ["x", "pads"], ["p"]), node("Reshape", ["p", "flat"], ["r"]), node("Pad", ["dy", "wide"], ["d"]),
        node("Reshape", ["d", "flat"], ["f"]), node("Slice", ["f", "zero", "length", "axes"], ["g"]),
    ]
    for tap in range(9):
        start = tap // 3 * width + tap % 3
        feed |= {f"s{tap}": np.array([start]), f"e{tap}": np.array([start + length])}
        nodes += [
            node("Slice", ["r", f"s{tap}", f"e{tap}", "axes"], [f"v{tap}"]), node("Mul", [f"v{tap}", "g"], [f"m{tap}"]),
            node("ReduceSum", [f"m{tap}", "all"], [f"w{tap}"], keepdims=0),
        ]
    runs = nodes, feed, [f"w{tap}" for tap in range(9)]
    groups = BATCH * channels
    feed = {"x": base["x"].reshape(1, groups, side, side), "dy": base["dy"].reshape(groups, 1, side, side)}
    conv = [node("Conv", ["x", "dy"], ["w"], group=groups, pads=[1, 1, 1, 1], kernel_shape=[side, side])]
    forms = {"Conv, a group a picture and channel": (conv, feed, ["w"]), "Slice of rows": views, "Slice of one run": runs}
    compare(f"Depthwise 3 x 3 dW, {channels} x {side} x {side}", forms)


def full(channels, side):
    """The same of a convolution of all channels: the batch as channels, or a product of stacked views."""
    feed = dict(data(channels, side), pads=np.array([0, 0, 1, 1, 0, 0, 1, 1]), axes=np.array([2, 3]))
    conv = [
        node("Transpose", ["x"], ["i"], perm=[1, 0, 2, 3]), node("Transpose", ["dy"], ["k"], perm=[1, 0, 2, 3]),
        node("Conv", ["i", "k"], ["w"], pads=[1, 1, 1, 1], kernel_shape=[side, side]),
    ]
    only = {key: feed[key] for key in ("x", "dy")}
    feed |= dict(rows=np.array([channels, -1]), lift=np.array([BATCH, channels, 1, side * side]),
                 columns=np.array([9 * channels, -1]))
    nodes = [
        node("Pad", ["x", "pads"], ["p"]), node("Transpose", ["dy"], ["t"], perm=[1, 0, 2, 3]), node("Reshape", ["t", "rows"], ["d"]),
    ]
    for tap in range(9):
        row, column = divmod(tap, 3)
        feed |= {f"s{tap}": np.array([row, column]), f"e{tap}": np.array([row + side, column + side])}
        nodes += [node("Slice", ["p", f"s{tap}", f"e{tap}", "axes"], [f"v{tap}"]), node("Reshape", [f"v{tap}", "lift"], [f"l{tap}"])]
    nodes += [
        node("Concat", [f"l{tap}" for tap in range(9)], ["c"], axis=2), node("Transpose", ["c"], ["u"], perm=[1, 2, 0, 3]),
        node("Reshape", ["u", "columns"], ["q"]), node("Gemm", ["d", "q"], ["w"], transB=1),
    ]
    forms = {"Conv of transposes": (conv, only, ["w"]), "Slice and Gemm": (nodes, feed, ["w"])}
    compare(f"3 x 3 dW, {channels} x {side} x {side}", forms)


def main():
    print(f"| what, minibatch of {BATCH} | form | ms |\n| --- | --- | --- |")
    for channels, side in ((64, 32), (96, 16), (128, 8)):
        depthwise(channels, side)
    for channels, side in ((16, 32), (32, 16), (64, 8)):
        full(channels, side)
    clips(64, 32)
    lines(64, 32)


if __name__ == "__main__":
    main()
