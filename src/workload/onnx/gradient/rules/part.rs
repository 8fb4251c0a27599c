//! Operators that take tensors apart and put them together: Slice, Split, Concat, Pad.

use super::super::call::Call;
use super::super::graph::{Graph, Made, Setting};
use super::super::value::{Data, Kind, Value};

impl Graph {
    pub(crate) fn concat(&mut self, values: &[Value], axis: usize) -> Made {
        let first = values.first().ok_or("there is nothing to join")?;
        if values.len() == 1 {
            return Ok(first.clone());
        }
        let mut dims = first.dims.to_vec();
        for value in values.iter().skip(1) {
            let others = |dims: &[i64]| {
                let sizes = dims.iter().enumerate().filter(|(at, _)| *at != axis);
                sizes.map(|(_, size)| *size).collect::<Vec<_>>()
            };
            if value.kind != first.kind || others(&value.dims) != others(&first.dims) {
                return Err(format!("{:?} and {:?} cannot be joined", first.dims, value.dims).into());
            }
            if let Some(size) = dims.get_mut(axis) {
                *size += value.dim(axis);
            }
        }
        let inputs: Vec<&Value> = values.iter().collect();
        let y = self.op(
            "Concat",
            &inputs,
            first.kind,
            dims,
            &[Setting::Int("axis", axis as i64)],
        )?;
        let (wanted, values) = (values.iter().any(|value| value.requires), values.to_vec());
        Ok(self.record(y, wanted, move |graph, dy| {
            let (mut parts, mut start) = (Vec::new(), 0);
            for value in values {
                let size = value.dim(axis);
                if value.requires {
                    parts.push((value, graph.slice(dy, axis, start, size, 1)?));
                }
                start += size;
            }
            Ok(parts)
        }))
    }

    /// `count` values along `axis` from `start`, `step` (at least 1) apart.
    pub(crate) fn slice(&mut self, x: &Value, axis: usize, start: i64, count: i64, step: i64) -> Made {
        if start == 0 && count == x.dim(axis) && step == 1 {
            return Ok(x.clone());
        }
        let mut dims = x.dims.to_vec();
        if let Some(size) = dims.get_mut(axis) {
            *size = count;
        }
        let end = start + (count - 1).max(0) * step + i64::from(count > 0);
        let lists = [&[start], &[end], &[axis as i64], &[step]].map(|it| self.list(it));
        let [start_list, end, axes, steps] = lists;
        let inputs = [x, &start_list?, &end?, &axes?, &steps?];
        let y = self.op("Slice", &inputs, x.kind, dims, &[])?;
        let x = x.clone();
        Ok(self.record(y, x.requires, move |graph, dy| {
            let part = graph.unslice(dy, axis, start, step, x.dim(axis))?;
            Ok(vec![(x, part)])
        }))
    }

    /// A tensor of `size` along `axis` that holds `dy` from `start`, `step` apart, and 0 elsewhere.
    fn unslice(&mut self, dy: &Value, axis: usize, start: i64, step: i64, size: i64) -> Made {
        let (mut wide, count) = (dy.clone(), dy.dim(axis));
        if step > 1 && count > 1 {
            // One axis more, padded with zeros, puts them between the values.
            let (mut lifted, mut pads) = (dy.dims.to_vec(), vec![0; 2 * (dy.rank() + 1)]);
            lifted.insert(axis + 1, 1);
            wide = self.reshape(&wide, lifted.clone())?;
            if let Some(pad) = pads.get_mut(dy.rank() + 1 + axis + 1) {
                *pad = step - 1;
            }
            wide = self.pad(&wide, &pads, 0.0)?;
            let mut dims = dy.dims.to_vec();
            if let Some(size) = dims.get_mut(axis) {
                *size = count * step;
            }
            wide = self.reshape(&wide, dims)?;
            wide = self.slice(&wide, axis, 0, (count - 1) * step + 1, 1)?;
        }
        let mut pads = vec![0; 2 * dy.rank()];
        if let Some(pad) = pads.get_mut(axis) {
            *pad = start;
        }
        if let Some(pad) = pads.get_mut(dy.rank() + axis) {
            *pad = size - start - wide.dim(axis);
        }
        self.pad(&wide, &pads, 0.0)
    }

    /// `x` cut along `axis` into parts of `sizes`, which add up to its size.
    pub(crate) fn split(&mut self, x: &Value, axis: usize, sizes: &[i64]) -> Made<Vec<Value>> {
        if sizes.len() == 1 {
            return Ok(vec![x.clone()]);
        }
        let shape = |size: &i64| {
            let mut dims = x.dims.to_vec();
            if let Some(own) = dims.get_mut(axis) {
                *own = *size;
            }
            (x.kind, dims)
        };
        let outputs: Vec<(Kind, Vec<i64>)> = sizes.iter().map(shape).collect();
        let list = self.list(sizes)?;
        let settings = [Setting::Int("axis", axis as i64)];
        let mut parts = self.node("Split", &[x, &list], outputs.clone(), &settings)?;
        let x = x.clone();
        self.record_all(&mut parts, x.requires, move |graph, gradients| {
            let mut all = Vec::with_capacity(outputs.len());
            for (gradient, (_, dims)) in gradients.into_iter().zip(outputs) {
                all.push(match gradient {
                    Some(gradient) => gradient,
                    None => {
                        let zero = graph.number(0.0)?;
                        graph.expand(&zero, dims)?
                    }
                });
            }
            let part = graph.concat(&all, axis)?;
            Ok(vec![(x, part)])
        });
        Ok(parts)
    }

    /// `x` with constant values around it; `pads` as ONNX has them, each at least 0.
    pub(crate) fn pad(&mut self, x: &Value, pads: &[i64], value: f32) -> Made {
        if pads.iter().all(|pad| *pad == 0) {
            return Ok(x.clone());
        }
        let (begin, end) = pads.split_at_checked(x.rank()).unwrap_or_default();
        if end.len() != x.rank() || pads.iter().any(|pad| !(0..=i64::from(i32::MAX)).contains(pad)) {
            return Err(format!("pads of {pads:?} are not covered for {:?}", x.dims).into());
        }
        let sizes = x.dims.iter().zip(begin.iter().zip(end));
        let dims = sizes.map(|(size, (begin, end))| size + begin + end).collect();
        let list = self.list(pads)?;
        let value = match x.kind {
            Kind::F32 => self.number(value)?,
            kind => self.constant(kind, Vec::new(), Data::Ints(vec![value as i64]))?,
        };
        let y = self.op("Pad", &[x, &list, &value], x.kind, dims, &[])?;
        let (x, begin) = (x.clone(), begin.to_vec());
        Ok(self.record(y, x.requires, move |graph, dy| {
            let mut part = dy.clone();
            for (axis, start) in begin.into_iter().enumerate() {
                part = graph.slice(&part, axis, start, x.dim(axis), 1)?;
            }
            Ok(vec![(x, part)])
        }))
    }
}

/// Concat.
pub(super) fn concat(graph: &mut Graph, call: &Call) -> Made<Vec<Value>> {
    let values = (0..call.inputs.len()).map(|index| call.input(index).cloned());
    let values = values.collect::<Result<Vec<_>, _>>()?;
    let axis = call.input(0)?.axis(call.int("axis", 0))?;
    Ok(vec![graph.concat(&values, axis)?])
}

/// Split.
pub(super) fn split(graph: &mut Graph, call: &Call) -> Made<Vec<Value>> {
    let x = call.input(0)?;
    let axis = x.axis(call.int("axis", 0))?;
    let (size, parts) = (x.dim(axis), call.outputs.len() as i64);
    let sizes = match call.optional(1) {
        Some(sizes) => sizes.ints("the sizes")?,
        None => {
            let each = size.saturating_add(parts - 1) / parts.max(1);
            (0..parts).map(|part| each.min(size - part * each)).collect()
        }
    };
    if sizes.len() != call.outputs.len()
        || sizes.iter().any(|part| !(0..=size).contains(part))
        || sizes.iter().sum::<i64>() != size
    {
        return Err(format!("{size} values are not split into {sizes:?}").into());
    }
    graph.split(x, axis, &sizes)
}
