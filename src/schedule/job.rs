//! A [`Job`] is training work, one step after the other, each cut into pieces that run in order.

use super::Name;
use super::measured::JobTimes;
use crate::limits;
use crate::units::Nanos;
use heapless::Vec;

/// Failures in a row after which a job is parked.
const FAILURES: u8 = 8;

/// Steps in a row with a piece that overran, after which the job is asked for shorter pieces.
const OVERRUNS_TO_CUT: u8 = 8;

/// Times in a row that a piece is given up after which the job is asked for shorter pieces: it may fit into no gap.
const ABORTS_TO_CUT: u8 = 8;

/// Steps in a row with a piece that overran, after which the job is parked: as many again as until it was asked, in which a
/// finer cut could have helped.
const OVERRUNS_TO_PARK: u8 = 16;

/// The announced length of each piece of a step, in order.
pub type Pieces = Vec<Nanos, { limits::PIECES }>;

/// How long a job without data, or one that failed, waits before it is asked again.
const PAUSE: Nanos = Nanos::from_millis(5);

/// What a training job asks for.
#[derive(Clone, Debug)]
pub struct JobSpec {
    /// For people and traces.
    pub name: Name,
    /// The announced length of each piece of a step, in order: upper quantiles or maxima, never means.
    pub pieces: Pieces,
    /// How long it takes at most until a running piece has ended once it was told to: an upper value. `None`: pieces run
    /// to their end.
    pub abort: Option<Nanos>,
}

/// What a piece came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It ran; the next piece may follow.
    Ran,
    /// It ran and was the last of its step.
    Stepped,
    /// There was nothing to train on.
    Dry,
    /// It was given up for a request; the same piece is run again.
    Aborted,
    /// It failed; the step starts again.
    Failed,
}

/// A job and where it stands in its step.
#[derive(Clone, Debug)]
pub struct Job {
    spec: JobSpec,
    next: u16,
    /// When its next piece joined the queue; it may not start earlier.
    ready_since: Nanos,
    /// When its last pieces ended, the newest last.
    ends: Ends,
    failures: u8,
    /// Steps in a row in which a piece overran.
    overruns: u8,
    /// Whether a piece of the present step did.
    overran: bool,
    /// Times in a row that the present piece was given up.
    aborts: u8,
    pub(super) times: JobTimes,
}

/// Ends of the last pieces, for a queue of that depth.
type Ends = heapless::Deque<Nanos, { limits::IN_FLIGHT }>;

impl Job {
    pub(super) fn new(spec: JobSpec) -> Job {
        Job {
            times: JobTimes::new(spec.pieces.len()),
            spec,
            next: 0,
            ready_since: Nanos::ZERO,
            ends: Ends::new(),
            failures: 0,
            overruns: 0,
            overran: false,
            aborts: 0,
        }
    }

    /// What the job asked for.
    pub fn spec(&self) -> &JobSpec {
        &self.spec
    }

    /// The next piece's place in its step.
    pub fn next_piece(&self) -> u16 {
        self.next
    }

    /// The announced length of the next piece.
    pub fn next_length(&self) -> Nanos {
        self.spec
            .pieces
            .get(usize::from(self.next))
            .copied()
            .unwrap_or(Nanos::ZERO)
    }

    /// `q`: the longest announced piece.
    pub fn longest_piece(&self) -> Nanos {
        self.spec.pieces.iter().copied().max().unwrap_or(Nanos::ZERO)
    }

    /// The measured upper value of a piece, to stand beside the announced one; zero before its first run.
    pub fn measured_length(&self, piece: u16) -> Nanos {
        self.times.upper(usize::from(piece))
    }

    /// The longest that a piece took of late, a maximum that fades.
    pub fn recent_max(&self, piece: u16) -> Nanos {
        self.times.recent_max(usize::from(piece))
    }

    /// How far its pieces are measured to overrun what was announced, the allowance apart; a parked job runs none.
    pub(super) fn excess(&self) -> Nanos {
        if self.parked() {
            Nanos::ZERO
        } else {
            self.times.excess
        }
    }

    /// Takes in how long the present piece took.
    pub(super) fn measure(&mut self, first: bool, took: Nanos, late: Nanos) {
        self.times
            .record(usize::from(self.next), first, took, &self.spec.pieces, late);
    }

    pub(super) fn forget_times(&mut self) {
        self.times = JobTimes::new(self.spec.pieces.len());
    }

    /// The sum of the announced pieces: one whole step.
    pub fn step_length(&self) -> Nanos {
        self.spec
            .pieces
            .iter()
            .fold(Nanos::ZERO, |sum, piece| sum + *piece)
    }

    /// Whether the job failed or overran so often that it no longer runs.
    pub fn parked(&self) -> bool {
        self.failures >= FAILURES || self.overruns >= OVERRUNS_TO_PARK
    }

    /// Whether it should be cut finer: its steps overrun, or a piece is given up again and again. Said once, at the end of
    /// such a step or piece.
    pub fn wants_finer(&self) -> bool {
        let overruns = self.overruns == OVERRUNS_TO_CUT && self.next == 0 && !self.overran;
        overruns || self.aborts == ABORTS_TO_CUT
    }

    /// Takes over the lengths of a finer cut; the next piece is the first of a step. Refuses what no job may have.
    pub(super) fn recut(&mut self, pieces: Pieces) -> bool {
        if pieces.is_empty() || pieces.contains(&Nanos::ZERO) {
            return false;
        }
        self.spec.pieces = pieces;
        self.next = 0;
        self.aborts = 0;
        self.forget_times();
        true
    }

    /// Notes that the present piece overran its length and the allowance.
    pub(super) fn overrun(&mut self) {
        self.overran = true;
    }

    pub(super) fn ready_since(&self) -> Nanos {
        if self.parked() {
            Nanos::MAX
        } else {
            self.ready_since
        }
    }

    /// When its next piece joined a queue that holds `depth` of its pieces: as the one that many before it ended.
    pub(super) fn joined(&self, depth: u8) -> Nanos {
        let depth = usize::from(depth).clamp(1, limits::IN_FLIGHT);
        let place = self.ends.len().checked_sub(depth);
        place
            .and_then(|place| self.ends.iter().nth(place))
            .copied()
            .unwrap_or(Nanos::ZERO)
    }

    pub(super) fn end_piece(&mut self, ended: Ended, end: Nanos) {
        self.ready_since = end;
        if self.ends.is_full() {
            self.ends.pop_front();
        }
        // There is room now.
        let _ = self.ends.push_back(end);
        self.aborts = match ended {
            Ended::Aborted => self.aborts.saturating_add(1),
            Ended::Dry => self.aborts,
            _ => 0,
        };
        match ended {
            Ended::Ran => {
                self.next = if usize::from(self.next) + 1 < self.spec.pieces.len() {
                    self.next + 1
                } else {
                    0
                }
            }
            Ended::Aborted => {}
            Ended::Stepped => self.next = 0,
            Ended::Dry => self.ready_since = end + PAUSE,
            Ended::Failed => {
                self.next = 0;
                self.ready_since = end + PAUSE;
                self.failures = self.failures.saturating_add(1);
            }
        }
        if matches!(ended, Ended::Stepped) {
            self.failures = 0;
        }
        // A step that starts again has ended too: else one that always fails late would never be counted.
        if self.next == 0 && !matches!(ended, Ended::Dry | Ended::Aborted) {
            self.overruns = if core::mem::take(&mut self.overran) {
                self.overruns.saturating_add(1)
            } else {
                0
            };
        }
    }
}
