# The inner loop: all tests, and one case in twenty of each sweep.
test:
    cargo nextest run --workspace

# Every case of each sweep, with the counts.
sweeps:
    cargo test --test sweeps --locked -- --show-output
    HISTORIES=100000 cargo test --lib --locked histories

# Format, clippy, shell scripts and CI configurations.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --test sweeps --locked -- -D warnings
    .ci/lint

# Write down what the transcripts show now; read the diff.
transcripts:
    TRYCMD=overwrite cargo test --test it transcripts

# The API documentation, without a warning.
docs:
    RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --workspace --locked

# Licences, bans and sources of the dependencies.
deny:
    .ci/deny

# Everything that CI runs.
ci:
    .ci/run

# The figures of a release build.
figures:
    .ci/figures

# The release archive of this machine's target, with its sum and its bill of materials, in target/dist.
dist:
    #!/usr/bin/env bash
    set -euo pipefail
    target=$(rustc -vV | sed -n 's/^host: //p')
    dist/build "$target"
    dist/pack "$target" "target/$target/release/ecs-bg" target/dist
    dist/check target/dist "$target" "target/$target/release/ecs-bg"
