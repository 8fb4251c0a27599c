//! The version, which header and library both know and a program can compare.

#![allow(unsafe_code, reason = "an exported name is unsafe")]

/// Version of this header: major * 10000 + minor * 100 + patch.
pub const FULCRUM_VERSION: u32 = 100;

/// The number in a decimal text.
const fn number(text: &str) -> u32 {
    match u32::from_str_radix(text, 10) {
        Ok(number) => number,
        Err(_) => u32::MAX,
    }
}

const _: () = assert!(
    FULCRUM_VERSION
        == number(env!("CARGO_PKG_VERSION_MAJOR")) * 10_000
            + number(env!("CARGO_PKG_VERSION_MINOR")) * 100
            + number(env!("CARGO_PKG_VERSION_PATCH")),
    "the header's version is the package's"
);

/// FUNCTION: returns the version of the library, in the form of FULCRUM_VERSION. Header and library belong together if
/// both have the same major and minor number: fulcrum_version() / 100 == FULCRUM_VERSION / 100.
///
/// | allocates no | blocks no | threads any | real-time yes |
/// @return major * 10000 + minor * 100 + patch
#[unsafe(no_mangle)]
pub extern "C" fn fulcrum_version() -> u32 {
    FULCRUM_VERSION
}
