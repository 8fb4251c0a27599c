//! `include/fulcrum.h` is what `src/ffi` says, and says something about everything in it.
//!
//! `FULCRUM_BLESS=1 cargo test --test header` renews it; the difference is then there to review.

#![allow(clippy::panic, reason = "a helper of tests fails the test")]

use std::collections::BTreeSet;
use std::path::Path;
use std::{env, fs};

fn here(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn generated() -> String {
    let config = cbindgen::Config::from_file(here("include/cbindgen.toml")).unwrap_or_default();
    let mut header = Vec::new();
    // The root file alone: cbindgen follows its `mod` lines, and nothing outside `ffi` may end up in the header.
    let source = here("src/ffi/mod.rs");
    match cbindgen::Builder::new()
        .with_config(config)
        .with_src(source)
        .generate()
    {
        Ok(bindings) => bindings.write(&mut header),
        Err(error) => panic!("{error}"),
    };
    String::from_utf8_lossy(&header).into_owned()
}

fn committed() -> String {
    // While one test renews the file the others must not read half of it.
    if env::var_os("FULCRUM_BLESS").is_some() {
        return generated();
    }
    fs::read_to_string(here("include/fulcrum.h")).unwrap_or_default()
}

/// The lines of `header` that declare something, each with whether a comment ends right above it.
fn items(header: &str) -> Vec<(&str, bool)> {
    let (mut found, mut commented, mut inside_comment, mut continued) = (Vec::new(), false, false, false);
    for line in header.lines() {
        let text = line.trim();
        if inside_comment || text.starts_with("/*") {
            inside_comment = !text.ends_with("*/");
            commented = !inside_comment;
            continue;
        }
        let structure = ["#ifndef", "#ifdef", "#endif", "#include", "extern \"C\"", "}"];
        let guard = text == "#define FULCRUM_H";
        if !text.is_empty() && !guard && !continued && !structure.iter().any(|start| text.starts_with(start))
        {
            found.push((text, commented));
        }
        // A prototype goes on until its semicolon; a struct's fields are items of their own.
        continued = !text.is_empty() && !text.starts_with('#') && !text.ends_with([';', '{', '}']);
        commented = false;
    }
    found
}

#[test]
fn the_committed_header_is_the_generated_one() {
    let generated = generated();
    if env::var_os("FULCRUM_BLESS").is_some() {
        assert!(fs::write(here("include/fulcrum.h"), &generated).is_ok());
        return;
    }
    assert!(
        committed() == generated,
        "include/fulcrum.h is not what src/ffi says: FULCRUM_BLESS=1 cargo test --test header, then review"
    );
}

#[test]
fn every_item_of_the_header_has_a_comment() {
    let header = committed();
    let items = items(&header);
    assert!(items.len() > 100, "{} items were found", items.len());
    let bare: Vec<_> = items.iter().filter(|(_, commented)| !commented).collect();
    assert!(bare.is_empty(), "without a comment: {bare:#?}");
}

#[test]
fn the_check_sees_an_item_without_a_comment() {
    let header = "/** A. */\n#define A 1\n#define B 2\ntypedef struct c {\n  /** D. */\n  int d;\n  int e;\n} c;\n\
                  /** F. */\nint f(int a,\n      int b);\nint g(void);\n";
    let bare: Vec<_> = items(header)
        .into_iter()
        .filter(|(_, commented)| !commented)
        .map(|(text, _)| text)
        .collect();
    assert_eq!(
        bare,
        ["#define B 2", "typedef struct c {", "int e;", "int g(void);"]
    );
}

#[test]
fn every_function_says_what_it_costs_and_every_code_it_names_is_right() {
    let header = committed();
    let number = |name: &str| {
        let define = |line: &'_ str| -> Option<String> {
            let value = line.strip_prefix("#define ")?.strip_prefix(name)?;
            value.strip_prefix(' ').map(str::to_owned)
        };
        header.lines().find_map(define)
    };
    let mut functions = BTreeSet::new();
    for comment in header.split("/**").skip(1) {
        let (comment, after) = comment.split_once("*/").unwrap_or((comment, ""));
        for (at, _) in comment.match_indices("FULCRUM_ERR_") {
            let rest = &comment[at..];
            let name: String = rest
                .chars()
                .take_while(|c| c.is_ascii_uppercase() || *c == '_')
                .collect();
            let told = rest[name.len()..]
                .strip_prefix(" (")
                .and_then(|rest| rest.split_once(')'));
            assert!(number(&name).is_some(), "{name} is no status");
            assert!(
                told.is_none_or(|(told, _)| number(&name).as_deref() == Some(told)),
                "{name} is not {told:?}"
            );
        }
        let prototype: String = after.trim_start().chars().take_while(|c| *c != ';').collect();
        let Some((before, _)) = prototype.split_once('(') else {
            continue;
        };
        if prototype.starts_with("typedef")
            || before.contains('{')
            || before.contains('#')
            || before.contains('}')
        {
            continue;
        }
        let row = ["| allocates ", "| blocks ", "| threads ", "| real-time "];
        assert!(
            row.iter().all(|attribute| comment.contains(attribute)),
            "{prototype} lacks its row"
        );
        assert!(
            prototype.contains("void fulcrum_close") || comment.contains("@return"),
            "{prototype} lacks its codes"
        );
        functions.insert(before.rsplit([' ', '*']).next().unwrap_or_default().to_owned());
    }
    assert!(functions.len() >= 17, "{functions:?}");
}
