//! Batch normalisation replaced by group normalisation, in the user's own nodes.
//!
//! x -> Reshape [0, G, -1] -> InstanceNormalization -> Reshape [0, C, -1] -> Mul scale -> Add bias -> Reshape
//! to the shape of x. Nothing in it depends on the size of the batch, so training and inference compute the
//! same.

use super::super::model::{NodeProto, TensorProto};
use super::error::GradientError;
use super::graph::{Setting, encode};
use super::proto::{AttributeProto, TENSOR};
use super::read::{Source, node_name};
use super::value::{Data, Kind};
use prost::Message;
use std::rc::Rc;

/// Groups of `channels`: as many as divide them, at most 32, with 2 channels or more each where there are
/// that many.
fn groups(channels: i64) -> i64 {
    (1..=32)
        .rev()
        .find(|count| channels % count == 0 && channels / count >= 2)
        .unwrap_or(1)
}

/// Replaces every BatchNormalization of `source`; returns how many.
pub(super) fn replace(source: &mut Source) -> Result<usize, GradientError> {
    let (mut nodes, mut count) = (Vec::new(), 0);
    for node in std::mem::take(&mut source.nodes) {
        if node.op_type.as_deref() == Some("BatchNormalization") {
            let made = replaced(source, &node, count)?;
            nodes.extend(made);
            count += 1;
        } else {
            nodes.push(node);
        }
    }
    source.nodes = nodes;
    Ok(count)
}

fn replaced(source: &Source, node: &NodeProto, index: usize) -> Result<Vec<NodeProto>, GradientError> {
    let name = node_name(node);
    let refused = |reason: &str| GradientError::Node {
        op: "BatchNormalization".to_string(),
        node: name.clone(),
        reason: reason.to_string(),
    };
    let [x, scale, bias, ..] = node.input.as_slice() else {
        return Err(refused("scale or bias is missing"));
    };
    let found = source.tensors.iter().find(|tensor| *tensor.name == **scale);
    let dims = found.map(|tensor| Rc::clone(&tensor.dims));
    let Some([channels]) = dims.as_deref() else {
        return Err(refused("its scale should be a weight with one value a channel"));
    };
    let output = node.output.first().cloned().unwrap_or_default();
    let epsilon = node
        .attribute
        .iter()
        .filter_map(|bytes| AttributeProto::decode(bytes.as_slice()).ok());
    let epsilon = epsilon
        .filter(|it| it.name.as_deref() == Some("epsilon"))
        .find_map(|it| it.f);
    let count = groups(*channels);
    let made = |part: &str| format!("group_norm_{index}/{part}");
    let step = |op: &str, inputs: Vec<String>, output: String, attribute: Vec<Vec<u8>>| NodeProto {
        name: Some(format!("{name}/{output}")),
        op_type: Some(op.to_string()),
        input: inputs,
        output: vec![output],
        attribute,
        ..NodeProto::default()
    };
    // Constants as nodes: whatever the file lists as a tensor is a weight.
    let constant = |part: &str, kind: Kind, dims: Vec<i64>, data: Data| {
        let tensor = TensorProto {
            dims,
            data_type: Some(kind as i32),
            raw_data: Some(data.bytes(kind)),
            ..TensorProto::default()
        };
        let attribute = AttributeProto {
            name: Some("value".to_string()),
            t: Some(tensor),
            r#type: Some(TENSOR),
            ..AttributeProto::default()
        };
        step(
            "Constant",
            Vec::new(),
            made(part),
            vec![attribute.encode_to_vec()],
        )
    };
    let places = usize::try_from(count).unwrap_or(1);
    let epsilon = vec![encode(&Setting::Float("epsilon", epsilon.unwrap_or(1e-5)))];
    Ok(vec![
        constant("groups", Kind::I64, vec![3], Data::Ints(vec![0, count, -1])),
        constant("channels", Kind::I64, vec![3], Data::Ints(vec![0, *channels, -1])),
        constant("ones", Kind::F32, vec![count], Data::Floats(vec![1.0; places])),
        constant("zeros", Kind::F32, vec![count], Data::Floats(vec![0.0; places])),
        constant("axis", Kind::I64, vec![1], Data::Ints(vec![1])),
        step("Shape", vec![x.clone()], made("size"), Vec::new()),
        step(
            "Reshape",
            vec![x.clone(), made("groups")],
            made("grouped"),
            Vec::new(),
        ),
        step(
            "InstanceNormalization",
            vec![made("grouped"), made("ones"), made("zeros")],
            made("normal"),
            epsilon,
        ),
        step(
            "Reshape",
            vec![made("normal"), made("channels")],
            made("flat"),
            Vec::new(),
        ),
        step(
            "Unsqueeze",
            vec![scale.clone(), made("axis")],
            made("scale"),
            Vec::new(),
        ),
        step(
            "Unsqueeze",
            vec![bias.clone(), made("axis")],
            made("bias"),
            Vec::new(),
        ),
        step(
            "Mul",
            vec![made("flat"), made("scale")],
            made("scaled"),
            Vec::new(),
        ),
        step(
            "Add",
            vec![made("scaled"), made("bias")],
            made("shifted"),
            Vec::new(),
        ),
        step("Reshape", vec![made("shifted"), made("size")], output, Vec::new()),
    ])
}
