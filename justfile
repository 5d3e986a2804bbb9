# The inner loop.
test:
    cargo nextest run --workspace

# Write down what the transcripts show now; read the diff.
transcripts:
    TRYCMD=overwrite cargo test --test it transcripts

# What CI does.
ci:
    .ci/run

# The figures of a release build.
figures:
    .ci/figures
