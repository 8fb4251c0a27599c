//! Any bytes as a file of samples: the reader never panics, and what it takes is written the same way again.

#![no_main]

use fulcrum::workload::feed::{self, SampleError, Samples};
use libfuzzer_sys::fuzz_target;
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

/// A file of this process alone.
static PATH: LazyLock<PathBuf> =
    LazyLock::new(|| std::env::temp_dir().join(format!("fulcrum-samples-{}", std::process::id())));

fuzz_target!(|bytes: &[u8]| {
    fs::write(&*PATH, bytes).expect("the folder for temporary files can be written");
    for row in [0, 1, 3] {
        read(bytes, row);
    }
});

fn read(bytes: &[u8], row: usize) {
    let mut samples = match Samples::open(&PATH, row) {
        Ok(samples) => samples,
        Err(error) => {
            assert!(!matches!(error, SampleError::Io(..)), "{error}");
            assert!(error.to_string().contains("fulcrum-samples-"), "{error}");
            return;
        }
    };
    assert!(samples.row() == row && samples.count() > 0);
    let mut values = vec![0.0; row];
    let mut all = Vec::new();
    for number in 0..samples.count() {
        let label = samples.read(number, &mut values).expect("its length was checked");
        all.push((label, values.clone()));
    }
    let mut again = Vec::new();
    feed::write(&mut again, row, &all).expect("memory takes everything");
    assert!(again == bytes, "there is one way to write a file of samples");
}
