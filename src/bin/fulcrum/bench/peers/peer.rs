//! [`Peer`]: one way to let inference and training share a machine.

use super::group::Limit;
use crate::processor::DISPATCHER;
use clap::ValueEnum;
use fulcrum::runtime::realtime::Class;
use fulcrum::schedule::Policy;
use fulcrum::units::Nanos;
use serde::{Deserialize, Serialize};

/// The arms of the comparison, in the order of the rows. All but `Deadline`, `Anywhere` and `CoreEach` share
/// one processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Peer {
    /// Inference, nothing else
    InferenceAlone,
    /// Training, nothing else
    TrainingAlone,
    /// Two threads of one process
    Threads,
    /// Two processes
    Processes,
    /// Two processes, training at nice 19
    Nice,
    /// Two processes, training in SCHED_BATCH
    Batch,
    /// Two processes, training in SCHED_IDLE
    Idle,
    /// Two processes, inference in SCHED_FIFO
    Fifo,
    /// Two processes, inference in SCHED_FIFO and training in SCHED_IDLE
    FifoIdle,
    /// Two processes, inference in SCHED_DEADLINE
    Deadline,
    /// Two processes in control groups, weights 100 to 1
    Weights,
    /// Two processes, training in a control group with a quota of what inference leaves
    Quota,
    /// Two processes on any processor
    Anywhere,
    /// Two processes with a processor each
    CoreEach,
    /// fulcrum, policy `fulcrum`: whole minibatches
    Fulcrum,
    /// fulcrum, policy `slack`: pieces of a minibatch
    Slack,
    /// As `slack`, with the dispatcher in SCHED_IDLE
    SlackIdle,
}

/// What a process of an arm does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Part {
    /// Answers requests
    See,
    /// Trains
    Learn,
    /// Both
    Both,
    /// Measures the work, before any arm
    Weigh,
}

/// Where a process may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seat {
    /// On the processor that is shared.
    Shared,
    /// On another.
    Other,
    /// On any.
    Any,
}

impl Peer {
    pub(super) fn name(self) -> String {
        self.to_possible_value()
            .map_or(String::new(), |value| value.get_name().to_string())
    }

    /// A part for each process.
    pub(super) fn parts(self) -> &'static [Part] {
        match self {
            Peer::InferenceAlone => &[Part::See],
            Peer::TrainingAlone => &[Part::Learn],
            Peer::Threads | Peer::Fulcrum | Peer::Slack | Peer::SlackIdle => &[Part::Both],
            _ => &[Part::See, Part::Learn],
        }
    }

    /// The policy of those that are fulcrum.
    pub(super) fn policy(self) -> Option<Policy> {
        match self {
            Peer::Fulcrum => Some(Policy::Fulcrum),
            Peer::Slack | Peer::SlackIdle => Some(Policy::Slack),
            _ => None,
        }
    }

    pub(super) fn seat(self, part: Part) -> Seat {
        match (self, part) {
            // The kernel refuses SCHED_DEADLINE to a thread that may not run everywhere.
            (Peer::Deadline, Part::See) | (Peer::Anywhere, _) => Seat::Any,
            (Peer::CoreEach, Part::Learn) => Seat::Other,
            _ => Seat::Shared,
        }
    }

    /// Processors that the arm may use of `all`.
    pub(super) fn processors(self, all: usize) -> usize {
        match self {
            Peer::Anywhere | Peer::Deadline => all.min(2),
            Peer::CoreEach => 2,
            _ => 1,
        }
    }

    /// The class of a process whose inference takes up to `cost` each `period`; `None` leaves it as it is.
    pub(super) fn class(self, part: Part, cost: Nanos, period: Nanos) -> Option<Class> {
        match (self, part) {
            (Peer::Nice, Part::Learn) => Some(Class::Ordinary(19)),
            (Peer::Batch, Part::Learn) => Some(Class::Batch),
            (Peer::Idle | Peer::FifoIdle, Part::Learn) | (Peer::SlackIdle, _) => Some(Class::Idle),
            (Peer::Fifo | Peer::FifoIdle, Part::See) => Some(Class::Fifo(DISPATCHER)),
            (Peer::Deadline, Part::See) => Some(Class::Deadline {
                runtime: cost,
                period,
            }),
            _ => None,
        }
    }

    /// The control group of a process; `left` are the thousandths of a processor that inference leaves.
    pub(super) fn limit(self, part: Part, left: u64) -> Option<Limit> {
        match (self, part) {
            (Peer::Weights, Part::See) => Some(Limit::Weight(100)),
            (Peer::Weights, Part::Learn) => Some(Limit::Weight(1)),
            (Peer::Quota, Part::Learn) => Some(Limit::Quota(left)),
            _ => None,
        }
    }
}
