"""The part of fulcrum's C ABI that the GPU comparison uses, through ctypes. Sizes are those of the first release."""

import ctypes as c

RUN = c.CFUNCTYPE(c.c_int32, c.c_void_p, c.c_void_p, c.c_uint32, c.POINTER(c.c_uint64))
RUN_PIECE = c.CFUNCTYPE(c.c_int32, c.c_void_p, c.c_uint32, c.POINTER(c.c_float))
POLICIES = {"fcfs": 1, "fulcrum": 2, "slack": 3, "edf": 5}
START_UNFIT = 1
OK, EMPTY = 0, 1


class Config(c.Structure):
    _fields_ = [("size", c.c_uint32), ("policy", c.c_uint32), ("switch_ns", c.c_uint64), ("late_ns", c.c_uint64),
                ("flags", c.c_uint32), ("priority", c.c_uint32), ("cpu", c.c_uint32), ("reserved", c.c_uint32)]


class Stream(c.Structure):
    _fields_ = [("size", c.c_uint32), ("flags", c.c_uint32), ("name", c.c_char_p), ("period_ns", c.c_uint64),
                ("jitter_ns", c.c_uint64), ("deadline_ns", c.c_uint64), ("cost_ns", c.c_uint64),
                ("minibatch", c.c_uint32), ("reserved", c.c_uint32), ("run", RUN), ("completed", c.c_void_p),
                ("user", c.c_void_p)]


class Job(c.Structure):
    _fields_ = [("size", c.c_uint32), ("piece_count", c.c_uint32), ("name", c.c_char_p),
                ("piece_ns", c.POINTER(c.c_uint64)), ("run_piece", RUN_PIECE), ("user", c.c_void_p)]


class Completion(c.Structure):
    _fields_ = [("token", c.c_uint64), ("release_ns", c.c_uint64), ("start_ns", c.c_uint64), ("end_ns", c.c_uint64),
                ("answer", c.c_uint64), ("status", c.c_int32), ("code", c.c_int32),
                ("model_version", c.c_uint32), ("reserved", c.c_uint32)]


class JobStatistics(c.Structure):
    _fields_ = [("size", c.c_uint32), ("reserved", c.c_uint32), ("steps", c.c_uint64), ("pieces", c.c_uint64),
                ("overruns", c.c_uint64), ("failures", c.c_uint64), ("dry", c.c_uint64), ("busy_ns", c.c_uint64),
                ("piece_p99_ns", c.c_uint64), ("piece_max_ns", c.c_uint64), ("first_loss", c.c_float),
                ("last_loss", c.c_float)]


class Fulcrum:
    """One runtime with one stream and, if there are pieces, one job. Callables return 0 or raise."""

    def __init__(self, library, policy, period, cost, infer, pieces, run_piece):
        self.lib = c.CDLL(library)
        self.lib.fulcrum_now_ns.restype = c.c_uint64
        self.lib.fulcrum_close.argtypes = [c.c_void_p]
        self.lib.fulcrum_submit.argtypes = [c.c_void_p, c.c_uint32, c.c_uint64, c.c_uint64]
        self.rt = c.c_void_p()
        config = Config(size=c.sizeof(Config), policy=POLICIES[policy], switch_ns=500_000, late_ns=1_000_000,
                        flags=START_UNFIT)
        self.check(self.lib.fulcrum_open(c.byref(config), c.byref(self.rt), None))
        self.kept = [RUN(lambda user, requests, count, answers: infer()),
                     RUN_PIECE(lambda user, piece, loss: run_piece(piece, loss)), (c.c_uint64 * len(pieces))(*pieces)]
        number = c.c_uint32()
        stream = Stream(size=c.sizeof(Stream), name=b"camera", period_ns=period, jitter_ns=1_000_000,
                        deadline_ns=period, cost_ns=cost, minibatch=1, run=self.kept[0])
        self.check(self.lib.fulcrum_stream_add(self.rt, c.byref(stream), c.byref(number), None))
        if pieces:
            job = Job(size=c.sizeof(Job), piece_count=len(pieces), name=b"learner",
                      piece_ns=c.cast(self.kept[2], c.POINTER(c.c_uint64)), run_piece=self.kept[1])
            self.check(self.lib.fulcrum_job_add(self.rt, c.byref(job), c.byref(number), None))
        self.check(self.lib.fulcrum_start(self.rt, None))

    @staticmethod
    def check(status):
        if status != OK:
            raise RuntimeError(f"fulcrum answered {status}; include/fulcrum.h says what that means")

    def submit(self, token, release):
        self.check(self.lib.fulcrum_submit(self.rt, 0, token, release))

    def poll(self):
        completion = Completion()
        status = self.lib.fulcrum_poll(self.rt, 0, c.byref(completion))
        if status == EMPTY:
            return None
        self.check(status)
        if completion.status != OK:
            raise RuntimeError(f"the stream failed with {completion.status}, {completion.code}")
        return completion

    def bound_ns(self):
        bound = c.c_uint64()
        status = self.lib.fulcrum_bound(self.rt, 0, c.byref(bound))
        return bound.value if status == OK else None

    def steps(self):
        of = JobStatistics(size=c.sizeof(JobStatistics))
        self.check(self.lib.fulcrum_job_statistics(self.rt, 0, c.byref(of)))
        if of.failures:
            raise RuntimeError(f"{of.failures} pieces of training failed")
        return of.steps + (of.pieces % len(self.kept[2])) / len(self.kept[2]), of.piece_max_ns

    def close(self):
        self.lib.fulcrum_stop(self.rt)
        self.lib.fulcrum_close(self.rt)
