//! The dispatcher: asks the schedule, runs the piece, counts what came of it. One thread an accelerator; nobody else
//! touches the device. After start it neither allocates nor locks nor touches files.

use super::doorbell::Doorbell;
use super::ring::Ring;
use super::side::{Completion, JobSide, StreamSide};
use super::watch::{Running, Watch};
use crate::clock::{Clock, Monotonic};
use crate::schedule::log::Entry;
use crate::schedule::{Action, Ended, Schedule};
use crate::trace::Event;
use crate::units::Nanos;
use crate::workload::gate::Verdict;
use crate::workload::{Inference, Progress, Training, WorkloadError};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Everything the dispatcher thread owns.
pub(super) struct Dispatcher {
    pub(super) schedule: Schedule,
    pub(super) late: Nanos,
    pub(super) streams: Vec<StreamSide>,
    pub(super) jobs: Vec<JobSide>,
    pub(super) events: Ring<Event>,
    /// The log of decisions, if one is kept.
    pub(super) decisions: Option<Ring<Entry>>,
    pub(super) doorbell: Arc<Doorbell>,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) watch: Arc<Watch>,
    pub(super) mode_changed: Arc<AtomicBool>,
}

impl Dispatcher {
    /// Runs pieces until told to stop; a running piece is finished first.
    pub(super) fn run(&mut self) {
        let (doorbell, stop) = (Arc::clone(&self.doorbell), Arc::clone(&self.stop));
        doorbell.serve(&stop, || self.step());
    }

    /// Takes requests in and runs at most one piece; else says until when there is nothing to do.
    pub(super) fn step(&mut self) -> Option<Nanos> {
        if self.mode_changed.swap(false, Relaxed) {
            self.schedule.mode_changed();
        }
        self.take_in();
        self.tell_moved();
        // One moment for all that is decided in a step, so that the log's replay asks at the same one.
        let now = Monotonic.now();
        self.skip_overdue(now);
        let action = self.schedule.decide(now);
        note(&mut self.decisions, Entry::decided(action, now));
        match action {
            Action::Minibatch { stream, count } => self.start_minibatch(stream, count),
            Action::GoOn { stream, piece } => {
                self.schedule.go_on(stream);
                self.run_minibatch(stream, piece);
            }
            Action::Piece { job, piece } => self.run_piece(job, piece),
            Action::Idle { until } => return Some(until),
        }
        None
    }

    fn take_in(&mut self) {
        for (index, side) in self.streams.iter_mut().enumerate() {
            while self
                .schedule
                .streams()
                .get(index)
                .is_some_and(|stream| stream.has_room())
            {
                let Ok(submission) = side.submissions.pop() else {
                    break;
                };
                let stream = self.schedule.streams().get(index);
                let on_schedule = stream.is_some_and(|stream| stream.on_schedule(&submission));
                side.statistics.off_schedule.add(u64::from(!on_schedule));
                let handed_in = submission.at - submission.request.release;
                side.statistics.handed_in.record(handed_in);
                // There is room, so the queue takes it.
                let _ = self.schedule.arrive(index, submission);
                note(&mut self.decisions, Entry::arrived(index, &submission));
            }
        }
    }

    /// Tells of bounds that moved, before the next piece starts.
    fn tell_moved(&mut self) {
        while let Some((index, bound)) = self.schedule.moved() {
            let Some(side) = self.streams.get(index) else {
                return;
            };
            side.statistics.set_present_bound(bound);
            side.statistics.bound_moves.add(1);
            let event = Event::BoundMoved {
                stream: index as u8,
                bound: bound.unwrap_or(Nanos::MAX),
                at: Monotonic.now(),
            };
            self.events.keep(event);
        }
    }

    /// Hands back what is past its deadline already, where its stream wants that.
    fn skip_overdue(&mut self, now: Nanos) {
        while let Some((index, request)) = self.schedule.skip_overdue(now) {
            let deadline = self.schedule.streams().get(index).map(|it| it.spec().deadline);
            let (Some(side), Some(deadline)) = (self.streams.get_mut(index), deadline) else {
                return;
            };
            side.statistics.skipped.add(1);
            side.statistics.misses.add(1);
            let late = (now - request.release) - deadline;
            let stream = index as u8;
            note(&mut self.decisions, Entry::Skipped { stream, at: now });
            self.events.keep(Event::Missed {
                stream,
                late,
                at: now,
            });
            let completion = Completion {
                request,
                answer: Err(WorkloadError::Overdue),
                start: now,
                end: now,
                model_version: side.version,
            };
            if side.completions.push(completion).is_err() {
                side.statistics.untaken.add(1);
            }
        }
    }

    fn start_minibatch(&mut self, index: usize, count: usize) {
        let Some(side) = self.streams.get_mut(index) else {
            return;
        };
        let minibatch = &mut side.minibatch;
        minibatch.count = self
            .schedule
            .start_minibatch(index, count, &mut minibatch.requests);
        self.run_minibatch(index, 0);
    }

    /// Runs a piece of the minibatch that `index` has started, and answers its requests after the last one; an uncut
    /// minibatch is one piece.
    fn run_minibatch(&mut self, index: usize, piece: u16) {
        let spec = self
            .schedule
            .streams()
            .get(index)
            .map(|stream| (stream.spec().deadline, !stream.spec().pieces.is_empty()));
        let (Some((deadline, cut)), Some(side)) = (spec, self.streams.get_mut(index)) else {
            return;
        };
        let count = side.minibatch.count;
        let (Some(requests), Some(answers)) = (
            side.minibatch.requests.get(..count),
            side.minibatch.answers.get_mut(..count),
        ) else {
            return;
        };
        let start = Monotonic.now();
        let ran = catch_unwind(AssertUnwindSafe(|| {
            let outcome = if cut {
                side.work.run_minibatch_piece(piece, requests, answers)
            } else {
                side.work.run(requests, answers)
            };
            (outcome, side.work.version())
        }));
        let (outcome, version) = ran.unwrap_or((Err(WorkloadError::Panicked), side.version));
        let end = Monotonic.now();
        side.statistics.busy.add((end - start).0);
        self.schedule.end_minibatch(index, start, end);
        let stream = index as u8;
        note(&mut self.decisions, Entry::Answered { stream, start, end });
        if piece == 0 {
            side.minibatch.start = start;
        }
        if cut {
            let event = Event::MinibatchPiece {
                stream,
                piece,
                start,
                end,
            };
            self.events.keep(event);
            let going_on = self
                .schedule
                .streams()
                .get(index)
                .is_some_and(|it| it.next_piece().is_some());
            if going_on && outcome.is_ok() {
                return;
            }
            if going_on {
                self.schedule.give_up(index);
                note(&mut self.decisions, Entry::GivenUp { stream, at: end });
            }
        }
        let start = side.minibatch.start;
        if let Some(event) = side.versioned(stream, version, start) {
            self.events.keep(event);
        }
        self.events.keep(Event::Minibatch {
            stream,
            count: count as u8,
            start,
            end,
        });
        if outcome.is_err() {
            side.statistics.failed.add(count as u64);
            self.events.keep(Event::Failed {
                index: stream,
                training: false,
                at: end,
            });
        }
        let asked = side.minibatch.requests.iter().zip(&side.minibatch.answers);
        for (request, answer) in asked.take(count) {
            let latency = end - request.release;
            let (kept, bounded) = side.statistics.answered(latency, deadline, side.bound);
            if !kept {
                let late = latency - deadline;
                self.events.keep(Event::Missed {
                    stream,
                    late,
                    at: end,
                });
            }
            if !bounded {
                self.events.keep(Event::BoundBroken {
                    stream,
                    latency,
                    at: end,
                });
            }
            let completion = Completion {
                request: *request,
                answer: outcome.map(|()| *answer),
                start,
                end,
                model_version: version,
            };
            if side.completions.push(completion).is_err() {
                side.statistics.untaken.add(1);
            }
        }
    }

    fn run_piece(&mut self, index: usize, piece: u16) {
        let announced = self
            .schedule
            .jobs()
            .get(index)
            .map_or(Nanos::ZERO, |job| job.next_length());
        let Some(side) = self.jobs.get_mut(index) else {
            return;
        };
        let job = index as u8;
        let start = Monotonic.now();
        self.watch.begin(Running {
            job,
            piece,
            start,
            length: announced + self.late,
        });
        // A request that came since the decision saw no piece to abort. By the order of all that stands in `Watch`, it is
        // seen here.
        if self.watch.may_abort(job) && self.streams.iter().any(|side| !side.submissions.is_empty()) {
            self.watch.end();
            return;
        }
        let ran = catch_unwind(AssertUnwindSafe(|| {
            let outcome = side.work.run_piece(piece);
            let stepped = matches!(outcome, Ok(Progress::Stepped { .. }));
            (outcome, stepped.then(|| side.work.verdict()).flatten())
        }));
        let (outcome, verdict) = ran.unwrap_or((Err(WorkloadError::Panicked), None));
        let end = Monotonic.now();
        self.watch.end();
        let statistics = &side.statistics;
        match verdict {
            Some(Verdict::Published { .. }) => statistics.swaps.add(1),
            Some(Verdict::Rejected { version, by }) => {
                statistics.rejected.add(1);
                let at = end;
                self.events.keep(Event::Rejected { job, version, by, at });
            }
            None => {}
        }
        let ended = match outcome {
            Ok(Progress::Ran) => Ended::Ran,
            Ok(Progress::Stepped { loss }) => {
                statistics.stepped(loss);
                self.events.keep(Event::Step { job, loss, at: end });
                Ended::Stepped
            }
            Ok(Progress::Dry) => {
                statistics.dry.add(1);
                Ended::Dry
            }
            Err(WorkloadError::Aborted) => {
                statistics.aborted.add(1);
                statistics.wasted.add((end - start).0);
                Ended::Aborted
            }
            Err(_) => {
                statistics.failures.add(1);
                self.events.keep(Event::Failed {
                    index: job,
                    training: true,
                    at: end,
                });
                Ended::Failed
            }
        };
        if !matches!(ended, Ended::Dry | Ended::Aborted) {
            let took = end - start;
            statistics.pieces.add(1);
            statistics.piece.record(took);
            statistics.busy.add(took.0);
            statistics.overruns.add(u64::from(took > announced + self.late));
            self.events.keep(Event::Piece {
                job,
                piece,
                start,
                end,
            });
        }
        self.schedule.end_piece(index, ended, start, end);
        note(
            &mut self.decisions,
            Entry::Ended {
                job,
                ended,
                start,
                end,
            },
        );
        if ended != Ended::Dry {
            self.enforce(index, end);
        }
    }

    /// Has a job that overruns cut finer, and tells if it is parked now.
    fn enforce(&mut self, index: usize, now: Nanos) {
        let (Some(side), Some(job)) = (self.jobs.get_mut(index), self.schedule.jobs().get(index)) else {
            return;
        };
        if job.parked() {
            side.statistics.parked.add(1);
            let event = Event::Parked {
                job: index as u8,
                at: now,
            };
            self.events.keep(event);
        } else if job.wants_finer() {
            let cut = catch_unwind(AssertUnwindSafe(|| side.work.cut_finer())).unwrap_or(None);
            let taken = cut.is_some_and(|pieces| self.schedule.recut(index, pieces));
            side.statistics.recuts.add(u64::from(taken));
            // Not among the entries of the log: a run whose steps were cut anew cannot be replayed, and says so.
            if let Some(log) = self.decisions.as_ref().filter(|_| taken) {
                log.lose();
            }
        }
    }
}

/// Keeps an entry of the log of decisions where one is asked for.
fn note(log: &mut Option<Ring<Entry>>, entry: Entry) {
    if let Some(log) = log {
        log.keep(entry);
    }
}
