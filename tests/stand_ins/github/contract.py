"""GitHub's contract: what its OpenAPI description lets be asked, and answered."""

import json
import re
from itertools import islice
from urllib.parse import parse_qsl, unquote

import jsonschema_rs

# Refusals that every operation may meet, whether its own part of the description says so or not.
EVERYWHERE = {401, 403, 404, 410, 429}

# The most problems of one value that are told.
MOST = 10

# The most entries of a page; the description does not say so.
PAGE = 100


class Operation:
    """One operation of the contract, with its schemas compiled on first use."""

    def __init__(self, told, components):
        self.told, self.components = told, components
        self.method = told["method"]
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(told["path"]))
        # A path within the repository is the one parameter that holds slashes.
        self.pattern = re.compile(pattern.replace("(?P<path>[^/]+)", "(?P<path>.+)") + "$")
        self.parameters = {(it["in"], it["name"]): it for it in told["parameters"]}
        self.validators = {}

    def problems(self, where, schema, value):
        """What of the value breaks the schema, which is known by `where`."""
        if where not in self.validators:
            whole = {"components": self.components, "allOf": [schema]}
            self.validators[where] = jsonschema_rs.Draft4Validator(whole)
        return [
            f"{where}{''.join(f'[{it!r}]' for it in error.instance_path)}: {error.message[:200]}"
            for error in islice(self.validators[where].iter_errors(value), MOST)
        ]

    def check_parameters(self, found, query):
        """What is wrong with the parameters in the path and in the query."""
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
            if name == "per_page" and isinstance(value, int) and value > PAGE:
                problems.append(f"query per_page: {value} is more than {PAGE}")
        needed = {name for (place, name), it in self.parameters.items() if it["required"]}
        missing = needed - {name for _, name, _ in given}
        return problems + [f"{name}: missing" for name in sorted(missing)]

    def check_body(self, body):
        """What is wrong with the body."""
        schema = self.told["body"]
        if not body:
            return ["body: missing"] if self.told["body_required"] else []
        if schema is None:
            return ["body: the operation takes none"]
        try:
            return self.problems("body", schema, json.loads(body))
        except ValueError as error:
            return [f"body: not JSON ({error})"]


class Contract:
    """The operations that `subset.py` cut out of GitHub's description."""

    def __init__(self, file):
        told = json.loads(file.read_bytes())
        components = told["components"]
        self.operations = [Operation(it, components) for it in told["operations"]]
        # Literal paths win.
        self.operations.sort(key=lambda it: len(it.parameters))
        self.operations.sort(key=lambda it: it.told["path"].count("{"))
        self.refusal = {"$ref": "#/components/schemas/basic-error"}

    def check_request(self, request):
        """The operation, None for an unknown one, and what the request breaks of the contract."""
        if (request.method, request.path) == ("POST", "/graphql"):
            # No operation of the description, which is about REST.
            return None, [f"request: {it}" for it in check_headers(request)]
        for operation in self.operations:
            found = operation.pattern.match(request.path)
            if found and operation.method == request.method:
                problems = operation.check_parameters(found, request.query)
                problems += check_headers(request) + operation.check_body(request.body)
                return operation, [f"request: {it}" for it in problems]
        return None, [f"request: {request.method} {request.path} is no operation of the contract"]

    def check_answer(self, operation, answer):
        """What an answer breaks of the contract."""
        schemas, status = operation.told["answers"], str(answer.status)
        if status not in schemas and answer.status not in EVERYWHERE:
            return [f"answer: status {status} is not documented"]
        schema = schemas.get(status, self.refusal)
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
    """What is wrong with the headers."""
    headers, problems = request.headers, []
    if not headers.get("user-agent"):
        problems.append("header User-Agent: missing; GitHub answers 403")
    if not headers.get("accept", "").startswith("application/vnd.github"):
        problems.append("header Accept: not application/vnd.github+json")
    if not headers.get("x-github-api-version"):
        problems.append("header X-GitHub-Api-Version: missing")
    if request.body and not headers.get("content-type", "").startswith("application/json"):
        problems.append("header Content-Type: the body is JSON")
    return problems


def cast(kind, text):
    """A parameter's text as the type that it is to have; as it is where it cannot be."""
    if kind == "integer" and re.fullmatch(r"-?\d+", text):
        return int(text)
    if kind == "boolean" and text in ("true", "false"):
        return text == "true"
    return text.split(",") if kind == "array" else text
