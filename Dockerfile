# The image of the action: the binary on a base image without a shell. There is no syntax line and no
# cache mount, so that every container engine can build it, with or without BuildKit.

FROM rust:1.95-slim-bookworm AS builder
WORKDIR /src
# Reproducible builds: the binary contains no path of the build machine.
ENV CARGO_INCREMENTAL=0 \
    RUSTFLAGS="--remap-path-prefix=/usr/local/cargo/registry/src=/cargo --remap-path-prefix=/src=/iam-stocktake" \
    SOURCE_DATE_EPOCH=0

# The dependencies, in a separate layer that is reused until they change. aws-lc-sys needs a C
# compiler, but not CMake. Cargo reads the manifest only if every target and workspace member in it
# exists.
COPY Cargo.toml Cargo.lock ./
COPY tests/stand_ins/Cargo.toml tests/stand_ins/
RUN mkdir src benches tests/stand_ins/src \
    && echo 'fn main() {}' >src/main.rs \
    && touch src/lib.rs tests/stand_ins/src/lib.rs \
        $(sed -n '/^\[\[bench\]\]$/{n;s|^name = "\(.*\)"$|benches/\1.rs|p}' Cargo.toml) \
    && cargo build --locked --profile dist --bin iam-stocktake

COPY src src
# COPY keeps file dates, which can be older than the build of the empty crate.
RUN touch src/main.rs src/lib.rs \
    && cargo build --locked --profile dist --bin iam-stocktake

# This base image has libc, libgcc, and the root certificates. The binary runs as root, unlike in the
# `nonroot` variant: the files for outputs and the summary on the runner belong to another user.
FROM gcr.io/distroless/cc-debian12
ARG REVISION=unknown
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="iam-stocktake" \
      org.opencontainers.image.description="Finds unused IAM passwords and access keys, and helps remove them" \
      org.opencontainers.image.source="https://github.com/iam-stocktake/iam-stocktake" \
      org.opencontainers.image.documentation="https://github.com/iam-stocktake/iam-stocktake#readme" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY LICENSE-APACHE LICENSE-MIT /usr/share/doc/iam-stocktake/
COPY --from=builder /src/target/dist/iam-stocktake /usr/local/bin/iam-stocktake
# Run without a shell: a shell drops environment variables with dashes in their names, which the
# inputs have.
ENTRYPOINT ["/usr/local/bin/iam-stocktake"]
