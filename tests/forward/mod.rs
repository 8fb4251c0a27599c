//! Small forward models as an exporter writes them: nodes, weights, one input `data` with an open batch.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
#![allow(dead_code, reason = "each test that uses the models uses others of them")]

use fulcrum::workload::onnx::model::{
    GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, ValueInfoProto,
};
use prost::Message;

/// An attribute of a node.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Attribute {
    #[prost(string, optional, tag = "1")]
    name: Option<String>,
    #[prost(float, optional, tag = "2")]
    f: Option<f32>,
    #[prost(int64, optional, tag = "3")]
    i: Option<i64>,
    #[prost(bytes = "vec", optional, tag = "4")]
    s: Option<Vec<u8>>,
    #[prost(message, optional, tag = "5")]
    t: Option<TensorProto>,
    #[prost(int64, repeated, packed = "false", tag = "8")]
    ints: Vec<i64>,
    #[prost(int32, optional, tag = "20")]
    kind: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
struct Type {
    #[prost(message, optional, tag = "1")]
    tensor: Option<TensorType>,
}

#[derive(Clone, PartialEq, Message)]
struct TensorType {
    #[prost(int32, optional, tag = "1")]
    element: Option<i32>,
    #[prost(message, optional, tag = "2")]
    shape: Option<Shape>,
}

#[derive(Clone, PartialEq, Message)]
struct Shape {
    #[prost(message, repeated, tag = "1")]
    dims: Vec<Dim>,
}

#[derive(Clone, PartialEq, Message)]
struct Dim {
    #[prost(int64, optional, tag = "1")]
    value: Option<i64>,
    #[prost(string, optional, tag = "2")]
    name: Option<String>,
}

pub(crate) fn int(name: &str, value: i64) -> Attribute {
    Attribute {
        name: Some(name.to_string()),
        i: Some(value),
        kind: Some(2),
        ..Attribute::default()
    }
}

pub(crate) fn ints(name: &str, values: &[i64]) -> Attribute {
    Attribute {
        name: Some(name.to_string()),
        ints: values.to_vec(),
        kind: Some(7),
        ..Attribute::default()
    }
}

pub(crate) fn text(name: &str, value: &str) -> Attribute {
    Attribute {
        name: Some(name.to_string()),
        s: Some(value.as_bytes().to_vec()),
        kind: Some(3),
        ..Attribute::default()
    }
}

impl Attribute {
    /// Changes one of its numbers, or of those of its tensor.
    pub(crate) fn set(&mut self, place: usize, number: i64) {
        if let Some(tensor) = &mut self.t {
            // As int64_data: raw_data would go before it.
            if let Some(raw) = tensor.raw_data.take() {
                let (numbers, _) = raw.as_chunks::<8>();
                tensor.int64_data = numbers.iter().map(|it| i64::from_le_bytes(*it)).collect();
                tensor.data_type = Some(7);
                tensor.dims = vec![tensor.int64_data.len() as i64];
            }
            let count = tensor.int64_data.len().max(1);
            if let Some(value) = tensor.int64_data.get_mut(place % count) {
                *value = number;
            }
        }
        let count = self.ints.len().max(1);
        if let Some(value) = self.ints.get_mut(place % count) {
            *value = number;
        }
        if let Some(value) = &mut self.i {
            *value = number;
        }
    }
}

/// A model being written.
pub(crate) struct Forward {
    pub(crate) nodes: Vec<NodeProto>,
    pub(crate) weights: Vec<TensorProto>,
    /// Sizes of the input; -1 is open.
    pub(crate) input: Vec<i64>,
    /// Element type of the input.
    pub(crate) element: i32,
    pub(crate) opset: i64,
    seed: u64,
}

impl Forward {
    /// `input` are the sizes behind the batch.
    pub(crate) fn new(input: &[i64]) -> Forward {
        Forward {
            nodes: Vec::new(),
            weights: Vec::new(),
            input: [&[-1], input].concat(),
            element: 1,
            opset: 17,
            seed: 1,
        }
    }

    /// A number from -1 to 1, the same in every run (Knuth's multiplier for 64 bits).
    fn random(&mut self) -> f32 {
        self.seed = self
            .seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
    }

    fn tensor(&mut self, name: &str, dims: &[i64], values: Vec<f32>) -> String {
        self.weights.push(TensorProto {
            name: Some(name.to_string()),
            dims: dims.to_vec(),
            data_type: Some(1),
            raw_data: Some(values.iter().flat_map(|value| value.to_le_bytes()).collect()),
            ..TensorProto::default()
        });
        name.to_string()
    }

    /// Random weights, spread for `fan_in` values that meet in each sum.
    pub(crate) fn weight(&mut self, name: &str, dims: &[i64], fan_in: i64) -> String {
        let spread = (3.0 / fan_in as f32).sqrt();
        let count: i64 = dims.iter().product();
        let values = (0..count).map(|_| self.random() * spread).collect();
        self.tensor(name, dims, values)
    }

    pub(crate) fn filled(&mut self, name: &str, dims: &[i64], value: f32) -> String {
        let count: i64 = dims.iter().product();
        self.tensor(name, dims, vec![value; count as usize])
    }

    /// A list of integers, as a node.
    pub(crate) fn list(&mut self, values: &[i64]) -> String {
        let tensor = TensorProto {
            dims: vec![values.len() as i64],
            data_type: Some(7),
            int64_data: values.to_vec(),
            ..TensorProto::default()
        };
        self.constant(tensor)
    }

    /// A list of numbers, as a node.
    pub(crate) fn numbers(&mut self, values: &[f32]) -> String {
        let tensor = TensorProto {
            dims: vec![values.len() as i64],
            data_type: Some(1),
            float_data: values.to_vec(),
            ..TensorProto::default()
        };
        self.constant(tensor)
    }

    fn constant(&mut self, tensor: TensorProto) -> String {
        let value = Attribute {
            name: Some("value".to_string()),
            t: Some(tensor),
            kind: Some(4),
            ..Attribute::default()
        };
        self.op("Constant", &[], &[value])
    }

    pub(crate) fn op(&mut self, kind: &str, inputs: &[&str], attributes: &[Attribute]) -> String {
        let output = format!("/{kind}_{}", self.nodes.len());
        self.nodes.push(NodeProto {
            name: Some(output.clone()),
            op_type: Some(kind.to_string()),
            input: inputs.iter().map(|input| input.to_string()).collect(),
            output: vec![output.clone()],
            attribute: attributes.iter().map(Message::encode_to_vec).collect(),
            ..NodeProto::default()
        });
        output
    }

    /// A convolution with padding that keeps the size at stride 1, and its bias.
    pub(crate) fn conv(&mut self, x: &str, name: &str, sizes: [i64; 3], stride: i64, group: i64) -> String {
        let [channels, out, k] = sizes;
        let fan_in = channels / group * k * k;
        let w = self.weight(&format!("{name}.weight"), &[out, channels / group, k, k], fan_in);
        let b = self.filled(&format!("{name}.bias"), &[out], 0.01);
        let attributes = [
            ints("kernel_shape", &[k, k]),
            ints("strides", &[stride, stride]),
            ints("pads", &[k / 2; 4]),
            int("group", group),
        ];
        self.op("Conv", &[x, &w, &b], &attributes)
    }

    /// x W^T + b, as PyTorch's Linear is exported.
    pub(crate) fn linear(&mut self, x: &str, name: &str, from: i64, to: i64) -> String {
        let w = self.weight(&format!("{name}.weight"), &[to, from], from);
        let b = self.filled(&format!("{name}.bias"), &[to], 0.0);
        self.op("Gemm", &[x, &w, &b], &[int("transB", 1)])
    }

    /// The file, with the outputs named.
    pub(crate) fn model(&self, outputs: &[&str]) -> Vec<u8> {
        self.proto(outputs).encode_to_vec()
    }

    pub(crate) fn proto(&self, outputs: &[&str]) -> ModelProto {
        let info = |name: &str, element: i32, dims: Option<&[i64]>| {
            let dim = |size: &i64| match size {
                -1 => Dim {
                    value: None,
                    name: Some("N".to_string()),
                },
                size => Dim {
                    value: Some(*size),
                    name: None,
                },
            };
            let tensor = TensorType {
                element: Some(element),
                shape: dims.map(|dims| Shape {
                    dims: dims.iter().map(dim).collect(),
                }),
            };
            ValueInfoProto {
                name: Some(name.to_string()),
                r#type: Some(Type { tensor: Some(tensor) }.encode_to_vec()),
                ..ValueInfoProto::default()
            }
        };
        let graph = GraphProto {
            name: Some("forward".to_string()),
            node: self.nodes.clone(),
            initializer: self.weights.clone(),
            input: vec![info("data", self.element, Some(&self.input))],
            output: outputs.iter().map(|name| info(name, 1, None)).collect(),
            ..GraphProto::default()
        };
        ModelProto {
            ir_version: Some(8),
            opset_import: vec![OperatorSetIdProto {
                domain: Some(String::new()),
                version: Some(self.opset),
            }],
            graph: Some(graph),
            ..ModelProto::default()
        }
    }
}

/// LeNet for pictures of 12 x 12 and 3 classes.
pub(crate) fn lenet() -> Vec<u8> {
    let mut net = Forward::new(&[1, 12, 12]);
    let x = net.conv("data", "conv1", [1, 6, 5], 1, 1);
    let x = net.op("Relu", &[&x], &[]);
    let pool = [ints("kernel_shape", &[2, 2]), ints("strides", &[2, 2])];
    let x = net.op("MaxPool", &[&x], &pool);
    let x = net.conv(&x, "conv2", [6, 12, 3], 1, 1);
    let x = net.op("Relu", &[&x], &[]);
    let x = net.op("MaxPool", &[&x], &pool);
    let x = net.op("Flatten", &[&x], &[int("axis", 1)]);
    let x = net.linear(&x, "fc1", 108, 20);
    let x = net.op("Relu", &[&x], &[]);
    let x = net.linear(&x, "fc2", 20, 3);
    net.model(&[&x])
}

/// Batch normalisation with running statistics that are a little off.
fn batch_norm(net: &mut Forward, x: &str, name: &str, channels: i64) -> String {
    let scale = net.filled(&format!("{name}.weight"), &[channels], 1.0);
    let bias = net.filled(&format!("{name}.bias"), &[channels], 0.0);
    let mean = net.filled(&format!("{name}.running_mean"), &[channels], 0.05);
    let variance = net.filled(&format!("{name}.running_var"), &[channels], 0.5);
    net.op("BatchNormalization", &[x, &scale, &bias, &mean, &variance], &[])
}

/// Depthwise and pointwise layers, a residual, Relu6 and batch normalisation, as in MobileNet.
pub(crate) fn mobilenet() -> Vec<u8> {
    let mut net = Forward::new(&[1, 12, 12]);
    let (low, high) = (net.numbers(&[0.0]), net.numbers(&[6.0]));
    let x = net.conv("data", "stem", [1, 8, 3], 2, 1);
    let x = batch_norm(&mut net, &x, "stem_bn", 8);
    let x = net.op("Clip", &[&x, &low, &high], &[]);
    let y = net.conv(&x, "block.dw", [8, 8, 3], 1, 8);
    let y = batch_norm(&mut net, &y, "block.dw_bn", 8);
    let y = net.op("Clip", &[&y, &low, &high], &[]);
    let y = net.conv(&y, "block.pw", [8, 8, 1], 1, 1);
    let x = net.op("Add", &[&x, &y], &[]);
    let x = net.op("GlobalAveragePool", &[&x], &[]);
    let x = net.op("Flatten", &[&x], &[int("axis", 1)]);
    let x = net.linear(&x, "head", 8, 3);
    net.model(&[&x])
}

/// One encoder layer over 6 tokens of 8 values, two heads, 3 classes.
pub(crate) fn transformer() -> Vec<u8> {
    let mut net = Forward::new(&[6, 8]);
    let place = net.weight("pos_embed", &[1, 6, 8], 48);
    let x = net.op("Add", &["data", &place], &[]);
    let norm = |net: &mut Forward, x: &str, name: &str| {
        let scale = net.filled(&format!("{name}.weight"), &[8], 1.0);
        let bias = net.filled(&format!("{name}.bias"), &[8], 0.0);
        net.op("LayerNormalization", &[x, &scale, &bias], &[int("axis", -1)])
    };
    let y = norm(&mut net, &x, "norm1");
    let heads = net.list(&[0, 0, 2, 4]);
    let part = |net: &mut Forward, name: &str, order: &[i64]| {
        let w = net.weight(&format!("attn.{name}"), &[8, 8], 8);
        let all = net.op("MatMul", &[&y, &w], &[]);
        let all = net.op("Reshape", &[&all, &heads], &[]);
        net.op("Transpose", &[&all], &[ints("perm", order)])
    };
    let q = part(&mut net, "q", &[0, 2, 1, 3]);
    let k = part(&mut net, "k", &[0, 2, 3, 1]);
    let v = part(&mut net, "v", &[0, 2, 1, 3]);
    let scores = net.op("MatMul", &[&q, &k], &[]);
    let half = net.numbers(&[0.5]);
    let scores = net.op("Mul", &[&scores, &half], &[]);
    let share = net.op("Softmax", &[&scores], &[int("axis", -1)]);
    let mixed = net.op("MatMul", &[&share, &v], &[]);
    let mixed = net.op("Transpose", &[&mixed], &[ints("perm", &[0, 2, 1, 3])]);
    let whole = net.list(&[0, 0, -1]);
    let mixed = net.op("Reshape", &[&mixed, &whole], &[]);
    let w = net.weight("attn.out", &[8, 8], 8);
    let mixed = net.op("MatMul", &[&mixed, &w], &[]);
    let x = net.op("Add", &[&x, &mixed], &[]);
    let y = norm(&mut net, &x, "norm2");
    let w = net.weight("mlp.fc1", &[8, 16], 8);
    let y = net.op("MatMul", &[&y, &w], &[]);
    let root = net.numbers(&[std::f32::consts::SQRT_2]);
    let inner = net.op("Div", &[&y, &root], &[]);
    let curve = net.op("Erf", &[&inner], &[]);
    let one = net.numbers(&[1.0]);
    let gate = net.op("Add", &[&curve, &one], &[]);
    let y = net.op("Mul", &[&y, &gate], &[]);
    let w = net.weight("mlp.fc2", &[16, 8], 32);
    let y = net.op("MatMul", &[&y, &w], &[]);
    let x = net.op("Add", &[&x, &y], &[]);
    let x = net.op("ReduceMean", &[&x], &[ints("axes", &[1]), int("keepdims", 0)]);
    let x = net.linear(&x, "head", 8, 3);
    net.model(&[&x])
}

/// A backbone of two sizes, the small one enlarged and joined to the large, SiLU, one map out: as a YOLO
/// head.
pub(crate) fn yolo() -> Vec<u8> {
    let mut net = Forward::new(&[1, 12, 12]);
    let silu = |net: &mut Forward, x: &str| {
        let gate = net.op("Sigmoid", &[x], &[]);
        net.op("Mul", &[x, &gate], &[])
    };
    let large = net.conv("data", "backbone.0", [1, 6, 3], 2, 1);
    let large = silu(&mut net, &large);
    let small = net.conv(&large, "backbone.1", [6, 8, 3], 2, 1);
    let small = silu(&mut net, &small);
    let scales = net.numbers(&[1.0, 1.0, 2.0, 2.0]);
    let how = [
        text("mode", "nearest"),
        text("coordinate_transformation_mode", "asymmetric"),
        text("nearest_mode", "floor"),
    ];
    let wide = net.op("Resize", &[&small, "", &scales], &how);
    let all = net.op("Concat", &[&wide, &large], &[int("axis", 1)]);
    let x = net.conv(&all, "head.0", [14, 8, 3], 1, 1);
    let x = silu(&mut net, &x);
    let x = net.conv(&x, "head.1", [8, 1, 1], 1, 1);
    net.model(&[&x])
}
