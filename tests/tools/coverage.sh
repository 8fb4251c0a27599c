#!/usr/bin/env bash
# Lines of the core that no test of the library reaches: prints each and fails if there is one. The core is what decides and
# what promises: src/schedule, src/bound.rs, src/trace.rs, src/units.rs; its tests and the simulator, which is one, are not.
# Needs the component llvm-tools of the toolchain; without it this is skipped, and says so.
set -euo pipefail

rustup component add llvm-tools >/dev/null 2>&1 || true
tools=$(dirname "$(find "$(rustc --print sysroot)" -name llvm-cov | head -n 1)")
if [ "$tools" = . ]; then
    printf '\n*** SKIPPED: line coverage of the core (no component llvm-tools) ***\n\n'
    exit 0
fi

out=target/coverage
rm -rf "$out/profile"
export RUSTFLAGS=-Cinstrument-coverage LLVM_PROFILE_FILE="$PWD/$out/profile/%p-%m.profraw"
# The tests of the core alone: what the program reaches beside them proves nothing about it.
binary=$(cargo test --target-dir "$out" --no-default-features --features std --lib --no-run --message-format=json |
    grep -o '"executable":"[^"]*"' | tail -n 1 | cut -d '"' -f 4)
rm -rf "$out/profile"
"$binary" --quiet schedule:: bound:: units:: trace::
"$tools/llvm-profdata" merge -sparse "$out"/profile/*.profraw -o "$out/core.profdata"
"$tools/llvm-cov" export --format=lcov --instr-profile="$out/core.profdata" "$binary" >"$out/core.lcov"

python3 - "$out/core.lcov" <<'PYTHON'
"""Sums the lines of the core up and prints those with a count of zero; a file's tests begin at `#[cfg(test)]`."""
import pathlib
import re
import sys

root = pathlib.Path.cwd()
core = re.compile(r"src/(schedule/(?!tests|simulator).*|bound\.rs|trace\.rs|units\.rs)")
reached, missed, name, lines, last = 0, [], None, [], 0
for entry in open(sys.argv[1], encoding="ascii"):
    key, _, value = entry.strip().partition(":")
    if key == "SF":
        path = pathlib.Path(value)
        name = str(path.relative_to(root)) if path.is_relative_to(root) else value
        name = name if core.fullmatch(name) else None
        if name:
            lines = path.read_text(encoding="ascii").splitlines()
            last = lines.index("#[cfg(test)]") if "#[cfg(test)]" in lines else len(lines)
    elif key == "DA" and name:
        line, count = map(int, value.split(",")[:2])
        if line <= last:
            reached += count > 0
            if count == 0:
                missed.append(f"{name}:{line}: {lines[line - 1].strip()}")
print("\n".join(missed))
print(f"core: {reached} of {reached + len(missed)} lines reached, {100 * reached / (reached + len(missed)):.2f} %")
sys.exit(bool(missed))
PYTHON
