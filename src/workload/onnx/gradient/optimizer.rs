//! Optimizers: new weights of old ones and their gradients.

use super::graph::{Graph, Made};
use super::recipe::{Optimizer, Recipe};
use super::value::{Kind, Value};

const BETA1: f32 = 0.9;
const BETA2: f32 = 0.999;
const EPSILON: f32 = 1e-8;
/// Share of the running sum that momentum keeps.
const KEPT: f32 = 0.9;

/// Tensors that a step reads and the values it writes in their place.
pub(super) type States = Vec<(Value, Value)>;

/// Adds the update of every weight; `lr` is the learning rate. Returns the state in the order of the files:
/// the weights, the step count and the moments.
pub(super) fn update(
    graph: &mut Graph,
    recipe: &Recipe,
    lr: &Value,
    weights: Vec<(Value, Value)>,
) -> Made<States> {
    let weights = match recipe.clip {
        Some(clip) => clipped(graph, clip, weights)?,
        None => weights,
    };
    let (mut states, mut moments) = (Vec::new(), Vec::new());
    let decay = match recipe.optimizer {
        Optimizer::AdamW if recipe.weight_decay > 0.0 => {
            let decay = graph.number(recipe.weight_decay)?;
            let one = graph.number(1.0)?;
            let share = graph.mul(lr, &decay)?;
            Some(graph.sub(&one, &share)?)
        }
        _ => None,
    };
    let (rate, epsilon) = match recipe.optimizer {
        Optimizer::Sgd | Optimizer::Momentum => (lr.clone(), None),
        Optimizer::Adam | Optimizer::AdamW => {
            let (rate, epsilon) = corrected(graph, lr, &mut moments)?;
            (rate, Some(epsilon))
        }
    };
    for (weight, gradient) in weights {
        let step = match &epsilon {
            None if recipe.optimizer == Optimizer::Sgd => gradient,
            None => {
                let old = moment(graph, "m", &weight)?;
                let kept = graph.number(KEPT)?;
                let kept = graph.mul(&old, &kept)?;
                let new = graph.add(&kept, &gradient)?;
                moments.push((old, new.clone()));
                new
            }
            Some(epsilon) => {
                let square = graph.mul(&gradient, &gradient)?;
                let first = average(graph, "m", &weight, &gradient, BETA1, &mut moments)?;
                let second = average(graph, "v", &weight, &square, BETA2, &mut moments)?;
                let root = graph.unary("Sqrt", &second)?;
                let divisor = graph.add(&root, epsilon)?;
                graph.div(&first, &divisor)?
            }
        };
        let step = graph.mul(&step, &rate)?;
        let kept = match &decay {
            Some(decay) => graph.mul(&weight, decay)?,
            None => weight.clone(),
        };
        let new = graph.sub(&kept, &step)?;
        states.push((weight, new));
    }
    states.extend(moments);
    Ok(states)
}

/// Gradients scaled so that the norm of all together is at most `clip`.
fn clipped(graph: &mut Graph, clip: f32, weights: Vec<(Value, Value)>) -> Made<Vec<(Value, Value)>> {
    let mut sum: Option<Value> = None;
    for (_, gradient) in &weights {
        let square = graph.mul(gradient, gradient)?;
        let all: Vec<usize> = (0..square.rank()).collect();
        let own = graph.sum(&square, &all, false)?;
        sum = Some(match sum {
            None => own,
            Some(sum) => graph.add(&sum, &own)?,
        });
    }
    let Some(sum) = sum else { return Ok(weights) };
    let norm = graph.unary("Sqrt", &sum)?;
    let clip = graph.number(clip)?;
    let divisor = graph.binary("Max", &norm, &clip, Kind::F32)?;
    let factor = graph.div(&clip, &divisor)?;
    let scaled = weights.into_iter().map(|(weight, gradient)| {
        let gradient = graph.mul(&gradient, &factor)?;
        Ok((weight, gradient))
    });
    scaled.collect()
}

/// The learning rate and the epsilon with Adam's bias correction, which needs the count of steps: with
/// c = 1 - beta^t a step is lr (m / c1) / (sqrt(v / c2) + epsilon), as in PyTorch, and so
/// (lr sqrt(c2) / c1) m / (sqrt(v) + epsilon sqrt(c2)).
fn corrected(graph: &mut Graph, lr: &Value, states: &mut States) -> Made<(Value, Value)> {
    let (count, one) = (graph.declare("t", Kind::F32, Vec::new())?, graph.number(1.0)?);
    let t = graph.add(&count, &one)?;
    let mut correction = |beta: f32| -> Made {
        let beta = graph.number(beta)?;
        let power = graph.binary("Pow", &beta, &t, Kind::F32)?;
        graph.sub(&one, &power)
    };
    let (first, second) = (correction(BETA1)?, correction(BETA2)?);
    let root = graph.unary("Sqrt", &second)?;
    let scale = graph.div(&root, &first)?;
    states.push((count, t));
    let epsilon = graph.number(EPSILON)?;
    let epsilon = graph.mul(&epsilon, &root)?;
    Ok((graph.mul(lr, &scale)?, epsilon))
}

fn moment(graph: &mut Graph, letter: &str, weight: &Value) -> Made {
    Ok(graph.declare(
        &format!("{letter}.{}", weight.name),
        Kind::F32,
        weight.dims.to_vec(),
    )?)
}

/// The running average of `term`, `beta` of which is kept each step.
fn average(
    graph: &mut Graph,
    letter: &str,
    weight: &Value,
    term: &Value,
    beta: f32,
    states: &mut States,
) -> Made {
    let old = moment(graph, letter, weight)?;
    let (kept, new) = (graph.number(beta)?, graph.number(1.0 - beta)?);
    let (kept, new) = (graph.mul(&old, &kept)?, graph.mul(term, &new)?);
    let sum = graph.add(&kept, &new)?;
    states.push((old, sum.clone()));
    Ok(sum)
}
