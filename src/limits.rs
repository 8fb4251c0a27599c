//! Every capacity, each with its reason. Changing one changes memory, never behaviour.

/// Inference streams in one schedule. A robot has a handful of cameras and a microphone.
pub const STREAMS: usize = 8;

/// Training jobs in one schedule.
pub const JOBS: usize = 4;

/// Requests waiting in one stream. At 30 Hz this is two seconds of backlog, long past any deadline.
pub const REQUESTS: usize = 64;

/// Largest inference minibatch. Above it no published edge workload gains throughput.
pub const MINIBATCH: usize = 64;

/// Pieces in one training step. 64 cuts of a 100 ms step are 1.5 ms each, where the cut itself starts to cost.
pub const PIECES: usize = 128;

/// Events between two drains of the trace: 8 s at 1,000 events a second.
pub const EVENTS: usize = 8192;

/// Length of a stream's or a job's name, in bytes.
pub const NAME: usize = 32;

const _: () = assert!(MINIBATCH <= REQUESTS, "a full minibatch must fit into the queue");
