"""A step graph on ONNX Runtime's CUDA provider, operator by operator: which run there, which fall back to the CPU; the time
of a whole step over buffers on the device; and how long an abort takes.

python3 tests/gpu/placement.py step.onnx [--json out.json]
"""

import argparse
import collections
import json
import statistics
import threading
import time

import numpy
import onnxruntime

TYPES = {"tensor(float)": numpy.float32, "tensor(int64)": numpy.int64, "tensor(int32)": numpy.int32}


def bound(session, seed):
    """Inputs and outputs of a session, on the device."""
    draw = numpy.random.default_rng(seed)
    binding = session.io_binding()
    kept = []
    for port in session.get_inputs():
        kind = TYPES[port.type]
        values = draw.integers(0, 2, port.shape) if kind is numpy.int64 else 0.02 * draw.standard_normal(port.shape)
        on_device = onnxruntime.OrtValue.ortvalue_from_numpy(numpy.asarray(values, kind), "cuda", 0)
        binding.bind_ortvalue_input(port.name, on_device)
        kept.append(on_device)
    for port in session.get_outputs():
        binding.bind_output(port.name, "cuda")
    return binding, kept


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("step")
    arguments.add_argument("--json")
    options = arguments.parse_args()
    settings = onnxruntime.SessionOptions()
    settings.enable_profiling = True
    settings.profile_file_prefix = "/tmp/placement"
    providers = [("CUDAExecutionProvider", {"cudnn_conv_algo_search": "HEURISTIC"}), "CPUExecutionProvider"]
    session = onnxruntime.InferenceSession(options.step, settings, providers)
    binding, kept = bound(session, 1)
    for _ in range(3):
        session.run_with_iobinding(binding)
    binding.synchronize_outputs()
    placed = collections.defaultdict(collections.Counter)
    seen = set()
    for event in json.load(open(session.end_profiling())):
        what = event.get("args", {})
        if event.get("cat") == "Node" and "provider" in what and event["name"] not in seen:
            seen.add(event["name"])
            placed[what["provider"]][what["op_name"]] += 1
    session = onnxruntime.InferenceSession(options.step, onnxruntime.SessionOptions(), providers)
    binding, kept = bound(session, 1)
    times = []
    for run in range(25):
        begin = time.monotonic_ns()
        session.run_with_iobinding(binding)
        binding.synchronize_outputs()
        times.append(time.monotonic_ns() - begin)
    step = statistics.median(times[5:])
    aborts, ended = [], 0
    for run in range(60):
        told = onnxruntime.RunOptions()
        began, at = threading.Event(), [0]

        def abort(wait=(run % 12 + 1) / 14 * step / 1e9):
            began.wait()
            time.sleep(wait)
            at[0] = time.monotonic_ns()
            told.terminate = True

        thread = threading.Thread(target=abort)
        thread.start()
        began.set()
        try:
            session.run_with_iobinding(binding, told)
            binding.synchronize_outputs()
            ended += 1
        except Exception:
            # What was launched still runs on the device; the next piece waits for that too.
            binding.synchronize_inputs()
            aborts.append(time.monotonic_ns() - at[0])
        thread.join()
    aborts.sort()
    report = {
        "step": options.step.rsplit("/", 1)[-1],
        "onnxruntime": onnxruntime.__version__,
        "nodes": {provider: dict(counts) for provider, counts in placed.items()},
        "step_ms": step / 1e6,
        "aborted": len(aborts),
        "ended_before": ended,
        "abort_ms": {name: aborts[int(part * (len(aborts) - 1))] / 1e6 for name, part in
                     [("p50", 0.5), ("p95", 0.95), ("max", 1.0)]} if aborts else None,
    }
    text = json.dumps(report, indent=1)
    if options.json:
        with open(options.json, "w") as out:
            out.write(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
