"""Writes the action.yml of a release, with the published image instead of the Dockerfile.

    python3 release/action_yml.py IMAGE <action.yml >released.yml

IMAGE is a name with a digest, such as ghcr.io/iam-stocktake/iam-stocktake@sha256:…, because a tag can be
moved. Tests use a tag with --tagged, since they have no registry that assigns a digest.
"""

import re
import sys

PINNED = re.compile(r"[a-z0-9][a-z0-9.-]*(:\d+)?(/[a-z0-9._-]+)+@sha256:[0-9a-f]{64}")
TAGGED = re.compile(r"[a-z0-9][a-z0-9./-]*:[\w.-]+")
BUILT = "  image: Dockerfile\n"


def released(text, image, form=PINNED):
    """Returns the text with the image instead of the Dockerfile, or raises a ValueError."""
    if not form.fullmatch(image):
        raise ValueError(f"`{image}` is no image with a digest: give NAME@sha256:…")
    if text.count(BUILT) != 1:
        raise ValueError(f"action.yml has not exactly one line `{BUILT.strip()}`")
    return text.replace(BUILT, f"  image: docker://{image}\n")


def main():
    """Reads standard input and writes standard output."""
    *flags, image = sys.argv[1:] or [""]
    form = TAGGED if flags == ["--tagged"] else PINNED
    try:
        sys.stdout.write(released(sys.stdin.read(), image, form))
    except ValueError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
