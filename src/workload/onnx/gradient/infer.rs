//! The forward model for inference: the user's own nodes, the weights turned into inputs.

use super::super::model::GraphProto;
use super::read::Source;
use super::value::{Kind, Value};
use super::write::{Written, tensor, typed};
use prost::Message;
use std::collections::HashMap;

/// Writes `source` with input `x`, then `weights`, and output `logits`. Operators and their version stay the
/// user's. `open` leaves the batch open.
pub(super) fn infer(source: &Source, weights: &[Value], output: &Value, open: bool) -> Written {
    // Whatever else bears one of the two names gives it up.
    let mut names: HashMap<&str, &str> = HashMap::from([("x", "x.0"), ("logits", "logits.0")]);
    names.insert(&source.input, "x");
    names.insert(&source.output, "logits");
    let mut nodes = source.nodes.clone();
    for node in &mut nodes {
        for tensor in node.input.iter_mut().chain(&mut node.output) {
            if let Some(name) = names.get(tensor.as_str()) {
                *tensor = (*name).to_string();
            }
        }
    }
    let is_weight = |value: &&Value| weights.iter().any(|weight| weight.name == value.name);
    let fixed = source.tensors.iter().filter(|value| !is_weight(value));
    let kind = Kind::F32 as i32;
    let batch = |own: Option<i64>| match own {
        Some(size) if !open => (Some(size), None),
        _ => (None, Some("N".to_string())),
    };
    let own = source.dims.first().copied().flatten();
    let behind = source.dims.iter().skip(1).map(|size| (*size, None));
    let mut inputs = vec![typed("x", kind, [batch(own)].into_iter().chain(behind))];
    for weight in weights {
        inputs.push(typed(
            &weight.name,
            kind,
            weight.dims.iter().map(|size| (Some(*size), None)),
        ));
    }
    let behind = output.dims.iter().skip(1).map(|size| (Some(*size), None));
    let graph = GraphProto {
        name: Some("infer".to_string()),
        initializer: fixed.filter_map(tensor).collect(),
        input: inputs,
        output: vec![typed("logits", kind, [batch(own)].into_iter().chain(behind))],
        node: nodes,
        ..GraphProto::default()
    };
    let nodes = graph.node.len();
    let mut model = source.model.clone();
    model.ir_version = model.ir_version.map(|version| version.max(4));
    model.producer_name = Some("fulcrum".to_string());
    model.graph = Some(graph);
    Written {
        bytes: model.encode_to_vec(),
        nodes,
    }
}
