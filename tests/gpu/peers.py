"""PyTorch inference beside PyTorch training on one GPU: two streams, with and without priority, against the same two under
fulcrum's dispatcher, through its callback ABI.

Both networks are captured as CUDA graphs, so that no arm is slowed by Python. Latency counts from the scheduled release.
Run where PyTorch sees a GPU: python3 tests/gpu/peers.py --library target/release/libfulcrum.so --json out.json
"""

import argparse
import json
import statistics
import sys
import threading
import time

from fulcrum_abi import Fulcrum

PIECES = 12


def now():
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


class Gpu:
    """ResNet-50 seen and trained by PyTorch; sizes grow until an inference takes 8 ms and a step 50 ms."""

    def __init__(self):
        import torch
        import torchvision

        self.torch = torch
        torch.backends.cudnn.benchmark = True
        self.name = f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}"
        # Of a lower number goes first.
        self.low, self.high = torch.cuda.Stream(priority=0), torch.cuda.Stream(priority=-1)
        self.plain = torch.cuda.Stream(priority=0)
        self.seeing = torchvision.models.resnet50().cuda().eval()
        self.learning = torchvision.models.resnet50().cuda().train()
        self.optimizer = torch.optim.SGD(self.learning.parameters(), lr=0.01, momentum=0.9, foreach=True)
        batch = 8
        while True:
            self.infer_graph = self.capture_inference(batch)
            self.cost = self.time(lambda: self.infer(self.plain), 20)
            if self.cost >= 8_000_000 or batch >= 512:
                break
            batch *= 2
        self.infer_batch = batch
        micro = 8
        while True:
            self.capture_training(micro)
            self.step_time = self.time(self.step_now, 5)
            if self.step_time >= 50_000_000 or micro >= 128:
                break
            micro *= 2
        self.train_batch = micro * PIECES
        self.pieces = [self.time(lambda piece=piece: self.run_piece(piece), 10) for piece in range(PIECES)]

    def capture(self, work):
        torch = self.torch
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                work()
        torch.cuda.current_stream().wait_stream(side)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            work()
        return graph

    def capture_inference(self, batch):
        torch = self.torch
        frames = torch.randn(batch, 3, 224, 224, device="cuda")

        def work():
            with torch.no_grad():
                self.answer = self.seeing(frames)

        return self.capture(work)

    def capture_training(self, micro):
        torch = self.torch
        frames = torch.randn(PIECES, micro, 3, 224, 224, device="cuda")
        labels = torch.randint(0, 1000, (PIECES, micro), device="cuda")
        for weight in self.learning.parameters():
            weight.grad = torch.zeros_like(weight)

        def part(piece):
            def work():
                loss = torch.nn.functional.cross_entropy(self.learning(frames[piece]), labels[piece])
                (loss / PIECES).backward()
                if piece + 1 == PIECES:
                    self.optimizer.step()
                    self.optimizer.zero_grad(set_to_none=False)

            return work

        self.parts = [self.capture(part(piece)) for piece in range(PIECES)]

    def infer(self, stream):
        with self.torch.cuda.stream(stream):
            self.infer_graph.replay()
        stream.synchronize()

    def run_piece(self, piece, stream=None):
        stream = stream or self.low
        with self.torch.cuda.stream(stream):
            self.parts[piece].replay()
        stream.synchronize()

    def step_now(self):
        """A whole step handed to the device at once, as a training loop does."""
        with self.torch.cuda.stream(self.low):
            for part in self.parts:
                part.replay()
        self.low.synchronize()

    def time(self, work, runs):
        times = []
        for _ in range(runs + 2):
            begin = now()
            work()
            times.append(now() - begin)
        return statistics.median(times[2:])


class SleepMock:
    """A mock of a GPU: sleeps instead. Only for trying this script out where there is none."""

    def __init__(self):
        self.name = "no GPU: a mock that sleeps"
        self.low = self.high = self.plain = None
        self.lock = threading.Lock()
        self.cost, self.pieces, self.infer_batch, self.train_batch = 5_000_000, [6_000_000] * PIECES, 0, 0
        self.step_time = sum(self.pieces)

    def infer(self, stream):
        with self.lock:
            time.sleep(self.cost / 1e9)

    def run_piece(self, piece, stream=None):
        with self.lock:
            time.sleep(self.pieces[piece] / 1e9)

    def step_now(self):
        for piece in range(PIECES):
            self.run_piece(piece)


def quantile(sorted_times, part):
    return sorted_times[min(len(sorted_times) - 1, int(part * len(sorted_times)))]


def two_streams(gpu, period, requests, stream, trains):
    """A thread that sees beside a thread that trains, each on a stream of its own."""
    latencies, stop, steps = [], threading.Event(), [0]

    def train():
        while not stop.is_set():
            gpu.step_now()
            steps[0] += 1

    trainer = threading.Thread(target=train)
    begin = now()
    if trains:
        trainer.start()
    start = now() + 200_000_000
    for token in range(requests):
        release = start + token * period
        while (left := release - now()) > 0:
            time.sleep(left / 1e9)
        gpu.infer(stream)
        latencies.append(now() - release)
    spent = now() - begin
    done = steps[0]
    stop.set()
    if trains:
        trainer.join()
    return latencies, done / (spent / 1e9), None


def dispatched(gpu, library, policy, period, requests, margin):
    def infer():
        gpu.infer(gpu.plain)
        return 0

    def run_piece(piece, loss):
        gpu.run_piece(piece)
        if piece + 1 < PIECES:
            return 0
        loss[0] = 1.0
        return 1

    pieces = [int(length * margin) for length in gpu.pieces]
    if policy == "fulcrum":
        # Its grain is the minibatch.
        pieces = [sum(pieces)]

        def run_piece(piece, loss):
            gpu.step_now()
            loss[0] = 1.0
            return 1

    fulcrum = Fulcrum(library, policy, period, int(gpu.cost * margin), infer, pieces, run_piece)
    latencies = []
    begin = now()
    start = begin + 200_000_000
    token = 0
    while len(latencies) < requests:
        release = start + token * period
        if token < requests and now() >= release:
            fulcrum.submit(token, release)
            token += 1
        completion = fulcrum.poll()
        if completion:
            latencies.append(completion.end_ns - completion.release_ns)
        else:
            wait = release - now() if token < requests else 200_000
            time.sleep(max(0, min(wait, 200_000)) / 1e9)
    steps, _ = fulcrum.steps()
    spent = now() - begin
    bound = fulcrum.bound_ns()
    fulcrum.close()
    return latencies, steps / (spent / 1e9), bound


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--library", required=True, help="libfulcrum.so")
    arguments.add_argument("--json", help="file for the rows")
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--requests", type=int, default=100, help="a round")
    arguments.add_argument("--margin", type=float, default=1.1, help="announced over measured times")
    arguments.add_argument("--mock", action="store_true", help="sleep instead of using a GPU")
    options = arguments.parse_args()
    gpu = SleepMock() if options.mock else Gpu()
    period = int(gpu.cost / 0.3)
    arms = {
        "inference alone": lambda: two_streams(gpu, period, options.requests, gpu.plain, False),
        "two streams": lambda: two_streams(gpu, period, options.requests, gpu.plain, True),
        "two streams, priority": lambda: two_streams(gpu, period, options.requests, gpu.high, True),
        "fulcrum's fcfs": lambda: dispatched(gpu, options.library, "fcfs", period, options.requests, options.margin),
        "fulcrum's fulcrum": lambda: dispatched(gpu, options.library, "fulcrum", period, options.requests,
                                                options.margin),
        "fulcrum's slack": lambda: dispatched(gpu, options.library, "slack", period, options.requests, options.margin),
    }
    alone = []
    for _ in range(options.rounds):
        begin, steps = now(), 0
        while now() - begin < 2_000_000_000:
            gpu.step_now()
            steps += 1
        alone.append(steps / ((now() - begin) / 1e9))
    training_alone = statistics.median(alone)
    seen = {arm: ([], [], None) for arm in arms}
    for turn in range(options.rounds):
        print(f"round {turn + 1} of {options.rounds}", file=sys.stderr)
        for arm, play in arms.items():
            latencies, rate, bound = play()
            seen[arm] = (seen[arm][0] + latencies, seen[arm][1] + [rate], bound)
    base = sorted(seen["inference alone"][0])
    rows = []
    for arm, (latencies, rates, bound) in seen.items():
        ordered = sorted(latencies)
        rows.append({
            "arm": arm,
            "p50_ms": quantile(ordered, 0.5) / 1e6,
            "p99_ms": quantile(ordered, 0.99) / 1e6,
            "max_ms": ordered[-1] / 1e6,
            "p50_over_alone": quantile(ordered, 0.5) / quantile(base, 0.5),
            "p99_over_alone": quantile(ordered, 0.99) / quantile(base, 0.99),
            "max_over_alone": ordered[-1] / base[-1],
            "training_rate_over_alone": statistics.median(rates) / training_alone,
            "misses": sum(latency > period for latency in latencies),
            "requests": len(latencies),
            "bound_ms": bound / 1e6 if bound else None,
            "bound_violations": sum(latency > bound for latency in latencies) if bound else None,
        })
    report = {
        "device": gpu.name,
        "inference": {"network": "ResNet-50", "batch": gpu.infer_batch, "ms": gpu.cost / 1e6, "period_ms": period / 1e6},
        "training": {"network": "ResNet-50", "batch": gpu.train_batch, "step_ms": gpu.step_time / 1e6,
                     "pieces_ms": [length / 1e6 for length in gpu.pieces], "alone_hz": training_alone},
        "rounds": options.rounds,
        "rows": rows,
    }
    text = json.dumps(report, indent=1)
    if options.json:
        with open(options.json, "w") as out:
            out.write(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
