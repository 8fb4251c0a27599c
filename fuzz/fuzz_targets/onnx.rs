//! Any bytes as a forward model: reading and differentiating never panics, and what is made is readable.
//!
//! The first byte chooses the recipe, the rest is the file.

#![no_main]

use fulcrum::workload::onnx::gradient::{BatchNorm, Loss, Optimizer, Recipe, differentiate};
use fulcrum::workload::onnx::model::{decode, decode_weights};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((first, model)) = bytes.split_first() else {
        return;
    };
    let pick = |shift: u8| usize::from(first >> shift & 3);
    let losses = [Loss::Mse, Loss::CrossEntropy, Loss::L1, Loss::Bce];
    let optimizers = [Optimizer::Sgd, Optimizer::Momentum, Optimizer::Adam, Optimizer::AdamW];
    let ways = [BatchNorm::Frozen, BatchNorm::Batch, BatchNorm::Group, BatchNorm::Frozen];
    let recipe = Recipe {
        optimizer: optimizers[pick(2)],
        batch_norm: ways[pick(4)],
        clip: (first >> 6 & 1 == 1).then_some(1.0),
        ..Recipe::new(losses[pick(0)], 2)
    };
    match differentiate("fuzz", model, None, &recipe) {
        Err(refusal) => assert!(!refusal.to_string().is_empty()),
        Ok(made) => {
            assert!(!made.summary.trained.is_empty());
            for (name, bytes) in &made.files {
                decode(name, bytes).expect("a written file is readable");
            }
            let weights = made.file("weights.onnx").expect("it is among the files");
            decode_weights("weights.onnx", weights).expect("start values are readable");
        }
    }
});
