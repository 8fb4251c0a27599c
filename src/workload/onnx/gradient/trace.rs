//! Tracing: the user's model, node by node, into a graph of fixed sizes.

use super::call::Call;
use super::error::GradientError;
use super::fold::fold;
use super::graph::{Graph, Scope};
use super::read::{Source, node_name};
use super::rules::rule;
use super::value::{Kind, Value};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// A forward model in a graph.
pub(super) struct Forward {
    pub(super) graph: Graph,
    pub(super) x: Value,
    /// What the loss is taken of.
    pub(super) output: Value,
    /// The output as the model has it; another one where the loss takes its last activation over.
    pub(super) whole: Value,
    /// The last operator, if the loss takes it over.
    pub(super) taken_over: Option<String>,
}

/// How a trace is made.
#[derive(Clone, Copy)]
pub(super) struct Tracing<'a> {
    pub(super) batch: i64,
    /// Weights that may be trained.
    pub(super) trainable: &'a HashSet<String>,
    /// Batch normalisation by the batch's own statistics.
    pub(super) batch_statistics: bool,
    /// Operators that the loss contains, so that they are left out at the model's end.
    pub(super) part_of_loss: &'a [&'a str],
}

/// Builds `source` for a batch.
pub(super) fn forward(source: &Source, how: Tracing<'_>) -> Result<Forward, GradientError> {
    let mut reserved: HashSet<String> = source
        .tensors
        .iter()
        .map(|tensor| tensor.name.to_string())
        .collect();
    reserved.insert("x".to_string());
    let mut graph = Graph::new(reserved);
    graph.batch_statistics = how.batch_statistics;
    let mut dims: Vec<i64> = source.dims.iter().map(|size| size.unwrap_or(0)).collect();
    if let Some(first) = dims.first_mut() {
        *first = how.batch;
    }
    let wrong = |reason: String| GradientError::Tensor {
        model: source.name.clone(),
        name: source.input.clone(),
        reason,
    };
    let x = graph.declare("x", Kind::F32, dims).map_err(wrong)?;
    let mut known: HashMap<&str, Value> = HashMap::from([(source.input.as_str(), x.clone())]);
    for tensor in &source.tensors {
        let mut value = tensor.clone();
        value.requires = how.trainable.contains(&*value.name);
        graph.keep(value.clone());
        known.insert(&tensor.name, value);
    }
    for node in &source.nodes {
        let inputs = node
            .input
            .iter()
            .map(|input| known.get(input.as_str()).cloned())
            .collect();
        let (op, name) = (node.op_type.clone().unwrap_or_default(), node_name(node));
        let hint = |error| with_hint(error, source, how.batch);
        let domain = node.domain.as_deref().unwrap_or_default();
        if !["", "ai.onnx"].contains(&domain) {
            let op = format!("{domain}.{op}");
            return Err(GradientError::Operator { op, node: name });
        }
        let call = Call::new(node, name.clone(), inputs).map_err(|reason| GradientError::Node {
            op: op.clone(),
            node: name.clone(),
            reason,
        })?;
        let made = build(&mut graph, call).map_err(hint)?;
        for (output, value) in node.output.iter().zip(made) {
            known.insert(output, value);
        }
        // Outputs beyond those that a rule makes (a mask, running statistics) are in the way only if they are
        // read.
    }
    let missing = || {
        GradientError::Loss(format!(
            "the output `{}` is made by no covered operator",
            source.output
        ))
    };
    let whole = known.get(source.output.as_str()).cloned().ok_or_else(missing)?;
    let (mut output, mut taken_over) = (whole.clone(), None);
    if let Some((op, input, axis)) = last_activation(source, how.part_of_loss)
        && let Some(before) = known.get(input)
        && before.elements() == whole.elements()
        // A softmax over another axis than that of the classes is none of the loss's.
        && (op == "Sigmoid" || before.axis(axis) == Ok(1))
    {
        graph.scope = scope(op, "loss");
        let shaped = graph.reshape(before, whole.dims.to_vec());
        output = shaped.map_err(|refusal| refusal.at(op, "loss"))?;
        taken_over = Some(op.to_string());
    }
    if output.kind != Kind::F32 || output.rank() == 0 || output.dim(0) != how.batch {
        let reason = format!(
            "the output `{}` should be float32 [{}, ...], but is {:?} {:?}{}",
            source.output,
            how.batch,
            output.kind,
            output.dims,
            hint(source, how.batch)
        );
        return Err(GradientError::Loss(reason));
    }
    Ok(Forward {
        graph,
        x,
        output,
        whole,
        taken_over,
    })
}

/// The operator that the loss contains at the end of the model, its input and axis; behind it only the shape may
/// change.
fn last_activation<'a>(source: &'a Source, part_of_loss: &[&str]) -> Option<(&'a str, &'a str, i64)> {
    let mut name = source.output.as_str();
    loop {
        let node = source
            .nodes
            .iter()
            .find(|node| node.output.iter().any(|output| output == name))?;
        let (op, input) = (node.op_type.as_deref()?, node.input.first()?);
        if part_of_loss.contains(&op) {
            let call = Call::new(node, String::new(), Vec::new()).ok()?;
            return Some((op, input, call.int("axis", -1)));
        }
        // Nodes stand in order, so this ends at the model's input at the latest.
        match op {
            "Identity" | "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" => name = input,
            _ => return None,
        }
    }
}

fn build(graph: &mut Graph, call: Call) -> Result<Vec<Value>, GradientError> {
    let (op, node) = (call.op.clone(), call.node.clone());
    let refused = |reason: String| GradientError::Node {
        op: op.clone(),
        node: node.clone(),
        reason,
    };
    graph.scope = scope(&op, &node);
    if let Some((kind, dims, data)) = fold(&call).map_err(refused)? {
        return Ok(vec![graph.constant(kind, dims, data).map_err(refused)?]);
    }
    let Some(rule) = rule(&op) else {
        return Err(GradientError::Operator { op, node });
    };
    let made = rule(graph, &call).map_err(|refusal| refusal.at(&op, &node))?;
    // A rule that notes no gradient has none: integers and truths carry none on, floats must.
    let wanted = call.inputs.iter().flatten().any(|input| input.requires);
    let lost = |value: &Value| value.kind == Kind::F32 && !value.requires && value.known.is_none();
    if wanted && made.iter().any(lost) && !only_through_constants(&call) {
        return Err(GradientError::NotDifferentiable { op, node });
    }
    Ok(made)
}

fn scope(op: &str, node: &str) -> Scope {
    Scope {
        op: op.to_string(),
        node: node.to_string(),
    }
}

/// Inputs that a rule reads as constants carry no gradient, whatever they are.
fn only_through_constants(call: &Call) -> bool {
    let data = match call.op.as_str() {
        "Resize" | "Pad" | "Clip" | "Slice" | "Expand" | "Reshape" | "Tile" => 1,
        "BatchNormalization" => 3,
        _ => return false,
    };
    !call
        .inputs
        .iter()
        .take(data)
        .flatten()
        .any(|input| input.requires)
}

/// What to do about a model whose batch is fixed.
fn hint(source: &Source, batch: i64) -> String {
    source.fixed_batch(batch).map_or(String::new(), |own| {
        format!("; the model holds a batch of {own}: export it with an open one, or use --micro-batch {own}")
    })
}

fn with_hint(error: GradientError, source: &Source, batch: i64) -> GradientError {
    match error {
        GradientError::Node { op, node, reason } => GradientError::Node {
            op,
            node,
            reason: format!("{reason}{}", hint(source, batch)),
        },
        other => other,
    }
}

/// Names in the order of the file, of those that `chosen` has.
pub(super) fn in_order(source: &Source, chosen: impl Fn(&Rc<str>) -> bool) -> Vec<Value> {
    source
        .tensors
        .iter()
        .filter(|tensor| chosen(&tensor.name))
        .cloned()
        .collect()
}
