//! Finding ONNX Runtime. A file of its own: it changes the environment of the process.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use fulcrum::workload::onnx::{Library, OnnxError};

#[test]
fn a_missing_library_lists_what_was_tried_and_the_command_that_gets_it() {
    let nowhere = std::env::temp_dir().join("no-such-folder/libonnxruntime.so");
    let other = std::env::temp_dir().join(format!("fulcrum-not-a-library-{}", std::process::id()));
    std::fs::write(&other, "text").unwrap();
    for path in [&nowhere, &other] {
        // SAFETY: this test is alone in its process.
        #[allow(unsafe_code)]
        unsafe {
            std::env::set_var("FULCRUM_ORT_LIB", path);
        }
        let error = Library::open().unwrap_err();
        assert!(
            matches!(&error, OnnxError::Missing(tried) if tried.len() == 1),
            "{error:?}"
        );
        let message = error.to_string();
        assert!(
            message.contains("make onnxruntime") && message.contains(&path.display().to_string()),
            "{message}"
        );
    }
    std::fs::remove_file(&other).unwrap();
    // SAFETY: as above.
    #[allow(unsafe_code)]
    unsafe {
        std::env::remove_var("FULCRUM_ORT_LIB");
    }
    let library = Library::open().unwrap_or_else(|error| panic!("{error}"));
    assert!(library.version().starts_with("1."), "{library:?}");
}
