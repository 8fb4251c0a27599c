//! Steps of a job whose weights pass the gate, one after the other.

use super::*;
use crate::workload::swap::{self, Set};

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
    let (mut gated, ..) = gated(1, 1);
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
