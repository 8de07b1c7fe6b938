# The tasks of the project. `just ci` is what the gate runs.

# Boot the lab in the foreground.
up *ARGS:
    cargo run --release -- up {{ARGS}}

# The tests that need nothing but Rust.
test:
    cargo test --workspace

# Formatting and lints, as the gate wants them.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings

# Every remedy and cheat of every scenario, with the kubectl on PATH.
selftest *ARGS:
    cargo run --release -- selftest {{ARGS}}

# Time to the five symptoms, memory, size of the binary.
bench:
    cargo bench -p pulldrill-cli --bench boot

# Screenshots for the README, from headless Chromium.
screenshots:
    scripts/screenshots

# Licences, duplicate and banned crates.
deny:
    cargo deny check bans licenses sources

# The whole gate.
ci:
    .ci/run

# The whole gate, with every remedy and every cheat on real Kubernetes.
ci-full:
    .ci/run --full

# Time to the five symptoms and memory, kind and embedded side by side.
bench-backends:
    cargo bench -p pulldrill-cli --bench backends
