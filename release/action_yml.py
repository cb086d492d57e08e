"""Writes the action.yml of a release: the published image in place of the Dockerfile.

    python3 release/action_yml.py IMAGE <action.yml >released.yml

IMAGE is a name with a digest, as ghcr.io/iam-stocktake/iam-stocktake@sha256:…: a tag can be moved.
Only the tests give a tag, with --tagged, where no registry gives a digest.
"""

import re
import sys

PINNED = re.compile(r"[a-z0-9][a-z0-9.-]*(:\d+)?(/[a-z0-9._-]+)+@sha256:[0-9a-f]{64}")
TAGGED = re.compile(r"[a-z0-9][a-z0-9./-]*:[\w.-]+")
BUILT = "  image: Dockerfile\n"


def released(text, image, form=PINNED):
    """The text with the image in place of the Dockerfile; a ValueError says why not."""
    if not form.fullmatch(image):
        raise ValueError(f"`{image}` is no image with a digest: give NAME@sha256:…")
    if text.count(BUILT) != 1:
        raise ValueError(f"action.yml has not exactly one line `{BUILT.strip()}`")
    return text.replace(BUILT, f"  image: docker://{image}\n")


def main():
    """Reads standard input, writes standard output."""
    *flags, image = sys.argv[1:] or [""]
    form = TAGGED if flags == ["--tagged"] else PINNED
    try:
        sys.stdout.write(released(sys.stdin.read(), image, form))
    except ValueError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
