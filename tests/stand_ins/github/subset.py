"""Extracts the operations that the tests use from GitHub's OpenAPI description.

    python subset.py api.github.com.json contract.json

The result contains each operation with its parameters and the JSON Schemas of its request body and
of its response for each status, and the schemas that these refer to.
"""

import json
import sys

OPERATIONS = """
GET /user
GET /rate_limit
GET /repos/{owner}/{repo}
GET /repos/{owner}/{repo}/contents/{path}
GET /repos/{owner}/{repo}/compare/{basehead}
GET /repos/{owner}/{repo}/issues
POST /repos/{owner}/{repo}/issues
GET /repos/{owner}/{repo}/issues/{issue_number}
PATCH /repos/{owner}/{repo}/issues/{issue_number}
DELETE /repos/{owner}/{repo}/issues/{issue_number}/lock
GET /repos/{owner}/{repo}/issues/{issue_number}/comments
POST /repos/{owner}/{repo}/issues/{issue_number}/comments
GET /repos/{owner}/{repo}/issues/comments/{comment_id}
PATCH /repos/{owner}/{repo}/issues/comments/{comment_id}
DELETE /repos/{owner}/{repo}/issues/comments/{comment_id}
POST /repos/{owner}/{repo}/issues/{issue_number}/labels
DELETE /repos/{owner}/{repo}/issues/{issue_number}/labels/{name}
GET /repos/{owner}/{repo}/assignees/{assignee}
GET /repos/{owner}/{repo}/labels
POST /repos/{owner}/{repo}/labels
GET /repos/{owner}/{repo}/labels/{name}
PATCH /repos/{owner}/{repo}/labels/{name}
GET /repos/{owner}/{repo}/pulls/{pull_number}
"""

SCHEMAS = "#/components/schemas/"

# Every schema has at least one of these keywords.
SHAPES = {"type", "$ref", "oneOf", "anyOf", "allOf"}

# Descriptions and examples, which are most of the file and do not affect validation.
DROPPED = {"description", "summary", "example", "examples", "externalDocs", "discriminator", "xml"}


class Subset:
    """The complete description, and the schemas that the extracted operations refer to."""

    def __init__(self, description):
        self.description = description
        self.schemas = {}

    def follow(self, node):
        """The target of a reference. Any other node is returned unchanged."""
        if "$ref" not in node:
            return node
        found = self.description
        for name in node["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        return found

    def schema(self, node):
        """The schema as JSON Schema, with the type null instead of the keyword `nullable`."""
        if isinstance(node, list):
            return [self.schema(it) for it in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            self.keep(node["$ref"].removeprefix(SCHEMAS))
            return {"$ref": node["$ref"]}
        # A property can have the name of a dropped keyword. Its value is a schema and is kept.
        plain = {
            name: self.schema(value)
            for name, value in node.items()
            if name != "nullable" and not (name in DROPPED and not is_schema(value))
        }
        if node.get("nullable") is not True:
            return plain
        if not isinstance(plain.get("type"), str):
            return {"anyOf": [plain, {"type": "null"}]}
        plain["type"] = [plain["type"], "null"]
        if "enum" in plain and None not in plain["enum"]:
            plain["enum"].append(None)
        return plain

    def keep(self, name):
        """Adds a schema that is referred to, once."""
        if name not in self.schemas:
            self.schemas[name] = None
            self.schemas[name] = self.schema(self.description["components"]["schemas"][name])

    def closed(self, node):
        """A body's schema that rejects unknown properties, which GitHub silently ignores."""
        node = self.follow(node)
        several = [name for name in ("oneOf", "anyOf") if name in node]
        node = node | {name: [self.closed(it) for it in node[name]] for name in several}
        if "properties" in node and not several:
            node["additionalProperties"] = False
        return node

    def operation(self, method, path):
        """One operation, with its parameters, body and responses."""
        found = self.description["paths"][path][method.lower()]
        parameters = [self.follow(it) for it in found.get("parameters", [])]
        body = self.follow(found.get("requestBody", {}))
        schema = body.get("content", {}).get("application/json", {}).get("schema")
        return {
            "method": method,
            "path": path,
            "parameters": [
                {
                    "in": it["in"],
                    "name": it["name"],
                    "required": it.get("required", False),
                    "type": self.follow(it["schema"]).get("type"),
                    "schema": self.schema(it["schema"]),
                }
                for it in parameters
            ],
            "body": schema and self.schema(self.closed(schema)),
            "body_required": body.get("required", False),
            "answers": {
                status: self.answer(self.follow(it)) for status, it in found["responses"].items()
            },
        }

    def answer(self, response):
        """The schema of a response's JSON; None for a response without a body."""
        content = response.get("content", {})
        if not content:
            return None
        return self.schema(content.get("application/json", {}).get("schema", {}))

    def contract(self):
        """All operations, and the schemas."""
        lines = OPERATIONS.split("\n")
        operations = [self.operation(*line.split()) for line in lines if line]
        self.keep("basic-error")
        return {"operations": operations, "components": {"schemas": self.schemas}}


def is_schema(value):
    """Whether a value is a schema, and not a description or an example."""
    return isinstance(value, dict) and bool(SHAPES & value.keys())


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        CONTRACT = Subset(json.load(file)).contract()
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        json.dump(CONTRACT, file, separators=(",", ":"))
