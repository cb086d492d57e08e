# The action's image: the binary on a base without a shell. It has no syntax line and no cache mounts, so
# that every container engine can build it, with or without BuildKit.

FROM rust:1.95-slim-bookworm AS builder
WORKDIR /src
# Removes paths of this machine from the binary, so that builds on other machines give the same bytes.
ENV CARGO_INCREMENTAL=0 \
    RUSTFLAGS="--remap-path-prefix=/usr/local/cargo/registry/src=/cargo --remap-path-prefix=/src=/iam-stocktake" \
    SOURCE_DATE_EPOCH=0

# The dependencies, in a layer of their own that is rebuilt only when they change. The C code of aws-lc-sys
# needs a compiler, but no CMake. Cargo requires that all targets in the manifest exist.
COPY Cargo.toml Cargo.lock ./
RUN mkdir src benches \
    && echo 'fn main() {}' >src/main.rs \
    && touch src/lib.rs $(sed -n '/^\[\[bench\]\]$/{n;s|^name = "\(.*\)"$|benches/\1.rs|p}' Cargo.toml) \
    && cargo build --locked --profile dist --bin iam-stocktake

COPY src src
# Copied files keep their dates and can be older than the output of the empty crate.
RUN touch src/main.rs src/lib.rs \
    && cargo build --locked --profile dist --bin iam-stocktake

# The base has libc, libgcc, and TLS root certificates. It runs as root, unlike the variant `nonroot`,
# because the runner's files for outputs and the summary belong to another user.
FROM gcr.io/distroless/cc-debian12
ARG REVISION=unknown
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="iam-stocktake" \
      org.opencontainers.image.description="Finds IAM passwords and access keys that nobody uses, and gets them removed" \
      org.opencontainers.image.source="https://github.com/iam-stocktake/iam-stocktake" \
      org.opencontainers.image.documentation="https://github.com/iam-stocktake/iam-stocktake#readme" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY LICENSE-APACHE LICENSE-MIT /usr/share/doc/iam-stocktake/
COPY --from=builder /src/target/dist/iam-stocktake /usr/local/bin/iam-stocktake
# No shell: it would drop the inputs, because their names contain dashes.
ENTRYPOINT ["/usr/local/bin/iam-stocktake"]
