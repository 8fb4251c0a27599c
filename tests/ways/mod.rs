//! The ways in which C and C++ tests are compiled and run: against each library, as C++, and under sanitizers.

#![allow(
    clippy::panic,
    dead_code,
    reason = "a helper of tests fails the test, and not every test uses all of it"
)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// Runs `command`, expects success and hands back what it printed, standard error included.
pub(crate) fn run(command: &mut Command) -> String {
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

pub(crate) fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(here(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Where cargo put the libraries it built for this test: beside it.
pub(crate) fn library(name: &str) -> PathBuf {
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
pub(crate) fn system_libraries() -> Vec<String> {
    let text = read("cpp_examples/CMakeLists.txt");
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("set(FULCRUM_SYSTEM_LIBS "));
    let names = line.and_then(|line| line.strip_suffix(')')).unwrap_or_default();
    names.split_whitespace().map(|name| format!("-l{name}")).collect()
}

/// A compiled program, to be run. Both sanitizers end it at the first finding; without this the second one only prints.
pub(crate) fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env("UBSAN_OPTIONS", "halt_on_error=1");
    command
}

/// What is compiled, how, and against which library.
pub(crate) struct Way {
    pub(crate) name: &'static str,
    compiler: &'static str,
    flags: &'static [&'static str],
    library: &'static str,
}

const STRICT_C: &[&str] = &["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror"];
pub(crate) const STATIC: Way = Way {
    name: "static",
    compiler: "gcc",
    flags: STRICT_C,
    library: "libfulcrum.a",
};
pub(crate) const SHARED: Way = Way {
    name: "shared",
    compiler: "gcc",
    flags: STRICT_C,
    library: "libfulcrum.so",
};
pub(crate) const AS_CPP: Way = Way {
    name: "as_cpp",
    compiler: "g++",
    flags: &["-x", "c++", "-std=c++17", "-Wall", "-Wextra", "-Werror"],
    library: "libfulcrum.a",
};
pub(crate) const SANITIZED: Way = Way {
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
pub(crate) const OWNED: Way = Way {
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
    /// Compiles `sources` into one program and tells where it is.
    pub(crate) fn compiled(&self, sources: &[&str]) -> PathBuf {
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
        program
    }

    /// Compiles `sources` into one program and runs it.
    pub(crate) fn passes(&self, sources: &[&str]) {
        run(&mut command(&self.compiled(sources)));
    }
}
