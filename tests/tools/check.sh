#!/usr/bin/env bash
# Checks that need the nightly toolchain or another target: Miri on the core and on the queue's wake-up, ThreadSanitizer
# on all that two threads share, builds for a machine without an operating system and for aarch64 Linux; and the fuzz
# targets, for some seconds each. Where something is missing it is skipped, and says so.
set -euo pipefail

miri=
trap '[ -z "$miri" ] || kill "$miri" 2>/dev/null || true' EXIT

skip() { printf '\n*** SKIPPED: %s ***\n\n' "$1"; }

if rustup run nightly rustc --version >/dev/null 2>&1 &&
    rustup component add miri rust-src --toolchain nightly >/dev/null 2>&1; then
    # The core is pure: every decision, the bound, the histogram, the trace.
    # The log's text form is left out: reading and writing it a hundred times takes minutes there.
    # One interpreter uses one processor for minutes, so the rest goes on beside it.
    mkdir -p target
    MIRIFLAGS=-Zmiri-disable-isolation cargo +nightly miri test --lib -- schedule:: bound:: units:: no_ring_is_lost \
        --skip a_log_that --skip the_decisions_of_any_run >target/miri.log 2>&1 &
    miri=$!
else
    skip 'Miri (no nightly toolchain with miri)'
fi

host=$(rustc -vV | sed -n 's/^host: //p')
if [ "$host" = x86_64-unknown-linux-gnu ] &&
    rustup run nightly rustc --version >/dev/null 2>&1 &&
    rustup component add rust-src --toolchain nightly >/dev/null 2>&1; then
    # std is built anew, so that its own locks and threads are seen too. A folder of its own keeps the other builds.
    tsan=(cargo +nightly test -Zbuild-std --target "$host" --target-dir target/tsan --no-default-features --features std)
    RUSTFLAGS=-Zsanitizer=thread "${tsan[@]}" --lib -- \
        runtime:: workload::swap workload::feed workload::checkpoint ffi::onnx
    RUSTFLAGS=-Zsanitizer=thread "${tsan[@]}" --test runtime --test hot_path --test feed
    RUSTFLAGS=-Zsanitizer=thread "${tsan[@]}" --test checkpoint -- job::
else
    skip 'ThreadSanitizer (no nightly toolchain with rust-src, or not x86-64 Linux)'
fi

if rustup target add x86_64-unknown-none >/dev/null 2>&1; then
    cargo rustc --lib --no-default-features --crate-type rlib --target x86_64-unknown-none
else
    skip 'the build without an operating system (target x86_64-unknown-none)'
fi

if rustup target add aarch64-unknown-linux-gnu >/dev/null 2>&1; then
    cargo check --lib --features onnx,fuse --target aarch64-unknown-linux-gnu
else
    skip 'the aarch64 build (target aarch64-unknown-linux-gnu)'
fi

if rustup run nightly rustc --version >/dev/null 2>&1; then
    cd fuzz
    for target in fuzz_targets/*.rs; do
        name=$(basename "$target" .rs)
        # What a board's files may hold is looked for longest; FUZZ_SECONDS looks longer.
        case $name in nvpmodel | sysfs) seconds=10 ;; *) seconds=5 ;; esac
        # New inputs go to the first folder and are kept there from run to run; the committed ones are only read.
        mkdir -p "target/corpus/$name"
        cargo +nightly run --release --locked --bin "$name" -- -max_total_time="${FUZZ_SECONDS:-$seconds}" -timeout=5 \
            -verbosity=0 -print_final_stats=1 -artifact_prefix="target/$name-" "target/corpus/$name" "corpus/$name"
    done
    cd ..
else
    skip 'the fuzz targets (no nightly toolchain)'
fi

if [ -n "$miri" ]; then
    wait "$miri" || { cat target/miri.log; exit 1; }
    miri=
    tail -n 3 target/miri.log
fi
