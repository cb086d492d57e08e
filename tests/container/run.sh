#!/usr/bin/env bash
# Builds the image from the Dockerfile, and runs the tests of this folder with it. Installs and starts a
# container engine if none is running, and makes the base images if no registry can be reached.
set -euo pipefail
cd "$(dirname "$0")/../.."
image=${IAM_STOCKTAKE_IMAGE:-iam-stocktake:test}

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# install PROGRAM PACKAGE: installs a missing program from Debian.
install() {
  if command -v "$1" >/dev/null; then return; fi
  if ! as_root apt-get install --yes --no-install-recommends "$2" >target/apt.log 2>&1; then
    as_root apt-get update >>target/apt.log 2>&1
    as_root apt-get install --yes --no-install-recommends "$2" >>target/apt.log 2>&1 ||
      { cat target/apt.log >&2; exit 1; }
  fi
}

engine() {
  if docker info >/dev/null 2>&1; then return; fi
  install dockerd docker.io
  install docker docker.io
  # If the system starts services on installation, the engine is running now.
  if docker info >/dev/null 2>&1; then return; fi
  # Use a new folder: files of an engine that was killed prevent another one from starting in the same
  # folder.
  as_root sh -c 'nohup dockerd --pidfile "$3/docker.pid" --exec-root "$3" >"$1" 2>&1 </dev/null &
    echo $! >"$2"' sh "$PWD/target/dockerd.log" "$PWD/target/dockerd.pid" "$(mktemp -d)"
  trap 'as_root kill "$(cat target/dockerd.pid)" 2>/dev/null || true' EXIT
  for _ in $(seq 240); do
    if docker info >/dev/null 2>&1; then return; fi
    as_root kill -0 "$(cat target/dockerd.pid)" 2>/dev/null || break
    sleep 0.5
  done
  echo "error: no container engine runs here, and none could be started:" >&2
  tail -n 40 target/dockerd.log >&2
  exit 1
}

base_images() {
  local builder runtime missing=()
  builder=$(sed -n 's/^FROM \(.*\) AS builder$/\1/p' Dockerfile)
  runtime=$(sed -n 's/^FROM \([^ ]*\)$/\1/p' Dockerfile)
  for base in "$builder" "$runtime"; do
    if docker image inspect "$base" >/dev/null 2>&1; then continue; fi
    timeout 300 docker pull --quiet "$base" >/dev/null 2>&1 || missing+=("$base")
  done
  if [ ${#missing[@]} = 0 ]; then return; fi
  echo "cannot pull ${missing[*]}: building stand-ins"
  install debootstrap debootstrap
  as_root env "PATH=$PATH" "HOME=$HOME" tests/container/stand_in_images.sh "$builder" "$runtime"
}

# The image in which act runs workflows: 2 MB with a shell, for the checkout and the steps besides containers.
runner_image() {
  local root
  install busybox busybox-static
  root=$(mktemp -d)
  mkdir -p "$root/bin" "$root/tmp"
  cp "$(command -v busybox)" "$root/bin/busybox"
  for applet in $(busybox --list | grep -vx busybox); do ln -s busybox "$root/bin/$applet"; done
  tar -C "$root" -c . | docker import --change 'ENV PATH=/bin' - iam-stocktake-tests/runner >/dev/null
  rm -rf "$root"
  docker run --rm iam-stocktake-tests/runner true
}

mkdir -p target
engine
base_images
runner_image
if ! docker build --tag "$image" . >target/image.log 2>&1; then
  tail -n 60 target/image.log >&2
  exit 1
fi
docker image inspect --format "image $image: {{.Size}} bytes" "$image"
IAM_STOCKTAKE_IMAGE=$image cargo test --locked --test container -- --ignored
