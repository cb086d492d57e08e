"""Packs a binary with the licenses and the README. The same files give the same bytes.

    python3 release/archive.py VERSION TARGET BINARY FOLDER

Writes FOLDER/iam-stocktake-VERSION-TARGET.tar.gz, or .zip for Windows, and prints its path. Run it in the
root of the repository.
"""

import gzip
import io
import sys
import tarfile
import zipfile
from pathlib import Path

DOCUMENTS = ["CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT", "README.md"]
# The earliest date that a ZIP file can store.
EPOCH = (1980, 1, 1, 0, 0, 0)


def members(name, binary):
    """Yields each packed file: name, mode, and content."""
    documents = [(Path(it).name, 0o644, Path(it)) for it in DOCUMENTS]
    for file, mode, path in [(binary.name, 0o755, binary), *documents]:
        yield f"{name}/{file}", mode, path.read_bytes()


def tarball(files):
    """Returns a gzipped archive without dates and owners."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, mode, content in files:
            member = tarfile.TarInfo(name)
            member.mode, member.size = mode, len(content)
            archive.addfile(member, io.BytesIO(content))
    return gzip.compress(packed.getvalue(), mtime=0)


def zipped(files):
    """Returns a ZIP archive without dates, for Windows."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, mode, content in files:
            member = zipfile.ZipInfo(name, EPOCH)
            member.external_attr = mode << 16
            member.create_system = 3
            archive.writestr(member, content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def main():
    """Writes the archive."""
    if len(sys.argv) != 5:
        sys.exit("error: give the version, the target, the binary and a folder")
    version, target, binary, folder = sys.argv[1:]
    name = f"iam-stocktake-{version}-{target}"
    files = list(members(name, Path(binary)))
    windows = "windows" in target
    path = Path(folder) / f"{name}{'.zip' if windows else '.tar.gz'}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(zipped(files) if windows else tarball(files))
    print(path.as_posix())


if __name__ == "__main__":
    main()
