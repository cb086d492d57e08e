"""Cuts the operations that a queue may need out of GitHub's OpenAPI description.

    python subset.py api.github.com.json contract.json

What comes out has each operation with its parameters, the schema of its body and one for each
status of its answers, in JSON Schema, and the schemas that those refer to.
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

# What makes a schema of an object: one of these.
SHAPES = {"type", "$ref", "oneOf", "anyOf", "allOf"}

# Prose and examples: most of the bytes, none of the shape.
DROPPED = {"description", "summary", "example", "examples", "externalDocs", "discriminator", "xml"}


class Cut:
    """The description that is cut up, and the schemas that what was cut out refers to."""

    def __init__(self, description):
        self.description = description
        self.schemas = {}

    def follow(self, node):
        """What a reference stands for; anything else is itself."""
        if "$ref" not in node:
            return node
        found = self.description
        for name in node["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        return found

    def schema(self, node):
        """The schema as JSON Schema, which says null where OpenAPI says `nullable`."""
        if isinstance(node, list):
            return [self.schema(it) for it in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            self.keep(node["$ref"].removeprefix(SCHEMAS))
            return {"$ref": node["$ref"]}
        # A property may be named like a keyword: then it holds a schema, and stays.
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
        """Keeps a schema that is referred to, once."""
        if name not in self.schemas:
            self.schemas[name] = None
            self.schemas[name] = self.schema(self.description["components"]["schemas"][name])

    def closed(self, node):
        """A body's schema that knows no further properties: GitHub ignores those in silence."""
        node = self.follow(node)
        several = [name for name in ("oneOf", "anyOf") if name in node]
        node = node | {name: [self.closed(it) for it in node[name]] for name in several}
        if "properties" in node and not several:
            node["additionalProperties"] = False
        return node

    def operation(self, method, path):
        """One operation, with all that hangs on it."""
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
        """The schema of an answer's JSON; None where it has no body."""
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
    """Whether a value is a schema rather than prose or an example."""
    return isinstance(value, dict) and bool(SHAPES & value.keys())


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        CONTRACT = Cut(json.load(file)).contract()
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        json.dump(CONTRACT, file, separators=(",", ":"))
