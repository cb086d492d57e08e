"""Prints the SHA-256 of each file in a folder, in the format of `sha256sum --check`.

    python3 release/checksums.py FOLDER >SHA256SUMS
"""

import hashlib
import sys
from pathlib import Path


def main():
    """Prints one line for each file, sorted by name."""
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_dir():
        sys.exit("error: give the folder with the files of the release")
    files = sorted(it for it in Path(sys.argv[1]).iterdir() if it.is_file())
    if not files:
        sys.exit(f"error: {sys.argv[1]} has no files")
    for file in files:
        print(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}")


if __name__ == "__main__":
    main()
