//! The gate: new weights serve only if they are not worse than those in service, on samples that were never trained on.
//!
//! [`Gated`] makes any training job's weights pass it. After each `every`-th step its further pieces copy the weights into
//! the spare set of a [swap](super::swap), judge that set, judge the one in service on the same samples, and publish or
//! reject. Each is a piece of the job as any other, so inference stays on time meanwhile.

use super::swap::Publisher;
use super::{Abort, Pieces, Progress, Training, WorkloadError};
use crate::units::{Nanos, Permille};
use std::sync::Arc;

/// Code of [`WorkloadError::Failed`] for a piece of the gate that is not the next one.
const OUT_OF_ORDER: i32 = -3;

/// What a set of weights is worth on some samples.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Score {
    /// Sum of the samples' losses; 0 where only answers are judged.
    pub loss: f64,
    /// Samples that were answered rightly.
    pub right: u32,
    /// Samples judged.
    pub samples: u32,
}

impl Score {
    /// Of no samples there is nothing to add, whatever the loss says.
    fn add(&mut self, other: Score) {
        if other.samples == 0 {
            return;
        }
        self.loss += other.loss;
        self.right = self.right.saturating_add(other.right);
        self.samples = self.samples.saturating_add(other.samples);
    }

    fn mean_loss(self) -> f64 {
        self.loss / f64::from(self.samples)
    }
}

/// By what weights are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Metric {
    /// The mean loss: worse by so many thousandths of the loss in service.
    #[default]
    Loss,
    /// The share of right answers: worse by so many thousandths of all samples.
    Accuracy,
    /// Both: the worse of the two counts.
    Both,
}

impl Metric {
    /// By how many thousandths `candidate` is worse than `serving`, rounded up; below zero if it is better. A loss that is no
    /// number is as bad as can be.
    pub fn worse_by(self, candidate: Score, serving: Score) -> i64 {
        let (loss, right) = (
            loss_worse_by(candidate, serving),
            right_worse_by(candidate, serving),
        );
        match self {
            Metric::Loss => loss,
            Metric::Accuracy => right,
            Metric::Both => loss.max(right),
        }
    }
}

/// What is worse than this is not told apart.
const WORST: i64 = u32::MAX as i64;

fn loss_worse_by(candidate: Score, serving: Score) -> i64 {
    let (new, old) = (candidate.mean_loss(), serving.mean_loss());
    if !new.is_finite() {
        return WORST;
    }
    if !old.is_finite() {
        return -1_000;
    }
    if new == old {
        return 0;
    }
    // An old loss of 0 makes the quotient infinite, and the conversion saturates.
    (((new - old) / old.abs() * 1_000.0).ceil() as i64).clamp(-WORST, WORST)
}

fn right_worse_by(candidate: Score, serving: Score) -> i64 {
    let (new, old) = (i128::from(candidate.samples), i128::from(serving.samples));
    let lost = i128::from(serving.right) * new - i128::from(candidate.right) * old;
    let all = (new * old).max(1);
    // At most all samples are lost, 1000 thousandths. Rounds up: a division rounds towards zero.
    ((lost * 1_000) / all + i128::from((lost * 1_000) % all > 0)) as i64
}

/// When weights are offered, and what lets them pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gate {
    /// Steps between two sets that are offered; 0 counts as 1.
    pub every: u32,
    /// By what they are compared.
    pub metric: Metric,
    /// How much worse than the weights in service they may be. What one set was let pass with, the next ones have less: else many
    /// small steps down would pass where one large does not.
    pub margin: Permille,
}

impl Default for Gate {
    /// Every 4th step; a loss up to 5 % above the one in service, which is noise of a few dozen samples, passes.
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

/// A training job whose weights pass the gate. Its step has the job's pieces first, then those of the gate, which only every so
/// many steps run.
///
/// Without held-out samples nothing is judged and nothing swapped. Weights that were being judged when a revert came are
/// dropped: they were compared with what serves no more. A job that judges nothing has each set published.
#[derive(Debug)]
pub struct Gated<T> {
    job: T,
    publisher: Publisher,
    gate: Gate,
    steps: u32,
    /// Thousandths by which the sets that were let pass grew worse, one after the other; 0 while they get better.
    debt: i64,
    /// How often the set in service had changed when `debt` was right.
    debt_at: u64,
    round: Option<Round>,
    verdict: Option<Verdict>,
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
        }
    }

    /// The job itself.
    pub fn job(&self) -> &T {
        &self.job
    }

    /// The lengths of all pieces, of the job's own ones and of a piece each that copies weights and that judges a minibatch.
    /// `None` where they are more than [`crate::limits::PIECES`].
    pub fn lengths(&self, own: &[Nanos], fill: Nanos, eval: Nanos) -> Option<Pieces> {
        let mut all = Pieces::from_slice(own).ok()?;
        let evals = 2 * usize::from(self.job.eval_pieces());
        all.resize(all.len() + usize::from(self.job.fill_pieces()), fill)
            .ok()?;
        all.resize(all.len() + evals, eval).ok()?;
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
                // What was given up for a request is run again; any other error ends the round, and the step starts anew.
                self.round = (error == WorkloadError::Aborted).then_some(before);
                Err(error)
            }
        }
    }

    fn aborter(&self) -> Option<Arc<dyn Abort>> {
        self.job.aborter()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::swap::{self, Set};
    use proptest::prelude::*;

    /// A job of two pieces whose weights are one number, and worth that much loss a sample.
    struct One {
        weights: f64,
        sets: [f64; swap::SETS],
        evals: u16,
        /// Minibatches of four samples that are there.
        held_out: u16,
        fail_eval: Option<WorkloadError>,
    }

    impl Training for One {
        fn pieces(&self) -> u16 {
            2
        }
        fn run_piece(&mut self, piece: u16) -> Result<Progress, WorkloadError> {
            Ok(match piece {
                0 => Progress::Ran,
                _ => Progress::Stepped { loss: 9.0 },
            })
        }
        fn fill_pieces(&self) -> u16 {
            2
        }
        fn fill(&mut self, piece: u16, set: &Set<'_>) -> Result<(), WorkloadError> {
            assert!(set.is_spare());
            if piece == 1 {
                self.sets[set.index()] = self.weights;
            }
            Ok(())
        }
        fn eval_pieces(&self) -> u16 {
            self.evals
        }
        fn eval(&mut self, piece: u16, set: &Set<'_>) -> Result<Score, WorkloadError> {
            if let Some(error) = self.fail_eval.take() {
                return Err(error);
            }
            if piece >= self.held_out {
                return Ok(Score {
                    loss: 99.0,
                    ..Score::default()
                });
            }
            Ok(Score {
                loss: 4.0 * self.sets[set.index()],
                right: 1,
                samples: 4,
            })
        }
    }

    fn gated(evals: u16, held_out: u16) -> (Gated<One>, swap::Serving, swap::Reverter) {
        let (publisher, serving, reverter) = swap::channel();
        let job = One {
            weights: 1.0,
            sets: [1.0; swap::SETS],
            evals,
            held_out,
            fail_eval: None,
        };
        let gate = Gate {
            every: 1,
            ..Gate::default()
        };
        (Gated::new(job, publisher, gate), serving, reverter)
    }

    /// Runs one step as the schedule would; how many pieces it took.
    fn step(gated: &mut Gated<One>) -> u16 {
        for piece in 0..gated.pieces() {
            if gated.run_piece(piece).unwrap() == (Progress::Stepped { loss: 9.0 }) {
                return piece + 1;
            }
        }
        panic!("a step ends with its last piece at the latest");
    }

    #[test]
    fn better_weights_pass_and_worse_ones_are_rejected_by_how_much_they_are_worse() {
        let (mut gated, mut serving, _) = gated(3, 3);
        assert_eq!(gated.pieces(), 2 + 2 + 6);
        for (weights, verdict) in [
            (0.5, Verdict::Published { version: 1 }),
            (
                0.6,
                Verdict::Rejected {
                    version: 2,
                    by: Permille(200),
                },
            ),
            // Within the margin of 50, of which it uses up 32.
            (0.515625, Verdict::Published { version: 3 }),
            (
                0.53125,
                Verdict::Rejected {
                    version: 4,
                    by: Permille(32 + 31),
                },
            ),
            // Better again, so the whole margin is there.
            (0.4, Verdict::Published { version: 5 }),
            (0.41, Verdict::Published { version: 6 }),
            (
                f64::NAN,
                Verdict::Rejected {
                    version: 7,
                    by: Permille(u32::MAX),
                },
            ),
        ] {
            gated.job.weights = weights;
            assert_eq!(step(&mut gated), 10);
            assert_eq!(gated.verdict(), Some(verdict));
            assert_eq!(gated.verdict(), None, "told once");
        }
        let running = serving.begin();
        assert_eq!((running.version, gated.job.sets[running.set]), (6, 0.41));
    }

    #[test]
    fn many_small_steps_down_pass_no_further_than_one_large_step() {
        let (mut gated, mut serving, reverter) = gated(1, 1);
        let worsen = |gated: &mut Gated<One>| {
            for _ in 0..50 {
                gated.job.weights *= 1.004;
                step(gated);
            }
        };
        worsen(&mut gated);
        let set = serving.begin().set;
        assert!(gated.job.sets[set] > 1.0 && gated.job.sets[set] <= 1.05);
        // A revert leaves weights that are not those the debt is of.
        assert!(reverter.revert().is_some());
        gated.job.weights = 1.0;
        assert_eq!(step(&mut gated), 6);
        assert!(matches!(gated.verdict(), Some(Verdict::Published { .. })));
    }

    #[test]
    fn a_loss_that_is_no_number_passes_no_margin() {
        let (mut gated, ..) = gated(1, 1);
        gated.gate.margin = Permille(u32::MAX);
        gated.job.weights = f64::INFINITY;
        step(&mut gated);
        assert!(matches!(gated.verdict(), Some(Verdict::Rejected { .. })));
    }

    #[test]
    fn only_every_so_many_steps_offer_their_weights() {
        let (mut gated, ..) = gated(1, 1);
        gated.gate.every = 3;
        let lengths: Vec<u16> = (0..6).map(|_| step(&mut gated)).collect();
        assert_eq!(lengths, [2, 2, 6, 2, 2, 6]);
    }

    #[test]
    fn without_held_out_samples_nothing_is_swapped_and_nothing_rejected() {
        let (mut gated, mut serving, _) = gated(3, 0);
        gated.job.weights = 0.1;
        assert_eq!(step(&mut gated), 2 + 2 + 1);
        assert_eq!((gated.verdict(), serving.begin().version), (None, 0));
    }

    #[test]
    fn both_sets_are_judged_on_as_many_samples_as_there_are() {
        let (mut gated, ..) = gated(5, 2);
        gated.job.weights = 2.0;
        // Two that are there, one that finds none, and the two again.
        assert_eq!(step(&mut gated), 2 + 2 + 3 + 2);
        let by = Permille(1_000);
        assert_eq!(gated.verdict(), Some(Verdict::Rejected { version: 1, by }));
    }

    #[test]
    fn a_job_that_judges_nothing_has_each_set_published() {
        let (mut gated, mut serving, _) = gated(0, 0);
        gated.job.weights = 7.0;
        assert_eq!(step(&mut gated), 4);
        assert_eq!(serving.begin().version, 1);
    }

    #[test]
    fn weights_that_were_being_judged_when_a_revert_came_are_dropped() {
        let (mut gated, mut serving, reverter) = gated(1, 1);
        gated.job.weights = 0.5;
        step(&mut gated);
        gated.verdict();
        for piece in 0..5 {
            assert_eq!(gated.run_piece(piece), Ok(Progress::Ran));
        }
        assert_eq!(reverter.revert(), Some(0));
        assert_eq!(gated.run_piece(5), Ok(Progress::Stepped { loss: 9.0 }));
        assert_eq!((gated.verdict(), serving.begin().version), (None, 0));
        step(&mut gated);
        assert_eq!(gated.verdict(), Some(Verdict::Published { version: 2 }));
    }

    #[test]
    fn a_piece_given_up_is_run_again_and_any_other_error_ends_the_round() {
        let (mut gated, ..) = gated(1, 1);
        for piece in 0..4 {
            gated.run_piece(piece).unwrap();
        }
        gated.job.fail_eval = Some(WorkloadError::Aborted);
        assert_eq!(gated.run_piece(4), Err(WorkloadError::Aborted));
        assert_eq!(gated.run_piece(4), Ok(Progress::Ran));
        gated.job.fail_eval = Some(WorkloadError::Failed(5));
        assert_eq!(gated.run_piece(5), Err(WorkloadError::Failed(5)));
        assert_eq!(gated.run_piece(5), Err(WorkloadError::Failed(OUT_OF_ORDER)));
        assert_eq!(step(&mut gated), 6);
    }

    #[test]
    fn each_piece_has_its_length() {
        let (gated, ..) = gated(1, 1);
        let (own, fill, eval) = ([Nanos(1), Nanos(2)], Nanos(3), Nanos(4));
        let all: Vec<u64> = gated
            .lengths(&own, fill, eval)
            .unwrap()
            .iter()
            .map(|it| it.0)
            .collect();
        assert_eq!(all, [1, 2, 3, 3, 4, 4]);
        assert_eq!(gated.lengths(&[Nanos(1); 125], fill, eval), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn weights_are_never_worse_than_themselves_and_accuracy_is_lost_in_thousandths(
            loss in 0.0_f64..100.0, old in 0_u32..=200, new in 0_u32..=200, samples in 200_u32..400,
        ) {
            let score = |right| Score { loss, right, samples };
            for metric in [Metric::Loss, Metric::Accuracy, Metric::Both] {
                prop_assert_eq!(metric.worse_by(score(old), score(old)), 0);
            }
            let by = Metric::Accuracy.worse_by(score(new), score(old));
            let lost = (i64::from(old) - i64::from(new)) as f64;
            prop_assert_eq!(by, (lost * 1_000.0 / f64::from(samples)).ceil() as i64);
            prop_assert_eq!(Metric::Both.worse_by(score(new), score(old)), by.max(0));
        }
    }
}
