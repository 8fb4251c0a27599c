#!/usr/bin/env bash
# Checks that need the nightly toolchain or another target: Miri on the core and on the queue's wake-up, and builds for
# a machine without an operating system and for aarch64 Linux. Where something is missing it is skipped, and says so.
set -euo pipefail

skip() { printf '\n*** SKIPPED: %s ***\n\n' "$1"; }

if rustup run nightly rustc --version >/dev/null 2>&1 &&
    rustup component add miri rust-src --toolchain nightly >/dev/null 2>&1; then
    # The core is pure: every decision, the bound, the histogram, the trace.
    MIRIFLAGS=-Zmiri-disable-isolation cargo +nightly miri test --lib -- schedule:: bound:: units:: no_ring_is_lost
else
    skip 'Miri (no nightly toolchain with miri)'
fi

if rustup target add x86_64-unknown-none >/dev/null 2>&1; then
    cargo rustc --lib --no-default-features --crate-type rlib --target x86_64-unknown-none
else
    skip 'the build without an operating system (target x86_64-unknown-none)'
fi

if rustup target add aarch64-unknown-linux-gnu >/dev/null 2>&1; then
    cargo check --lib --features onnx --target aarch64-unknown-linux-gnu
else
    skip 'the aarch64 build (target aarch64-unknown-linux-gnu)'
fi
