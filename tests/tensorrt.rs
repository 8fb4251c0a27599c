//! TensorRT without ONNX Runtime. Built against the mock of tests/nvinfer_mock it tests the shim's plumbing
//! alone: `TENSORRT_INCLUDE_DIR=$PWD/tests/nvinfer_mock cargo test --features tensorrt --test tensorrt`

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use fulcrum::workload::onnx::tensorrt::{Plan, TensorRtError, built_in};
use std::path::Path;

#[test]
fn where_it_is_not_built_in_opening_says_so_and_what_to_do() {
    let refused = Plan::open(Path::new("/nowhere/libnvinfer.so.10"), b"")
        .err()
        .unwrap();
    if built_in() {
        let text = refused.to_string();
        assert!(matches!(refused, TensorRtError::Library(_)), "{text}");
        assert!(text.contains("/nowhere/libnvinfer.so.10"), "{text}");
    } else {
        assert_eq!(refused, TensorRtError::NotBuilt);
        assert!(refused.to_string().contains("TENSORRT_INCLUDE_DIR"));
    }
}

#[cfg(have_tensorrt)]
#[test]
fn over_the_mock_a_plan_is_loaded_bound_and_run_and_each_mistake_has_its_error() {
    let mock = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/nvinfer_mock");
    if std::env::var("TENSORRT_INCLUDE_DIR").is_ok_and(|folder| !folder.ends_with("nvinfer_mock")) {
        // Built against the real header; the mock library would not fit it.
        return;
    }
    let library = std::env::temp_dir().join(format!("libnvinfer_mock_{}.so", std::process::id()));
    let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".to_string());
    let built = std::process::Command::new(compiler)
        .args([
            "-std=c++17",
            "-shared",
            "-fPIC",
            "-fno-exceptions",
            "-I",
            mock,
            "-o",
        ])
        .arg(&library)
        .arg(format!("{mock}/libnvinfer_mock.cpp"))
        .status();
    assert!(built.unwrap().success());
    assert_eq!(Plan::open(&library, b"other").err(), Some(TensorRtError::Plan));
    let plan = Plan::open(&library, b"double").unwrap();
    std::fs::remove_file(&library).unwrap();
    let tensors = plan.tensors();
    let told: Vec<_> = tensors
        .iter()
        .map(|it| (it.name.as_str(), it.input, it.element, &it.dims[..]))
        .collect();
    assert_eq!(told, [("x", true, 0, &[-1][..]), ("y", false, 0, &[-1][..])]);
    assert_eq!(plan.device_memory(), 8);
    let (mut memory, mut x, mut y) = ([0_i64], [1.0_f32, 2.0, 3.0], [0.0_f32; 3]);
    // SAFETY: the mock's device is ordinary memory, which outlives the context; its stream is not used.
    #[allow(unsafe_code)]
    unsafe {
        let stream = std::ptr::null_mut();
        let mut context = plan.context(memory.as_mut_ptr().cast()).unwrap();
        drop(plan);
        assert_eq!(context.enqueue(stream), Err(TensorRtError::Enqueue));
        context.set_address("x", x.as_mut_ptr().cast()).unwrap();
        context.set_address("y", y.as_mut_ptr().cast()).unwrap();
        let unknown = context.set_address("z", std::ptr::null_mut());
        assert_eq!(unknown, Err(TensorRtError::Tensor("z".to_string())));
        assert!(context.set_shape("x", &[1; 9]).is_err() && context.set_shape("y", &[3]).is_err());
        context.set_shape("x", &[3]).unwrap();
        context.enqueue(stream).unwrap();
    }
    assert_eq!((y, memory), ([2.0, 4.0, 6.0], [3]));
}
