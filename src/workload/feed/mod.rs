//! The feed: samples on their way from a sensor or a file to inference and training, in memory that is made
//! once.
//!
//! ```text
//!  sensor, host      pushes samples, from one thread           file: a Feeder's thread reads it and pushes
//!    v  handover: a bounded way without lock
//!  Feed              the trainer's end: takes in what waits into a Replay ring, draws, measures stalls
//!    v  fetch: a piece of the schedule, or several where a minibatch is large
//!  training
//! ```

mod feeder;
mod fetch;
mod handover;
mod held_out;
mod position;
mod replay;
mod samples;

pub use feeder::Feeder;
pub use fetch::{Config, Feed, Statistics};
pub use handover::{Full, Puller, Pusher, handover};
pub use held_out::{HeldOut, Split};
pub use position::Position;
pub use replay::{Policy, Replay};
pub use samples::{SampleError, Samples, write};
