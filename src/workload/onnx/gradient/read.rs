//! Reading: a forward model as it is on disk, checked, with all its tensors in memory.

use super::super::OnnxError;
use super::super::model::{ModelProto, NodeProto, TensorProto, ValueInfoProto, decode};
use super::error::GradientError;
use super::proto::TypeProto;
use super::value::{Data, Kind, Value, checked};
use prost::Message;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

/// A forward model, read and checked.
pub(super) struct Source {
    /// For messages.
    pub(super) name: String,
    /// All of the file but the graph.
    pub(super) model: ModelProto,
    pub(super) nodes: Vec<NodeProto>,
    /// The file's own tensors, in its order.
    pub(super) tensors: Vec<Value>,
    pub(super) input: String,
    /// Sizes of the input; `None` where one is open. The first is the batch.
    pub(super) dims: Vec<Option<i64>>,
    pub(super) output: String,
    /// Weights that got another name, because theirs has a meaning in a training graph: old and new.
    pub(super) renamed: Vec<(String, String)>,
}

/// Versions of the operators that are covered.
const OPSETS: std::ops::RangeInclusive<i64> = 13..=21;

impl Source {
    /// Reads `bytes`; `folder` is where tensors kept in other files lie; `output` chooses one of several.
    pub(super) fn read(
        name: &str,
        bytes: &[u8],
        folder: Option<&Path>,
        output: Option<&str>,
    ) -> Result<Source, GradientError> {
        let (model, graph) = decode(name, bytes)?;
        let ours = |domain: &Option<String>| matches!(domain.as_deref(), None | Some("" | "ai.onnx"));
        let opset = model.opset_import.iter().find(|opset| ours(&opset.domain));
        let opset = opset.and_then(|opset| opset.version).unwrap_or(0);
        if !OPSETS.contains(&opset) {
            return Err(GradientError::Opset {
                model: name.to_string(),
                found: opset,
            });
        }
        if !graph.sparse_initializer.is_empty() {
            return Err(wrong(name, "", "sparse tensors are not covered".to_string()));
        }
        let (mut tensors, mut names) = (Vec::new(), HashSet::new());
        for tensor in &graph.initializer {
            let own = tensor.name.clone().unwrap_or_default();
            if own.is_empty() || !names.insert(own.clone()) {
                return Err(wrong(name, &own, "a tensor needs a name of its own".to_string()));
            }
            tensors.push(value(name, tensor, folder)?);
        }
        let data: Vec<&ValueInfoProto> = graph
            .input
            .iter()
            .filter(|input| !names.contains(input.name.as_deref().unwrap_or_default()))
            .collect();
        let [input] = data.as_slice() else {
            let found = data.iter().map(|input| input.name.clone().unwrap_or_default());
            return Err(GradientError::Inputs {
                model: name.to_string(),
                found: found.collect(),
            });
        };
        let dims = input_dims(name, input)?;
        let outputs: Vec<String> = graph.output.iter().filter_map(|it| it.name.clone()).collect();
        let chosen = match (output, outputs.as_slice()) {
            (None, [one]) => Some(one.clone()),
            (None, _) => None,
            (Some(wanted), all) => all.iter().find(|it| *it == wanted).cloned(),
        };
        let chosen = chosen.ok_or_else(|| GradientError::Output {
            model: name.to_string(),
            wanted: output.map(str::to_string),
            found: outputs,
        })?;
        let mut source = Source {
            name: name.to_string(),
            model,
            nodes: graph.node,
            tensors,
            input: input.name.clone().unwrap_or_default(),
            dims,
            output: chosen,
            renamed: Vec::new(),
        };
        source.check_order()?;
        source.keep_needed();
        source.rename_reserved(&names);
        Ok(source)
    }

    /// Every node reads what stands before it.
    fn check_order(&self) -> Result<(), GradientError> {
        let mut known: HashSet<&str> = HashSet::from(["", self.input.as_str()]);
        known.extend(self.tensors.iter().map(|tensor| &*tensor.name));
        let wrong = |reason: String| {
            GradientError::Model(OnnxError::Decode {
                what: self.name.clone(),
                reason,
            })
        };
        for node in &self.nodes {
            if let Some(input) = node.input.iter().find(|input| !known.contains(input.as_str())) {
                let node = node_name(node);
                return Err(wrong(format!(
                    "node `{node}` reads `{input}` before anything has written it"
                )));
            }
            for output in node.output.iter().filter(|output| !output.is_empty()) {
                if !known.insert(output) {
                    return Err(wrong(format!("`{output}` is written twice")));
                }
            }
        }
        if !known.contains(self.output.as_str()) {
            return Err(wrong(format!("nothing writes the output `{}`", self.output)));
        }
        Ok(())
    }

    /// Drops what the output does not depend on.
    fn keep_needed(&mut self) {
        let mut needed: HashSet<String> = HashSet::from([self.output.clone()]);
        let mut kept = Vec::new();
        for node in std::mem::take(&mut self.nodes).into_iter().rev() {
            if node.output.iter().any(|output| needed.contains(output)) {
                needed.extend(node.input.iter().cloned());
                kept.push(node);
            }
        }
        kept.reverse();
        self.nodes = kept;
        self.tensors.retain(|tensor| needed.contains(&*tensor.name));
    }

    /// In a training graph some names have a meaning; a weight of such a name gets another.
    fn rename_reserved(&mut self, names: &HashSet<String>) {
        for tensor in &mut self.tensors {
            if !is_reserved(&tensor.name) {
                continue;
            }
            let mut name = format!("w.{}", tensor.name);
            while names.contains(&name) || is_reserved(&name) {
                name = format!("w.{}", name.trim_end_matches("_out"));
            }
            self.renamed.push((tensor.name.to_string(), name.clone()));
            tensor.name = name.into();
        }
        let names: HashMap<String, String> = self.renamed.iter().cloned().collect();
        for node in &mut self.nodes {
            for input in &mut node.input {
                if let Some(name) = names.get(input) {
                    input.clone_from(name);
                }
            }
        }
    }

    /// Whether the model's own batch is fixed to another size than `batch`.
    pub(super) fn fixed_batch(&self, batch: i64) -> Option<i64> {
        self.dims.first().copied().flatten().filter(|own| *own != batch)
    }
}

fn is_reserved(name: &str) -> bool {
    ["x", "y", "lr", "t", "loss", "metric", "scale", "logits"].contains(&name)
        || ["m.", "v.", "g."].iter().any(|start| name.starts_with(start))
        || name.ends_with("_out")
}

/// The name of a node, or of its first output where it has none.
pub(super) fn node_name(node: &NodeProto) -> String {
    match node.name.as_deref() {
        None | Some("") => node.output.first().cloned().unwrap_or_default(),
        Some(name) => name.to_string(),
    }
}

fn wrong(model: &str, name: &str, reason: String) -> GradientError {
    GradientError::Tensor {
        model: model.to_string(),
        name: name.to_string(),
        reason,
    }
}

fn input_dims(model: &str, input: &ValueInfoProto) -> Result<Vec<Option<i64>>, GradientError> {
    let name = input.name.clone().unwrap_or_default();
    let tensor = input
        .r#type
        .as_deref()
        .and_then(|bytes| TypeProto::decode(bytes).ok());
    let tensor = tensor
        .and_then(|it| it.tensor)
        .ok_or_else(|| wrong(model, &name, "the input is no tensor".to_string()))?;
    if tensor.elem_type != Some(Kind::F32 as i32) {
        let found = tensor.elem_type.unwrap_or(0);
        return Err(wrong(
            model,
            &name,
            format!("the input should be float32, but is of data type {found}"),
        ));
    }
    let shape = tensor.shape.map(|shape| shape.dim).unwrap_or_default();
    if shape.is_empty() {
        return Err(wrong(model, &name, "the input has no batch axis".to_string()));
    }
    let mut dims = Vec::with_capacity(shape.len());
    for (axis, dim) in shape.into_iter().enumerate() {
        let size = dim.value.filter(|size| *size > 0);
        if axis > 0 && size.is_none() {
            return Err(GradientError::Dynamic {
                model: model.to_string(),
                input: name,
                axis,
            });
        }
        dims.push(size);
    }
    Ok(dims)
}

fn value(model: &str, tensor: &TensorProto, folder: Option<&Path>) -> Result<Value, GradientError> {
    let name = tensor.name.clone().unwrap_or_default();
    let raw = match tensor.data_location.unwrap_or(0) {
        0 => None,
        _ => Some(external(&name, tensor, folder)?),
    };
    let (kind, dims, data) = content(tensor, raw).map_err(|reason| wrong(model, &name, reason))?;
    Ok(Value {
        name: name.clone().into(),
        kind,
        dims: checked(dims).map_err(|reason| wrong(model, &name, reason))?,
        known: Some(Rc::new(data)),
        requires: false,
    })
}

/// The bytes of a tensor that lies in another file.
fn external(name: &str, tensor: &TensorProto, folder: Option<&Path>) -> Result<Vec<u8>, GradientError> {
    let entry = |key: &str| {
        let found = tensor
            .external_data
            .iter()
            .find(|it| it.key.as_deref() == Some(key));
        found.and_then(|it| it.value.clone())
    };
    let location = PathBuf::from(entry("location").unwrap_or_default());
    let refused = |reason: String| GradientError::External {
        tensor: name.to_string(),
        file: location.clone(),
        reason,
    };
    let inside = location
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    if !inside || location.as_os_str().is_empty() {
        return Err(refused("it does not lie beside the model".to_string()));
    }
    let folder = folder.ok_or_else(|| refused("the model comes without a folder".to_string()))?;
    let number = |key: &str| match entry(key) {
        None => Ok(None),
        Some(text) => text
            .parse::<u64>()
            .map(Some)
            .map_err(|_| refused(format!("{key} is `{text}`"))),
    };
    let (offset, length) = (number("offset")?.unwrap_or(0), number("length")?);
    let mut file = File::open(folder.join(&location)).map_err(|error| refused(error.to_string()))?;
    file.seek(SeekFrom::Start(offset))
        .map_err(|error| refused(error.to_string()))?;
    let mut bytes = Vec::new();
    let mut part = file.take(length.unwrap_or(u64::MAX));
    part.read_to_end(&mut bytes)
        .map_err(|error| refused(error.to_string()))?;
    match length {
        Some(length) if length != bytes.len() as u64 => Err(refused(format!(
            "it ends after {} of {length} bytes",
            bytes.len()
        ))),
        _ => Ok(bytes),
    }
}

/// Element type, shape and content of a tensor; `raw` in place of its own bytes. A double becomes a float32.
pub(super) fn content(tensor: &TensorProto, raw: Option<Vec<u8>>) -> Result<(Kind, Vec<i64>, Data), String> {
    let found = tensor.data_type.unwrap_or(0);
    if raw.is_none() && tensor.data_location.unwrap_or(0) != 0 {
        return Err("a constant kept in another file is not covered".to_string());
    }
    let raw = raw.or_else(|| tensor.raw_data.clone());
    let (kind, data) = match (found, raw) {
        (1, Some(raw)) => (Kind::F32, Data::Floats(chunks(&raw, f32::from_le_bytes))),
        (1, None) => (Kind::F32, Data::Floats(tensor.float_data.clone())),
        (11, Some(raw)) => (
            Kind::F32,
            Data::Floats(chunks(&raw, |it| f64::from_le_bytes(it) as f32)),
        ),
        (11, None) => {
            let values = tensor.double_data.iter();
            (
                Kind::F32,
                Data::Floats(values.map(|value| *value as f32).collect()),
            )
        }
        (7, Some(raw)) => (Kind::I64, Data::Ints(chunks(&raw, i64::from_le_bytes))),
        (7, None) => (Kind::I64, Data::Ints(tensor.int64_data.clone())),
        (6, Some(raw)) => (
            Kind::I32,
            Data::Ints(chunks(&raw, |it| i64::from(i32::from_le_bytes(it)))),
        ),
        (9, Some(raw)) => (
            Kind::Bool,
            Data::Ints(raw.iter().map(|it| i64::from(*it != 0)).collect()),
        ),
        (6 | 9, None) => {
            let values = tensor.int32_data.iter().map(|it| i64::from(*it)).collect();
            (
                if found == 6 { Kind::I32 } else { Kind::Bool },
                Data::Ints(values),
            )
        }
        (other, _) => {
            return Err(format!(
                "values of data type {other} are not covered; export the model in float32, with integers as int64"
            ));
        }
    };
    let wanted = tensor.dims.iter().try_fold(1_usize, |product, dim| {
        product.checked_mul(usize::try_from(*dim).ok()?)
    });
    if wanted != Some(data.len()) {
        return Err(format!("{} values for the shape {:?}", data.len(), tensor.dims));
    }
    Ok((kind, tensor.dims.clone(), data))
}

fn chunks<const N: usize, T>(raw: &[u8], read: impl Fn([u8; N]) -> T) -> Vec<T> {
    raw.as_chunks::<N>().0.iter().map(|bytes| read(*bytes)).collect()
}
