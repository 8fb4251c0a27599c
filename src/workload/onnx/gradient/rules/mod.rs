//! The operators that are covered: for each a rule that builds it forward and notes its gradient. One file a
//! family.

mod activation;
mod conv;
mod elementwise;
mod matmul;
mod norm;
mod part;
mod pool;
mod recurrent;
mod reduce;
mod resize;
mod select;
mod shape;
mod source;

use super::call::Call;
use super::graph::{Graph, Made};
use super::value::Value;

pub(super) use elementwise::cast_to;
pub(super) use select::range;
pub(super) use shape::reshaped;

/// Builds a node of the user's model; returns its outputs.
pub(super) type Rule = fn(&mut Graph, &Call) -> Made<Vec<Value>>;

const TABLE: &[(&[&str], Rule)] = &[
    (&["Add", "Sub", "Mul", "Div", "Pow"], elementwise::arithmetic),
    (&["Sum", "Mean", "Max", "Min"], elementwise::folded),
    (
        &["Neg", "Exp", "Log", "Sqrt", "Abs", "Reciprocal", "Sin", "Cos"],
        elementwise::functions,
    ),
    (&["Where"], elementwise::choice),
    (
        &[
            "Greater",
            "GreaterOrEqual",
            "Less",
            "LessOrEqual",
            "Equal",
            "And",
            "Or",
        ],
        elementwise::comparison,
    ),
    (&["Floor", "Ceil", "Round", "Sign", "Not"], elementwise::stepped),
    (&["Cast", "CastLike"], elementwise::cast),
    (
        &[
            "Relu",
            "Sigmoid",
            "Tanh",
            "Erf",
            "LeakyRelu",
            "HardSigmoid",
            "HardSwish",
            "Softplus",
            "Mish",
            "Elu",
        ],
        activation::activation,
    ),
    (&["PRelu"], activation::prelu),
    (&["Clip"], activation::clip),
    (&["Gelu"], activation::gelu),
    (&["Softmax", "LogSoftmax"], activation::softmax),
    (&["Gemm"], matmul::gemm),
    (&["MatMul"], matmul::matmul),
    (&["Conv"], conv::conv),
    (&["ConvTranspose"], conv::conv_transpose),
    (&["MaxPool"], pool::max_pool),
    (&["AveragePool"], pool::average_pool),
    (&["GlobalAveragePool", "GlobalMaxPool"], pool::global),
    (&["BatchNormalization"], norm::batch_norm),
    (&["LayerNormalization"], norm::layer_norm),
    (&["InstanceNormalization"], norm::instance_norm),
    (&["GroupNormalization"], norm::group_norm),
    (&["LRN"], norm::local_response),
    (&["LSTM", "GRU"], recurrent::recurrent),
    (
        &["ReduceMean", "ReduceSum", "ReduceSumSquare", "ReduceL2"],
        reduce::reduction,
    ),
    (&["ReduceMax", "ReduceMin"], reduce::extreme),
    (&["Identity", "Dropout"], shape::identity),
    (&["Reshape", "Flatten", "Squeeze", "Unsqueeze"], shape::reshape),
    (&["Transpose"], shape::transpose),
    (&["Expand"], shape::expand),
    (&["Tile"], shape::tile),
    (&["Concat"], part::concat),
    (&["Split"], part::split),
    (&["DepthToSpace", "SpaceToDepth"], shape::blocks),
    (&["Slice"], select::slice),
    (&["Gather"], select::gather),
    (&["Trilu"], select::triangle),
    (&["Pad"], select::pad),
    (&["Resize"], resize::resize),
    (&["Constant"], source::constant),
    (&["ConstantOfShape"], source::constant_of_shape),
    (&["Shape", "Size"], source::shape),
];

/// The rule of an operator.
pub(super) fn rule(op: &str) -> Option<Rule> {
    TABLE
        .iter()
        .find(|(names, _)| names.contains(&op))
        .map(|(_, rule)| *rule)
}
