//! Models that are nearly right: whatever is changed in one, the differentiator refuses or takes it, and
//! never panics.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod forward;

use forward::{Attribute, lenet, mobilenet, transformer, yolo};
use fulcrum::workload::onnx::gradient::{BatchNorm, Loss, Recipe, differentiate};
use fulcrum::workload::onnx::model::{ModelProto, decode};
use proptest::prelude::*;
use prost::Message;
use std::path::Path;
use std::sync::LazyLock;

const NUMBERS: [i64; 14] = [
    -2,
    -1,
    0,
    1,
    2,
    3,
    5,
    16,
    1 << 16,
    1 << 31,
    1 << 40,
    i64::MAX,
    i64::MIN,
    i64::MIN + 1,
];

const OPERATORS: [&str; 44] = [
    "Add",
    "Div",
    "Pow",
    "Where",
    "Cast",
    "Relu",
    "PRelu",
    "Clip",
    "Softmax",
    "Gemm",
    "MatMul",
    "Conv",
    "ConvTranspose",
    "MaxPool",
    "AveragePool",
    "GlobalMaxPool",
    "BatchNormalization",
    "LayerNormalization",
    "InstanceNormalization",
    "GroupNormalization",
    "LSTM",
    "GRU",
    "ReduceMean",
    "ReduceMax",
    "Reshape",
    "Flatten",
    "Squeeze",
    "Unsqueeze",
    "Transpose",
    "Expand",
    "Tile",
    "Concat",
    "Split",
    "DepthToSpace",
    "Slice",
    "Gather",
    "Trilu",
    "Pad",
    "Resize",
    "ConstantOfShape",
    "Shape",
    "Range",
    "Max",
    "SpaceToDepth",
];

/// The models of the fuzz target's corpus (behind the byte of the recipe) and the whole networks.
static MODELS: LazyLock<Vec<ModelProto>> = LazyLock::new(|| {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/onnx");
    let mut files: Vec<_> = std::fs::read_dir(corpus)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut models: Vec<Vec<u8>> = files
        .iter()
        .map(|file| std::fs::read(file).unwrap().split_off(1))
        .collect();
    models.extend([lenet(), mobilenet(), transformer(), yolo()]);
    models
        .iter()
        .map(|bytes| ModelProto::decode(bytes.as_slice()).unwrap())
        .collect()
});

/// One change: `what` chooses its kind, the others the place and the new content.
fn change(model: &mut ModelProto, (what, place, detail, number): (u8, usize, usize, usize)) {
    let graph = model.graph.as_mut().unwrap();
    let number = NUMBERS[number % NUMBERS.len()];
    if what == 0 {
        let tensors = graph.initializer.len().max(1);
        if let Some(tensor) = graph.initializer.get_mut(place % tensors) {
            let axes = tensor.dims.len().max(1);
            if let Some(size) = tensor.dims.get_mut(detail % axes) {
                *size = number.clamp(-1, 40);
            }
            // The content follows, or it would be refused before anything looks at it.
            let count: i64 = tensor.dims.iter().map(|size| (*size).max(0)).product();
            tensor.raw_data = Some(vec![0; count.min(1 << 20) as usize * 4]);
        }
        return;
    }
    let count = graph.node.len();
    let place = place % count;
    // Of a node before it: one behind it is refused at once.
    let other = graph.node[detail % place.max(1)].output[0].clone();
    let node = &mut graph.node[place];
    let inputs = node.input.len().max(1);
    match what {
        1 => node.op_type = Some(OPERATORS[detail % OPERATORS.len()].to_string()),
        2 => {
            let attributes = node.attribute.len().max(1);
            if let Some(bytes) = node.attribute.get_mut(detail % attributes) {
                let mut attribute = Attribute::decode(bytes.as_slice()).unwrap();
                attribute.set(detail / 7, number);
                *bytes = attribute.encode_to_vec();
            }
        }
        3 => node.input.swap_remove_checked(detail % inputs),
        4 => {
            if let Some(input) = node.input.get_mut(number.unsigned_abs() as usize % inputs) {
                *input = other;
            }
        }
        5 => node.input.reverse(),
        6 => node.input.push(other),
        _ => node.attribute.clear(),
    }
}

/// Removal that does nothing where there is nothing.
trait Remove {
    fn swap_remove_checked(&mut self, place: usize);
}

impl Remove for Vec<String> {
    fn swap_remove_checked(&mut self, place: usize) {
        if place < self.len() {
            self.swap_remove(place);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn no_change_of_a_model_makes_the_differentiator_panic(
        base in 0_usize..1_000,
        changes in prop::collection::vec((0_u8..8, 0_usize..100, 0_usize..100, 0_usize..14), 1..4),
        loss in prop::sample::select(vec![Loss::Mse, Loss::CrossEntropy]),
        batch_norm in prop::sample::select(vec![BatchNorm::Frozen, BatchNorm::Batch, BatchNorm::Group]),
        batch in 1_u32..3,
    ) {
        let mut model = MODELS[base % MODELS.len()].clone();
        for one in changes {
            change(&mut model, one);
        }
        let recipe = Recipe { batch_norm, ..Recipe::new(loss, batch) };
        match differentiate("net.onnx", &model.encode_to_vec(), None, &recipe) {
            Err(refusal) => prop_assert!(!refusal.to_string().is_empty()),
            Ok(files) => {
                for (name, bytes) in &files.files {
                    prop_assert!(decode(name, bytes).is_ok());
                }
            }
        }
    }
}
