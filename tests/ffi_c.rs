//! The C ABI as C and C++ see it: the tests in `tests/c` and `tests/cpp`, each compiled and run four ways.

#![allow(clippy::panic, reason = "a helper of tests fails the test")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// Runs `command`, expects success and hands back what it printed, standard error included.
fn run(command: &mut Command) -> String {
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => panic!("{command:?} did not run: {error}; install gcc, g++ and binutils"),
    };
    let text = [output.stdout, output.stderr]
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .concat();
    assert!(output.status.success(), "{command:?}: {}\n{text}", output.status);
    text
}

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(here(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Where cargo put the libraries it built for this test: beside it.
fn library(name: &str) -> PathBuf {
    let test = env::current_exe().unwrap_or_default();
    let library = test.with_file_name(name);
    assert!(
        library.exists(),
        "{} was not built with the tests",
        library.display()
    );
    library
}

/// The system libraries that `cpp_examples/CMakeLists.txt` names for a static link.
fn system_libraries() -> Vec<String> {
    let text = read("cpp_examples/CMakeLists.txt");
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("set(FULCRUM_SYSTEM_LIBS "));
    let names = line.and_then(|line| line.strip_suffix(')')).unwrap_or_default();
    names.split_whitespace().map(|name| format!("-l{name}")).collect()
}

/// What is compiled, how, and against which library.
struct Way {
    name: &'static str,
    compiler: &'static str,
    flags: &'static [&'static str],
    library: &'static str,
}

const STRICT_C: &[&str] = &["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror"];
const STATIC: Way = Way {
    name: "static",
    compiler: "gcc",
    flags: STRICT_C,
    library: "libfulcrum.a",
};
const SHARED: Way = Way {
    name: "shared",
    compiler: "gcc",
    flags: STRICT_C,
    library: "libfulcrum.so",
};
const AS_CPP: Way = Way {
    name: "as_cpp",
    compiler: "g++",
    flags: &["-x", "c++", "-std=c++17", "-Wall", "-Wextra", "-Werror"],
    library: "libfulcrum.a",
};
const SANITIZED: Way = Way {
    name: "sanitized",
    compiler: "gcc",
    flags: &[
        "-std=c11",
        "-Wall",
        "-Wextra",
        "-Wpedantic",
        "-Werror",
        "-g",
        "-fsanitize=address,undefined",
    ],
    library: "libfulcrum.a",
};
const OWNED: Way = Way {
    name: "owned",
    compiler: "g++",
    flags: &[
        "-std=c++17",
        "-Wall",
        "-Wextra",
        "-Wpedantic",
        "-Werror",
        "-g",
        "-fno-exceptions",
        "-fno-rtti",
        "-fsanitize=address,undefined",
    ],
    library: "libfulcrum.a",
};

impl Way {
    /// Compiles `sources` into one program and runs it.
    fn passes(&self, sources: &[&str]) {
        let stem = sources
            .first()
            .and_then(|source| Path::new(source).file_stem())
            .unwrap_or_default();
        let program =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}_{}", stem.display(), self.name));
        let mut compile = Command::new(self.compiler);
        compile
            .args(self.flags)
            .arg("-I")
            .arg(here("include"))
            .args(sources.iter().map(|source| here(source)));
        // `-x c++` must not make a source of the library.
        compile
            .args(["-x", "none"])
            .arg(library(self.library))
            .args(system_libraries())
            .arg("-o")
            .arg(&program);
        run(&mut compile);
        // Both sanitizers end the program at the first finding; without this the second one only prints.
        run(Command::new(&program).env("UBSAN_OPTIONS", "halt_on_error=1"));
    }

    fn passes_all(&self) {
        self.passes(&["tests/c/misuse.c", "tests/c/layout.c"]);
        self.passes(&["tests/c/running.c"]);
    }
}

#[test]
fn the_c_tests_pass_with_the_static_library() {
    STATIC.passes_all();
}

#[test]
fn the_c_tests_pass_with_the_shared_library() {
    SHARED.passes_all();
}

#[test]
fn the_c_tests_pass_compiled_as_cpp() {
    AS_CPP.passes_all();
}

#[test]
fn the_c_tests_pass_under_the_address_and_undefined_behaviour_sanitizers() {
    SANITIZED.passes_all();
}

#[test]
fn the_cpp_header_owns_the_runtime_and_closes_it_exactly_once() {
    OWNED.passes(&["tests/cpp/ownership.cpp"]);
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
