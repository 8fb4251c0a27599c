//! Resize: nearest and linear.

use super::super::call::Call;
use super::super::graph::{Graph, Made, Setting};
use super::super::value::{Data, Kind, Value};

/// The most values of an interpolation matrix, or places of a gather.
const MOST: i64 = 1 << 20;

/// How one axis is resized.
struct Axis {
    size: i64,
    out: i64,
    /// Output over input, as the model gives it.
    scale: f32,
}

impl Axis {
    /// Where in the input output `place` lies.
    fn origin(&self, place: i64, mode: &str) -> Result<f32, String> {
        let at = place as f32;
        match mode {
            "asymmetric" => Ok(at / self.scale),
            "half_pixel" => Ok((at + 0.5) / self.scale - 0.5),
            "pytorch_half_pixel" if self.out > 1 => Ok((at + 0.5) / self.scale - 0.5),
            "pytorch_half_pixel" => Ok(0.0),
            "align_corners" if self.out > 1 => Ok(at * (self.size - 1) as f32 / (self.out - 1) as f32),
            "align_corners" => Ok(0.0),
            other => Err(format!("coordinate_transformation_mode {other} is not covered")),
        }
    }

    /// The input place that each output takes.
    fn nearest(&self, mode: &str, rounding: &str) -> Result<Vec<i64>, String> {
        (0..self.out)
            .map(|place| {
                let origin = self.origin(place, mode)?;
                let rounded = match rounding {
                    "round_prefer_floor" => (origin - 0.5).ceil(),
                    "round_prefer_ceil" => (origin + 0.5).floor(),
                    "floor" => origin.floor(),
                    "ceil" => origin.ceil(),
                    other => return Err(format!("nearest_mode {other} is not covered")),
                };
                Ok((rounded as i64).clamp(0, self.size - 1))
            })
            .collect()
    }

    /// The matrix `[out, size]` of linear interpolation.
    fn linear(&self, mode: &str) -> Result<Vec<f32>, String> {
        let mut matrix = vec![0.0; usize::try_from(self.out * self.size).unwrap_or(0)];
        for (place, row) in
            (0..self.out).zip(matrix.chunks_exact_mut(usize::try_from(self.size).unwrap_or(1).max(1)))
        {
            let origin = self.origin(place, mode)?.clamp(0.0, (self.size - 1) as f32);
            let (low, share) = (origin.floor() as usize, origin.fract());
            for (column, part) in [(low, 1.0 - share), (low + 1, share)] {
                if let Some(value) = row.get_mut(column) {
                    *value += part;
                }
            }
        }
        Ok(matrix)
    }
}

impl Graph {
    /// Every value repeated `factor` times along each axis.
    fn repeat(&mut self, x: &Value, factors: &[i64]) -> Made {
        let dims = x
            .dims
            .iter()
            .zip(factors)
            .map(|(size, factor)| size * factor)
            .collect();
        let scales = factors.iter().map(|factor| *factor as f32).collect();
        let scales = self.constant(Kind::F32, vec![factors.len() as i64], Data::Floats(scales))?;
        let nothing = Value {
            name: "".into(),
            ..scales.clone()
        };
        let settings = [
            Setting::Text("mode", "nearest"),
            Setting::Text("coordinate_transformation_mode", "asymmetric"),
            Setting::Text("nearest_mode", "floor"),
        ];
        let y = self.op("Resize", &[x, &nothing, &scales], Kind::F32, dims, &settings)?;
        let (x, factors) = (x.clone(), factors.to_vec());
        Ok(self.record(y, x.requires, move |graph, dy| {
            let (mut dims, mut axes) = (Vec::new(), Vec::new());
            for (size, factor) in x.dims.iter().zip(&factors) {
                dims.push(*size);
                if *factor != 1 {
                    axes.push(dims.len());
                    dims.push(*factor);
                }
            }
            let apart = graph.reshape(dy, dims)?;
            let part = graph.sum(&apart, &axes, false)?;
            Ok(vec![(x, part)])
        }))
    }

    /// `matrix` `[out, size]` times `x` along `axis`.
    fn along(&mut self, matrix: &Value, x: &Value, axis: usize) -> Made {
        let last = x.rank() - 1;
        let mut order: Vec<usize> = (0..x.rank()).collect();
        order.swap(axis, last);
        let turned = self.transpose(x, &order)?;
        let columns = self.transpose(matrix, &[1, 0])?;
        let product = self.matmul(&turned, &columns)?;
        self.transpose(&product, &order)
    }
}

fn axes(call: &Call, x: &Value) -> Result<Vec<Axis>, String> {
    if call.ints("axes").is_some()
        || call.int("antialias", 0) != 0
        || call.text("keep_aspect_ratio_policy", "stretch") != "stretch"
    {
        return Err("axes, antialias and keep_aspect_ratio_policy are not covered".to_string());
    }
    let given = |index: usize| call.optional(index).filter(|it| it.elements() > 0);
    let (scales, sizes) = match (given(2), given(3)) {
        (Some(scales), _) => (Some(scales.floats("scales")?), Vec::new()),
        (None, Some(sizes)) => (None, sizes.ints("sizes")?),
        _ => return Err("neither scales nor sizes are given".to_string()),
    };
    let found: Vec<Axis> = match scales {
        Some(scales) if scales.len() == x.rank() => {
            let each = x.dims.iter().zip(scales);
            each.map(|(size, scale)| Axis {
                size: *size,
                out: (*size as f32 * scale).floor() as i64,
                scale,
            })
            .collect()
        }
        None if sizes.len() == x.rank() => {
            let each = x.dims.iter().zip(sizes);
            each.map(|(size, out)| Axis {
                size: *size,
                out,
                scale: out as f32 / (*size).max(1) as f32,
            })
            .collect()
        }
        _ => return Err(format!("scales or sizes do not suit {:?}", x.dims)),
    };
    let possible = |axis: &Axis| (1..=MOST).contains(&axis.out) && (1..=MOST).contains(&axis.size);
    match found.iter().all(possible) {
        true => Ok(found),
        false => Err(format!("{:?} cannot be resized like that", x.dims)),
    }
}

/// Resize.
pub(super) fn resize(graph: &mut Graph, call: &Call) -> Made<Vec<Value>> {
    let mut x = call.input(0)?.clone();
    let axes = axes(call, &x)?;
    let mode = call.text("coordinate_transformation_mode", "half_pixel");
    match call.text("mode", "nearest").as_str() {
        "nearest" => {
            let rounding = call.text("nearest_mode", "round_prefer_floor");
            let (mut factors, mut places) = (Vec::new(), Vec::new());
            for axis in &axes {
                let found = axis.nearest(&mode, &rounding)?;
                let factor = (axis.out / axis.size).max(1);
                let even = factor * axis.size == axis.out
                    && found
                        .iter()
                        .enumerate()
                        .all(|(at, from)| at as i64 / factor == *from);
                factors.push(even.then_some(factor));
                places.push(found);
            }
            if let Some(factors) = factors.into_iter().collect::<Option<Vec<i64>>>() {
                return Ok(vec![graph.repeat(&x, &factors)?]);
            }
            for (axis, found) in places.into_iter().enumerate() {
                if !found.iter().copied().eq(0..x.dim(axis)) {
                    let found = graph.constant(Kind::I64, vec![found.len() as i64], Data::Ints(found))?;
                    x = graph.gather(&x, &found, axis)?;
                }
            }
        }
        "linear" => {
            for (at, axis) in axes.iter().enumerate() {
                if axis.out == axis.size {
                    continue;
                }
                if axis.out * axis.size > MOST {
                    return Err("it is too large".into());
                }
                let matrix = Data::Floats(axis.linear(&mode)?);
                let matrix = graph.constant(Kind::F32, vec![axis.out, axis.size], matrix)?;
                x = graph.along(&matrix, &x, at)?;
            }
        }
        other => return Err(format!("mode {other} is not covered").into()),
    }
    Ok(vec![x])
}
