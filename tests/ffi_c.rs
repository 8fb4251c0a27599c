//! The C ABI as C and C++ see it: the tests in `tests/c` and `tests/cpp`, each compiled and run four ways.

mod ways;

use std::collections::BTreeSet;
use std::env;
use std::path::Path;
use std::process::Command;
use ways::{AS_CPP, OWNED, SANITIZED, SHARED, STATIC, Way, here, library, read, run, system_libraries};

fn passes(way: &Way) {
    way.passes(&["tests/c/misuse.c", "tests/c/layout.c"]);
    way.passes(&["tests/c/running.c"]);
    way.passes(&["tests/c/engine.c"]);
    way.passes(&["tests/c/feed.c"]);
    way.passes(&["tests/c/checkpoint.c"]);
    // Most of its time is ONNX Runtime's, which is the same however this is linked.
    #[cfg(feature = "onnx")]
    if [AS_CPP.name, SANITIZED.name].contains(&way.name) {
        way.passes(&["tests/c/onnx.c"]);
    }
}

#[test]
fn the_c_tests_pass_with_the_static_library() {
    passes(&STATIC);
}

#[test]
fn the_c_tests_pass_with_the_shared_library() {
    passes(&SHARED);
}

#[test]
fn the_c_tests_pass_compiled_as_cpp() {
    passes(&AS_CPP);
}

#[test]
fn the_c_tests_pass_under_the_address_and_undefined_behaviour_sanitizers() {
    passes(&SANITIZED);
}

#[test]
fn the_cpp_header_owns_the_runtime_and_closes_it_exactly_once() {
    OWNED.passes(&["tests/cpp/ownership.cpp"]);
}

#[cfg(feature = "onnx")]
#[test]
fn the_onnx_example_learns_what_its_camera_sees() {
    let program = OWNED.compiled(&["cpp_examples/onnx_camera_and_trainer.cpp"]);
    let graphs = ["tiny_infer.onnx", "tiny_step.onnx", "tiny_weights.onnx"];
    let graphs = graphs.map(|name| here("tests/fixtures").join(name));
    let told = run(ways::command(&program).args(graphs));
    assert!(told.contains("not enabled in this build"), "{told}");
}

#[test]
fn the_shared_library_exports_exactly_the_functions_of_the_header() {
    let name = |text: &str| {
        text.chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
            .collect::<String>()
    };
    let header = read("include/fulcrum.h");
    let prototype = |line: &&str| !line.starts_with([' ', '/', '#', '}']) && !line.starts_with("typedef");
    let declared: BTreeSet<_> = header
        .lines()
        .filter(prototype)
        .filter_map(|line| {
            line.match_indices("fulcrum_")
                .map(|(at, _)| &line[at..])
                .find(|rest| {
                    rest.strip_prefix(name(rest).as_str())
                        .is_some_and(|after| after.starts_with('('))
                })
        })
        .map(name)
        .collect();
    let exported = run(Command::new("nm")
        .args(["-D", "--defined-only"])
        .arg(library("libfulcrum.so")));
    let exported: BTreeSet<_> = exported
        .lines()
        .filter_map(|line| line.split_whitespace().last())
        .collect();
    let exported: BTreeSet<_> = exported
        .into_iter()
        .filter(|name| name.starts_with("fulcrum_"))
        .map(str::to_owned)
        .collect();
    assert!(declared.len() >= 17, "the prototypes were found: {declared:?}");
    assert_eq!(declared, exported);
}

#[test]
fn the_system_libraries_of_the_examples_are_those_rustc_names() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("native-static-libs");
    let mut print = Command::new(env!("CARGO"));
    print
        .args(["rustc", "--lib", "--crate-type", "staticlib", "--manifest-path"])
        .arg(here("Cargo.toml"));
    print
        .arg("--target-dir")
        .arg(target)
        .env("CARGO_PROFILE_DEV_DEBUG", "0");
    let printed = run(print.args(["--", "--print", "native-static-libs"]));
    let printed = printed
        .lines()
        .find_map(|line| line.strip_prefix("note: native-static-libs: "));
    let printed: Vec<_> = printed.unwrap_or_default().split_whitespace().collect();
    assert_eq!(system_libraries(), printed);
}
