//! A [`Score`] says what a set of weights is worth, and a [`Metric`] which of two is worse, by how much.

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
    pub(super) fn add(&mut self, other: Score) {
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
    /// By how many thousandths `candidate` is worse than `serving`, rounded up; below zero if it is better. A
    /// loss that is no number is as bad as can be.
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
pub(super) const WORST: i64 = u32::MAX as i64;

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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_loss_is_compared_in_thousandths_of_the_one_in_service_and_none_is_the_worst() {
        let score = |loss| Score {
            loss,
            right: 0,
            samples: 2,
        };
        let worse_by = |new, old| Metric::Loss.worse_by(score(new), score(old));
        assert_eq!((worse_by(5.0, 4.0), worse_by(3.0, 4.0)), (250, -250));
        assert_eq!(worse_by(4.001, 4.0), 1, "rounded up");
        assert_eq!((worse_by(1.0, 0.0), worse_by(0.0, 0.0)), (WORST, 0));
        assert_eq!(
            (worse_by(f64::NAN, 4.0), worse_by(f64::INFINITY, f64::NAN)),
            (WORST, WORST)
        );
        assert_eq!(worse_by(4.0, f64::NAN), -1_000);
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: if cfg!(miri) { 16 } else { 256 },
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

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
