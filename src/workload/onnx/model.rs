//! ONNX models as data: the messages of the public `onnx.proto`, read and written with prost.
//!
//! Every field of the schema that a model file may hold is declared, so that reading and writing one loses nothing.
//! Field numbers and types: onnx.proto of ONNX 1.16 (IR version 10).

// The fields are the schema's own; their meaning stands there.
#![allow(missing_docs)]

use super::OnnxError;
use super::tensor::Element;
use prost::Message;

#[derive(Clone, PartialEq, Message)]
pub struct ModelProto {
    #[prost(int64, optional, tag = "1")]
    pub ir_version: Option<i64>,
    #[prost(string, optional, tag = "2")]
    pub producer_name: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub producer_version: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub domain: Option<String>,
    #[prost(int64, optional, tag = "5")]
    pub model_version: Option<i64>,
    #[prost(string, optional, tag = "6")]
    pub doc_string: Option<String>,
    #[prost(message, optional, tag = "7")]
    pub graph: Option<GraphProto>,
    #[prost(message, repeated, tag = "8")]
    pub opset_import: Vec<OperatorSetIdProto>,
    #[prost(message, repeated, tag = "14")]
    pub metadata_props: Vec<StringStringEntryProto>,
    /// Functions of the model's own, kept as they are.
    #[prost(bytes = "vec", repeated, tag = "25")]
    pub functions: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub struct OperatorSetIdProto {
    #[prost(string, optional, tag = "1")]
    pub domain: Option<String>,
    #[prost(int64, optional, tag = "2")]
    pub version: Option<i64>,
}

#[derive(Clone, PartialEq, Message)]
pub struct StringStringEntryProto {
    #[prost(string, optional, tag = "1")]
    pub key: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub value: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub struct GraphProto {
    #[prost(message, repeated, tag = "1")]
    pub node: Vec<NodeProto>,
    #[prost(string, optional, tag = "2")]
    pub name: Option<String>,
    #[prost(message, repeated, tag = "5")]
    pub initializer: Vec<TensorProto>,
    #[prost(string, optional, tag = "10")]
    pub doc_string: Option<String>,
    #[prost(message, repeated, tag = "11")]
    pub input: Vec<ValueInfoProto>,
    #[prost(message, repeated, tag = "12")]
    pub output: Vec<ValueInfoProto>,
    #[prost(message, repeated, tag = "13")]
    pub value_info: Vec<ValueInfoProto>,
    /// Quantisation annotations, kept as they are.
    #[prost(bytes = "vec", repeated, tag = "14")]
    pub quantization_annotation: Vec<Vec<u8>>,
    /// Sparse initializers, kept as they are.
    #[prost(bytes = "vec", repeated, tag = "15")]
    pub sparse_initializer: Vec<Vec<u8>>,
    #[prost(message, repeated, tag = "16")]
    pub metadata_props: Vec<StringStringEntryProto>,
}

#[derive(Clone, PartialEq, Message)]
pub struct NodeProto {
    #[prost(string, repeated, tag = "1")]
    pub input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub output: Vec<String>,
    #[prost(string, optional, tag = "3")]
    pub name: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub op_type: Option<String>,
    /// Attributes, kept as they are: a cut does not look into them.
    #[prost(bytes = "vec", repeated, tag = "5")]
    pub attribute: Vec<Vec<u8>>,
    #[prost(string, optional, tag = "6")]
    pub doc_string: Option<String>,
    #[prost(string, optional, tag = "7")]
    pub domain: Option<String>,
    #[prost(string, optional, tag = "8")]
    pub overload: Option<String>,
    #[prost(message, repeated, tag = "9")]
    pub metadata_props: Vec<StringStringEntryProto>,
}

#[derive(Clone, PartialEq, Message)]
pub struct ValueInfoProto {
    #[prost(string, optional, tag = "1")]
    pub name: Option<String>,
    /// The type, kept as it is: the engine is asked for types and shapes.
    #[prost(bytes = "vec", optional, tag = "2")]
    pub r#type: Option<Vec<u8>>,
    #[prost(string, optional, tag = "3")]
    pub doc_string: Option<String>,
    #[prost(message, repeated, tag = "4")]
    pub metadata_props: Vec<StringStringEntryProto>,
}

#[derive(Clone, PartialEq, Message)]
pub struct TensorProto {
    #[prost(int64, repeated, packed = "false", tag = "1")]
    pub dims: Vec<i64>,
    #[prost(int32, optional, tag = "2")]
    pub data_type: Option<i32>,
    /// A part of a larger tensor, kept as it is; no known exporter writes one.
    #[prost(bytes = "vec", optional, tag = "3")]
    pub segment: Option<Vec<u8>>,
    #[prost(float, repeated, tag = "4")]
    pub float_data: Vec<f32>,
    #[prost(int32, repeated, tag = "5")]
    pub int32_data: Vec<i32>,
    #[prost(bytes = "vec", repeated, tag = "6")]
    pub string_data: Vec<Vec<u8>>,
    #[prost(int64, repeated, tag = "7")]
    pub int64_data: Vec<i64>,
    #[prost(string, optional, tag = "8")]
    pub name: Option<String>,
    #[prost(bytes = "vec", optional, tag = "9")]
    pub raw_data: Option<Vec<u8>>,
    #[prost(double, repeated, tag = "10")]
    pub double_data: Vec<f64>,
    #[prost(uint64, repeated, tag = "11")]
    pub uint64_data: Vec<u64>,
    #[prost(string, optional, tag = "12")]
    pub doc_string: Option<String>,
    #[prost(message, repeated, tag = "13")]
    pub external_data: Vec<StringStringEntryProto>,
    #[prost(int32, optional, tag = "14")]
    pub data_location: Option<i32>,
    #[prost(message, repeated, tag = "16")]
    pub metadata_props: Vec<StringStringEntryProto>,
}

/// The part of TypeProto that tells a tensor's element type and sizes.
#[derive(Clone, PartialEq, Message)]
struct TypeProto {
    #[prost(message, optional, tag = "1")]
    tensor_type: Option<TensorTypeProto>,
}

#[derive(Clone, PartialEq, Message)]
struct TensorTypeProto {
    #[prost(int32, optional, tag = "1")]
    elem_type: Option<i32>,
    #[prost(message, optional, tag = "2")]
    shape: Option<ShapeProto>,
}

#[derive(Clone, PartialEq, Message)]
struct ShapeProto {
    #[prost(message, repeated, tag = "1")]
    dim: Vec<DimensionProto>,
}

#[derive(Clone, PartialEq, Message)]
struct DimensionProto {
    #[prost(int64, optional, tag = "1")]
    dim_value: Option<i64>,
    #[prost(string, optional, tag = "2")]
    dim_param: Option<String>,
}

impl ValueInfoProto {
    /// A tensor of this name; without `dims` its shape is left open, the number of its sizes too.
    pub(super) fn of(name: String, element: Element, dims: Option<&[i64]>) -> ValueInfoProto {
        let shape = dims.map(|dims| ShapeProto {
            dim: dims
                .iter()
                .map(|dim| DimensionProto {
                    dim_value: Some(*dim),
                    dim_param: None,
                })
                .collect(),
        });
        let kind = TypeProto {
            tensor_type: Some(TensorTypeProto {
                elem_type: Some(element.0 as i32),
                shape,
            }),
        };
        ValueInfoProto {
            name: Some(name),
            r#type: Some(kind.encode_to_vec()),
            ..ValueInfoProto::default()
        }
    }

    /// The tensor's TensorProto.DataType and its sizes; `None` if it is no tensor or leaves a size open.
    pub fn tensor(&self) -> Option<(i32, Vec<i64>)> {
        let kind = TypeProto::decode(self.r#type.as_deref()?).ok()?.tensor_type?;
        let dims = kind.shape?.dim.into_iter().map(|dim| dim.dim_value);
        Some((kind.elem_type?, dims.collect::<Option<_>>()?))
    }

    /// The tensor's sizes, -1 where it leaves one open; `None` if it is no tensor.
    pub fn sizes(&self) -> Option<Vec<i64>> {
        let kind = TypeProto::decode(self.r#type.as_deref()?).ok()?.tensor_type?;
        let dims = kind.shape?.dim.into_iter();
        Some(dims.map(|dim| dim.dim_value.unwrap_or(-1)).collect())
    }

    /// Size of the tensor in memory; `None` if the model does not tell it.
    pub(super) fn tensor_bytes(&self) -> Option<u64> {
        let (element, dims) = self.tensor()?;
        // TensorProto.DataType has the numbers of ONNX Runtime's element types.
        let each = Element(u32::try_from(element).ok()?).bytes()? as u64;
        dims.iter()
            .try_fold(each, |bytes, dim| bytes.checked_mul(u64::try_from(*dim).ok()?))
    }
}

/// TensorProto.DataType.FLOAT.
const FLOAT: i32 = 1;

/// One weight: its name, shape and values, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Weight {
    pub name: String,
    pub dims: Vec<i64>,
    pub values: Vec<f32>,
}

/// Reads a model; `what` names it in errors.
pub fn decode(what: &str, bytes: &[u8]) -> Result<(ModelProto, GraphProto), OnnxError> {
    let wrong = |reason: String| OnnxError::Decode {
        what: what.to_string(),
        reason,
    };
    let mut model = ModelProto::decode(bytes).map_err(|error| wrong(error.to_string()))?;
    let graph = model
        .graph
        .take()
        .ok_or_else(|| wrong(format!("there is no graph in its {} bytes", bytes.len())))?;
    Ok((model, graph))
}

/// Reads the float32 initializers of a model: the start values of a network's weights.
pub fn decode_weights(what: &str, bytes: &[u8]) -> Result<Vec<Weight>, OnnxError> {
    let (_, graph) = decode(what, bytes)?;
    graph
        .initializer
        .into_iter()
        .map(|tensor| weight(what, tensor))
        .collect()
}

fn weight(what: &str, tensor: TensorProto) -> Result<Weight, OnnxError> {
    let name = tensor.name.clone().unwrap_or_default();
    let wrong = |found: String| OnnxError::WrongTensor {
        model: what.to_string(),
        name: name.clone(),
        expected: "float32 values inside the file".to_string(),
        found,
    };
    if tensor.data_type != Some(FLOAT) {
        return Err(wrong(format!("data type {}", tensor.data_type.unwrap_or(0))));
    }
    if tensor.data_location.unwrap_or(0) != 0 {
        return Err(wrong("kept in another file".to_string()));
    }
    let values: Vec<f32> = match &tensor.raw_data {
        Some(raw) => raw
            .as_chunks::<4>()
            .0
            .iter()
            .map(|bytes| f32::from_le_bytes(*bytes))
            .collect(),
        None => tensor.float_data,
    };
    let wanted = tensor.dims.iter().try_fold(1_usize, |product, dim| {
        product.checked_mul(usize::try_from(*dim).ok()?)
    });
    if wanted != Some(values.len()) {
        return Err(wrong(format!(
            "{} values for the shape {:?}",
            values.len(),
            tensor.dims
        )));
    }
    Ok(Weight {
        name,
        dims: tensor.dims,
        values,
    })
}

/// Writes weights in the form that [`decode_weights`] reads.
pub fn encode_weights(weights: &[Weight]) -> Vec<u8> {
    let initializer = weights.iter().map(|weight| TensorProto {
        name: Some(weight.name.clone()),
        dims: weight.dims.clone(),
        data_type: Some(FLOAT),
        raw_data: Some(
            weight
                .values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
        ),
        ..TensorProto::default()
    });
    let graph = GraphProto {
        name: Some("weights".to_string()),
        initializer: initializer.collect(),
        ..GraphProto::default()
    };
    let opset = OperatorSetIdProto {
        domain: Some(String::new()),
        version: Some(17),
    };
    let model = ModelProto {
        ir_version: Some(8),
        producer_name: Some("fulcrum".to_string()),
        opset_import: vec![opset],
        graph: Some(graph),
        ..ModelProto::default()
    };
    model.encode_to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: &[u8] = include_bytes!("../../../tests/fixtures/tiny_step.onnx");
    const WEIGHTS: &[u8] = include_bytes!("../../../tests/fixtures/tiny_weights.onnx");

    #[test]
    fn reading_and_writing_a_model_loses_nothing() {
        for bytes in [STEP, WEIGHTS] {
            let model = ModelProto::decode(bytes).unwrap();
            let again = ModelProto::decode(model.encode_to_vec().as_slice()).unwrap();
            assert_eq!(model, again);
            assert_eq!(model.encoded_len(), bytes.len(), "no field was unknown");
        }
    }

    #[test]
    fn weights_are_read_and_written_alike() {
        let weights = decode_weights("tiny", WEIGHTS).unwrap();
        assert!(
            weights
                .iter()
                .any(|weight| weight.name == "conv1.w" && weight.dims == [4, 1, 3, 3])
        );
        assert_eq!(
            decode_weights("again", &encode_weights(&weights)).unwrap(),
            weights
        );
    }

    #[test]
    fn a_torn_or_foreign_file_is_an_error_that_names_it() {
        for bytes in [&STEP[..STEP.len() / 2], b"not a model at all", b""] {
            let error = decode("step.onnx", bytes).unwrap_err();
            assert!(
                error
                    .to_string()
                    .starts_with("step.onnx is not a readable ONNX model"),
                "{error}"
            );
        }
    }

    #[test]
    fn weights_of_another_type_or_size_are_refused() {
        let odd = |change: fn(&mut TensorProto)| {
            let mut model = ModelProto::decode(WEIGHTS).unwrap();
            change(&mut model.graph.as_mut().unwrap().initializer[0]);
            decode_weights("w", &model.encode_to_vec())
                .unwrap_err()
                .to_string()
        };
        assert!(odd(|tensor| tensor.data_type = Some(7)).contains("data type 7"));
        assert!(odd(|tensor| tensor.data_location = Some(1)).contains("another file"));
        assert!(odd(|tensor| tensor.dims = vec![5]).contains("for the shape [5]"));
        assert!(odd(|tensor| tensor.dims = vec![-1]).contains("for the shape [-1]"));
    }
}
