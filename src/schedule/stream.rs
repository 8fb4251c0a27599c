//! A [`Stream`] is a source of inference requests: how they arrive, by when each must be answered, and those waiting.

use super::measured::StreamTimes;
use super::{Action, Arrival, Name, Pieces};
use crate::bound::{DRIFT, Demand};
use crate::limits;
use crate::units::Nanos;
use core::fmt;
use heapless::Deque;

/// One request of an inference stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The caller's own word for this request; handed to the workload and back with the result.
    pub token: u64,
    /// When the request was due (its scheduled arrival). Latency counts from here.
    pub release: Nanos,
}

/// A request and the moment it was handed in, which is at or after its release.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Submission {
    /// The request.
    pub request: Request,
    /// When it was handed in.
    pub at: Nanos,
}

/// The queue is full; the request comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full(pub Submission);

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} requests wait already; request {} was not taken",
            limits::REQUESTS,
            self.0.request.token
        )
    }
}

impl core::error::Error for Full {}

/// What a stream asks for.
#[derive(Clone, Debug)]
pub struct StreamSpec {
    /// For people and traces.
    pub name: Name,
    /// How its requests arrive.
    pub arrival: Arrival,
    /// Latest completion, counted from the release.
    pub deadline: Nanos,
    /// `beta`: requests in one minibatch, 1 to [`limits::MINIBATCH`].
    pub minibatch: u32,
    /// `C`: the longest one minibatch takes: an upper quantile or a maximum, never a mean.
    pub cost: Nanos,
    /// The longest each piece of a minibatch takes, in order, if it is cut so that more urgent work may come between two;
    /// their sum is at most `cost`. Empty: a minibatch runs without interruption.
    pub pieces: Pieces,
    /// Of a higher number goes first, under the policy `priority`; the others do not look at it.
    pub priority: u8,
    /// What becomes of requests that are past their deadline before they could start.
    pub overdue: Overdue,
}

/// What becomes of requests that are past their deadline before they could start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overdue {
    /// They are run all the same, and counted as missed.
    #[default]
    Run,
    /// They are handed back unrun, and counted as missed.
    Skip,
    /// As `Skip`, and of those that wait only the newest minibatch is run: an old frame is of no use once there is a newer.
    Newest,
}

/// What a stream would run next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) action: Action,
    /// Latest completion of its oldest request.
    pub(super) deadline: Nanos,
    /// When it became ready.
    pub(super) since: Nanos,
}

/// A minibatch of which pieces have started.
#[derive(Clone, Copy, Debug)]
struct Open {
    count: usize,
    /// The next piece; past the last one, the minibatch has none left to start.
    next: u16,
    /// Latest completion of its oldest request.
    deadline: Nanos,
    /// When it became ready.
    since: Nanos,
    /// Whether its first piece was the first work after a while.
    first: bool,
    /// Time that its pieces have had.
    ran: Nanos,
}

/// A stream and its waiting requests.
#[derive(Clone, Debug)]
pub struct Stream {
    spec: StreamSpec,
    waiting: Deque<Submission, { limits::REQUESTS }>,
    last_release: Option<Nanos>,
    /// When the releases so far would have come at the stream's mean rate: the moment its arrival curve is level again.
    level: Nanos,
    /// Whether a request was skipped just now, so that older ones than the newest minibatch are skipped too.
    superseded: bool,
    open: Option<Open>,
    pub(super) times: StreamTimes,
}

impl Stream {
    pub(super) fn new(spec: StreamSpec) -> Stream {
        Stream {
            spec,
            waiting: Deque::new(),
            last_release: None,
            level: Nanos::ZERO,
            superseded: false,
            open: None,
            times: StreamTimes::default(),
        }
    }

    /// What the stream asked for.
    pub fn spec(&self) -> &StreamSpec {
        &self.spec
    }

    /// The measured upper value of a full minibatch, to stand beside the announced cost; zero before the first run.
    pub fn measured_cost(&self) -> Nanos {
        self.times.upper()
    }

    /// The longest full minibatch of late, a maximum that fades.
    pub fn recent_max(&self) -> Nanos {
        self.times.recent_max()
    }

    /// Requests in its queue.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Whether another request would be taken.
    pub fn has_room(&self) -> bool {
        !self.waiting.is_full()
    }

    pub(super) fn demand(&self) -> Demand {
        Demand {
            period: self.spec.arrival.period(),
            jitter: self.spec.arrival.jitter(),
            burst: self.spec.arrival.burst(),
            priority: self.spec.priority,
            minibatch: self.spec.minibatch,
            // A sensor that keeps its period fills every minibatch; one that does not is off its schedule.
            partial: !matches!(self.spec.arrival, Arrival::Periodic { .. }),
            cost: self.spec.cost + self.times.excess,
            pieces: u32::try_from(self.spec.pieces.len().max(1)).unwrap_or(u32::MAX),
            // What is above the announced time may have been above it in any of the pieces.
            longest: self.longest_piece() + self.times.excess,
        }
    }

    /// The longest it holds the accelerator without interruption: its longest piece, or all of an uncut minibatch.
    pub fn longest_piece(&self) -> Nanos {
        self.spec.pieces.iter().copied().max().unwrap_or(self.spec.cost)
    }

    /// The piece that goes on with a minibatch which has started and not ended; `None` if there is no such.
    pub fn next_piece(&self) -> Option<u16> {
        let open = self.open.as_ref()?;
        (usize::from(open.next) < self.spec.pieces.len()).then_some(open.next)
    }

    /// Notes that the next piece of the open minibatch starts.
    pub(super) fn go_on(&mut self) {
        if let Some(open) = &mut self.open {
            open.next = open.next.saturating_add(1);
        }
    }

    /// Notes that a piece ran from `start` to `end`; after the last one answers how many requests there were, for how long
    /// they ran, and whether they were the first work after a while.
    pub(super) fn ran(&mut self, start: Nanos, end: Nanos, first: bool) -> Option<(usize, Nanos, bool)> {
        let last = self.next_piece().is_none();
        let open = self.open.as_mut()?;
        if open.ran == Nanos::ZERO {
            open.first = first;
        }
        open.ran += end - start;
        let ended = (open.count, open.ran, open.first);
        if last {
            self.open = None;
        }
        last.then_some(ended)
    }

    /// Gives up the open minibatch, because a piece of it failed.
    pub(super) fn give_up(&mut self) {
        self.open = None;
    }

    pub(super) fn arrive(&mut self, submission: Submission) -> Result<(), Full> {
        self.waiting.push_back(submission).map_err(Full)?;
        let release = submission.request.release;
        self.last_release = Some(release);
        // The bucket of an arrival curve: full after a pause, a release takes one period out of it.
        let period = self.spec.arrival.period();
        self.level = self.level.max(release) + period;
        Ok(())
    }

    /// Whether `submission`, not taken yet, keeps what the stream announced: handed in within its jitter, and released
    /// neither before its place nor in the future.
    pub fn on_schedule(&self, submission: &Submission) -> bool {
        let (release, at) = (submission.request.release, submission.at);
        let apart = match (self.spec.arrival, self.last_release) {
            (_, None) => true,
            (Arrival::Periodic { period, .. }, Some(last)) => {
                let drift = Nanos(period.0.div_ceil(DRIFT));
                // One that is left out lets a minibatch run that is not full, which the bound does not count on.
                let filled = self.spec.minibatch == 1 || release <= last + period + drift;
                release + drift >= last + period && filled
            }
            (Arrival::Sporadic { period }, Some(last)) => release >= last + period,
            (Arrival::Bursty { period, burst }, Some(_)) => {
                self.level <= release + period.times(u64::from(burst).saturating_sub(1))
            }
        };
        let in_time = match self.spec.arrival {
            Arrival::Periodic { jitter, .. } => at <= release + jitter,
            Arrival::Sporadic { .. } | Arrival::Bursty { .. } => true,
        };
        apart && in_time && release <= at
    }

    /// Takes out a request that its stream's rule no longer runs at `now`.
    pub(super) fn skip(&mut self, now: Nanos) -> Option<Request> {
        let late = |submission: &Submission| now > submission.request.release + self.spec.deadline;
        let skips = match self.spec.overdue {
            Overdue::Run => false,
            Overdue::Skip => self.waiting.front().is_some_and(late),
            // The oldest is late: all but the newest minibatch go, and of that what is late itself.
            Overdue::Newest => {
                let newer = self.waiting.len() > self.spec.minibatch as usize && self.superseded;
                newer || self.waiting.front().is_some_and(late)
            }
        };
        if !skips {
            self.superseded = false;
            return None;
        }
        self.superseded = true;
        self.waiting.pop_front().map(|submission| submission.request)
    }

    pub(super) fn take(&mut self, count: usize, minibatch: &mut [Request]) -> usize {
        let (deadline, since) = (self.next_deadline(), self.ready_since());
        let mut taken = 0;
        for place in minibatch.iter_mut().take(count) {
            let Some(submission) = self.waiting.pop_front() else {
                break;
            };
            *place = submission.request;
            taken += 1;
        }
        self.open = Some(Open {
            count: taken,
            next: 1,
            deadline,
            since,
            first: false,
            ran: Nanos::ZERO,
        });
        taken
    }

    /// What it would run at `now`, with the deadline and the moment since when it could: the next piece of an open minibatch,
    /// else a minibatch that is ready.
    pub(super) fn head(&self, stream: usize, now: Nanos) -> Option<Head> {
        if let (Some(open), Some(piece)) = (&self.open, self.next_piece()) {
            return Some(Head {
                action: Action::GoOn { stream, piece },
                deadline: open.deadline,
                since: open.since,
            });
        }
        let count = self.ready(now);
        (count > 0).then(|| Head {
            action: Action::Minibatch { stream, count },
            deadline: self.next_deadline(),
            since: self.ready_since(),
        })
    }

    /// Requests that the minibatch due at `now` holds; 0 while it still fills up.
    pub(super) fn ready(&self, now: Nanos) -> usize {
        let full = self.spec.minibatch as usize;
        if self.waiting.len() >= full {
            full
        } else if now >= self.flush() {
            self.waiting.len()
        } else {
            0
        }
    }

    /// When a minibatch that never filled up is run all the same, so that a sensor that stops strands nothing.
    pub(super) fn flush(&self) -> Nanos {
        let arrival = &self.spec.arrival;
        self.waiting.front().map_or(Nanos::MAX, |oldest| {
            oldest.request.release
                + arrival
                    .period()
                    .times(u64::from(self.spec.minibatch).saturating_sub(1))
                + arrival.jitter()
        })
    }

    /// When the minibatch at the head of the queue became ready; only meaningful while one is. One that became due before
    /// it was full keeps its place when another request joins it.
    pub(super) fn ready_since(&self) -> Nanos {
        let completing = self
            .waiting
            .iter()
            .nth((self.spec.minibatch as usize).saturating_sub(1));
        completing
            .map_or(Nanos::MAX, |submission| submission.at)
            .min(self.flush())
    }

    /// Latest completion of the oldest request.
    pub(super) fn next_deadline(&self) -> Nanos {
        self.waiting
            .front()
            .map_or(Nanos::MAX, |oldest| oldest.request.release + self.spec.deadline)
    }

    /// The time window in which the next minibatch is expected to become ready: nothing else should run from the first
    /// moment until it came, or until the second has passed. `None` before the first release. Asked of periodic streams.
    pub(super) fn expected(&self, now: Nanos) -> Option<(Nanos, Nanos)> {
        let (period, jitter) = (self.spec.arrival.period(), self.spec.arrival.jitter());
        let last = self.last_release?;
        let missing = u64::from(self.spec.minibatch)
            .saturating_sub(self.waiting.len() as u64)
            .max(1);
        let mut place = last + period.times(missing);
        if place + jitter < now {
            // Releases were skipped: go on in the same phase.
            let behind = (now - (place + jitter)).0;
            place += period.times(behind.div_ceil(period.0.max(1)));
        }
        Some((place - Nanos(period.0.div_ceil(DRIFT)), place + jitter))
    }

    /// Whether a periodic stream has not released anything yet, so that its phase is unknown.
    pub(super) fn phase_unknown(&self) -> bool {
        matches!(self.spec.arrival, Arrival::Periodic { .. }) && self.last_release.is_none()
    }
}
