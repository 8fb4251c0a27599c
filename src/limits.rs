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

/// Runs in one of the two windows that an upper quantile speaks of: 13 s at 10 Hz, and p99 of two needs three of them kept.
pub const QUANTILE_RUNS: usize = 128;

/// Pieces of one job in a queue, under the policy `in-flight`. Hardware queues are compared up to this depth.
pub const IN_FLIGHT: usize = 16;

/// Events between two drains of the trace: 8 s at 1,000 events a second.
pub const EVENTS: usize = 8192;

/// Length of a stream's or a job's name, in bytes.
pub const NAME: usize = 32;

/// Bytes of a feed's samples, asked for over the C ABI: half the memory of the smallest board. More is a size
/// nobody meant.
pub const FEED_BYTES: u64 = 2 << 30;

/// Bytes of an nvpmodel.conf. The longest known one has 12 kB.
pub const CONF_TEXT: usize = 256 * 1024;

/// Bytes of a line of an nvpmodel.conf: a name and a path, and no path is longer than PATH_MAX.
pub const CONF_LINE: usize = 4096 + CONF_WORD;

/// Bytes of a name or a value in an nvpmodel.conf. The longest known name has 24 characters.
pub const CONF_WORD: usize = 128;

/// Parameters of an nvpmodel.conf. The most known are 21, one for each core and engine.
pub const CONF_PARAMS: usize = 128;

/// Rows of a parameter of an nvpmodel.conf: two for each core, on a board with 64.
pub const CONF_ARGS: usize = 128;

/// Modes of an nvpmodel.conf. The most known are nine.
pub const CONF_MODES: usize = 64;

/// Rows of a mode of an nvpmodel.conf. The longest known one has 40.
pub const CONF_ROWS: usize = 512;

const _: () = assert!(MINIBATCH <= REQUESTS, "a full minibatch must fit into the queue");
