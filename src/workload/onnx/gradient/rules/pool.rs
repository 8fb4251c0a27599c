//! Pools.

use super::super::call::Call;
use super::super::graph::{Graph, Made, Setting};
use super::super::value::{Data, Kind, Value};
use super::super::window::{Window, at, settings};

/// The most positions of a padded pool: each has its own share.
const MOST: i64 = 1 << 20;

impl Graph {
    /// Adds `values` up at `places` of a tensor of `dims` that is 0 elsewhere; places count through the whole
    /// tensor.
    fn scattered(&mut self, values: &Value, places: &Value, dims: &[i64], more_than_once: bool) -> Made {
        let count: i64 = dims.iter().product();
        let size = self.list(&[count])?;
        let zeros = self.op("ConstantOfShape", &[&size], Kind::F32, vec![count], &[])?;
        let values = self.reshape(values, vec![values.elements()])?;
        let places = self.reshape(places, vec![places.elements()])?;
        let mut how = vec![Setting::Int("axis", 0)];
        if more_than_once {
            how.push(Setting::Text("reduction", "add"));
        }
        let inputs = [&zeros, &places, &values];
        let flat = self.op("ScatterElements", &inputs, Kind::F32, vec![count], &how)?;
        self.reshape(&flat, dims.to_vec())
    }

    fn max_pool(&mut self, x: &Value, window: &Window, dims: Vec<i64>, ceil: i64) -> Made {
        let pads = window.pads();
        let mut attributes = settings(window, &pads);
        attributes.push(Setting::Int("ceil_mode", ceil));
        if !x.requires {
            return Ok(self.op("MaxPool", &[x], Kind::F32, dims, &attributes)?);
        }
        let outputs = vec![(Kind::F32, dims.clone()), (Kind::I64, dims)];
        let made = self.node("MaxPool", &[x], outputs, &attributes)?;
        let [y, places] = <[Value; 2]>::try_from(made).map_err(|_| "a pool has two outputs".to_string())?;
        let (x, overlaps) = (x.clone(), window.overlaps());
        Ok(self.record(y, x.requires, move |graph, dy| {
            let part = graph.scattered(dy, &places, &x.dims, overlaps)?;
            Ok(vec![(x, part)])
        }))
    }

    fn average_pool(&mut self, x: &Value, window: &Window, with_pads: bool) -> Made {
        let positions = window.positions(x)?;
        let mut dims = vec![x.dim(0), x.dim(1)];
        dims.extend(&positions);
        let pads = window.pads();
        let attributes: Vec<Setting<'_>> = settings(window, &pads)
            .into_iter()
            .filter(|setting| !matches!(setting, Setting::Ints("dilations", _)))
            .chain([Setting::Int("count_include_pad", i64::from(with_pads))])
            .collect();
        let y = self.op("AveragePool", &[x], Kind::F32, dims, &attributes)?;
        let (x, window) = (x.clone(), window.clone());
        Ok(self.record(y, x.requires, move |graph, dy| {
            let shares = match with_pads || !window.is_padded() {
                true => vec![1.0 / window.taps() as f32],
                false => shares(&window, &x, &positions),
            };
            let shape: Vec<i64> = match shares.len() {
                1 => Vec::new(),
                _ => positions,
            };
            let shares = graph.constant(Kind::F32, shape, Data::Floats(shares))?;
            let share = graph.mul(dy, &shares)?;
            // Every channel alone, as one of a larger batch.
            let alone = |value: &Value| {
                let mut dims = vec![value.dim(0) * value.dim(1), 1];
                dims.extend(value.dims.iter().skip(2));
                dims
            };
            let share = graph.reshape(&share, alone(dy))?;
            let mut kernel = vec![1, 1];
            kernel.extend(&window.kernel);
            let ones = vec![1.0; usize::try_from(window.taps()).unwrap_or(0)];
            let ones = graph.constant(Kind::F32, kernel, Data::Floats(ones))?;
            let spread = graph.conv_transpose(&share, &ones, None, &window, 1, &alone(&x))?;
            let part = graph.reshape(&spread, x.dims.to_vec())?;
            Ok(vec![(x, part)])
        }))
    }
}

/// One over the number of values that each position of the window covers, pads not counted.
fn shares(window: &Window, x: &Value, positions: &[i64]) -> Vec<f32> {
    let mut counts = vec![1_i64];
    for (axis, positions) in positions.iter().enumerate() {
        let size = x.dim(axis + 2);
        let covered = |position: i64| {
            let start = position * at(&window.strides, axis) - at(&window.begin, axis);
            (start + at(&window.kernel, axis)).min(size) - start.max(0)
        };
        counts = counts
            .iter()
            .flat_map(|count| (0..*positions).map(move |position| count * covered(position)))
            .collect();
    }
    counts
        .into_iter()
        .map(|count| 1.0 / count.max(1) as f32)
        .collect()
}

/// The attribute that a pool must have.
fn kernel(call: &Call) -> Result<Vec<i64>, String> {
    call.ints("kernel_shape")
        .ok_or_else(|| "kernel_shape is missing".to_string())
}

/// MaxPool. Where several values are the largest, the one that ONNX Runtime names gets the gradient.
pub(super) fn max_pool(graph: &mut Graph, call: &Call) -> Made<Vec<Value>> {
    let x = call.input(0)?;
    let window = Window::of(call, x, kernel(call)?)?;
    if call.int("storage_order", 0) != 0 || call.outputs.get(1).is_some_and(|name| !name.is_empty()) {
        return Err("its places (the second output) are not covered".into());
    }
    let (mut positions, ceil) = (window.positions(x)?, call.int("ceil_mode", 0));
    if ceil != 0 {
        for (axis, count) in positions.iter_mut().enumerate() {
            let stride = at(&window.strides, axis);
            if window.rest(axis, x.dim(axis + 2), *count) > 0 {
                *count += 1;
                if (*count - 1) * stride >= x.dim(axis + 2) + at(&window.begin, axis) {
                    return Err("with ceil_mode its last window would lie outside the input".into());
                }
            }
        }
    }
    let mut dims = vec![x.dim(0), x.dim(1)];
    dims.extend(positions);
    Ok(vec![graph.max_pool(x, &window, dims, i64::from(ceil != 0))?])
}

/// AveragePool.
pub(super) fn average_pool(graph: &mut Graph, call: &Call) -> Made<Vec<Value>> {
    let x = call.input(0)?;
    let window = Window::of(call, x, kernel(call)?)?;
    if window.dilations.iter().any(|dilation| *dilation != 1) {
        return Err("dilations are not covered".into());
    }
    let positions = window.positions(x)?;
    let left = |(axis, count): (usize, &i64)| window.rest(axis, x.dim(axis + 2), *count) > 0;
    if call.int("ceil_mode", 0) != 0 && positions.iter().enumerate().any(left) {
        return Err("ceil_mode is covered only where it makes no difference".into());
    }
    if window.taps() > i64::from(u16::MAX) || window.is_padded() && positions.iter().product::<i64>() > MOST {
        return Err(format!("a kernel of {:?} is not covered for {:?}", window.kernel, x.dims).into());
    }
    Ok(vec![graph.average_pool(
        x,
        &window,
        call.int("count_include_pad", 0) != 0,
    )?])
}

/// GlobalAveragePool and GlobalMaxPool.
pub(super) fn global(graph: &mut Graph, call: &Call) -> Made<Vec<Value>> {
    let x = call.input(0)?;
    let axes: Vec<usize> = (2..x.rank()).collect();
    if axes.is_empty() {
        return Err(format!("an input of {:?} has no spatial axes", x.dims).into());
    }
    if call.op == "GlobalAveragePool" {
        return Ok(vec![graph.mean(x, &axes, true)?]);
    }
    let kernel: Vec<i64> = x.dims.iter().skip(2).copied().collect();
    let window = Window::of(call, x, kernel)?;
    let mut dims = vec![x.dim(0), x.dim(1)];
    dims.extend(window.positions(x)?);
    Ok(vec![graph.max_pool(x, &window, dims, 0)?])
}
