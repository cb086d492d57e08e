#!/usr/bin/env bash
# stand_in_images.sh BUILDER RUNTIME
#
# Makes images with these names from Debian packages and this machine's Rust toolchain, if no container
# registry can be reached. The Dockerfile builds on them unchanged. They contain what the real images
# contain and nothing more, so that a Dockerfile that needs more fails here too.
#
# Needs root, debootstrap, a rustup toolchain, and a running engine.
set -euo pipefail
builder=$1 runtime=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
libraries=$(gcc -print-multiarch 2>/dev/null || echo "$(uname -m)-linux-gnu")

# The mirror that this machine uses; it may be the only one that it can reach.
mirror=$(grep -rhoE 'https?://[^ ]+/debian/?$' /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null |
  head -n 1 || true)
debootstrap --variant=minbase --include=ca-certificates,gcc,libc6-dev bookworm \
  "$work/builder" "${mirror:-http://deb.debian.org/debian}" >"$work/log" || { cat "$work/log" >&2; exit 1; }
rm -rf "$work/builder/var/cache/apt" "$work/builder/var/lib/apt/lists"
# This machine's root certificates, since the network may need one that is not in the package.
cp -L /etc/ssl/certs/ca-certificates.crt "$work/builder/etc/ssl/certs/"

# The runtime: libc, libgcc, root certificates, a user database, an empty /tmp. No shell.
root=$work/runtime
mkdir -p "$root/etc/ssl/certs" "$root/lib/$libraries" "$root/root" "$root/tmp" "$root/usr/share"
chmod 1777 "$root/tmp"
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
for library in libc libm libgcc_s libdl libpthread librt libresolv libnss_dns libnss_files; do
  cp -L "$work/builder/lib/$libraries/$library".so.* "$root/lib/$libraries/"
done
case $(uname -m) in
  x86_64) loader=lib64/ld-linux-x86-64.so.2 ;;
  aarch64) loader=lib/ld-linux-aarch64.so.1 ;;
  *) echo "no stand-in for $(uname -m)" >&2; exit 1 ;;
esac
mkdir -p "$root/$(dirname "$loader")"
cp -L "$work/builder/$loader" "$root/$loader"
printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
printf 'root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n' \
  >"$root/etc/passwd"
printf 'root:x:0:\nnonroot:x:65532:\n' >"$root/etc/group"
path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
tar -C "$root" -c . | docker import --change "ENV PATH=$path" \
  --change 'ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt' - "$runtime" >/dev/null

# The builder: the same Debian with a C compiler, and the toolchain.
toolchain=$(rustc --print sysroot)
mkdir -p "$work/builder/usr/local/rust" "$work/builder/usr/local/cargo"
cp -a "$toolchain/bin" "$toolchain/lib" "$work/builder/usr/local/rust/"
for configuration in "${CARGO_HOME:-$HOME/.cargo}"/config.toml; do
  if [ -f "$configuration" ]; then cp "$configuration" "$work/builder/usr/local/cargo/"; fi
done
tar -C "$work/builder" -c . | docker import --change "ENV PATH=/usr/local/rust/bin:$path" \
  --change 'ENV CARGO_HOME=/usr/local/cargo' - "$builder" >/dev/null
