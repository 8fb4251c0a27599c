//! Losses, with their gradients and metrics.

use super::error::{GradientError, Refusal};
use super::graph::{Graph, Made, Scope, Setting};
use super::recipe::Loss;
use super::value::{Data, Kind, Value};

/// What a loss adds to a graph.
pub(super) struct Measured {
    /// The labels, an input.
    pub(super) y: Value,
    /// One number.
    pub(super) loss: Value,
    /// Of the model's output.
    pub(super) gradient: Value,
}

impl Loss {
    /// Operators that the loss contains.
    pub(super) fn contains(self) -> &'static [&'static str] {
        match self {
            Loss::CrossEntropy => &["Softmax", "LogSoftmax"],
            Loss::Bce => &["Sigmoid"],
            Loss::Mse | Loss::L1 => &[],
        }
    }

    /// Adds labels `y`, the loss of `output` and its gradient.
    pub(super) fn measure(self, graph: &mut Graph, output: &Value) -> Result<Measured, GradientError> {
        graph.scope = Scope {
            op: self.to_string(),
            node: "loss".to_string(),
        };
        let recording = std::mem::replace(&mut graph.recording, false);
        let made = match self {
            Loss::CrossEntropy => cross_entropy(graph, output),
            Loss::Bce => binary_cross_entropy(graph, output),
            Loss::Mse => difference(graph, output, |graph, off, share| {
                let square = graph.mul(off, off)?;
                let twice = graph.number(2.0 * share)?;
                Ok((square, graph.mul(off, &twice)?))
            }),
            Loss::L1 => difference(graph, output, |graph, off, share| {
                let (size, sign) = (graph.unary("Abs", off)?, graph.unary("Sign", off)?);
                let share = graph.number(share)?;
                Ok((size, graph.mul(&sign, &share)?))
            }),
        };
        graph.recording = recording;
        made.map_err(|refusal| match refusal {
            Refusal::Reason(reason) => GradientError::Loss(format!("{self}: {reason}")),
            Refusal::NotDifferentiable => GradientError::Loss(format!("{self} has no gradient")),
        })
    }

    /// Adds the metric: the share of right answers for cross entropy, else the loss itself.
    pub(super) fn metric(self, graph: &mut Graph, output: &Value, measured: &Measured) -> Made {
        if self != Loss::CrossEntropy {
            return Ok(measured.loss.clone());
        }
        let dims = measured.y.dims.to_vec();
        let settings = [Setting::Int("axis", 1), Setting::Int("keepdims", 0)];
        let answer = graph.op("ArgMax", &[output], Kind::I64, dims.clone(), &settings)?;
        let right = graph.binary("Equal", &answer, &measured.y, Kind::Bool)?;
        let to = Setting::Int("to", i64::from(Kind::F32 as i32));
        let right = graph.op("Cast", &[&right], Kind::F32, dims, &[to])?;
        let all: Vec<usize> = (0..right.rank()).collect();
        graph.mean(&right, &all, false)
    }
}

/// The sum of all values, times `share`.
fn total(graph: &mut Graph, x: &Value, share: f32) -> Made {
    let all: Vec<usize> = (0..x.rank()).collect();
    let sum = graph.sum(x, &all, false)?;
    let share = graph.number(share)?;
    graph.mul(&sum, &share)
}

fn cross_entropy(graph: &mut Graph, output: &Value) -> Made<Measured> {
    if output.rank() < 2 {
        return Err(format!(
            "the output should be [batch, classes, ...], but is {:?}",
            output.dims
        )
        .into());
    }
    let classes = output.dim(1);
    if classes < 1 {
        return Err(format!("the output {:?} has no classes", output.dims).into());
    }
    let mut labels = output.dims.to_vec();
    labels.remove(1);
    let share = 1.0 / labels.iter().product::<i64>().max(1) as f32;
    let y = graph.declare("y", Kind::I64, labels)?;
    let log = graph.softmax("LogSoftmax", output, 1)?;
    let depth = graph.constant(Kind::I64, Vec::new(), Data::Ints(vec![classes]))?;
    let values = graph.constant(Kind::F32, vec![2], Data::Floats(vec![0.0, 1.0]))?;
    let dims = output.dims.to_vec();
    let hot = graph.op(
        "OneHot",
        &[&y, &depth, &values],
        Kind::F32,
        dims,
        &[Setting::Int("axis", 1)],
    )?;
    let chosen = graph.mul(&log, &hot)?;
    let loss = total(graph, &chosen, -share)?;
    let p = graph.exp(&log)?;
    let off = graph.sub(&p, &hot)?;
    let share = graph.number(share)?;
    let gradient = graph.mul(&off, &share)?;
    Ok(Measured { y, loss, gradient })
}

/// max(z, 0) - z y + log(1 + exp(-|z|)), which overflows nowhere.
fn binary_cross_entropy(graph: &mut Graph, z: &Value) -> Made<Measured> {
    let share = 1.0 / z.elements().max(1) as f32;
    let y = graph.declare("y", Kind::F32, z.dims.to_vec())?;
    let positive = graph.unary("Relu", z)?;
    let chosen = graph.mul(z, &y)?;
    let size = graph.unary("Abs", z)?;
    let negative = graph.unary("Neg", &size)?;
    let rest = graph.unary("Softplus", &negative)?;
    let sum = graph.sub(&positive, &chosen)?;
    let sum = graph.add(&sum, &rest)?;
    let loss = total(graph, &sum, share)?;
    let p = graph.unary("Sigmoid", z)?;
    let off = graph.sub(&p, &y)?;
    let share = graph.number(share)?;
    let gradient = graph.mul(&off, &share)?;
    Ok(Measured { y, loss, gradient })
}

/// A loss of output - y: `each` makes of it, and of one over the number of values, the terms and the
/// gradient.
fn difference(
    graph: &mut Graph,
    output: &Value,
    each: impl FnOnce(&mut Graph, &Value, f32) -> Made<(Value, Value)>,
) -> Made<Measured> {
    let share = 1.0 / output.elements().max(1) as f32;
    let y = graph.declare("y", Kind::F32, output.dims.to_vec())?;
    let off = graph.sub(output, &y)?;
    let (terms, gradient) = each(graph, &off, share)?;
    let loss = total(graph, &terms, share)?;
    Ok(Measured { y, loss, gradient })
}
