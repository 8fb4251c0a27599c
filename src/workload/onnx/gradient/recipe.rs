//! A [`Recipe`] says how a model is to be trained.

use super::error::GradientError;
use std::fmt;
use std::str::FromStr;

/// What is made small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Mean cross entropy of the softmax of logits `[B, classes, ...]`; labels are int64 `[B, ...]`.
    CrossEntropy,
    /// Mean squared difference; labels are float32 of the output's shape.
    Mse,
    /// Mean absolute difference; labels are float32 of the output's shape.
    L1,
    /// Mean binary cross entropy of the sigmoid of logits; labels are float32 of the output's shape, from 0
    /// to 1.
    Bce,
}

/// How weights follow their gradients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Optimizer {
    /// w - lr g.
    Sgd,
    /// Sgd of a running sum of gradients, 0.9 of which is kept each step (as PyTorch: m = 0.9 m + g).
    Momentum,
    /// Kingma and Ba's Adam with bias correction; 0.9, 0.999, 1e-8.
    Adam,
    /// Loshchilov and Hutter's Adam with decoupled weight decay.
    AdamW,
}

/// What becomes of batch normalisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchNorm {
    /// Normalises by the running statistics of the file, which do not change.
    Frozen,
    /// Normalises by the statistics of each micro-batch; the running ones follow and are part of the state.
    Batch,
    /// Is replaced by group normalisation, which does not depend on the batch; scale and bias are kept.
    Group,
}

macro_rules! words {
    ($kind:ty, $what:literal, $($variant:path => $word:literal),+) => {
        impl FromStr for $kind {
            type Err = GradientError;

            fn from_str(text: &str) -> Result<Self, GradientError> {
                match text {
                    $($word => Ok($variant),)+
                    other => Err(GradientError::Setting(format!(
                        concat!("`{}` is no ", $what, "; there are ", words!(@list $($word),+)), other
                    ))),
                }
            }
        }

        impl fmt::Display for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $($variant => $word),+ })
            }
        }
    };
    (@list $first:literal $(, $rest:literal)*) => { concat!($first $(, ", ", $rest)*) };
}

words!(Loss, "loss", Loss::CrossEntropy => "cross-entropy", Loss::Mse => "mse", Loss::L1 => "l1", Loss::Bce => "bce");
words!(
    Optimizer, "optimizer",
    Optimizer::Sgd => "sgd", Optimizer::Momentum => "momentum", Optimizer::Adam => "adam", Optimizer::AdamW => "adamw"
);
words!(
    BatchNorm, "way to treat batch normalisation",
    BatchNorm::Frozen => "frozen", BatchNorm::Batch => "batch", BatchNorm::Group => "group"
);

/// How a model is to be trained.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// What is made small.
    pub loss: Loss,
    /// How weights follow their gradients.
    pub optimizer: Optimizer,
    /// Samples of one step, or of one part of an accumulated one; 1 to 65,536.
    pub micro_batch: u32,
    /// The output the loss is taken of; needed where the model has several.
    pub output: Option<String>,
    /// Weights that may be trained: names, beginnings of names up to a dot, or of nodes. All if empty.
    pub train_only: Vec<String>,
    /// Weights that stay as they are, named likewise.
    pub freeze: Vec<String>,
    /// The largest norm of all gradients together; larger ones are scaled down to it. Above 0.
    pub clip: Option<f32>,
    /// Share of each weight that a step of AdamW takes away, times the learning rate; at least 0.
    pub weight_decay: f32,
    /// What becomes of batch normalisation.
    pub batch_norm: BatchNorm,
}

impl Recipe {
    /// The plainest: sgd, everything trained, batch normalisation frozen.
    pub fn new(loss: Loss, micro_batch: u32) -> Recipe {
        Recipe {
            loss,
            optimizer: Optimizer::Sgd,
            micro_batch,
            output: None,
            train_only: Vec::new(),
            freeze: Vec::new(),
            clip: None,
            weight_decay: 0.01,
            batch_norm: BatchNorm::Frozen,
        }
    }

    pub(super) fn check(&self) -> Result<(), GradientError> {
        let refused = |reason: String| Err(GradientError::Setting(reason));
        if !(1..=65_536).contains(&self.micro_batch) {
            return refused(format!(
                "a micro-batch of {} is outside 1 to 65536",
                self.micro_batch
            ));
        }
        if let Some(clip) = self.clip.filter(|clip| !(clip.is_finite() && *clip > 0.0)) {
            return refused(format!(
                "gradients cannot be clipped to a norm of {clip}; give a number above 0"
            ));
        }
        if !(self.weight_decay.is_finite() && self.weight_decay >= 0.0) {
            return refused(format!(
                "a weight decay of {} is not at least 0",
                self.weight_decay
            ));
        }
        Ok(())
    }
}
