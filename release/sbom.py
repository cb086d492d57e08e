"""Prints what the binary is made of, as CycloneDX 1.6 in JSON, from Cargo.toml and Cargo.lock.

    python3 release/sbom.py [FOLDER] >iam-stocktake.cdx.json

FOLDER is the repository. Listed is what the dependencies that are shipped bring along on any target,
what builds them included, and nothing that only tests need. The same files give the same bytes.
"""

import json
import sys
import tomllib
import uuid
from pathlib import Path

REGISTRY = "registry+"


class Lock:
    """The packages of Cargo.lock, by the ways in which it names them."""

    def __init__(self, packages):
        self.by_name = {}
        for package in packages:
            self.by_name.setdefault(package["name"], []).append(package)

    def find(self, dependency):
        """The package that a dependency stands for: `name`, or `name version` where that is needed."""
        name, *rest = dependency.split(" ")
        found = [it for it in self.by_name[name] if not rest or it["version"] == rest[0]]
        if len(found) != 1:
            raise ValueError(f"Cargo.lock is not clear about `{dependency}`")
        return found[0]


def reference(package):
    """The package's URL, which also names it in this document."""
    return f"pkg:cargo/{package['name']}@{package['version']}"


def shipped(lock, root, direct):
    """All packages below the direct dependencies, the root first."""
    seen = {reference(root): root}
    # The root's entry holds what tests need as well.
    waiting = [it for it in root["dependencies"] if it.split(" ")[0] in direct]
    while waiting:
        package = lock.find(waiting.pop())
        if reference(package) not in seen:
            seen[reference(package)] = package
            waiting.extend(package.get("dependencies", []))
    return seen


def component(package):
    """A package as the document has it."""
    described = {
        "type": "library",
        "bom-ref": reference(package),
        "name": package["name"],
        "version": package["version"],
        "purl": reference(package),
    }
    if not package.get("source", "").startswith(REGISTRY):
        raise ValueError(f"{package['name']} does not come from the registry")
    described["hashes"] = [{"alg": "SHA-256", "content": package["checksum"]}]
    return described


def document(folder):
    """The whole document."""
    manifest = tomllib.loads((folder / "Cargo.toml").read_text(encoding="utf-8"))
    lock_text = (folder / "Cargo.lock").read_text(encoding="utf-8")
    lock = Lock(tomllib.loads(lock_text)["package"])
    own = manifest["package"]
    root = lock.find(own["name"])
    packages = shipped(lock, root, set(manifest["dependencies"]))
    inside = [reference(it) for it in packages.values()]
    dependencies = []
    for name in sorted(inside):
        below = (lock.find(it) for it in packages[name].get("dependencies", []))
        on = sorted(reference(it) for it in below if reference(it) in packages)
        dependencies.append({"ref": name, "dependsOn": on})
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, lock_text)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": reference(root),
                "name": own["name"],
                "version": own["version"],
                "description": own["description"],
                "licenses": [{"expression": own["license"]}],
                "purl": reference(root),
                "externalReferences": [{"type": "vcs", "url": own["repository"]}],
            }
        },
        "components": [component(packages[it]) for it in sorted(inside) if it != reference(root)],
        "dependencies": dependencies,
    }


def main():
    """Prints the document."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    json.dump(document(folder), sys.stdout, indent=2, ensure_ascii=False)
    print()


if __name__ == "__main__":
    main()
