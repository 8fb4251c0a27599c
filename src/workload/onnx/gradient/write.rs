//! Writing: a built graph as a model file.

use super::super::model::{
    GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, ValueInfoProto,
};
use super::graph::Graph;
use super::proto::{DimensionProto, ShapeProto, TensorTypeProto, TypeProto};
use super::value::Value;
use prost::Message;
use std::collections::{HashMap, HashSet};

/// The newest that ONNX Runtime 1.17 reads.
const IR_VERSION: i64 = 8;
/// The version of the operators that are written.
const OPSET: i64 = 17;

/// A written model and its number of nodes.
pub(super) struct Written {
    pub(super) bytes: Vec<u8>,
    pub(super) nodes: usize,
}

/// The parts of `graph` that `outputs` depend on, as a model; each output gets the name beside it.
pub(super) fn write(graph: Graph, name: &str, inputs: &[Value], outputs: Vec<(Value, String)>) -> Written {
    let Graph {
        mut nodes, values, ..
    } = graph;
    let mut made: HashSet<String> = nodes
        .iter()
        .flat_map(|node| node.output.iter().cloned())
        .collect();
    let mut renamed: HashMap<String, String> = HashMap::new();
    for (value, wanted) in &outputs {
        // What no node makes, or what has a name from outside already, is copied.
        if made.remove(&*value.name) {
            renamed.insert(value.name.to_string(), wanted.clone());
        } else {
            let from = renamed
                .get(&*value.name)
                .cloned()
                .unwrap_or(value.name.to_string());
            nodes.push(NodeProto {
                input: vec![from],
                output: vec![wanted.clone()],
                name: Some(format!("{wanted}/Identity")),
                op_type: Some("Identity".to_string()),
                ..NodeProto::default()
            });
        }
    }
    for node in &mut nodes {
        for tensor in node.input.iter_mut().chain(&mut node.output) {
            if let Some(name) = renamed.get(tensor) {
                tensor.clone_from(name);
            }
        }
    }
    let mut needed: HashSet<String> = outputs.iter().map(|(_, name)| name.clone()).collect();
    let mut kept: Vec<NodeProto> = Vec::new();
    for node in nodes.into_iter().rev() {
        if node.output.iter().any(|output| needed.contains(output)) {
            needed.extend(node.input.iter().cloned());
            kept.push(node);
        }
    }
    kept.reverse();
    let mut initializer = Vec::new();
    let mut constants: Vec<&Value> = values
        .values()
        .filter(|value| value.known.is_some() && needed.contains(&*value.name))
        .filter(|value| !inputs.iter().any(|input| input.name == value.name))
        .collect();
    constants.sort_by(|left, right| left.name.cmp(&right.name));
    for value in constants {
        initializer.extend(tensor(value));
    }
    let back: HashMap<&str, &str> = renamed
        .iter()
        .map(|(old, new)| (new.as_str(), old.as_str()))
        .collect();
    let finals: HashSet<&str> = outputs.iter().map(|(_, name)| name.as_str()).collect();
    let between = kept
        .iter()
        .flat_map(|node| &node.output)
        .filter(|name| !finals.contains(name.as_str()));
    let between = between.filter_map(|name| {
        let value = values.get(back.get(name.as_str()).copied().unwrap_or(name))?;
        Some(info(name, value))
    });
    let graph = GraphProto {
        value_info: between.collect(),
        name: Some(name.to_string()),
        initializer,
        input: inputs.iter().map(|value| info(&value.name, value)).collect(),
        output: outputs.iter().map(|(value, name)| info(name, value)).collect(),
        node: kept,
        ..GraphProto::default()
    };
    let nodes = graph.node.len();
    let model = ModelProto {
        ir_version: Some(IR_VERSION),
        producer_name: Some("fulcrum".to_string()),
        producer_version: Some(env!("CARGO_PKG_VERSION").to_string()),
        opset_import: vec![OperatorSetIdProto {
            domain: Some(String::new()),
            version: Some(OPSET),
        }],
        graph: Some(graph),
        ..ModelProto::default()
    };
    Written {
        bytes: model.encode_to_vec(),
        nodes,
    }
}

/// A tensor with content as an initializer.
pub(super) fn tensor(value: &Value) -> Option<TensorProto> {
    Some(TensorProto {
        name: Some(value.name.to_string()),
        dims: value.dims.to_vec(),
        data_type: Some(value.kind as i32),
        raw_data: Some(value.known.as_ref()?.bytes(value.kind)),
        ..TensorProto::default()
    })
}

/// Type and shape of a tensor, all sizes fixed.
pub(super) fn info(name: &str, value: &Value) -> ValueInfoProto {
    let dims = value.dims.iter().map(|size| (Some(*size), None));
    typed(name, value.kind as i32, dims)
}

/// Type and shape of a tensor; each size is a number or has a name.
pub(super) fn typed(
    name: &str,
    kind: i32,
    dims: impl Iterator<Item = (Option<i64>, Option<String>)>,
) -> ValueInfoProto {
    let dim = dims
        .map(|(value, param)| DimensionProto { value, param })
        .collect();
    let tensor = TypeProto {
        tensor: Some(TensorTypeProto {
            elem_type: Some(kind),
            shape: Some(ShapeProto { dim }),
        }),
    };
    ValueInfoProto {
        name: Some(name.to_string()),
        r#type: Some(tensor.encode_to_vec()),
        ..ValueInfoProto::default()
    }
}
