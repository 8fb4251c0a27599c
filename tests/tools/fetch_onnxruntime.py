#!/usr/bin/env python3
"""Takes ONNX Runtime's shared library out of its PyPI wheel and puts it where fulcrum looks for it.

fetch_onnxruntime.py DIR      writes DIR/libonnxruntime.so.1

The wheel is pinned by version and SHA-256 and fetched by pip; nothing is installed.
"""

import hashlib
import os
import pathlib
import platform
import subprocess
import sys
import tempfile
import zipfile

VERSION = "1.31.1"
# Machine: SHA-256 of the wheel, SHA-256 of the library in it.
PINNED = {
    "x86_64": (
        "5752bd508126ae7c49894d3b9d2e83f0c3d487319246d04c444b393308d7ad7f",
        "fc44112fbe06d7d689c57e11d3862031f64711007e4ee020f8eed5185fd2c1d3",
    ),
    "aarch64": (
        "da05378364c44d4407e463982d2bf8d5e4cfea873283757e48beeb41df97b7f3",
        "8aa3b76b28c778a2b1dd660d34161adb1d508c9ccd04ff9dc80e26eca5df8467",
    ),
}


def digest(data):
    return hashlib.sha256(data).hexdigest()


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    machine = os.environ.get("FULCRUM_ORT_MACHINE", platform.machine())
    if machine not in PINNED:
        sys.exit(f"fetch_onnxruntime.py: no wheel is pinned for {machine}; set FULCRUM_ORT_LIB to a library of your own")
    wheel_hash, library_hash = PINNED[machine]
    target = pathlib.Path(sys.argv[1]) / "libonnxruntime.so.1"
    if target.is_file() and digest(target.read_bytes()) == library_hash:
        target.touch()
        return
    print(f"fetching ONNX Runtime {VERSION} for {machine}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--only-binary=:all:", "--python-version", "3.11", "--implementation", "cp"]
        command += ["--platform", f"manylinux_2_28_{machine}", "--dest", folder, f"onnxruntime=={VERSION}"]
        if subprocess.run(command).returncode != 0:
            sys.exit("fetch_onnxruntime.py: pip could not download the wheel; is pip installed and PyPI reachable?")
        wheel = next(pathlib.Path(folder).glob("*.whl"))
        found = digest(wheel.read_bytes())
        if found != wheel_hash:
            sys.exit(f"fetch_onnxruntime.py: {wheel.name} has SHA-256 {found}, not {wheel_hash}; nothing was installed")
        library = zipfile.ZipFile(wheel).read(f"onnxruntime/capi/libonnxruntime.so.{VERSION}")
    if digest(library) != library_hash:
        sys.exit("fetch_onnxruntime.py: the library in the wheel is not the pinned one; nothing was installed")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".partial")
    partial.write_bytes(library)
    partial.rename(target)


if __name__ == "__main__":
    main()
