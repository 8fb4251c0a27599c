//! Operators that make a tensor of nothing, or of a shape.

use super::super::call::Call;
use super::super::graph::{Graph, Made};
use super::super::read::content;
use super::super::value::{Data, Kind, Value, checked};

/// Constant.
pub(super) fn constant(graph: &mut Graph, call: &Call) -> Made<Vec<Value>> {
    let (kind, dims, data) = if let Some(tensor) = call.attribute("value").and_then(|it| it.t.as_ref()) {
        content(tensor, None)?
    } else if let Some(value) = call.attribute("value_float").and_then(|it| it.f) {
        (Kind::F32, Vec::new(), Data::Floats(vec![value]))
    } else if let Some(value) = call.attribute("value_int").and_then(|it| it.i) {
        (Kind::I64, Vec::new(), Data::Ints(vec![value]))
    } else if let Some(values) = call.attribute("value_floats").map(|it| it.floats.clone()) {
        (Kind::F32, vec![values.len() as i64], Data::Floats(values))
    } else if let Some(values) = call.ints("value_ints") {
        (Kind::I64, vec![values.len() as i64], Data::Ints(values))
    } else {
        return Err("its value is of a kind that is not covered".into());
    };
    Ok(vec![graph.constant(kind, dims, data)?])
}

/// The most values that are written out.
const MOST: i64 = 1 << 16;

/// ConstantOfShape: one number, repeated.
pub(super) fn constant_of_shape(graph: &mut Graph, call: &Call) -> Made<Vec<Value>> {
    let dims = call.input(0)?.ints("the shape")?;
    if dims.iter().any(|dim| *dim < 0) {
        return Err(format!("a shape of {dims:?} is impossible").into());
    }
    let (kind, data) = match call.attribute("value").and_then(|it| it.t.as_ref()) {
        Some(tensor) => {
            let (kind, _, data) = content(tensor, None)?;
            (kind, data)
        }
        None => (Kind::F32, Data::Floats(vec![0.0])),
    };
    if data.len() != 1 {
        return Err("its value should be one number".into());
    }
    let count = checked(dims.clone())?.iter().product::<i64>();
    if let (0..=MOST, Ok(count)) = (count, usize::try_from(count)) {
        let data = match data {
            Data::Floats(values) => Data::Floats(values.repeat(count)),
            Data::Ints(values) => Data::Ints(values.repeat(count)),
        };
        return Ok(vec![graph.constant(kind, dims, data)?]);
    }
    let one = graph.constant(kind, Vec::new(), data)?;
    Ok(vec![graph.expand(&one, dims)?])
}

/// Shape and Size: sizes are fixed, so they are constants.
pub(super) fn shape(graph: &mut Graph, call: &Call) -> Made<Vec<Value>> {
    let x = call.input(0)?;
    if call.op == "Size" {
        return Ok(vec![graph.constant(
            Kind::I64,
            Vec::new(),
            Data::Ints(vec![x.elements()]),
        )?]);
    }
    let rank = x.rank() as i64;
    let place = |at: i64| (if at < 0 { at.saturating_add(rank) } else { at }).clamp(0, rank) as usize;
    let (start, end) = (place(call.int("start", 0)), place(call.int("end", rank)));
    let dims = x.dims.get(start..end.max(start)).unwrap_or_default().to_vec();
    Ok(vec![graph.list(&dims)?])
}
