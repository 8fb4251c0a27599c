#!/usr/bin/env python3
"""Takes ONNX Runtime's shared library out of its package and puts it where fulcrum looks for it.

fetch_onnxruntime.py DIR             writes DIR/libonnxruntime.so.1, the version that is used, from PyPI's wheel
fetch_onnxruntime.py DIR oldest      the oldest version that is supported, from npm's package

The machine is this one, or FULCRUM_ORT_MACHINE (x86_64, aarch64). Each package is pinned by version and SHA-256 and fetched
by pip or npm, from the registry they are configured with; nothing is installed.
"""

import hashlib
import io
import os
import pathlib
import platform
import subprocess
import sys
import tarfile
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
OLDEST_VERSION = "1.17.3"
OLDEST_PACKAGE = "fd586d4ab53d89fdade19ffcc75b208fd66ab417b247cb6ae299be1bb40d76be"
# Machine: its folder in npm's package, SHA-256 of the library there.
OLDEST = {
    "x86_64": ("x64", "f96ba39c4021546992807e596c5be53a73b3683fe5dc89c43ffb4769bffeea3f"),
    "aarch64": ("arm64", "7bc357f54069e1921dee307452b13112b4683dbf195c6d488a14386cf373abfd"),
}


def digest(data):
    return hashlib.sha256(data).hexdigest()


def fetched(command, pattern, package_hash):
    """Runs the registry's client in a folder of its own, and hands back the package it left there."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            done = subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL).returncode == 0
        except FileNotFoundError:
            done = False
        if not done:
            sys.exit(f"fetch_onnxruntime.py: {' '.join(command)}\n"
                     "did not get the package; is this client installed and its registry reachable?")
        package = next(pathlib.Path(folder).glob(pattern))
        data = package.read_bytes()
        if digest(data) != package_hash:
            sys.exit(f"fetch_onnxruntime.py: {package.name} has SHA-256 {digest(data)}, not {package_hash}; "
                     "nothing was installed")
        return io.BytesIO(data)


def from_wheel(machine):
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary=:all:", "--python-version", "3.11", "--implementation", "cp"]
    command += ["--platform", f"manylinux_2_28_{machine}", f"onnxruntime=={VERSION}"]
    wheel = fetched(command, "*.whl", PINNED[machine][0])
    return zipfile.ZipFile(wheel).read(f"onnxruntime/capi/libonnxruntime.so.{VERSION}")


def from_npm(machine):
    # `pack` runs no script of the package.
    command = ["npm", "pack", "--silent", f"onnxruntime-node@{OLDEST_VERSION}"]
    package = tarfile.open(fileobj=fetched(command, "*.tgz", OLDEST_PACKAGE))
    member = f"package/bin/napi-v3/linux/{OLDEST[machine][0]}/libonnxruntime.so.{OLDEST_VERSION}"
    return package.extractfile(member).read()


def main():
    if len(sys.argv) not in (2, 3) or sys.argv[2:] not in ([], ["oldest"]):
        sys.exit(__doc__)
    oldest = len(sys.argv) == 3
    machine = os.environ.get("FULCRUM_ORT_MACHINE", platform.machine())
    if machine not in PINNED:
        sys.exit(f"fetch_onnxruntime.py: no package is pinned for {machine}; set FULCRUM_ORT_LIB to a library of your own")
    library_hash = (OLDEST if oldest else PINNED)[machine][1]
    target = pathlib.Path(sys.argv[1]) / "libonnxruntime.so.1"
    if target.is_file() and digest(target.read_bytes()) == library_hash:
        target.touch()
        return
    print(f"fetching ONNX Runtime {OLDEST_VERSION if oldest else VERSION} for {machine}", flush=True)
    library = from_npm(machine) if oldest else from_wheel(machine)
    if digest(library) != library_hash:
        sys.exit("fetch_onnxruntime.py: the library in the package is not the pinned one; nothing was installed")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".partial")
    partial.write_bytes(library)
    partial.rename(target)


if __name__ == "__main__":
    main()
