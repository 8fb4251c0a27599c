//! Activation functions, softmax among them.

use super::super::call::Call;
use super::super::graph::{Graph, Made, Setting};
use super::super::value::{Kind, Value};

impl Graph {
    pub(crate) fn relu(&mut self, x: &Value) -> Made {
        let output = self.unary("Relu", x)?;
        let (x, y) = (x.clone(), output.clone());
        Ok(self.record(output, x.requires, move |graph, dy| {
            let zero = graph.number(0.0)?;
            let positive = graph.binary("Greater", &y, &zero, Kind::Bool)?;
            let part = graph.passed(&positive, dy)?;
            Ok(vec![(x, part)])
        }))
    }

    /// `x` kept within `low` and `high`; outside the gradient is 0, on the border it passes.
    pub(crate) fn clip(&mut self, x: &Value, low: Option<f32>, high: Option<f32>) -> Made {
        if let (Some(low), Some(high), Kind::F32) = (low, high, x.kind) {
            let (low, high) = (self.number(low)?, self.number(high)?);
            let output = self.op("Clip", &[x, &low, &high], Kind::F32, x.dims.to_vec(), &[])?;
            let (x, y) = (x.clone(), output.clone());
            return Ok(self.record(output, x.requires, move |graph, dy| {
                let within = graph.binary("Equal", &x, &y, Kind::Bool)?;
                let part = graph.passed(&within, dy)?;
                Ok(vec![(x, part)])
            }));
        }
        // Max and Min in place of Clip: a bound that is left out needs no empty input.
        let mut y = x.clone();
        if let Some(low) = low {
            let low = self.number(low)?;
            y = self.extreme("Max", &y, &low)?;
        }
        if let Some(high) = high {
            let high = self.number(high)?;
            y = self.extreme("Min", &y, &high)?;
        }
        Ok(y)
    }

    pub(crate) fn sigmoid(&mut self, x: &Value) -> Made {
        self.sloped("Sigmoid", x, |graph, _, y| {
            let one = graph.number(1.0)?;
            let rest = graph.sub(&one, y)?;
            graph.mul(y, &rest)
        })
    }

    pub(crate) fn tanh(&mut self, x: &Value) -> Made {
        self.sloped("Tanh", x, |graph, _, y| {
            let one = graph.number(1.0)?;
            let square = graph.mul(y, y)?;
            graph.sub(&one, &square)
        })
    }

    fn erf(&mut self, x: &Value) -> Made {
        self.sloped("Erf", x, |graph, x, _| {
            let square = graph.mul(x, x)?;
            let negative = graph.unary("Neg", &square)?;
            let bell = graph.exp(&negative)?;
            let factor = graph.number(std::f32::consts::FRAC_2_SQRT_PI)?;
            graph.mul(&bell, &factor)
        })
    }

    /// Softmax or its logarithm along `axis`.
    pub(crate) fn softmax(&mut self, kind: &'static str, x: &Value, axis: usize) -> Made {
        let output = self.op(
            kind,
            &[x],
            Kind::F32,
            x.dims.to_vec(),
            &[Setting::Int("axis", axis as i64)],
        )?;
        let (x, y) = (x.clone(), output.clone());
        Ok(self.record(output, x.requires, move |graph, dy| {
            let part = if kind == "Softmax" {
                let product = graph.mul(dy, &y)?;
                let sum = graph.sum(&product, &[axis], true)?;
                let off = graph.sub(dy, &sum)?;
                graph.mul(&off, &y)?
            } else {
                let p = graph.exp(&y)?;
                let sum = graph.sum(dy, &[axis], true)?;
                let share = graph.mul(&p, &sum)?;
                graph.sub(dy, &share)?
            };
            Ok(vec![(x, part)])
        }))
    }

    /// `factor` * x + `offset`.
    fn line(&mut self, x: &Value, factor: f32, offset: f32) -> Made {
        let (factor, offset) = (self.number(factor)?, self.number(offset)?);
        let product = self.mul(x, &factor)?;
        self.add(&product, &offset)
    }

    fn hard_sigmoid(&mut self, x: &Value, alpha: f32, beta: f32) -> Made {
        let line = self.line(x, alpha, beta)?;
        self.clip(&line, Some(0.0), Some(1.0))
    }

    /// `dy` where `x` is positive, else `below`.
    fn positive_or(&mut self, x: &Value, dy: &Value, below: &Value) -> Made {
        let zero = self.number(0.0)?;
        let positive = self.binary("Greater", x, &zero, Kind::Bool)?;
        Ok(self.op("Where", &[&positive, dy, below], Kind::F32, x.dims.to_vec(), &[])?)
    }

    fn leaky_relu(&mut self, x: &Value, alpha: f32) -> Made {
        let y = self.op(
            "LeakyRelu",
            &[x],
            Kind::F32,
            x.dims.to_vec(),
            &[Setting::Float("alpha", alpha)],
        )?;
        let x = x.clone();
        Ok(self.record(y, x.requires, move |graph, dy| {
            let slope = graph.number(alpha)?;
            let below = graph.mul(dy, &slope)?;
            let part = graph.positive_or(&x, dy, &below)?;
            Ok(vec![(x, part)])
        }))
    }

    /// `x` where it is positive, else alpha * (exp(x) - 1).
    fn elu(&mut self, x: &Value, alpha: f32) -> Made {
        let output = self.op(
            "Elu",
            &[x],
            Kind::F32,
            x.dims.to_vec(),
            &[Setting::Float("alpha", alpha)],
        )?;
        let (x, y) = (x.clone(), output.clone());
        Ok(self.record(output, x.requires, move |graph, dy| {
            let alpha = graph.number(alpha)?;
            let slope = graph.add(&y, &alpha)?;
            let below = graph.mul(dy, &slope)?;
            let part = graph.positive_or(&x, dy, &below)?;
            Ok(vec![(x, part)])
        }))
    }

    /// `x` where it is positive, else `slope` * x; the slope may be trained.
    fn prelu(&mut self, x: &Value, slope: &Value) -> Made {
        let y = self.op("PRelu", &[x, slope], Kind::F32, x.dims.to_vec(), &[])?;
        let (x, slope) = (x.clone(), slope.clone());
        Ok(self.record(y, x.requires || slope.requires, move |graph, dy| {
            let mut parts = Vec::new();
            if slope.requires {
                let zero = graph.number(0.0)?;
                let nothing = graph.mul(dy, &zero)?;
                let product = graph.mul(dy, &x)?;
                let negative = graph.positive_or(&x, &nothing, &product)?;
                parts.push((slope.clone(), graph.fit(&negative, &slope.dims)?));
            }
            if x.requires {
                let below = graph.mul(dy, &slope)?;
                let part = graph.positive_or(&x, dy, &below)?;
                parts.push((x, part));
            }
            Ok(parts)
        }))
    }
}

/// Activations without inputs beside the first.
pub(super) fn activation(graph: &mut Graph, call: &Call) -> Made<Vec<Value>> {
    let x = call.input(0)?;
    let made = match call.op.as_str() {
        "Relu" => graph.relu(x)?,
        "Sigmoid" => graph.sigmoid(x)?,
        "Tanh" => graph.tanh(x)?,
        "Erf" => graph.erf(x)?,
        "LeakyRelu" => graph.leaky_relu(x, call.float("alpha", 0.01))?,
        "HardSigmoid" => graph.hard_sigmoid(x, call.float("alpha", 0.2), call.float("beta", 0.5))?,
        "HardSwish" => {
            let gate = graph.hard_sigmoid(x, 1.0 / 6.0, 0.5)?;
            graph.mul(x, &gate)?
        }
        "Softplus" => graph.sloped("Softplus", x, |graph, x, _| graph.sigmoid(x))?,
        "Mish" => {
            let plus = graph.sloped("Softplus", x, |graph, x, _| graph.sigmoid(x))?;
            let gate = graph.tanh(&plus)?;
            graph.mul(x, &gate)?
        }
        _ => graph.elu(x, call.float("alpha", 1.0))?,
    };
    Ok(vec![made])
}

/// PRelu: the slope is a weight.
pub(super) fn prelu(graph: &mut Graph, call: &Call) -> Made<Vec<Value>> {
    Ok(vec![graph.prelu(call.input(0)?, call.input(1)?)?])
}

/// Clip with constant bounds.
pub(super) fn clip(graph: &mut Graph, call: &Call) -> Made<Vec<Value>> {
    let bound = |index: usize| call.optional(index).map(|it| it.scalar("a bound")).transpose();
    let (low, high) = (bound(1)?, bound(2)?);
    Ok(vec![graph.clip(call.input(0)?, low, high)?])
}

/// Gelu, exact or by tanh, of simpler functions: the operator itself is newer than what is written.
pub(super) fn gelu(graph: &mut Graph, call: &Call) -> Made<Vec<Value>> {
    let x = call.input(0)?;
    let curve = if call.text("approximate", "none") == "tanh" {
        let square = graph.mul(x, x)?;
        let factor = graph.line(&square, 0.044_715, 1.0)?;
        let inner = graph.mul(x, &factor)?;
        let scale = graph.number((2.0 / std::f32::consts::PI).sqrt())?;
        let inner = graph.mul(&inner, &scale)?;
        graph.tanh(&inner)?
    } else {
        let scale = graph.number(std::f32::consts::FRAC_1_SQRT_2)?;
        let inner = graph.mul(x, &scale)?;
        graph.erf(&inner)?
    };
    let gate = graph.line(&curve, 0.5, 0.5)?;
    Ok(vec![graph.mul(x, &gate)?])
}

/// Softmax and LogSoftmax.
pub(super) fn softmax(graph: &mut Graph, call: &Call) -> Made<Vec<Value>> {
    let x = call.input(0)?;
    let axis = x.axis(call.int("axis", -1))?;
    let kind = if call.op == "Softmax" {
        "Softmax"
    } else {
        "LogSoftmax"
    };
    Ok(vec![graph.softmax(kind, x, axis)?])
}
