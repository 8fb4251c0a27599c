//! An [`Estimate`] is a predicted time or power, with its spread.

/// A predicted value, with how far the truth may lie from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate<T> {
    /// The value; of repeated measurements the highest, because bounds are made of it.
    pub value: T,
    /// How far below or, for a model, above the value the truth may lie, in thousandths of the value.
    pub spread: u32,
}

impl<T> Estimate<T> {
    /// A single measured value: it has no spread that could be known.
    pub const fn exact(value: T) -> Estimate<T> {
        Estimate { value, spread: 0 }
    }
}
