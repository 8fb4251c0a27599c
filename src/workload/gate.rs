//! The gate: new weights serve only if they are not worse than those in service, on samples that were never
//! trained on.
//!
//! [`Gated`] makes any training job's weights pass it. After each `every`-th step its further pieces copy the
//! weights into the spare set of a [swap](super::swap), judge that set, judge the one in service on the same
//! samples, and publish or reject. Each is a piece of the job as any other, so inference stays on time
//! meanwhile.

use super::checkpoint::{Checkpoint, CheckpointError, Identity, Shape, State};
use super::score::WORST;
pub use super::score::{Metric, Score};
use super::swap::Publisher;
use super::{Abort, Pieces, Progress, Training, WorkloadError};
use crate::units::{Nanos, Permille};
use std::sync::Arc;

/// Code of [`WorkloadError::Failed`] for a piece of the gate that is not the next one.
const OUT_OF_ORDER: i32 = -3;

/// When weights are offered, and what lets them pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gate {
    /// Steps between two sets that are offered; 0 counts as 1.
    pub every: u32,
    /// By what they are compared.
    pub metric: Metric,
    /// How much worse than the weights in service they may be. What one set was let pass with, the next ones
    /// have less: else many small steps down would pass where one large does not.
    pub margin: Permille,
}

impl Default for Gate {
    /// Every 4th step; a loss up to 5 % above the one in service, which is noise of a few dozen samples,
    /// passes.
    fn default() -> Gate {
        Gate {
            every: 4,
            metric: Metric::Loss,
            margin: Permille(50),
        }
    }
}

/// What became of weights that were offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They serve from the next minibatch on.
    Published {
        /// Their version.
        version: u32,
    },
    /// They were worse than the weights in service by more than the margin; those stay.
    Rejected {
        /// The version they would have had.
        version: u32,
        /// By how much, what was let pass before included.
        by: Permille,
    },
}

/// Which part of a round is next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Fill,
    Candidate,
    Serving,
}

/// Weights on their way through the gate.
#[derive(Clone, Copy, Debug)]
struct Round {
    stage: Stage,
    /// The next piece of the stage.
    part: u16,
    /// Pieces run so far.
    done: u16,
    /// Minibatches that the candidate was judged on.
    judged: u16,
    candidate: Score,
    serving: Score,
    /// As the publisher counted at the start.
    changes: u64,
    /// Of the step that offered them.
    loss: f32,
}

/// A training job whose weights pass the gate. Its step has the job's pieces first, then those of the gate,
/// which only every so many steps run.
///
/// Without held-out samples nothing is judged and nothing swapped. Weights that were being judged when a
/// revert came are dropped: they were compared with what serves no more. A job that judges nothing has each
/// set published.
#[derive(Debug)]
pub struct Gated<T> {
    job: T,
    publisher: Publisher,
    gate: Gate,
    steps: u32,
    /// Thousandths by which the sets that were let pass grew worse, one after the other; 0 while they get
    /// better.
    debt: i64,
    /// How often the set in service had changed when `debt` was right.
    debt_at: u64,
    round: Option<Round>,
    verdict: Option<Verdict>,
    /// Of a piece that copies weights and one that judges a minibatch, once announced.
    announced: Option<(Nanos, Nanos)>,
}

impl<T: Training> Gated<T> {
    /// Has the weights of `job` go to `publisher` through `gate`.
    pub fn new(job: T, publisher: Publisher, gate: Gate) -> Gated<T> {
        Gated {
            job,
            publisher,
            gate,
            steps: 0,
            debt: 0,
            debt_at: 0,
            round: None,
            verdict: None,
            announced: None,
        }
    }

    /// The job itself.
    pub fn job(&self) -> &T {
        &self.job
    }

    /// The lengths of all pieces, of the job's own ones and of a piece each that copies weights and that
    /// judges a minibatch; the latter two count for a finer cut as well. `None` where they are more than
    /// [`crate::limits::PIECES`].
    pub fn lengths(&mut self, own: &[Nanos], fill: Nanos, eval: Nanos) -> Option<Pieces> {
        let mut all = Pieces::from_slice(own).ok()?;
        let evals = 2 * usize::from(self.job.eval_pieces());
        all.resize(all.len() + usize::from(self.job.fill_pieces()), fill)
            .ok()?;
        all.resize(all.len() + evals, eval).ok()?;
        self.announced = Some((fill, eval));
        Some(all)
    }

    /// Starts a round if this step is one that offers its weights, and a set is spare.
    fn offer(&mut self, loss: f32) -> bool {
        self.steps = self.steps.wrapping_add(1);
        let due = self.steps.is_multiple_of(self.gate.every.max(1)) && self.job.fill_pieces() > 0;
        if !due || self.publisher.spare().is_none() {
            return false;
        }
        self.round = Some(Round {
            stage: Stage::Fill,
            part: 0,
            done: 0,
            judged: 0,
            candidate: Score::default(),
            serving: Score::default(),
            changes: self.publisher.changes(),
            loss,
        });
        true
    }

    /// Runs the next piece of `round`; whether it was the last.
    fn advance(&mut self, round: &mut Round) -> Result<bool, WorkloadError> {
        let part = round.part;
        let evals = self.job.eval_pieces();
        round.part += 1;
        match round.stage {
            Stage::Fill => {
                let spare = self.publisher.spare().ok_or(WorkloadError::NotOffered)?;
                self.job.fill(part, &spare)?;
                if round.part < self.job.fill_pieces() {
                    return Ok(false);
                }
                (round.stage, round.part) = (Stage::Candidate, 0);
                Ok(evals == 0)
            }
            Stage::Candidate => {
                let spare = self.publisher.spare().ok_or(WorkloadError::NotOffered)?;
                let score = self.job.eval(part, &spare)?;
                round.candidate.add(score);
                round.judged += u16::from(score.samples > 0);
                if score.samples > 0 && round.part < evals {
                    return Ok(false);
                }
                (round.stage, round.part) = (Stage::Serving, 0);
                Ok(round.judged == 0)
            }
            Stage::Serving => {
                let score = self.job.eval(part, &self.publisher.serving())?;
                round.serving.add(score);
                Ok(round.part >= round.judged)
            }
        }
    }

    /// Publishes or rejects.
    fn judge(&mut self, round: &Round) {
        let mut worse = 0;
        if self.job.eval_pieces() > 0 {
            if round.judged == 0 || self.publisher.changes() != round.changes {
                return;
            }
            if self.debt_at != round.changes {
                // Somebody reverted, so what serves is not what the debt was of.
                self.debt = 0;
            }
            worse = self.debt + self.gate.metric.worse_by(round.candidate, round.serving);
            if worse > i64::from(self.gate.margin.0) || !round.candidate.loss.is_finite() {
                let version = self.publisher.reject();
                let by = Permille(worse.clamp(0, WORST) as u32);
                self.verdict = Some(Verdict::Rejected { version, by });
                return;
            }
        }
        if let Some(version) = self.publisher.publish(round.changes) {
            (self.debt, self.debt_at) = (worse.max(0), round.changes + 1);
            self.verdict = Some(Verdict::Published { version });
        }
    }
}

impl<T: Training> Training for Gated<T> {
    fn pieces(&self) -> u16 {
        let evals = self.job.eval_pieces().saturating_mul(2);
        self.job
            .pieces()
            .saturating_add(self.job.fill_pieces())
            .saturating_add(evals)
    }

    fn run_piece(&mut self, piece: u16) -> Result<Progress, WorkloadError> {
        let own = self.job.pieces();
        let round = self.round.take();
        let Some(index) = piece.checked_sub(own) else {
            let progress = self.job.run_piece(piece)?;
            return Ok(match progress {
                Progress::Stepped { loss } if piece + 1 == own && self.offer(loss) => Progress::Ran,
                other => other,
            });
        };
        let Some(mut round) = round.filter(|round| round.done == index) else {
            return Err(WorkloadError::Failed(OUT_OF_ORDER));
        };
        let before = round;
        match self.advance(&mut round) {
            Ok(true) => {
                self.judge(&round);
                Ok(Progress::Stepped { loss: round.loss })
            }
            Ok(false) => {
                round.done += 1;
                self.round = Some(round);
                Ok(Progress::Ran)
            }
            Err(error) => {
                // What was given up for a request is run again; any other error ends the round, and the step
                // starts anew.
                self.round = (error == WorkloadError::Aborted).then_some(before);
                Err(error)
            }
        }
    }

    fn memory_bytes(&self) -> u64 {
        self.job.memory_bytes()
    }

    fn aborter(&self) -> Option<Arc<dyn Abort>> {
        self.job.aborter()
    }

    /// As finely as the job can cut its own pieces; those of the gate keep their lengths. A round that had
    /// begun is dropped, as the step is. `None` while those lengths are not known.
    fn cut_finer(&mut self) -> Option<Pieces> {
        let (fill, eval) = self.announced?;
        let own = self.job.cut_finer()?;
        self.round = None;
        // Where the gate's pieces have no room any more, none of their lengths is announced.
        Some(self.lengths(&own, fill, eval).unwrap_or(own))
    }

    fn verdict(&mut self) -> Option<Verdict> {
        self.verdict.take()
    }

    fn save(&mut self, part: u16, into: &mut [u8]) -> Result<usize, WorkloadError> {
        self.job.save(part, into)
    }

    fn load(&mut self, part: u16, from: &[u8]) -> Result<(), WorkloadError> {
        self.job.load(part, from)
    }
}

/// What is kept is the job's own state; a round in the gate is not, and begins anew.
impl<T: Training + State> State for Gated<T> {
    fn identity(&self) -> Identity {
        self.job.identity()
    }

    fn keepable(&self) -> Result<(), CheckpointError> {
        self.job.keepable()
    }

    fn shapes(&self) -> Vec<Shape> {
        self.job.shapes()
    }

    fn whole(&self) -> bool {
        self.job.whole()
    }

    fn copy(&self, tensor: usize, from: usize, into: &mut [u8]) -> Result<(), WorkloadError> {
        self.job.copy(tensor, from, into)
    }

    fn counters(&self) -> Vec<String> {
        self.job.counters()
    }

    fn count(&self, counter: usize) -> u64 {
        self.job.count(counter)
    }

    fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), CheckpointError> {
        self.job.restore(checkpoint)
    }
}

#[cfg(test)]
mod tests;
