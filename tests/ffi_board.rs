//! Boards as C and C++ see them: the tests in `tests/c/board*.c` and `tests/cpp/board.cpp`, each compiled and run four
//! ways, on the files of a simulated Orin Nano: plain ones, and mounted ones where the kernel lets them be mounted.

#![allow(clippy::panic, reason = "a helper of tests fails the test")]

mod ways;

use fulcrum::twin::tree::{Options, Tree};
use std::path::{Path, PathBuf};
use std::{env, fs};
use ways::{AS_CPP, OWNED, SANITIZED, SHARED, STATIC, Way, command, run};

const PROGRAMS: [&str; 3] = [
    "tests/c/board.c",
    "tests/c/board_misuse.c",
    "tests/c/board_faults.c",
];

fn tree() -> Tree {
    match Tree::open("orin-nano", Options::default()) {
        Ok(tree) => tree,
        Err(error) => panic!("{error}"),
    }
}

/// An empty folder for this program alone.
fn folder(program: &Path, kind: &str) -> PathBuf {
    let name = program.file_name().unwrap_or_default().display();
    let folder = env::temp_dir().join(format!("fulcrum-{name}-{kind}-{}", std::process::id()));
    if let Err(error) = fs::create_dir(&folder) {
        panic!("{}: {error}", folder.display());
    }
    folder
}

/// Runs `program` on ordinary files.
fn on_plain_files(program: &Path) {
    let folder = folder(program, "plain");
    if let Err(error) = tree().write_plain(&folder) {
        panic!("{}: {error}", folder.display());
    }
    println!("{}", run(command(program).arg(&folder).arg("plain")));
    assert!(fs::remove_dir_all(&folder).is_ok());
}

/// Runs `program` on a mounted twin, which has the kernel's rules.
#[cfg(feature = "fuse")]
fn on_a_mounted_twin(program: &Path) {
    let folder = folder(program, "mounted");
    match fulcrum::twin::Mount::new(tree(), &folder) {
        Ok(_mount) => println!("{}", run(command(program).arg(&folder).arg("mounted"))),
        Err(error) => eprintln!("skipped on a mounted twin, run on plain files alone: {error}"),
    }
    assert!(fs::remove_dir(&folder).is_ok());
}

#[cfg(not(feature = "fuse"))]
fn on_a_mounted_twin(_: &Path) {
    eprintln!("skipped on a mounted twin, run on plain files alone: built without the feature `fuse`");
}

fn passes(way: &Way, sources: &[&str]) {
    for source in sources {
        let program = way.compiled(&[source]);
        on_plain_files(&program);
        on_a_mounted_twin(&program);
    }
}

#[test]
fn the_c_tests_of_boards_pass_with_the_static_library() {
    passes(&STATIC, &PROGRAMS);
}

#[test]
fn the_c_tests_of_boards_pass_with_the_shared_library() {
    passes(&SHARED, &PROGRAMS);
}

#[test]
fn the_c_tests_of_boards_pass_compiled_as_cpp() {
    passes(&AS_CPP, &PROGRAMS);
}

#[test]
fn the_c_tests_of_boards_pass_under_the_address_and_undefined_behaviour_sanitizers() {
    passes(&SANITIZED, &PROGRAMS);
}

#[test]
fn the_cpp_header_owns_the_board_and_leaves_it_as_found() {
    passes(&OWNED, &["tests/cpp/board.cpp"]);
}

#[test]
fn the_example_of_a_power_mode_leaves_the_board_as_found() {
    passes(&OWNED, &["cpp_examples/power_mode.cpp"]);
}
