# The action's image: the binary on a base without a shell. No syntax line and no cache mounts, so
# that every engine builds it, with BuildKit or without.

FROM rust:1.95-slim-bookworm AS builder
WORKDIR /src
# No path of this machine in the binary: who builds it elsewhere gets the same bytes.
ENV CARGO_INCREMENTAL=0 \
    RUSTFLAGS="--remap-path-prefix=/usr/local/cargo/registry/src=/cargo --remap-path-prefix=/src=/iam-stocktake" \
    SOURCE_DATE_EPOCH=0

# The dependencies, in a layer that lasts until they change. The C of aws-lc-sys needs a compiler and
# no CMake. Targets that the manifest names must be there for it to be read.
COPY Cargo.toml Cargo.lock ./
RUN mkdir src benches \
    && echo 'fn main() {}' >src/main.rs \
    && touch src/lib.rs $(sed -n '/^\[\[bench\]\]$/{n;s|^name = "\(.*\)"$|benches/\1.rs|p}' Cargo.toml) \
    && cargo build --locked --profile dist --bin iam-stocktake

COPY src src
# Files keep their dates when they are copied, and may be older than what the empty crate left.
RUN touch src/main.rs src/lib.rs \
    && cargo build --locked --profile dist --bin iam-stocktake

# It has libc, libgcc and the roots of TLS. As root, unlike its variant `nonroot`: the files that the
# runner hands over for outputs and summary belong to another user.
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
# No shell stands between: one would drop the inputs, whose names have dashes.
ENTRYPOINT ["/usr/local/bin/iam-stocktake"]
