"""GitHub's contract: the requests and responses that its OpenAPI description allows."""

import json
import re
from itertools import islice
from urllib.parse import parse_qsl, unquote

import jsonschema_rs

# Errors that every operation may return, even if its description does not mention them.
EVERYWHERE = {401, 403, 404, 410, 429}

# The maximum number of reported problems of a value.
MAX_PROBLEMS = 10

# The maximum page size, which the description does not contain.
MAX_PAGE_SIZE = 100


class Operation:
    """An operation of the contract. Its schemas are compiled on first use."""

    def __init__(self, description, components):
        self.description, self.components = description, components
        self.method = description["method"]
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(description["path"]))
        # A path in the repository is the only parameter that contains slashes.
        self.pattern = re.compile(pattern.replace("(?P<path>[^/]+)", "(?P<path>.+)") + "$")
        self.parameters = {(one["in"], one["name"]): one for one in description["parameters"]}
        self.validators = {}

    def problems(self, where, schema, value):
        """The problems of a value with its schema, which is cached under `where`."""
        if where not in self.validators:
            whole = {"components": self.components, "allOf": [schema]}
            self.validators[where] = jsonschema_rs.Draft4Validator(whole)
        return [
            f"{where}{''.join(f'[{key!r}]' for key in error.instance_path)}: {error.message[:200]}"
            for error in islice(self.validators[where].iter_errors(value), MAX_PROBLEMS)
        ]

    def check_parameters(self, found, query):
        """The problems of the path and query parameters."""
        query = parse_qsl(query, keep_blank_values=True)
        given = [("path", name, unquote(value)) for name, value in found.groupdict().items()]
        given += [("query", name, value) for name, value in query]
        problems = []
        for place, name, value in given:
            parameter = self.parameters.get((place, name))
            if parameter is None:
                problems.append(f"{place} {name}: not a documented parameter")
                continue
            value = cast(parameter["type"], value)
            problems += self.problems(f"{place} {name}", parameter["schema"], value)
            if name == "per_page" and isinstance(value, int) and value > MAX_PAGE_SIZE:
                problems.append(f"query per_page: {value} is more than {MAX_PAGE_SIZE}")
        required = {name for (_, name), one in self.parameters.items() if one["required"]}
        missing = required - {name for _, name, _ in given}
        return problems + [f"{name}: missing" for name in sorted(missing)]

    def check_body(self, body):
        """The problems of the body."""
        schema = self.description["body"]
        if not body:
            return ["body: missing"] if self.description["body_required"] else []
        if schema is None:
            return ["body: the operation has none"]
        try:
            return self.problems("body", schema, json.loads(body))
        except ValueError as error:
            return [f"body: not JSON ({error})"]


class Contract:
    """The operations that `subset.py` extracted from GitHub's description."""

    def __init__(self, file):
        contract = json.loads(file.read_bytes())
        components = contract["components"]
        self.operations = [Operation(one, components) for one in contract["operations"]]
        # Literal paths have precedence.
        self.operations.sort(key=lambda operation: len(operation.parameters))
        self.operations.sort(key=lambda operation: operation.description["path"].count("{"))
        self.error_schema = {"$ref": "#/components/schemas/basic-error"}

    def check_request(self, request):
        """The operation (None if unknown), and the violations of the request."""
        if (request.method, request.path) == ("POST", "/graphql"):
            # The description contains only REST operations.
            return None, [f"request: {problem}" for problem in check_headers(request)]
        for operation in self.operations:
            found = operation.pattern.match(request.path)
            if found and operation.method == request.method:
                problems = operation.check_parameters(found, request.query)
                problems += check_headers(request) + operation.check_body(request.body)
                return operation, [f"request: {problem}" for problem in problems]
        return None, [f"request: {request.method} {request.path} is no operation of the contract"]

    def check_answer(self, operation, answer):
        """The violations of a response."""
        schemas, status = operation.description["answers"], str(answer.status)
        if status not in schemas and answer.status not in EVERYWHERE:
            return [f"answer: status {status} is not documented"]
        schema = schemas.get(status, self.error_schema)
        if schema is None:
            return ["answer: a body where none is documented"] if answer.body else []
        if "raw" in answer.content_type:
            return []
        try:
            value = json.loads(answer.body)
        except ValueError as error:
            return [f"answer: not JSON ({error})"]
        return operation.problems(f"answer {status}", schema, value)


def check_headers(request):
    """The problems of the headers."""
    headers, problems = request.headers, []
    if not headers.get("user-agent"):
        problems.append("header User-Agent: missing; GitHub returns 403")
    if not headers.get("accept", "").startswith("application/vnd.github"):
        problems.append("header Accept: not application/vnd.github+json")
    if not headers.get("x-github-api-version"):
        problems.append("header X-GitHub-Api-Version: missing")
    if request.body and not headers.get("content-type", "").startswith("application/json"):
        problems.append("header Content-Type: the body is JSON")
    return problems


def cast(kind, text):
    """The text of a parameter as the documented type, or unchanged if that is impossible."""
    if kind == "integer" and re.fullmatch(r"-?\d+", text):
        return int(text)
    if kind == "boolean" and text in ("true", "false"):
        return text == "true"
    return text.split(",") if kind == "array" else text
