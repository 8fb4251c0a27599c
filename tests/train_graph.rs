//! `fulcrum train-graph`: whole networks are differentiated, written, and trained on ONNX Runtime.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod forward;
mod graphs;

use forward::{Forward, int, lenet, mobilenet, transformer, yolo};
use fulcrum::units::Nanos;
use fulcrum::workload::onnx::Engine;
use fulcrum::workload::onnx::gradient::{
    BatchNorm, Files, GradientError, Loss, Optimizer, Recipe, differentiate,
};
use fulcrum::workload::onnx::model::decode;
use fulcrum::workload::onnx::{
    Fetch, FetchValues, InferenceConfig, OnnxError, OnnxInference, OnnxTraining, TrainingConfig, weight_names,
};
use fulcrum::workload::{Inference, Request};
use graphs::{CLASSES, MICRO_BATCH, PIXELS, classes, config, library, made, recipe, step, stripes, trainer};
use prost::Message;

/// Two by two pixels each give the value of one place of the map: whether they are brighter than half.
fn maps(x: &mut [f32], y: &mut [f32]) {
    stripes(x, &mut [0; MICRO_BATCH]);
    for (picture, map) in x.chunks_exact(PIXELS).zip(y.chunks_exact_mut(PIXELS / 4)) {
        for (place, value) in map.iter_mut().enumerate() {
            let (row, column) = (place / 6 * 2, place % 6 * 2);
            *value = if picture[row * 12 + column] > 0.5 {
                1.0
            } else {
                0.0
            };
        }
    }
}

fn values() -> FetchValues {
    Box::new(|x, y| {
        maps(x, y);
        true
    })
}

/// Loss of the first step and after `steps`.
fn losses(training: &mut OnnxTraining, steps: usize) -> (f32, f32) {
    let first = step(training);
    (first, (1..steps).map(|_| step(training)).last().unwrap())
}

#[test]
fn a_lenet_learns_its_classes_and_then_answers_them() {
    let files = made(&lenet(), &recipe(Loss::CrossEntropy, Optimizer::Adam));
    let mut training = trainer(&files, config(&files, PIXELS, 0.01, classes()));
    let (first, last) = losses(&mut training, 40);
    assert!(last < first / 10.0, "{first} -> {last}");
    let infer = files.file("infer.onnx").unwrap();
    let names = weight_names("infer.onnx", infer).unwrap();
    let fill = |request: &Request, row: &mut [f32]| {
        let mut batch = vec![0.0; MICRO_BATCH * PIXELS];
        stripes(&mut batch, &mut [0; MICRO_BATCH]);
        let at = request.token as usize * PIXELS;
        row.copy_from_slice(&batch[at..at + PIXELS]);
        Ok(())
    };
    let config = InferenceConfig {
        name: "infer.onnx".to_string(),
        minibatch: MICRO_BATCH,
        row: PIXELS,
        classes: CLASSES,
        weights: training.weights(&names),
        fill: Box::new(fill),
        swap: None,
        engine: Engine::default(),
    };
    let mut inference = OnnxInference::new(&library(), infer, config).unwrap();
    let requests = [0, 1, 2, 3, 4, 5].map(|token| Request {
        token,
        release: Nanos::ZERO,
    });
    let mut answers = [9; MICRO_BATCH];
    inference.run(&requests, &mut answers).unwrap();
    assert_eq!(answers, [0, 1, 2, 0, 1, 2]);
}

#[test]
fn a_mobilenet_block_learns_whatever_becomes_of_its_batch_normalisation() {
    for way in [BatchNorm::Frozen, BatchNorm::Batch, BatchNorm::Group] {
        let recipe = Recipe {
            batch_norm: way,
            ..recipe(Loss::CrossEntropy, Optimizer::AdamW)
        };
        let files = made(&mobilenet(), &recipe);
        let mut training = trainer(&files, config(&files, PIXELS, 0.02, classes()));
        let (first, last) = losses(&mut training, 80);
        assert!(last < first / 3.0, "{way}: {first} -> {last}");
        let running = training.state("stem_bn.running_mean").map(|values| values[0]);
        match way {
            // Its values move from those of the file; the others do not carry them.
            BatchNorm::Batch => assert!(running.is_some_and(|value| value != 0.05)),
            _ => assert_eq!(running, None),
        }
        let note = files.summary.notes.join("\n");
        assert!(note.contains("batch normalisations"), "{note}");
    }
}

#[test]
fn a_transformer_encoder_learns_its_classes() {
    let files = made(&transformer(), &recipe(Loss::CrossEntropy, Optimizer::Adam));
    let mut training = trainer(&files, config(&files, 48, 0.01, classes()));
    let (first, last) = losses(&mut training, 60);
    assert!(last < first / 10.0, "{first} -> {last}");
}

#[test]
fn a_yolo_head_learns_its_map_under_each_loss_of_values() {
    for (loss, optimizer, lr) in [
        (Loss::Bce, Optimizer::Adam, 0.02),
        (Loss::Mse, Optimizer::Momentum, 0.1),
        (Loss::L1, Optimizer::Adam, 0.01),
    ] {
        let files = made(&yolo(), &recipe(loss, optimizer));
        let mut training = trainer(&files, config(&files, PIXELS, lr, values()));
        let (first, last) = losses(&mut training, 80);
        assert!(last < first / 2.0, "{loss}: {first} -> {last}");
    }
}

#[test]
fn a_written_step_can_be_cut_and_computes_the_same_bits() {
    let files = made(&mobilenet(), &recipe(Loss::CrossEntropy, Optimizer::Adam));
    let mut whole = trainer(&files, config(&files, PIXELS, 0.01, classes()));
    let wanted = Nanos((whole.step_length().0 / 6).max(1));
    let cut = TrainingConfig {
        wanted_piece: Some(wanted),
        ..config(&files, PIXELS, 0.01, classes())
    };
    let mut cut = trainer(&files, cut);
    assert!(cut.segments() > 1);
    for _ in 0..5 {
        assert_eq!(step(&mut whole).to_bits(), step(&mut cut).to_bits());
    }
    let bits = |training: &OnnxTraining| -> Vec<u32> {
        training
            .state("stem.weight")
            .unwrap()
            .iter()
            .map(|it| it.to_bits())
            .collect()
    };
    assert_eq!(bits(&whole), bits(&cut));
}

#[test]
fn frozen_layers_get_no_backward_part_and_stay_as_they_are() {
    let all = made(&lenet(), &recipe(Loss::CrossEntropy, Optimizer::Sgd));
    let head = Recipe {
        train_only: vec!["fc2".to_string()],
        ..recipe(Loss::CrossEntropy, Optimizer::Sgd)
    };
    let head = made(&lenet(), &head);
    let names: Vec<&str> = head.summary.trained.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["fc2.weight", "fc2.bias"]);
    let nodes = |files: &Files, op: &str| {
        let (_, graph) = decode("step.onnx", files.file("step.onnx").unwrap()).unwrap();
        graph
            .node
            .iter()
            .filter(|node| node.op_type.as_deref() == Some(op))
            .count()
    };
    assert_eq!(nodes(&head, "ScatterElements") + nodes(&head, "ConvTranspose"), 0);
    assert!(nodes(&all, "ScatterElements") == 2 && nodes(&all, "ConvTranspose") == 1);
    // By the node, where the exporter gave the weight a name of its own.
    let by_node = Recipe {
        train_only: vec!["Gemm_9".to_string()],
        ..recipe(Loss::CrossEntropy, Optimizer::Sgd)
    };
    let names = |files: &Files| {
        files
            .summary
            .trained
            .iter()
            .map(|it| it.name.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&made(&lenet(), &by_node)), names(&head));
    let by_freezing = Recipe {
        freeze: vec!["conv1".to_string(), "conv2".to_string(), "fc1".to_string()],
        ..recipe(Loss::CrossEntropy, Optimizer::Sgd)
    };
    assert_eq!(made(&lenet(), &by_freezing).files, head.files);
    let mut training = trainer(&head, config(&head, PIXELS, 0.1, classes()));
    let (first, last) = losses(&mut training, 30);
    assert!(last < first, "{first} -> {last}");
}

#[test]
fn the_demos_network_is_trained_as_by_its_own_step_graph() {
    const INFER: &[u8] = include_bytes!("fixtures/shapes_infer.onnx");
    const STEP: &[u8] = include_bytes!("fixtures/shapes_step.onnx");
    const WEIGHTS: &[u8] = include_bytes!("fixtures/shapes_weights.onnx");
    // Its weights are inputs; a forward model carries them.
    let (mut model, mut graph) = decode("shapes_infer.onnx", INFER).unwrap();
    let (_, weights) = decode("shapes_weights.onnx", WEIGHTS).unwrap();
    graph.input.retain(|input| input.name.as_deref() == Some("x"));
    graph.initializer.extend(weights.initializer);
    model.graph = Some(graph);
    let recipe = Recipe {
        optimizer: Optimizer::Adam,
        ..Recipe::new(Loss::CrossEntropy, 32)
    };
    let files = made(&model.encode_to_vec(), &recipe);
    let job = |step: &[u8]| {
        let fetch: Fetch = Box::new(|x, y| {
            stripes(x, y);
            true
        });
        OnnxTraining::new(&library(), step, config(&files, 1024, 0.002, fetch)).unwrap()
    };
    let (mut own, mut made) = (job(STEP), job(files.file("step.onnx").unwrap()));
    for _ in 0..8 {
        let (own, made) = (step(&mut own), step(&mut made));
        assert!((own - made).abs() < 1e-3 * own.abs(), "{own} {made}");
    }
}

#[test]
fn two_runs_write_the_same_bytes() {
    let recipe = recipe(Loss::CrossEntropy, Optimizer::Adam);
    assert_eq!(
        made(&mobilenet(), &recipe).files,
        made(&mobilenet(), &recipe).files
    );
}

#[test]
fn labels_of_another_type_than_the_graph_takes_are_refused() {
    let files = made(&yolo(), &recipe(Loss::Mse, Optimizer::Sgd));
    let error = OnnxTraining::new(
        &library(),
        files.file("step.onnx").unwrap(),
        config(&files, PIXELS, 0.1, classes()),
    );
    assert!(matches!(error, Err(OnnxError::WrongTensor { name, .. }) if name == "y"));
}

#[test]
fn a_weight_whose_name_has_a_meaning_is_renamed_and_said() {
    let mut net = Forward::new(&[4]);
    let x = net.linear("data", "m.0", 4, 3);
    let files = made(&net.model(&[&x]), &recipe(Loss::CrossEntropy, Optimizer::Adam));
    assert_eq!(files.summary.trained[0].name, "w.m.0.weight");
    assert!(
        files
            .summary
            .notes
            .iter()
            .any(|note| note.contains("`m.0.weight`"))
    );
    let mut training = trainer(&files, config(&files, 4, 0.1, classes()));
    assert!(step(&mut training).is_finite());
}

#[test]
fn a_last_softmax_is_part_of_the_loss() {
    let mut net = Forward::new(&[4]);
    let x = net.linear("data", "fc", 4, 3);
    let plain = net.model(&[&x]);
    let p = net.op("Softmax", &[&x], &[int("axis", -1)]);
    let softmax = net.model(&[&p]);
    let recipe = recipe(Loss::CrossEntropy, Optimizer::Sgd);
    let shape = net.list(&[-1, 3]);
    let shaped = net.op("Reshape", &[&p, &shape], &[]);
    let shaped = made(&net.model(&[&shaped]), &recipe);
    let (plain, softmax) = (made(&plain, &recipe), made(&softmax, &recipe));
    let first = |files: &Files| step(&mut trainer(files, config(files, 4, 0.1, classes())));
    assert_eq!(first(&plain), first(&softmax));
    assert_eq!(
        first(&plain),
        first(&shaped),
        "a change of shape behind it is no hindrance"
    );
    assert!(
        softmax
            .summary
            .notes
            .iter()
            .any(|note| note.contains("Softmax is part of the loss"))
    );
}

#[test]
fn a_model_exported_for_one_batch_serves_any_if_nothing_in_it_holds_the_size() {
    let mut net = Forward::new(&[4]);
    net.input[0] = 1;
    let x = net.linear("data", "fc", 4, 3);
    let files = made(&net.model(&[&x]), &recipe(Loss::CrossEntropy, Optimizer::Sgd));
    assert!(files.summary.notes.is_empty());
    let shape = net.list(&[1, -1]);
    let held = net.op("Reshape", &["data", &shape], &[]);
    let x = net.linear(&held, "held", 4, 3);
    let error = differentiate(
        "net.onnx",
        &net.model(&[&x]),
        None,
        &recipe(Loss::CrossEntropy, Optimizer::Sgd),
    );
    let text = error.err().unwrap().to_string();
    assert!(text.contains("--micro-batch 1"), "{text}");
}

#[test]
fn every_refusal_names_what_was_wrong() {
    let plain = |change: &dyn Fn(&mut Forward)| {
        let mut net = Forward::new(&[4]);
        let x = net.linear("data", "fc", 4, 3);
        change(&mut net);
        net.model(&[&x])
    };
    let ended_by = |op: &str| {
        let mut net = Forward::new(&[4]);
        let x = net.linear("data", "fc", 4, 3);
        let x = net.op(op, &[&x], &[]);
        net.model(&[&x])
    };
    let good = plain(&|_| {});
    let refusal = |model: &[u8], change: &dyn Fn(&mut Recipe)| {
        let mut recipe = recipe(Loss::CrossEntropy, Optimizer::Sgd);
        change(&mut recipe);
        let made = differentiate("net.onnx", model, None, &recipe);
        made.err().unwrap_or_else(|| panic!("the model was taken"))
    };
    let same = |_: &mut Recipe| {};
    assert!(matches!(
        refusal(&good[..good.len() / 2], &same),
        GradientError::Model(_)
    ));
    assert!(matches!(refusal(b"not a model", &same), GradientError::Model(_)));
    for opset in [0, 12, 22] {
        let model = plain(&|net| net.opset = opset);
        let found = refusal(&model, &same);
        assert!(matches!(found, GradientError::Opset { found, .. } if found == opset));
    }
    let model = plain(&|net| net.element = 10);
    assert!(refusal(&model, &same).to_string().contains("data type 10"));
    let model = plain(&|net| net.input[1] = -1);
    assert!(matches!(
        refusal(&model, &same),
        GradientError::Dynamic { axis: 1, .. }
    ));
    let two = {
        let mut net = Forward::new(&[4]);
        let x = net.linear("data", "fc", 4, 3);
        let y = net.op("Relu", &[&x], &[]);
        net.model(&[&x, &y])
    };
    assert!(matches!(
        refusal(&two, &same),
        GradientError::Output { wanted: None, .. }
    ));
    let found = refusal(&two, &|recipe| recipe.output = Some("nothing".to_string()));
    assert!(matches!(found, GradientError::Output { wanted: Some(_), .. }));
    let found = refusal(&ended_by("Det"), &same);
    assert_eq!(found.to_string(), "operator Det of node `/Det_1` is not covered");
    let found = refusal(&ended_by("Floor"), &same);
    assert!(
        matches!(&found, GradientError::NotDifferentiable { op, node } if op == "Floor" && node == "/Floor_1"),
        "{found}"
    );
    let found = refusal(&good, &|recipe| recipe.train_only = vec!["head".to_string()]);
    assert!(found.to_string().contains("fc.weight"), "{found}");
    let found = refusal(&good, &|recipe| recipe.freeze = vec!["fc".to_string()]);
    assert!(matches!(found, GradientError::NothingTrained { .. }));
    let found = refusal(&good, &|recipe| recipe.micro_batch = 0);
    assert!(matches!(found, GradientError::Setting(_)));
    let found = refusal(&good, &|recipe| recipe.clip = Some(-1.0));
    assert!(matches!(found, GradientError::Setting(_)));
    let no_batch = {
        let mut net = Forward::new(&[4]);
        let x = net.linear("data", "fc", 4, 3);
        let x = net.op("ReduceMean", &[&x], &[int("keepdims", 0)]);
        net.model(&[&x])
    };
    assert!(matches!(refusal(&no_batch, &same), GradientError::Loss(_)));
    let foreign = plain(&|net| net.weights.iter_mut().for_each(|it| it.data_type = Some(10)));
    assert!(matches!(
        refusal(&foreign, &same),
        GradientError::Tensor { .. } | GradientError::Model(_)
    ));
    let unwritten = {
        let mut net = Forward::new(&[4]);
        let x = net.op("Relu", &["nobody"], &[]);
        net.model(&[&x])
    };
    assert!(
        refusal(&unwritten, &same)
            .to_string()
            .contains("reads `nobody` before")
    );
}

#[test]
fn a_single_number_that_the_exporter_made_is_a_constant_unless_it_is_named() {
    let mut net = Forward::new(&[4]);
    let x = net.linear("data", "fc", 4, 3);
    let (made_up, own) = (
        net.filled("val_69", &[1], 0.5),
        net.filled("temperature", &[1], 2.0),
    );
    let x = net.op("Mul", &[&x, &made_up], &[]);
    let x = net.op("Mul", &[&x, &own], &[]);
    let model = net.model(&[&x]);
    let trained = |recipe: &Recipe| -> Vec<String> {
        let weights = made(&model, recipe).summary.trained;
        weights.into_iter().map(|weight| weight.name).collect()
    };
    let all = recipe(Loss::CrossEntropy, Optimizer::Sgd);
    assert_eq!(trained(&all), ["fc.weight", "fc.bias", "temperature"]);
    let named = Recipe {
        train_only: vec!["val_69".to_string()],
        ..all
    };
    assert_eq!(trained(&named), ["val_69"]);
}
