# make demo      the robot sees on time while it learns (simulated board)
# make test      everything that is tested, with stable Rust alone
# make check     Miri, ThreadSanitizer and bare-metal builds on the nightly toolchain; skips loudly where there is none
# make test-arm64
#                the engine's tests and the C example, built for aarch64 and run under qemu (Debian; ten minutes)
# make coverage  that every line of the core is reached by its tests
# make bench     what hot path, admission, measuring and a mode switch cost; inference beside training, and what a user would
#                pick instead; what cutting a step and what an inference cost (twenty minutes)
# make doc       the library's documentation
# make clean

CARGO ?= cargo
PYTHON ?= python3
ORT := target/onnxruntime/libonnxruntime.so.1
VENV := target/python
DEMO := target/demo
BOARD := target/orin_nano

.PHONY: demo test check test-arm64 coverage bench doc clean onnxruntime fixtures

demo: $(ORT)
	$(CARGO) run --release --features cli -- demo --out $(DEMO)

test: $(ORT) $(VENV)/done
	$(CARGO) fmt --check
	$(CARGO) clippy --features cli --all-targets -- -D warnings
	$(CARGO) clippy --lib --no-default-features -- -D warnings
	$(CARGO) clippy --lib --no-default-features --features std -- -D warnings
	$(VENV)/bin/python tests/fixtures/generate.py --check tests/fixtures
	$(VENV)/bin/python tests/fixtures/gradcheck.py
	! $(VENV)/bin/python tests/fixtures/gradcheck.py --break conv_dw
	$(CARGO) build --features cli
	$(VENV)/bin/python tests/fixtures/operators.py
	! $(VENV)/bin/python tests/fixtures/operators.py --break
	$(VENV)/bin/python tests/fixtures/networks.py
	! $(VENV)/bin/python tests/fixtures/networks.py --break
	$(VENV)/bin/python tests/fixtures/autograd.py
	! $(VENV)/bin/python tests/fixtures/autograd.py --break
	$(CARGO) test --features cli
	rm -rf $(BOARD)
	$(CARGO) run --features cli -- twin plain $(BOARD) --board orin-nano
	$(VENV)/bin/cmake -S cpp_examples -B target/cpp_examples -DFULCRUM_LIB_DIR=$(CURDIR)/target/debug \
		-DFULCRUM_BOARD_ROOT=$(CURDIR)/$(BOARD)
	$(VENV)/bin/cmake --build target/cpp_examples
	$(VENV)/bin/ctest --test-dir target/cpp_examples --output-on-failure

check:
	bash tests/tools/check.sh

test-arm64:
	bash tests/tools/arm64.sh

coverage:
	bash tests/tools/coverage.sh

bench: $(ORT)
	$(CARGO) run --release --features cli -- bench cost
	$(CARGO) run --release --features cli -- bench interleave --out target/bench
	$(CARGO) run --release --features cli -- bench peers
	$(CARGO) run --release --features cli -- bench segments
	$(CARGO) run --release --features cli -- bench inference
	$(CARGO) bench --features fuse --bench admission --bench meter --bench mode

doc:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps --features cli

clean:
	$(CARGO) clean

# ONNX Runtime from its PyPI wheel, pinned by version and checksum.
onnxruntime: $(ORT)
$(ORT): tests/tools/fetch_onnxruntime.py
	$(PYTHON) tests/tools/fetch_onnxruntime.py target/onnxruntime

# Python packages of the gradient check, and cmake for the C and C++ examples, in a folder of their own.
$(VENV)/done: tests/fixtures/requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --requirement tests/fixtures/requirements.txt
	touch $@

# Writes the graphs of tests/fixtures anew.
fixtures: $(VENV)/done
	$(VENV)/bin/python tests/fixtures/generate.py --out tests/fixtures
