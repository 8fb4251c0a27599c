//! The verb `fulcrum train-graph`: what it prints, and that a refusal writes nothing.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod forward;

use forward::{Forward, lenet};
use fulcrum::workload::onnx::model::{ModelProto, StringStringEntryProto};
use prost::Message;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// An empty folder of this name.
fn folder(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join("train_graph")
        .join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

fn run(model: &Path, out: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fulcrum"));
    command.arg("train-graph").arg(model).arg("--out").arg(out);
    command
        .args(["--loss", "cross-entropy"])
        .args(more)
        .output()
        .unwrap()
}

fn refused(model: &Path, more: &[&str]) -> String {
    let folder = model.parent().unwrap();
    let before = names(folder);
    let output = run(model, &folder.join("out"), more);
    assert!(!output.status.success());
    assert!(output.stdout.is_empty());
    assert_eq!(names(folder), before, "nothing was written");
    String::from_utf8(output.stderr).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

const FILES: [&str; 6] = [
    "apply.onnx",
    "eval.onnx",
    "grad.onnx",
    "infer.onnx",
    "step.onnx",
    "weights.onnx",
];

#[test]
fn a_model_becomes_six_files_and_a_report() {
    let folder = folder("made");
    let model = folder.join("lenet.onnx");
    fs::write(&model, lenet()).unwrap();
    let output = run(
        &model,
        &folder.join("out"),
        &["--optimizer", "adam", "--micro-batch", "4", "--json"],
    );
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["input"], serde_json::json!([4, 1, 12, 12]));
    assert_eq!(report["label_type"], "int64");
    assert_eq!(report["trained"].as_array().unwrap().len(), 8);
    assert_eq!(names(&folder.join("out")), FILES);
    for file in report["files"].as_array().unwrap() {
        let size = fs::metadata(folder.join("out").join(file["name"].as_str().unwrap()))
            .unwrap()
            .len();
        assert_eq!(file["bytes"], size);
    }
    let text = run(&model, &folder.join("again"), &[]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("8 weights are trained"), "{text}");
}

#[test]
fn what_stands_in_a_folder_is_not_written_over() {
    let folder = folder("full");
    let model = folder.join("lenet.onnx");
    fs::write(&model, lenet()).unwrap();
    fs::create_dir(folder.join("out")).unwrap();
    assert!(
        run(&model, &folder.join("out"), &[]).status.success(),
        "an empty folder is filled"
    );
    let step = fs::read(folder.join("out/step.onnx")).unwrap();
    let error = refused(&model, &["--optimizer", "adam"]);
    assert!(error.contains("not empty"), "{error}");
    assert_eq!(fs::read(folder.join("out/step.onnx")).unwrap(), step);
    // A place that cannot be written to: a file stands where the folder should be made.
    fs::write(folder.join("file"), "x").unwrap();
    let before = names(&folder);
    let output = run(&model, &folder.join("file/out"), &[]);
    assert!(!output.status.success());
    assert_eq!(names(&folder), before);
}

#[test]
fn weights_in_another_file_are_read_from_beside_the_model() {
    let folder = folder("external");
    let mut net = Forward::new(&[4]);
    let x = net.linear("data", "fc", 4, 3);
    let inside = net.model(&[&x]);
    let mut proto: ModelProto = net.proto(&[&x]);
    let weight = &mut proto.graph.as_mut().unwrap().initializer[0];
    let raw = weight.raw_data.take().unwrap();
    weight.data_location = Some(1);
    weight.external_data = [("location", "net.data"), ("offset", "8"), ("length", "48")]
        .map(|(key, value)| StringStringEntryProto {
            key: Some(key.to_string()),
            value: Some(value.to_string()),
        })
        .to_vec();
    let model = folder.join("net.onnx");
    fs::write(&model, proto.encode_to_vec()).unwrap();
    let missing = refused(&model, &[]);
    assert!(
        missing.contains("fc.weight") && missing.contains("net.data"),
        "{missing}"
    );
    fs::write(folder.join("net.data"), [&[0; 8], &raw[..20]].concat()).unwrap();
    let short = refused(&model, &[]);
    assert!(short.contains("20 of 48 bytes"), "{short}");
    fs::write(folder.join("net.data"), [&[0; 8], raw.as_slice()].concat()).unwrap();
    assert!(run(&model, &folder.join("out"), &[]).status.success());
    fs::write(folder.join("plain.onnx"), inside).unwrap();
    assert!(
        run(&folder.join("plain.onnx"), &folder.join("plain"), &[])
            .status
            .success()
    );
    for file in FILES {
        let (one, other) = (folder.join("out").join(file), folder.join("plain").join(file));
        assert_eq!(fs::read(one).unwrap(), fs::read(other).unwrap(), "{file}");
    }
    // A path that leads out of the folder is not followed.
    proto.graph.as_mut().unwrap().initializer[0].external_data[0].value =
        Some("../external/net.data".to_string());
    fs::write(&model, proto.encode_to_vec()).unwrap();
    fs::remove_dir_all(folder.join("out")).unwrap();
    assert!(refused(&model, &[]).contains("does not lie beside the model"));
}

#[test]
fn every_bad_input_is_refused_in_words_and_writes_nothing() {
    let folder = folder("bad");
    let model = folder.join("net.onnx");
    let absent = refused(&model, &[]);
    assert!(absent.contains("net.onnx could not be read"), "{absent}");
    let whole = lenet();
    for (bytes, wanted) in [
        (whole[..whole.len() / 3].to_vec(), "not a readable ONNX model"),
        (b"GIF89a".to_vec(), "not a readable ONNX model"),
        (Vec::new(), "not a readable ONNX model"),
    ] {
        fs::write(&model, bytes).unwrap();
        let error = refused(&model, &[]);
        assert!(error.contains(wanted), "{error}");
    }
    fs::write(&model, whole).unwrap();
    for (more, wanted) in [
        (
            vec!["--train-only", "nothing"],
            "no weight or node is named `nothing`",
        ),
        (vec!["--freeze", "conv1,conv2,fc1,fc2"], "no weight of"),
        (vec!["--micro-batch", "0"], "outside 1 to 65536"),
        (vec!["--clip", "0"], "above 0"),
        (vec!["--output", "nothing"], "has no output `nothing`"),
        (vec!["--optimizer", "lion"], "sgd, momentum, adam, adamw"),
        (vec!["--batch-norm", "some"], "frozen, batch, group"),
    ] {
        let error = refused(&model, &more);
        assert!(error.contains(wanted), "{more:?}: {error}");
    }
}
