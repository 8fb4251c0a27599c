//! Does nothing in an ordinary build. With the feature `tensorrt` it compiles the shim over TensorRT's
//! classes where NvInfer.h is found: in `TENSORRT_INCLUDE_DIR`, else in the system's include folders. With
//! the feature `bindgen` it makes the ONNX Runtime bindings anew from the C header in `ORT_INCLUDE_DIR`
//! (Debian's libonnxruntime-dev), for a maintainer to compare and copy.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-check-cfg=cfg(have_tensorrt)");
    #[cfg(feature = "tensorrt")]
    tensorrt();
    #[cfg(feature = "bindgen")]
    bindings();
}

#[cfg(feature = "tensorrt")]
fn tensorrt() {
    use std::path::PathBuf;
    const SHIM: &str = "src/workload/onnx/tensorrt/shim.cpp";
    println!("cargo:rerun-if-env-changed=TENSORRT_INCLUDE_DIR");
    println!("cargo:rerun-if-changed={SHIM}");
    let target = std::env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default();
    let named = std::env::var_os("TENSORRT_INCLUDE_DIR").map(PathBuf::from);
    let places = named.map_or_else(
        || {
            let multiarch = format!("/usr/include/{target}-linux-gnu");
            vec![PathBuf::from(multiarch), PathBuf::from("/usr/include")]
        },
        |folder| vec![folder],
    );
    let Some(folder) = places
        .into_iter()
        .find(|folder| folder.join("NvInfer.h").is_file())
    else {
        println!("cargo:warning=NvInfer.h was not found; set TENSORRT_INCLUDE_DIR. TensorRT is not built in");
        return;
    };
    println!("cargo:rerun-if-changed={}", folder.join("NvInfer.h").display());
    let mut shim = cc::Build::new();
    // NvInfer.h includes a header of CUDA's.
    let cuda = PathBuf::from("/usr/local/cuda/include");
    if cuda.is_dir() {
        shim.include(cuda);
    }
    shim.cpp(true)
        .std("c++17")
        .flag("-fno-exceptions")
        .flag("-fno-rtti")
        .include(folder)
        .file(SHIM)
        .compile("fulcrum_tensorrt");
    println!("cargo:rustc-cfg=have_tensorrt");
}

#[cfg(feature = "bindgen")]
fn bindings() {
    println!("cargo:rerun-if-env-changed=ORT_INCLUDE_DIR");
    let folder = std::env::var("ORT_INCLUDE_DIR")
        .expect("feature `bindgen`: set ORT_INCLUDE_DIR to the folder that holds onnxruntime_c_api.h");
    let out =
        std::path::Path::new(&std::env::var("OUT_DIR").expect("cargo sets OUT_DIR")).join("bindings.rs");
    bindgen::Builder::default()
        .header(format!("{folder}/onnxruntime_c_api.h"))
        .allowlist_item("Ort.*|ONNX.*|ORT_API_VERSION")
        // A C enum may hold values its Rust twin does not have, so enums stay integers.
        .default_enum_style(bindgen::EnumVariation::Consts)
        .derive_default(false)
        .layout_tests(false)
        .generate_comments(false)
        .merge_extern_blocks(true)
        .generate()
        .expect("bindgen reads onnxruntime_c_api.h")
        .write_to_file(&out)
        .expect("OUT_DIR can be written");
    println!(
        "cargo:warning=wrote {}; put it under the notice in src/workload/onnx/bindings.rs",
        out.display()
    );
}
