"""Prints the targets of a release as a workflow matrix, in JSON.

    python3 release/targets.py binaries
    python3 release/targets.py images

Each target is built on its own kind of runner: nothing is cross-compiled, and each binary is run
once before it is published. Linux binaries are built on the oldest Ubuntu runner, so that they work
with older C libraries.
"""

import json
import sys

BINARIES = [
    {"target": "x86_64-unknown-linux-gnu", "runner": "ubuntu-22.04"},
    {"target": "aarch64-unknown-linux-gnu", "runner": "ubuntu-22.04-arm"},
    {"target": "aarch64-apple-darwin", "runner": "macos-15"},
    {"target": "x86_64-pc-windows-msvc", "runner": "windows-2025"},
]
IMAGES = [
    {"platform": "amd64", "runner": "ubuntu-24.04"},
    {"platform": "arm64", "runner": "ubuntu-24.04-arm"},
]
MATRICES = {"binaries": BINARIES, "images": IMAGES}


def main():
    """Prints the selected matrix."""
    wanted = sys.argv[1:]
    if len(wanted) != 1 or wanted[0] not in MATRICES:
        sys.exit(f"error: name one of {', '.join(MATRICES)}")
    print(json.dumps({"include": MATRICES[wanted[0]]}))


if __name__ == "__main__":
    main()
