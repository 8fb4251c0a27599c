#!/usr/bin/env bash
# The engine on aarch64, without such a machine: its tests and the C example, built for aarch64 Linux and run under
# qemu-aarch64 with ONNX Runtime 1.17.3, the oldest supported version (later ones need qemu 10). Says what it installs; ends
# with a sentence and a failure where something cannot be had.
set -euo pipefail

target=aarch64-unknown-linux-gnu
folder=target/arm64
fail() { printf '\n*** NOT RUN: %s ***\n\n' "$1"; exit 1; }

# What is missing of compiler, emulator and npm, and of the aarch64 C and C++ libraries, which ONNX Runtime is linked to.
missing=()
command -v aarch64-linux-gnu-gcc >/dev/null || missing+=(gcc-aarch64-linux-gnu)
command -v qemu-aarch64 >/dev/null || missing+=(qemu-user)
command -v npm >/dev/null || missing+=(npm)
[ -e /usr/aarch64-linux-gnu/lib/crti.o ] || missing+=(libc6-dev-arm64-cross)
[ -e /lib/ld-linux-aarch64.so.1 ] || missing+=(libc6:arm64)
[ -e /usr/lib/aarch64-linux-gnu/libstdc++.so.6 ] || missing+=(libstdc++6:arm64)
if [ ${#missing[@]} -gt 0 ]; then
    echo "installing ${missing[*]}"
    [ "$(id -u)" = 0 ] || fail "${missing[*]} must be installed, by root: dpkg --add-architecture arm64, then apt-get"
    command -v apt-get >/dev/null || fail "${missing[*]} must be installed, and there is no apt-get"
    dpkg --add-architecture arm64
    apt-get update -qq
    apt-get install -qq --no-install-recommends "${missing[@]}" >/dev/null || fail "apt-get has not ${missing[*]}"
fi
command -v rustup >/dev/null || fail "rustup must be installed: it has the standard library for aarch64"
rustup target add "$target" || fail "rustup has no target $target"
FULCRUM_ORT_MACHINE=aarch64 python3 tests/tools/fetch_onnxruntime.py "$folder/$target/onnxruntime" oldest

# No -L: it would mix the cross compiler's loader with the installed aarch64 libc, and every program with threads would hang.
emulator=(timeout --kill-after=5 600 qemu-aarch64)
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="${emulator[*]}"

tests=(onnx_library onnx_accumulation onnx_engine onnx_trainer onnx_memory onnx_checkpoint onnx_finer onnx_threads onnx_providers)
tests+=(gate swap feed train_graph)
: >"$folder/log"
failed=0
run() {
    cargo test --no-fail-fast --features onnx --target "$target" --target-dir "$folder" "$@" 2>&1 | tee -a "$folder/log" || failed=1
}
run --lib -- --test-threads=2
run "${tests[@]/#/--test=}" -- --test-threads=2

# The engine behind the C ABI, over the library that was built with the tests; ONNX Runtime is found beside it.
libraries=$(sed -n 's/^set(FULCRUM_SYSTEM_LIBS \(.*\))$/\1/p' cpp_examples/CMakeLists.txt)
# shellcheck disable=SC2086 # One argument a library.
aarch64-linux-gnu-gcc -std=c11 -O2 -Wall -Wextra -Werror -Iinclude tests/c/onnx.c \
    "$folder/$target/debug/deps/libfulcrum.a" $(printf -- '-l%s ' $libraries) -o "$folder/$target/debug/onnx"
"${emulator[@]}" "$folder/$target/debug/onnx" || { echo 'the C test of the engine failed'; failed=1; }

# The firmware's library and the C example over it.
cargo build --release --lib --target "$target" --target-dir "$folder"
# shellcheck disable=SC2086 # One argument a library.
aarch64-linux-gnu-gcc -std=c11 -O2 -Wall -Wextra -Werror -Iinclude cpp_examples/camera_and_trainer.c \
    "$folder/$target/release/libfulcrum.a" $(printf -- '-l%s ' $libraries) -o "$folder/camera_and_trainer"
"${emulator[@]}" "$folder/camera_and_trainer" || { echo 'the C example failed'; failed=1; }

sum() { grep '^test result' "$folder/log" | grep -o "[0-9]* $1" | awk '{ sum += $1 } END { print sum + 0 }'; }
printf '\naarch64 under %s: %s tests passed, %s failed, %s ignored\n' "$(qemu-aarch64 --version | sed -n '1s/ (.*//p')" \
    "$(sum passed)" "$(sum failed)" "$(sum ignored)"
echo "left out: tests of the program and of boards (nothing of the engine in them), the other C tests (compiled for this machine),"
echo "  train_graph_mutated (nine seconds here, minutes there)"
exit "$failed"
