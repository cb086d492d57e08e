"""Checks that all files name the version, and prints its notes from the changelog.

    python3 release/version.py 0.1.0 [FOLDER]

FOLDER is the repository. A release starts with this check.
"""

import re
import sys
import tomllib
from pathlib import Path

VERSION = re.compile(r"\d+\.\d+\.\d+(-[0-9A-Za-z.]+)?")
ACTION = re.compile(r"uses: iam-stocktake/iam-stocktake@(\S+)")
README = re.compile(r"iam-stocktake/iam-stocktake(?::|@v| --tag v)(\d[\w.-]*)")
LABEL = re.compile(r"^ARG VERSION=(\S+)$", re.MULTILINE)


def problems(version, folder):
    """Yields one line for each problem."""
    if not VERSION.fullmatch(version):
        yield f"`{version}` is no version: write MAJOR.MINOR.PATCH, without a `v`"
        return
    manifest = tomllib.loads(text(folder / "Cargo.toml"))
    found = [("Cargo.toml", manifest["package"]["version"])]
    lock = tomllib.loads(text(folder / "Cargo.lock"))
    own = [it["version"] for it in lock["package"] if it["name"] == manifest["package"]["name"]]
    found += [("Cargo.lock", it) for it in own]
    found += [("Dockerfile", it) for it in LABEL.findall(text(folder / "Dockerfile"))]
    found += [("README.md", it) for it in README.findall(text(folder / "README.md"))]
    for example in sorted((folder / "examples/workflows").glob("*.yml")):
        name = f"examples/workflows/{example.name}"
        found += [(name, it.removeprefix("v")) for it in ACTION.findall(text(example))]
    for name, other in found:
        if other != version:
            yield f"{name} says {other}, not {version}"
    if not notes(version, folder):
        yield f"CHANGELOG.md has no section `## {version}` with text"


def notes(version, folder):
    """Returns the version's section in the changelog, or an empty text."""
    sections = re.split(r"^## ", text(folder / "CHANGELOG.md"), flags=re.MULTILINE)
    for section in sections[1:]:
        heading, _, body = section.partition("\n")
        if re.fullmatch(rf"\[?{re.escape(version)}\]?( .*)?", heading):
            return body.strip()
    return ""


def text(path):
    """Reads a file."""
    return path.read_text(encoding="utf-8")


def main():
    """Prints the notes, or the problems."""
    if len(sys.argv) not in (2, 3):
        sys.exit("error: give the version")
    version = sys.argv[1]
    folder = Path(sys.argv[2] if len(sys.argv) == 3 else ".")
    wrong = list(problems(version, folder))
    if wrong:
        sys.exit("\n".join(f"error: {it}" for it in wrong))
    print(notes(version, folder))


if __name__ == "__main__":
    main()
