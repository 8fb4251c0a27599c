//! Does nothing in an ordinary build. With the feature `bindgen` it makes the ONNX Runtime bindings anew from the C
//! header in `ORT_INCLUDE_DIR` (Debian's libonnxruntime-dev), for a maintainer to compare and copy.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    #[cfg(feature = "bindgen")]
    bindings();
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
