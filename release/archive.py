"""Packs a binary with the licences and the README: the same bytes for the same files.

    python3 release/archive.py VERSION TARGET BINARY FOLDER

Writes FOLDER/iam-stocktake-VERSION-TARGET.tar.gz, or .zip for Windows, and prints its path. It is
run in the repository.
"""

import gzip
import io
import sys
import tarfile
import zipfile
from pathlib import Path

DOCUMENTS = ["CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT", "README.md"]
# The first moment that a ZIP can tell.
EPOCH = (1980, 1, 1, 0, 0, 0)


def members(name, binary):
    """What is packed, each with its name, mode and content."""
    documents = [(Path(it).name, 0o644, Path(it)) for it in DOCUMENTS]
    for file, mode, path in [(binary.name, 0o755, binary), *documents]:
        yield f"{name}/{file}", mode, path.read_bytes()


def tarball(files):
    """A gzipped archive without dates or owners."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, mode, content in files:
            member = tarfile.TarInfo(name)
            member.mode, member.size = mode, len(content)
            archive.addfile(member, io.BytesIO(content))
    return gzip.compress(packed.getvalue(), mtime=0)


def zipped(files):
    """The same for Windows."""
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
