//! Sums and means over axes.

use super::super::call::Call;
use super::super::graph::{Graph, Made, Setting};
use super::super::value::{Kind, Value};

/// The shape after a reduction over `axes`.
fn reduced(dims: &[i64], axes: &[usize], keep: bool) -> Vec<i64> {
    let sizes = dims.iter().enumerate();
    sizes
        .filter(|(axis, _)| keep || !axes.contains(axis))
        .map(|(axis, size)| if axes.contains(&axis) { 1 } else { *size })
        .collect()
}

impl Graph {
    /// The sum over `axes`; no axes leave `x` as it is.
    pub(crate) fn sum(&mut self, x: &Value, axes: &[usize], keep: bool) -> Made {
        if axes.is_empty() {
            return Ok(x.clone());
        }
        let list = self.list(&axes.iter().map(|axis| *axis as i64).collect::<Vec<_>>())?;
        let settings = [Setting::Int("keepdims", i64::from(keep))];
        let y = self.op(
            "ReduceSum",
            &[x, &list],
            x.kind,
            reduced(&x.dims, axes, keep),
            &settings,
        )?;
        let (x, kept) = (x.clone(), reduced(&x.dims, axes, true));
        Ok(self.record(y, x.requires, move |graph, dy| {
            let wide = graph.reshape(dy, kept)?;
            let part = graph.expand(&wide, x.dims.to_vec())?;
            Ok(vec![(x, part)])
        }))
    }

    pub(crate) fn mean(&mut self, x: &Value, axes: &[usize], keep: bool) -> Made {
        if axes.is_empty() {
            return Ok(x.clone());
        }
        let list: Vec<i64> = axes.iter().map(|axis| *axis as i64).collect();
        let settings = [
            Setting::Int("keepdims", i64::from(keep)),
            Setting::Ints("axes", &list),
        ];
        let y = self.op(
            "ReduceMean",
            &[x],
            x.kind,
            reduced(&x.dims, axes, keep),
            &settings,
        )?;
        let (x, kept) = (x.clone(), reduced(&x.dims, axes, true));
        let count: i64 = axes.iter().map(|axis| x.dim(*axis)).product();
        Ok(self.record(y, x.requires, move |graph, dy| {
            let share = graph.number(1.0 / count.max(1) as f32)?;
            let share = graph.mul(dy, &share)?;
            let wide = graph.reshape(&share, kept)?;
            let part = graph.expand(&wide, x.dims.to_vec())?;
            Ok(vec![(x, part)])
        }))
    }
}

/// ReduceMean, ReduceSum, ReduceSumSquare, ReduceL2.
pub(super) fn reduction(graph: &mut Graph, call: &Call) -> Made<Vec<Value>> {
    let x = call.input(0)?;
    if x.kind != Kind::F32 {
        return Err("only float32 is reduced".into());
    }
    let keep = call.int("keepdims", 1) != 0;
    let axes = match call.axes(1)? {
        Some(axes) if !axes.is_empty() => axes,
        _ if call.int("noop_with_empty_axes", 0) != 0 => Vec::new(),
        _ => (0..x.rank()).collect(),
    };
    let made = match call.op.as_str() {
        "ReduceMean" => graph.mean(x, &axes, keep)?,
        "ReduceSum" => graph.sum(x, &axes, keep)?,
        other => {
            let square = graph.mul(x, x)?;
            let sum = graph.sum(&square, &axes, keep)?;
            if other == "ReduceL2" {
                graph.sqrt(&sum)?
            } else {
                sum
            }
        }
    };
    Ok(vec![made])
}

/// ReduceMax and ReduceMin along one axis or more; equal extremes share the gradient.
pub(super) fn extreme(graph: &mut Graph, call: &Call) -> Made<Vec<Value>> {
    let x = call.input(0)?;
    let keep = call.int("keepdims", 1) != 0;
    let axes = call.axes(1)?.unwrap_or_else(|| (0..x.rank()).collect());
    let list: Vec<i64> = axes.iter().map(|axis| *axis as i64).collect();
    let settings = [Setting::Int("keepdims", 1), Setting::Ints("axes", &list)];
    let kept = reduced(&x.dims, &axes, true);
    let output = graph.op(&call.op, &[x], x.kind, kept, &settings)?;
    let (x, y) = (x.clone(), output.clone());
    let output = graph.record(output, x.requires, move |graph, dy| {
        let equal = graph.binary("Equal", &x, &y, Kind::Bool)?;
        let to = Setting::Int("to", i64::from(Kind::F32 as i32));
        let ones = graph.op("Cast", &[&equal], Kind::F32, equal.dims.to_vec(), &[to])?;
        let count = graph.sum(&ones, &axes, true)?;
        let share = graph.div(dy, &count)?;
        let part = graph.mul(&ones, &share)?;
        Ok(vec![(x, part)])
    });
    let dims: Vec<i64> = match keep {
        true => return Ok(vec![output]),
        false => reduced(
            &call.input(0)?.dims,
            &list.iter().map(|axis| *axis as usize).collect::<Vec<_>>(),
            false,
        ),
    };
    Ok(vec![graph.reshape(&output, dims)?])
}
