//! Data flows one way: no module uses one that stands below it in the diagram of `src/lib.rs`.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::path::{Path, PathBuf};

/// Each module and what it may use. The order is the diagram's.
const MAY_USE: &[(&str, &[&str])] = &[
    ("units", &[]),
    ("limits", &[]),
    ("clock", &["units"]),
    ("bound", &["units"]),
    ("trace", &["units"]),
    ("file", &[]),
    ("board", &["units", "limits"]),
    ("power", &["units", "limits", "clock", "file", "board"]),
    ("profile", &["units", "limits", "clock", "file", "board", "power"]),
    ("predict", &["units", "limits", "board", "power", "profile"]),
    (
        "plan",
        &["units", "limits", "bound", "board", "power", "profile", "predict"],
    ),
    ("schedule", &["units", "limits", "clock", "bound"]),
    ("workload", &["units", "limits", "clock", "schedule"]),
    // The simulated board is what `board` and `workload` need, and shares no formula with `predict`.
    (
        "twin",
        &[
            "units", "limits", "clock", "board", "power", "profile", "workload",
        ],
    ),
    (
        "runtime",
        &[
            "units", "limits", "clock", "trace", "board", "power", "schedule", "workload",
        ],
    ),
    (
        "ffi",
        &[
            "units", "limits", "clock", "bound", "trace", "file", "board", "power", "plan", "schedule",
            "workload", "runtime",
        ],
    ),
];

fn sources(path: &Path, into: &mut Vec<PathBuf>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            sources(&entry.unwrap().path(), into);
        }
    } else if path.extension().is_some_and(|extension| extension == "rs") {
        into.push(path.to_path_buf());
    }
}

/// The modules that `text` names after `crate::`, also inside a brace list.
fn used(text: &str) -> Vec<String> {
    let word = |text: &str| {
        text.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect::<String>()
    };
    let mut found = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let after = &text[at + "crate::".len()..];
        match after.strip_prefix('{') {
            Some(list) => found.extend(
                list[..list.find("};").unwrap_or(0)]
                    .split(',')
                    .map(|item| word(item.trim())),
            ),
            None => found.push(word(after)),
        }
    }
    found
}

fn against_the_stream(module: &str, text: &str) -> Vec<String> {
    let allowed = MAY_USE
        .iter()
        .find(|(name, _)| *name == module)
        .map_or(&[][..], |(_, allowed)| allowed);
    used(text)
        .into_iter()
        .filter(|name| name != module && !name.is_empty() && !allowed.contains(&name.as_str()))
        .collect()
}

#[test]
fn no_module_uses_one_that_stands_below_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 20, "the sources were found");
    for file in files {
        let relative = file.strip_prefix(&root).unwrap();
        let first = relative
            .components()
            .next()
            .unwrap()
            .as_os_str()
            .to_str()
            .unwrap();
        let module = first.trim_end_matches(".rs");
        if module == "lib" || module == "bin" {
            continue;
        }
        assert!(
            MAY_USE.iter().any(|(name, _)| *name == module),
            "module {module} has no place in the diagram"
        );
        let wrong = against_the_stream(module, &fs::read_to_string(&file).unwrap());
        assert!(wrong.is_empty(), "{} uses {wrong:?}", relative.display());
    }
}

#[test]
fn the_check_sees_an_arrow_against_the_stream() {
    assert_eq!(against_the_stream("board", "use crate::plan::Plan;"), ["plan"]);
    assert_eq!(
        against_the_stream("power", "use crate::{board::Board, ffi};"),
        ["ffi"]
    );
    assert!(against_the_stream("plan", "use crate::predict::Estimate;").is_empty());
}

#[test]
fn every_source_is_ascii_and_has_no_mark_of_unfinished_work() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "tests", "benches", "include", "cpp_examples"] {
        sources(&root.join(folder), &mut files);
    }
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        assert!(
            text.is_ascii(),
            "{} has a character outside ASCII",
            file.display()
        );
        for mark in [
            concat!("TO", "DO"),
            concat!("FIX", "ME"),
            concat!("unimplemented", "!"),
            concat!("to", "do!"),
        ] {
            assert!(!text.contains(mark), "{} has a {mark}", file.display());
        }
    }
}
