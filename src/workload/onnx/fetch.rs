//! Fetching: where the minibatches of a training job come from, with labels of either kind.

use super::OnnxError;
use super::session::Port;
use super::tensor::{Element, Tensor};
use std::ops::Range;

/// Fetches a minibatch, or a part of one, into `x` and the classes `y`: as many samples as they have places for. False while
/// there is no data; nothing is then written.
pub type Fetch = Box<dyn FnMut(&mut [f32], &mut [i64]) -> bool + Send>;

/// The same with values in `y`, for a loss that compares numbers.
pub type FetchValues = Box<dyn FnMut(&mut [f32], &mut [f32]) -> bool + Send>;

/// Where minibatches come from. Which of the two a graph needs is the element type of its input `y`.
pub enum Minibatches {
    /// Labels are classes, int64.
    Classes(Fetch),
    /// Labels are values, float32.
    Values(FetchValues),
}

impl From<Fetch> for Minibatches {
    fn from(fetch: Fetch) -> Minibatches {
        Minibatches::Classes(fetch)
    }
}

impl From<FetchValues> for Minibatches {
    fn from(fetch: FetchValues) -> Minibatches {
        Minibatches::Values(fetch)
    }
}

impl Minibatches {
    /// Checks that `y` of `model` takes what is fetched.
    pub(super) fn expect(&self, model: &str, y: &Port) -> Result<(), OnnxError> {
        let wanted = match self {
            Minibatches::Classes(_) => Element::I64,
            Minibatches::Values(_) => Element::F32,
        };
        if y.element == wanted {
            return Ok(());
        }
        Err(OnnxError::WrongTensor {
            model: model.to_string(),
            name: y.name.clone(),
            expected: format!("{wanted}, as the minibatches that are fetched"),
            found: y.describe(),
        })
    }

    /// Fetches as many samples as there are places; false while there is no data.
    pub(super) fn fetch_whole(&mut self, x: &Tensor, y: &Tensor) -> bool {
        self.fetch(x, 0..x.values(), y, 0..y.values())
    }

    /// Fetches samples into places `at` of `x` and `labels_at` of `y`; false while there is no data.
    pub(super) fn fetch(
        &mut self,
        x: &Tensor,
        at: Range<usize>,
        y: &Tensor,
        labels_at: Range<usize>,
    ) -> bool {
        let Some(x) = x.f32_mut().get_mut(at) else {
            return false;
        };
        match self {
            Minibatches::Classes(fetch) => y.i64_mut().get_mut(labels_at).is_some_and(|y| fetch(x, y)),
            Minibatches::Values(fetch) => y.f32_mut().get_mut(labels_at).is_some_and(|y| fetch(x, y)),
        }
    }
}
