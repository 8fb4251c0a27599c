"""Training graphs that `fulcrum train-graph` makes of a PyTorch module, and their run on ONNX Runtime.

The run is that of fulcrum's own engine: one thread, no graph optimisation (a step and its pieces are to give the same
bits), and two sets of state buffers, bound once and used in turn.
"""

import pathlib
import sys
import warnings

import numpy as np
import onnx
import onnxruntime
import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "fixtures"))
import operators  # noqa: E402, it lies in the folder above.


def train_graph(net, side, batch, folder, *more):
    """Exports `net` and writes its graphs; returns their folder."""
    source = pathlib.Path(folder) / "net.onnx"
    was = net.training
    net.eval()
    # Without training=PRESERVE the exporter multiplies batch normalisation into the weights.
    settings = dict(dynamo=False, do_constant_folding=False, training=torch.onnx.TrainingMode.PRESERVE)
    names = dict(input_names=["data"], output_names=["out"], dynamic_axes={"data": {0: "batch"}})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # That this exporter is the older one.
        torch.onnx.export(net, torch.zeros(1, 1, side, side), str(source), opset_version=17, **settings, **names)
    net.train(was)
    return operators.train_graph(onnx.load(source), pathlib.Path(folder), *more, batch=batch)


def session(path, profile=None):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.use_deterministic_compute = True
    if profile:
        options.enable_profiling, options.profile_file_prefix = True, profile
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


class Trainer:
    """A step graph with its state, in two sets of buffers."""

    def __init__(self, out, lr, profile=None):
        self.session, self.out = session(out / "step.onnx", profile), out
        start, entries = operators.start_weights(out), self.session.get_inputs()
        data = {entry.name: entry for entry in entries}
        self.x = np.zeros(data["x"].shape, np.float32)
        self.y = np.zeros(data["y"].shape, np.int64)
        self.lr, self.loss = np.array(lr, np.float32), np.zeros((), np.float32)
        names = [entry.name for entry in entries if entry.name not in ("x", "y", "lr")]
        first = {name: start.get(name, np.zeros(data[name].shape, np.float32)).copy() for name in names}
        self.sets = [first, {name: np.zeros_like(value) for name, value in first.items()}]
        # Those with buffers of NumPy's own stay valid as long as these arrays do.
        self.bindings = [self.bind(*self.sets), self.bind(*reversed(self.sets))]
        self.steps = 0

    def bind(self, old, new):
        binding = self.session.io_binding()
        for name, value in {"x": self.x, "y": self.y, "lr": self.lr, **old}.items():
            binding.bind_input(name, "cpu", 0, value.dtype, list(value.shape), value.ctypes.data)
        for name, value in {"loss": self.loss, **{f"{name}_out": value for name, value in new.items()}}.items():
            binding.bind_output(name, "cpu", 0, value.dtype, list(value.shape), value.ctypes.data)
        return binding

    def step(self, x, y):
        """One step; returns the loss before it."""
        self.x[:], self.y[:] = x, y
        self.session.run_with_iobinding(self.bindings[self.steps % 2])
        self.steps += 1
        return float(self.loss)

    def state(self):
        """Weights, running statistics and moments as they are now."""
        return self.sets[self.steps % 2]
