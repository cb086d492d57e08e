"""Prints the software bill of materials (CycloneDX 1.6, JSON), from Cargo.toml and Cargo.lock.

    python3 release/sbom.py [FOLDER] >iam-stocktake.cdx.json

FOLDER is the repository. The list contains the dependencies of the binary on all targets, including build
dependencies, and no dependencies that only tests need. The same files give the same bytes.
"""

import json
import sys
import tomllib
import uuid
from pathlib import Path

REGISTRY = "registry+"


class Lock:
    """The packages of Cargo.lock, by name."""

    def __init__(self, packages):
        self.by_name = {}
        for package in packages:
            self.by_name.setdefault(package["name"], []).append(package)

    def find(self, dependency):
        """Returns the package of a dependency: `name`, or `name version` if the name is ambiguous."""
        name, *rest = dependency.split(" ")
        found = [it for it in self.by_name[name] if not rest or it["version"] == rest[0]]
        if len(found) != 1:
            raise ValueError(f"Cargo.lock is not clear about `{dependency}`")
        return found[0]


def reference(package):
    """Returns the package URL, which also identifies the package in the document."""
    return f"pkg:cargo/{package['name']}@{package['version']}"


def shipped(lock, root, direct):
    """Returns the direct dependencies and everything that they need, the root first."""
    seen = {reference(root): root}
    # The root's entry also lists the dependencies of tests.
    waiting = [it for it in root["dependencies"] if it.split(" ")[0] in direct]
    while waiting:
        package = lock.find(waiting.pop())
        if reference(package) not in seen:
            seen[reference(package)] = package
            waiting.extend(package.get("dependencies", []))
    return seen


def component(package):
    """Returns the entry of a package in the document."""
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
    """Returns the document."""
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
