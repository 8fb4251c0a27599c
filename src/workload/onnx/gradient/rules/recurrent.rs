//! LSTM and GRU, unrolled: every time step becomes nodes of its own, so the sequence has a fixed length.

use super::super::call::Call;
use super::super::graph::{Graph, Made};
use super::super::value::Value;

/// The longest sequence that is unrolled.
const MOST_STEPS: i64 = 512;

/// The weights of one direction.
struct Cell {
    /// `[gates * hidden, input]`.
    w: Value,
    /// `[gates * hidden, hidden]`.
    r: Value,
    /// Of the input, `[gates * hidden]`.
    w_bias: Value,
    /// Of the hidden state, `[gates * hidden]`.
    r_bias: Value,
    hidden: i64,
}

/// What one direction made.
struct Run {
    /// The hidden state after each step, in the order of time.
    all: Vec<Value>,
    last: Vec<Value>,
}

fn gates(call: &Call) -> i64 {
    if call.op == "LSTM" { 4 } else { 3 }
}

/// Part `index` of the first axis of `value`, without it.
fn of_direction(graph: &mut Graph, value: &Value, index: i64) -> Made {
    let part = graph.slice(value, 0, index, 1, 1)?;
    let dims = value.dims.iter().skip(1).copied().collect();
    graph.reshape(&part, dims)
}

fn cell(graph: &mut Graph, call: &Call, direction: i64) -> Made<Cell> {
    let (hidden, gates) = (call.int("hidden_size", 0), gates(call));
    let w = of_direction(graph, call.input(1)?, direction)?;
    let r = of_direction(graph, call.input(2)?, direction)?;
    if !(1..=1 << 20).contains(&hidden) || w.dim(0) != gates * hidden || *r.dims != [gates * hidden, hidden] {
        return Err(format!(
            "weights of {:?} and {:?} do not suit hidden_size {hidden}",
            w.dims, r.dims
        )
        .into());
    }
    let (w_bias, r_bias) = match call.optional(3) {
        Some(bias) => {
            let both = of_direction(graph, bias, direction)?;
            let sizes = [gates * hidden; 2];
            if *both.dims != [sizes[0] + sizes[1]] {
                return Err(format!("a bias of {:?} does not suit hidden_size {hidden}", bias.dims).into());
            }
            let parts = graph.split(&both, 0, &sizes)?;
            <[Value; 2]>::try_from(parts)
                .map(Into::into)
                .map_err(|_| "a bias has two parts")?
        }
        None => {
            let zero = graph.number(0.0)?;
            let zeros = graph.expand(&zero, vec![gates * hidden])?;
            (zeros.clone(), zeros)
        }
    };
    Ok(Cell {
        w,
        r,
        w_bias,
        r_bias,
        hidden,
    })
}

/// The state a direction starts from: input `index`, or zeros.
fn start(graph: &mut Graph, call: &Call, index: usize, direction: i64, dims: [i64; 2]) -> Made {
    match call.optional(index) {
        Some(given) => {
            let own = of_direction(graph, given, direction)?;
            graph.expand(&own, dims.to_vec())
        }
        None => {
            let zero = graph.number(0.0)?;
            graph.expand(&zero, dims.to_vec())
        }
    }
}

/// The parts of `value` `[batch, gates * hidden]`, one a gate.
fn by_gate<const N: usize>(graph: &mut Graph, value: &Value, hidden: i64) -> Made<[Value; N]> {
    let parts = graph.split(value, 1, &[hidden; N])?;
    <[Value; N]>::try_from(parts).map_err(|_| "a gate is missing".into())
}

/// One step of an LSTM (gates input, output, forget, cell): the new hidden state and cell.
fn lstm(graph: &mut Graph, cell: &Cell, x: &Value, h: &Value, c: &Value) -> Made<(Value, Value)> {
    let from_h = graph.gemm(h, false, &cell.r, true, None)?;
    let sum = graph.add(x, &from_h)?;
    let [input, output, forget, new] = by_gate(graph, &sum, cell.hidden)?;
    let (input, output, forget) = (
        graph.sigmoid(&input)?,
        graph.sigmoid(&output)?,
        graph.sigmoid(&forget)?,
    );
    let new = graph.tanh(&new)?;
    let (kept, added) = (graph.mul(&forget, c)?, graph.mul(&input, &new)?);
    let c = graph.add(&kept, &added)?;
    let shown = graph.tanh(&c)?;
    Ok((graph.mul(&output, &shown)?, c))
}

/// One step of a GRU (gates update, reset, hidden) whose reset acts behind the product, as PyTorch's does.
fn gru(graph: &mut Graph, cell: &Cell, x: &Value, h: &Value) -> Made {
    let from_h = graph.gemm(h, false, &cell.r, true, Some(&cell.r_bias))?;
    let [update, reset, new] = by_gate(graph, x, cell.hidden)?;
    let [h_update, h_reset, h_new] = by_gate(graph, &from_h, cell.hidden)?;
    let (update, reset) = (graph.add(&update, &h_update)?, graph.add(&reset, &h_reset)?);
    let (update, reset) = (graph.sigmoid(&update)?, graph.sigmoid(&reset)?);
    let let_in = graph.mul(&reset, &h_new)?;
    let sum = graph.add(&new, &let_in)?;
    let new = graph.tanh(&sum)?;
    // h' = new + update (h - new)
    let off = graph.sub(h, &new)?;
    let kept = graph.mul(&update, &off)?;
    graph.add(&new, &kept)
}

fn run(graph: &mut Graph, call: &Call, direction: i64, reverse: bool) -> Made<Run> {
    let (x, cell) = (call.input(0)?, cell(graph, call, direction)?);
    let [steps, batch, width] = *x.dims else {
        return Err(format!("an input of {:?} is not [steps, batch, values]", x.dims).into());
    };
    // The product with the input is one for all steps.
    let flat = graph.reshape(x, vec![steps * batch, width])?;
    let is_lstm = call.op == "LSTM";
    let bias = if is_lstm {
        graph.add(&cell.w_bias, &cell.r_bias)?
    } else {
        cell.w_bias.clone()
    };
    let product = graph.gemm(&flat, false, &cell.w, true, Some(&bias))?;
    let sizes = vec![batch; usize::try_from(steps).unwrap_or(0)];
    let mut parts = graph.split(&product, 0, &sizes)?;
    if reverse {
        parts.reverse();
    }
    let dims = [batch, cell.hidden];
    let mut h = start(graph, call, 5, direction, dims)?;
    let mut c = if is_lstm {
        Some(start(graph, call, 6, direction, dims)?)
    } else {
        None
    };
    let mut all = Vec::with_capacity(parts.len());
    for part in &parts {
        match &mut c {
            Some(c) => (h, *c) = lstm(graph, &cell, part, &h, c)?,
            None => h = gru(graph, &cell, part, &h)?,
        }
        all.push(h.clone());
    }
    if reverse {
        all.reverse();
    }
    Ok(Run {
        all,
        last: [Some(h), c].into_iter().flatten().collect(),
    })
}

/// LSTM and GRU with their usual activations.
pub(super) fn recurrent(graph: &mut Graph, call: &Call) -> Made<Vec<Value>> {
    let x = call.input(0)?;
    let steps = x.dim(0);
    if x.rank() != 3 || !(1..=MOST_STEPS).contains(&steps) {
        return Err(format!(
            "an input of {:?} is not [1 to {MOST_STEPS} steps, batch, values]",
            x.dims
        )
        .into());
    }
    let odd = ["activations", "activation_alpha", "activation_beta", "clip"];
    let reset_before = call.op == "GRU" && call.int("linear_before_reset", 0) == 0;
    if odd.iter().any(|name| call.attribute(name).is_some())
        || call.int("layout", 0) != 0
        || call.int("input_forget", 0) != 0
        || call.optional(4).is_some()
        || call.optional(7).is_some()
        || reset_before
    {
        return Err(
            "only what PyTorch exports is covered: no activations, clip, lengths, peepholes or layout".into(),
        );
    }
    let directions: &[bool] = match call.text("direction", "forward").as_str() {
        "forward" => &[false],
        "reverse" => &[true],
        "bidirectional" => &[false, true],
        other => return Err(format!("direction {other} is not covered").into()),
    };
    let mut runs = Vec::new();
    for (index, reverse) in directions.iter().enumerate() {
        runs.push(run(graph, call, index as i64, *reverse)?);
    }
    // Y is [steps, directions, batch, hidden]; the last states are [directions, batch, hidden].
    let lifted = |graph: &mut Graph, value: &Value| graph.reshape(value, [&[1], &*value.dims].concat());
    let mut each = Vec::new();
    for step in 0..usize::try_from(steps).unwrap_or(0) {
        for run in &runs {
            let value = run.all.get(step).ok_or("a step is missing")?;
            each.push(lifted(graph, value)?);
        }
    }
    let first = each.first().ok_or("there are no steps")?;
    let dims = vec![steps, runs.len() as i64, first.dim(1), first.dim(2)];
    let flat = graph.concat(&each, 0)?;
    let mut outputs = vec![graph.reshape(&flat, dims)?];
    for state in 0..runs.first().map_or(0, |run| run.last.len()) {
        let mut last = Vec::new();
        for run in &runs {
            let value = run.last.get(state).ok_or("a state is missing")?;
            last.push(lifted(graph, value)?);
        }
        outputs.push(graph.concat(&last, 0)?);
    }
    Ok(outputs)
}
