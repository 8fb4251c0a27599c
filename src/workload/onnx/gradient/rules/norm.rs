//! Normalisations.

use super::super::call::Call;
use super::super::graph::{Graph, Made, Setting};
use super::super::value::{Data, Kind, Value};

impl Graph {
    /// (x - mean) / sqrt(variance + epsilon), both over `axes`.
    fn normal(&mut self, x: &Value, axes: Vec<usize>, epsilon: f32) -> Made {
        let before = std::mem::replace(&mut self.recording, false);
        let made = self.normal_parts(x, &axes, epsilon);
        self.recording = before;
        let (output, inverse) = made?;
        let (x, y) = (x.clone(), output.clone());
        Ok(self.record(output, x.requires, move |graph, dy| {
            // dx = (dy - mean(dy) - y mean(dy y)) / sqrt(variance + epsilon)
            let product = graph.mul(dy, &y)?;
            let (mean, slope) = (graph.mean(dy, &axes, true)?, graph.mean(&product, &axes, true)?);
            let off = graph.sub(dy, &mean)?;
            let along = graph.mul(&y, &slope)?;
            let off = graph.sub(&off, &along)?;
            let part = graph.mul(&off, &inverse)?;
            Ok(vec![(x, part)])
        }))
    }

    /// The normalised `x`, and by what its distance from the mean was multiplied.
    fn normal_parts(&mut self, x: &Value, axes: &[usize], epsilon: f32) -> Made<(Value, Value)> {
        let (_, off, variance) = self.statistics(x, axes)?;
        let epsilon = self.number(epsilon)?;
        let wide = self.add(&variance, &epsilon)?;
        let root = self.sqrt(&wide)?;
        let inverse = self.unary("Reciprocal", &root)?;
        Ok((self.mul(&off, &inverse)?, inverse))
    }

    /// `values`, one a channel (axis 1) of `x`, with the axes that broadcast them to it.
    fn wide(&mut self, values: &Value, x: &Value) -> Made {
        let mut dims = vec![1; x.rank().max(2) - 1];
        if let Some(first) = dims.first_mut() {
            *first = x.dim(1);
        }
        self.reshape(values, dims)
    }

    /// `x` times `scale` plus `bias`, one of each a channel.
    fn per_channel(&mut self, x: &Value, scale: &Value, bias: &Value) -> Made {
        let (scale, bias) = (self.wide(scale, x)?, self.wide(bias, x)?);
        let y = self.mul(x, &scale)?;
        self.add(&y, &bias)
    }

    /// Batch normalisation by running statistics that do not change.
    fn frozen_batch_norm(&mut self, call: &Call, epsilon: f32) -> Made {
        let (x, scale, bias) = (call.input(0)?, call.input(1)?, call.input(2)?);
        let (mean, variance) = (call.input(3)?.clone(), call.input(4)?.clone());
        let inputs = [x, scale, bias, &mean, &variance];
        let y = self.op(
            "BatchNormalization",
            &inputs,
            Kind::F32,
            x.dims.to_vec(),
            &[Setting::Float("epsilon", epsilon)],
        )?;
        let (x, scale, bias) = (x.clone(), scale.clone(), bias.clone());
        Ok(self.record(
            y,
            x.requires || scale.requires || bias.requires,
            move |graph, dy| {
                let mut parts = Vec::new();
                let axes: Vec<usize> = (0..x.rank()).filter(|axis| *axis != 1).collect();
                let epsilon = graph.number(epsilon)?;
                let shifted = graph.add(&variance, &epsilon)?;
                let root = graph.sqrt(&shifted)?;
                if bias.requires {
                    parts.push((bias, graph.sum(dy, &axes, false)?));
                }
                if scale.requires {
                    let mean = graph.wide(&mean, &x)?;
                    let off = graph.sub(&x, &mean)?;
                    let product = graph.mul(dy, &off)?;
                    let sum = graph.sum(&product, &axes, false)?;
                    parts.push((scale.clone(), graph.div(&sum, &root)?));
                }
                if x.requires {
                    let slope = graph.div(&scale, &root)?;
                    let slope = graph.wide(&slope, &x)?;
                    parts.push((x, graph.mul(dy, &slope)?));
                }
                Ok(parts)
            },
        ))
    }

    /// Batch normalisation by the statistics of this minibatch; the running ones follow as state.
    fn trained_batch_norm(&mut self, call: &Call, epsilon: f32) -> Made {
        let (x, scale, bias) = (call.input(0)?, call.input(1)?, call.input(2)?);
        let axes: Vec<usize> = (0..x.rank()).filter(|axis| *axis != 1).collect();
        let count: i64 = axes.iter().map(|axis| x.dim(*axis)).product();
        if count < 2 {
            return Err(
                "batch statistics need more than one value a channel; freeze it or use a larger batch".into(),
            );
        }
        let before = std::mem::replace(&mut self.recording, false);
        let statistics = self.channel_statistics(x, &axes);
        self.recording = before;
        let (mean, off, variance) = statistics?;
        // The running variance is the unbiased one, as PyTorch keeps it.
        let unbiased = count as f32 / (count - 1) as f32;
        let momentum = call.float("momentum", 0.9);
        for (index, found, factor) in [(3, &mean, 1.0), (4, &variance, unbiased)] {
            let running = call.input(index)?;
            let (kept, new) = (self.number(momentum)?, self.number((1.0 - momentum) * factor)?);
            let (old, new) = (self.mul(running, &kept)?, self.mul(found, &new)?);
            let sum = self.add(&old, &new)?;
            if self.running.iter().any(|(state, _)| state.name == running.name) {
                return Err(format!(
                    "the running statistics `{}` are used twice; freeze them",
                    running.name
                )
                .into());
            }
            self.running.push((running.clone(), sum));
        }
        self.batch_norm_by([x, scale, bias], [&mean, &off, &variance], axes, epsilon)
    }

    /// Mean, distance from it and variance of `x`, all with the axes of `x`.
    fn statistics(&mut self, x: &Value, axes: &[usize]) -> Made<(Value, Value, Value)> {
        let mean = self.mean(x, axes, true)?;
        let off = self.sub(x, &mean)?;
        let square = self.mul(&off, &off)?;
        let variance = self.mean(&square, axes, true)?;
        Ok((mean, off, variance))
    }

    /// The same, mean and variance as lists of one value a channel.
    fn channel_statistics(&mut self, x: &Value, axes: &[usize]) -> Made<(Value, Value, Value)> {
        let (mean, off, variance) = self.statistics(x, axes)?;
        let channels = vec![x.dim(1)];
        let (mean, variance) = (
            self.reshape(&mean, channels.clone())?,
            self.reshape(&variance, channels)?,
        );
        Ok((mean, off, variance))
    }

    /// Batch normalisation by statistics that follow from `x`. A channel at a time it is a line, and so is its gradient but for
    /// one term: BatchNormalization itself is the operator that makes one in a single pass.
    fn batch_norm_by(
        &mut self,
        [x, scale, bias]: [&Value; 3],
        [mean, off, variance]: [&Value; 3],
        axes: Vec<usize>,
        epsilon: f32,
    ) -> Made {
        let settings = [Setting::Float("epsilon", epsilon)];
        let inputs = [x, scale, bias, mean, variance];
        let y = self.op(
            "BatchNormalization",
            &inputs,
            Kind::F32,
            x.dims.to_vec(),
            &settings,
        )?;
        let count: i64 = axes.iter().map(|axis| x.dim(*axis)).product();
        let (x, scale, bias) = (x.clone(), scale.clone(), bias.clone());
        let (off, variance) = (off.clone(), variance.clone());
        let wanted = x.requires || scale.requires || bias.requires;
        Ok(self.record(y, wanted, move |graph, dy| {
            let mut parts = Vec::new();
            let epsilon = graph.number(epsilon)?;
            let shifted = graph.add(&variance, &epsilon)?;
            let root = graph.sqrt(&shifted)?;
            let inverse = graph.unary("Reciprocal", &root)?;
            let sum = graph.sum(dy, &axes, false)?;
            let product = graph.mul(dy, &off)?;
            let along = graph.sum(&product, &axes, false)?;
            let along = graph.mul(&along, &inverse)?;
            if x.requires {
                // dx = a dy + b off + c with a = scale / root, c = -a mean(dy), b = -a mean(dy off) / root^2
                let a = graph.mul(&scale, &inverse)?;
                let share = graph.number(-1.0 / count.max(1) as f32)?;
                let share = graph.mul(&a, &share)?;
                let c = graph.mul(&sum, &share)?;
                let share = graph.mul(&share, &inverse)?;
                let b = graph.mul(&along, &share)?;
                let line = graph.line_by_channel(dy, &a, &c)?;
                let b = graph.wide(&b, &x)?;
                let bent = graph.mul(&off, &b)?;
                parts.push((x, graph.add(&line, &bent)?));
            }
            if scale.requires {
                parts.push((scale, along));
            }
            if bias.requires {
                parts.push((bias, sum));
            }
            Ok(parts)
        }))
    }

    /// `slope` times `x` plus `start`, one of each a channel, in one pass.
    fn line_by_channel(&mut self, x: &Value, slope: &Value, start: &Value) -> Made {
        let each = |graph: &mut Graph, value: f32| {
            let values = vec![value; usize::try_from(x.dim(1)).unwrap_or_default()];
            graph.constant(Kind::F32, vec![x.dim(1)], Data::Floats(values))
        };
        let (mean, variance) = (each(self, 0.0)?, each(self, 1.0)?);
        let inputs = [x, slope, start, &mean, &variance];
        let settings = [Setting::Float("epsilon", 0.0)];
        Ok(self.op(
            "BatchNormalization",
            &inputs,
            Kind::F32,
            x.dims.to_vec(),
            &settings,
        )?)
    }
}

/// BatchNormalization.
pub(super) fn batch_norm(graph: &mut Graph, call: &Call) -> Made<Vec<Value>> {
    let x = call.input(0)?;
    let channels = [x.dim(1)];
    for index in 1..5 {
        if *call.input(index)?.dims != channels {
            return Err(format!(
                "input {index} should have one value for each of {} channels",
                x.dim(1)
            )
            .into());
        }
    }
    if x.rank() < 2 {
        return Err(format!("an input of {:?} has no channels", x.dims).into());
    }
    let epsilon = call.float("epsilon", 1e-5);
    let statistics = [call.input(3)?, call.input(4)?];
    graph.batch_norms += 1;
    let made = if graph.batch_statistics && statistics.iter().all(|it| it.known.is_some()) {
        graph.trained_batch_norm(call, epsilon)?
    } else {
        graph.frozen_batch_norm(call, epsilon)?
    };
    Ok(vec![made])
}

/// LayerNormalization.
pub(super) fn layer_norm(graph: &mut Graph, call: &Call) -> Made<Vec<Value>> {
    let x = call.input(0)?;
    let first = x.axis(call.int("axis", -1))?;
    let normal = graph.normal(x, (first..x.rank()).collect(), call.float("epsilon", 1e-5))?;
    let mut y = graph.mul(&normal, call.input(1)?)?;
    if let Some(bias) = call.optional(2) {
        y = graph.add(&y, bias)?;
    }
    if y.dims != x.dims {
        return Err("its scale or bias has more axes than its input".into());
    }
    Ok(vec![y])
}

/// LRN: x / (bias + alpha / size * sum of the squares of `size` channels around)^beta.
pub(super) fn local_response(graph: &mut Graph, call: &Call) -> Made<Vec<Value>> {
    let (x, size) = (call.input(0)?, call.int("size", 0));
    if x.rank() < 2 || !(1..=64).contains(&size) {
        return Err(format!("a size of {size} does not suit {:?}", x.dims).into());
    }
    let mut pads = vec![0; 2 * x.rank()];
    for (place, pad) in [(1, (size - 1) / 2), (x.rank() + 1, size / 2)] {
        if let Some(slot) = pads.get_mut(place) {
            *slot = pad;
        }
    }
    let square = graph.mul(x, x)?;
    let padded = graph.pad(&square, &pads, 0.0)?;
    let mut sum = graph.slice(&padded, 1, 0, x.dim(1), 1)?;
    for start in 1..size {
        let next = graph.slice(&padded, 1, start, x.dim(1), 1)?;
        sum = graph.add(&sum, &next)?;
    }
    let share = graph.number(call.float("alpha", 1e-4) / size as f32)?;
    let (bias, beta) = (
        graph.number(call.float("bias", 1.0))?,
        graph.number(call.float("beta", 0.75))?,
    );
    let scaled = graph.mul(&sum, &share)?;
    let around = graph.add(&scaled, &bias)?;
    let divisor = graph.pow(&around, &beta)?;
    Ok(vec![graph.div(x, &divisor)?])
}

/// InstanceNormalization.
pub(super) fn instance_norm(graph: &mut Graph, call: &Call) -> Made<Vec<Value>> {
    let x = call.input(0)?;
    let normal = graph.normal(x, (2..x.rank()).collect(), call.float("epsilon", 1e-5))?;
    Ok(vec![graph.per_channel(
        &normal,
        call.input(1)?,
        call.input(2)?,
    )?])
}

/// GroupNormalization. Until version 21 scale and bias have one value a group, since then one a channel.
pub(super) fn group_norm(graph: &mut Graph, call: &Call) -> Made<Vec<Value>> {
    let (x, groups) = (call.input(0)?, call.int("num_groups", 0));
    let channels = x.dim(1);
    if x.rank() < 3 || !(1..=channels).contains(&groups) || channels % groups != 0 {
        return Err(format!("{groups} groups do not suit {:?}", x.dims).into());
    }
    let rest = x.elements() / (x.dim(0) * groups).max(1);
    let grouped = graph.reshape(x, vec![x.dim(0), groups, rest])?;
    let normal = graph.normal(&grouped, vec![2], call.float("epsilon", 1e-5))?;
    let (scale, bias) = (call.input(1)?, call.input(2)?);
    if scale.elements() == channels {
        let y = graph.reshape(&normal, x.dims.to_vec())?;
        return Ok(vec![graph.per_channel(&y, scale, bias)?]);
    }
    let y = graph.per_channel(&normal, scale, bias)?;
    Ok(vec![graph.reshape(&y, x.dims.to_vec())?])
}
