//! A [`Value`] is a tensor of the graph being built: its name, element type, shape and, where known, its
//! content.

use std::rc::Rc;

/// Element type; the numbers are those of TensorProto.DataType.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    F32 = 1,
    I32 = 6,
    I64 = 7,
    Bool = 9,
}

impl Kind {
    pub(super) fn of(data_type: i32) -> Option<Kind> {
        [Kind::F32, Kind::I32, Kind::I64, Kind::Bool]
            .into_iter()
            .find(|kind| *kind as i32 == data_type)
    }
}

/// Content that is known while the graph is built.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Data {
    Floats(Vec<f32>),
    /// Of int64, int32 and bool.
    Ints(Vec<i64>),
}

impl Data {
    pub(super) fn len(&self) -> usize {
        match self {
            Data::Floats(values) => values.len(),
            Data::Ints(values) => values.len(),
        }
    }

    pub(super) fn to_ints(&self) -> Vec<i64> {
        match self {
            Data::Floats(values) => values.iter().map(|value| *value as i64).collect(),
            Data::Ints(values) => values.clone(),
        }
    }

    pub(super) fn to_floats(&self) -> Vec<f32> {
        match self {
            Data::Floats(values) => values.clone(),
            Data::Ints(values) => values.iter().map(|value| *value as f32).collect(),
        }
    }

    /// Little-endian, as raw_data holds it.
    pub(super) fn bytes(&self, kind: Kind) -> Vec<u8> {
        match (self, kind) {
            (Data::Floats(values), _) => values.iter().flat_map(|it| it.to_le_bytes()).collect(),
            (Data::Ints(values), Kind::I32) => {
                values.iter().flat_map(|it| (*it as i32).to_le_bytes()).collect()
            }
            (Data::Ints(values), Kind::Bool) => values.iter().map(|it| u8::from(*it != 0)).collect(),
            (Data::Ints(values), _) => values.iter().flat_map(|it| it.to_le_bytes()).collect(),
        }
    }
}

/// A tensor of the graph.
#[derive(Clone, Debug)]
pub(super) struct Value {
    pub(super) name: Rc<str>,
    pub(super) kind: Kind,
    /// Sizes, each at least 0; their product is below 2^31.
    pub(super) dims: Rc<[i64]>,
    pub(super) known: Option<Rc<Data>>,
    /// Whether it depends on a weight that may be trained.
    pub(super) requires: bool,
}

impl Value {
    pub(super) fn rank(&self) -> usize {
        self.dims.len()
    }

    /// The size along `axis`; 1 where there is no such axis.
    pub(super) fn dim(&self, axis: usize) -> i64 {
        self.dims.get(axis).copied().unwrap_or(1)
    }

    pub(super) fn elements(&self) -> i64 {
        self.dims.iter().product()
    }

    /// `axis` counted from the front.
    pub(super) fn axis(&self, axis: i64) -> Result<usize, String> {
        axis_of(axis, self.rank())
    }

    /// The content as integers, for an input that must be a constant.
    pub(super) fn ints(&self, what: &str) -> Result<Vec<i64>, String> {
        let known = self.known.as_ref().ok_or_else(|| not_constant(what))?;
        Ok(known.to_ints())
    }

    /// The content as floats, for an input that must be a constant.
    pub(super) fn floats(&self, what: &str) -> Result<Vec<f32>, String> {
        let known = self.known.as_ref().ok_or_else(|| not_constant(what))?;
        Ok(known.to_floats())
    }

    /// The one number it holds, for an input that must be a constant.
    pub(super) fn scalar(&self, what: &str) -> Result<f32, String> {
        match self.floats(what)?.as_slice() {
            [value] => Ok(*value),
            other => Err(format!(
                "{what} should be one number, but is {} numbers",
                other.len()
            )),
        }
    }
}

fn not_constant(what: &str) -> String {
    format!("{what} is computed from the data; it has to be a constant")
}

/// `axis` of `rank` axes, counted from the front.
pub(super) fn axis_of(axis: i64, rank: usize) -> Result<usize, String> {
    let counted = if axis < 0 {
        axis.saturating_add(rank as i64)
    } else {
        axis
    };
    usize::try_from(counted)
        .ok()
        .filter(|counted| *counted < rank.max(1))
        .ok_or_else(|| format!("there is no axis {axis} in {rank} axes"))
}

/// The most values of one tensor.
const LARGEST: i64 = i32::MAX as i64;

/// Checks sizes, so that later arithmetic on them cannot overflow.
pub(super) fn checked(dims: Vec<i64>) -> Result<Rc<[i64]>, String> {
    let product = dims.iter().try_fold(1_i64, |product, dim| {
        (0..=LARGEST).contains(dim).then_some(())?;
        product
            .checked_mul((*dim).max(1))
            .filter(|product| *product <= LARGEST)
    });
    if product.is_none() || dims.len() > 16 {
        return Err(format!("a tensor of {dims:?} is impossible or too large"));
    }
    Ok(dims.into())
}

/// The shape of two operands together, by ONNX's rule (numpy's).
pub(super) fn broadcast(left: &[i64], right: &[i64]) -> Result<Vec<i64>, String> {
    let rank = left.len().max(right.len());
    let at = |dims: &[i64], axis: usize| {
        let missing = rank - dims.len();
        axis.checked_sub(missing)
            .and_then(|axis| dims.get(axis))
            .copied()
            .unwrap_or(1)
    };
    (0..rank)
        .map(|axis| match (at(left, axis), at(right, axis)) {
            (left, right) if left == right => Ok(left),
            (1, right) => Ok(right),
            (left, 1) => Ok(left),
            _ => Err(format!("the shapes {left:?} and {right:?} do not go together")),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{broadcast, checked};
    use proptest::prelude::*;

    #[test]
    fn sizes_that_would_overflow_are_refused() {
        assert!(checked(vec![1 << 16, 1 << 14]).is_ok());
        for dims in [
            vec![1 << 16, 1 << 16],
            vec![-1],
            vec![i64::MAX, 0],
            vec![1; 17],
            vec![0, 1 << 31],
        ] {
            assert!(checked(dims.clone()).is_err(), "{dims:?}");
        }
    }

    proptest! {
        #[test]
        fn a_broadcast_does_not_depend_on_the_order(
            left in prop::collection::vec(1_i64..4, 0..4),
            right in prop::collection::vec(1_i64..4, 0..4),
        ) {
            prop_assert_eq!(broadcast(&left, &right).ok(), broadcast(&right, &left).ok());
            if let Ok(both) = broadcast(&left, &right) {
                prop_assert_eq!(broadcast(&both, &left), Ok(both.clone()));
                prop_assert_eq!(both.len(), left.len().max(right.len()));
            }
        }
    }
}
