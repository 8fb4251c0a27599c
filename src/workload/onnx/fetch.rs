//! Fetching: where the minibatches of a training job come from, with labels of either kind.

use super::OnnxError;
use super::session::Port;
use super::tensor::{Element, Tensor};

/// Fetches a minibatch into `x` and the classes `y`; false while there is no data.
pub type Fetch = Box<dyn FnMut(&mut [f32], &mut [i64]) -> bool + Send>;

/// Fetches a minibatch into `x` and the values `y`, for a loss that compares numbers; false while there is no
/// data.
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

    /// Fetches one; false while there is no data.
    pub(super) fn fetch(&mut self, x: &Tensor, y: &Tensor) -> bool {
        match self {
            Minibatches::Classes(fetch) => fetch(x.f32_mut(), y.i64_mut()),
            Minibatches::Values(fetch) => fetch(x.f32_mut(), y.f32_mut()),
        }
    }

    /// Labels of zero, which are in range for any number of classes.
    pub(super) fn clear(&self, y: &Tensor) {
        match self {
            Minibatches::Classes(_) => y.i64_mut().fill(0),
            Minibatches::Values(_) => y.f32_mut().fill(0.0),
        }
    }
}
