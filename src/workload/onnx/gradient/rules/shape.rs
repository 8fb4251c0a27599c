//! Operators that move values and change shapes: Reshape, Transpose, Expand, Tile and their kind.

use super::super::call::Call;
use super::super::graph::{Graph, Made, Setting};
use super::super::value::{Value, broadcast};

impl Graph {
    pub(crate) fn reshape(&mut self, x: &Value, dims: Vec<i64>) -> Made {
        if *x.dims == *dims {
            return Ok(x.clone());
        }
        let product = dims
            .iter()
            .try_fold(1_i64, |product, dim| product.checked_mul(*dim));
        if product != Some(x.elements()) || dims.iter().any(|dim| *dim < 0) {
            return Err(format!("{} values of {:?} do not fill {dims:?}", x.elements(), x.dims).into());
        }
        let list = self.list(&dims)?;
        // Without the flag a size of 0 would mean the input's.
        let settings: &[Setting<'_>] = match dims.contains(&0) {
            true => &[Setting::Int("allowzero", 1)],
            false => &[],
        };
        let y = self.op("Reshape", &[x, &list], x.kind, dims, settings)?;
        let x = x.clone();
        Ok(self.record(y, x.requires, move |graph, dy| {
            let part = graph.reshape(dy, x.dims.to_vec())?;
            Ok(vec![(x, part)])
        }))
    }

    pub(crate) fn transpose(&mut self, x: &Value, order: &[usize]) -> Made {
        if order.iter().enumerate().all(|(place, axis)| place == *axis) {
            return Ok(x.clone());
        }
        let dims = order.iter().map(|axis| x.dim(*axis)).collect();
        let list: Vec<i64> = order.iter().map(|axis| *axis as i64).collect();
        let y = self.op("Transpose", &[x], x.kind, dims, &[Setting::Ints("perm", &list)])?;
        let (x, order) = (x.clone(), order.to_vec());
        Ok(self.record(y, x.requires, move |graph, dy| {
            let back: Vec<usize> = (0..order.len())
                .map(|axis| order.iter().position(|from| *from == axis).unwrap_or(axis))
                .collect();
            let part = graph.transpose(dy, &back)?;
            Ok(vec![(x, part)])
        }))
    }

    pub(crate) fn expand(&mut self, x: &Value, dims: Vec<i64>) -> Made {
        let dims = broadcast(&x.dims, &dims)?;
        if *x.dims == *dims {
            return Ok(x.clone());
        }
        let list = self.list(&dims)?;
        let y = self.op("Expand", &[x, &list], x.kind, dims, &[])?;
        let x = x.clone();
        Ok(self.record(y, x.requires, move |graph, dy| {
            let part = graph.fit(dy, &x.dims)?;
            Ok(vec![(x, part)])
        }))
    }
}

/// Identity, and Dropout, which is one.
pub(super) fn identity(graph: &mut Graph, call: &Call) -> Made<Vec<Value>> {
    graph.dropouts += usize::from(call.op == "Dropout");
    Ok(vec![call.input(0)?.clone()])
}

/// The shape that ONNX's Reshape makes of `dims` by `wanted`.
pub(crate) fn reshaped(dims: &[i64], wanted: &[i64], zero_is_size: bool) -> Result<Vec<i64>, String> {
    let mut made: Vec<i64> = wanted
        .iter()
        .enumerate()
        .map(|(axis, size)| match size {
            0 if !zero_is_size => dims.get(axis).copied().unwrap_or(0),
            size => *size,
        })
        .collect();
    let count: i64 = dims.iter().product();
    if let Some(open) = made.iter().position(|size| *size == -1) {
        let mut others = made.iter().enumerate().filter(|(axis, _)| *axis != open);
        let others = others.try_fold(1_i64, |product, (_, size)| product.checked_mul(*size));
        match (others, made.get_mut(open)) {
            (Some(others), Some(size)) if others > 0 && count % others == 0 => *size = count / others,
            _ => return Err(format!("{count} values do not fill {wanted:?}")),
        }
    }
    Ok(made)
}

/// Reshape, Flatten, Squeeze, Unsqueeze: all the same to a gradient.
pub(super) fn reshape(graph: &mut Graph, call: &Call) -> Made<Vec<Value>> {
    let x = call.input(0)?;
    let dims = match call.op.as_str() {
        "Reshape" => {
            let wanted = call.input(1)?.ints("the new shape")?;
            reshaped(&x.dims, &wanted, call.int("allowzero", 0) != 0)?
        }
        "Flatten" => {
            let axis = call.int("axis", 1);
            let axis = if axis == x.rank() as i64 {
                x.rank()
            } else {
                x.axis(axis)?
            };
            let product = |dims: Option<&[i64]>| dims.unwrap_or_default().iter().product();
            vec![product(x.dims.get(..axis)), product(x.dims.get(axis..))]
        }
        "Squeeze" => {
            let axes = call.axes(1)?;
            let sizes = x.dims.iter().enumerate();
            sizes
                .filter(|(axis, size)| match &axes {
                    Some(axes) => !axes.contains(axis),
                    None => **size != 1,
                })
                .map(|(_, size)| *size)
                .collect()
        }
        _ => {
            let given = match call.optional(1) {
                Some(axes) => axes.ints("the list of axes")?,
                None => call.ints("axes").unwrap_or_default(),
            };
            let axes = super::super::call::axes_of(&given, x.rank() + given.len())?;
            let mut dims = x.dims.to_vec();
            for axis in axes {
                dims.insert(axis.min(dims.len()), 1);
            }
            dims
        }
    };
    Ok(vec![graph.reshape(x, dims)?])
}

/// Transpose.
pub(super) fn transpose(graph: &mut Graph, call: &Call) -> Made<Vec<Value>> {
    let x = call.input(0)?;
    let order: Vec<usize> = match call.ints("perm") {
        Some(order) => order
            .iter()
            .map(|axis| usize::try_from(*axis).unwrap_or(usize::MAX))
            .collect(),
        None => (0..x.rank()).rev().collect(),
    };
    let mut sorted = order.clone();
    sorted.sort_unstable();
    if !sorted.iter().copied().eq(0..x.rank()) {
        return Err(format!("perm {order:?} does not order the axes of {:?}", x.dims).into());
    }
    Ok(vec![graph.transpose(x, &order)?])
}

/// Expand.
pub(super) fn expand(graph: &mut Graph, call: &Call) -> Made<Vec<Value>> {
    let dims = call.input(1)?.ints("the new shape")?;
    if dims.iter().any(|dim| *dim < 0) {
        return Err(format!("a shape of {dims:?} is impossible").into());
    }
    Ok(vec![graph.expand(call.input(0)?, dims)?])
}

/// Tile: each axis repeated, by an axis more that is expanded.
pub(super) fn tile(graph: &mut Graph, call: &Call) -> Made<Vec<Value>> {
    let (mut x, repeats) = (call.input(0)?.clone(), call.input(1)?.ints("the repeats")?);
    if repeats.len() != x.rank()
        || repeats
            .iter()
            .any(|times| !(0..=i64::from(i32::MAX)).contains(times))
    {
        return Err(format!("repeats of {repeats:?} do not suit {:?}", x.dims).into());
    }
    for (axis, times) in repeats.into_iter().enumerate().filter(|(_, times)| *times != 1) {
        let mut dims = x.dims.to_vec();
        dims.insert(axis, 1);
        let lifted = graph.reshape(&x, dims.clone())?;
        if let Some(size) = dims.get_mut(axis) {
            *size = times;
        }
        let wide = graph.expand(&lifted, dims)?;
        let mut dims = x.dims.to_vec();
        if let Some(size) = dims.get_mut(axis) {
            *size *= times;
        }
        x = graph.reshape(&wide, dims)?;
    }
    Ok(vec![x])
}

/// DepthToSpace and SpaceToDepth: blocks of pixels to channels and back.
pub(super) fn blocks(graph: &mut Graph, call: &Call) -> Made<Vec<Value>> {
    let (x, size) = (call.input(0)?, call.int("blocksize", 0));
    let [batch, channels, height, width] = *x.dims else {
        return Err(format!("an input of {:?} is no image", x.dims).into());
    };
    let to_space = call.op == "DepthToSpace";
    let even = match to_space {
        true => (1..=channels).contains(&size) && size <= 1 << 15 && channels % (size * size) == 0,
        false => (1..=height.min(width)).contains(&size) && height % size == 0 && width % size == 0,
    };
    if !even {
        return Err(format!("blocks of {size} do not suit {:?}", x.dims).into());
    }
    let (first, order, last) = match (to_space, call.text("mode", "DCR").as_str()) {
        (true, mode) => {
            let depth = channels / (size * size);
            let last = vec![batch, depth, height * size, width * size];
            match mode {
                "DCR" => (
                    vec![batch, size, size, depth, height, width],
                    [0, 3, 4, 1, 5, 2],
                    last,
                ),
                _ => (
                    vec![batch, depth, size, size, height, width],
                    [0, 1, 4, 2, 5, 3],
                    last,
                ),
            }
        }
        (false, _) => {
            let (rows, columns) = (height / size, width / size);
            let first = vec![batch, channels, rows, size, columns, size];
            (
                first,
                [0, 3, 5, 1, 2, 4],
                vec![batch, channels * size * size, rows, columns],
            )
        }
    };
    let apart = graph.reshape(x, first)?;
    let turned = graph.transpose(&apart, &order)?;
    Ok(vec![graph.reshape(&turned, last)?])
}
