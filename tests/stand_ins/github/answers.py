"""Answers in GitHub's JSON, and its refusals."""

import json

from wire import Answer

JSON = "application/json; charset=utf-8"

# What GitHub says where a fault or a limit of the stand-in says nothing else.
MESSAGES = {
    400: "Problems parsing JSON",
    401: "Bad credentials",
    403: "Resource not accessible by integration",
    404: "Not Found",
    409: "Conflict",
    410: "Issues are disabled for this repo",
    422: "Validation Failed",
    429: "You have exceeded a secondary rate limit. Please wait a few minutes.",
}

# The page that GitHub's front door shows when what is behind it fails.
UNICORN = """<!DOCTYPE html>
<html><head><title>Unicorn! &middot; GitHub</title></head>
<body><p>We had issues producing the response to your request.</p></body></html>
"""


def of_json(status, value, headers=()):
    """An answer with a value; an empty one for None."""
    body = b"" if value is None else json.dumps(value).encode()
    return with_headers(Answer(status, body, JSON), headers)


def with_headers(answer, headers):
    """The answer with these headers more."""
    answer.headers += list(headers)
    return answer


def error(status, message=None, errors=None):
    """The JSON of a refusal."""
    value = {"message": message or MESSAGES.get(status, "Server Error")}
    if errors:
        value["errors"] = errors
    return value | {"documentation_url": "https://docs.github.com/rest", "status": str(status)}


def refusal(status, message=None, errors=None, headers=()):
    """A refusal as GitHub writes it."""
    return of_json(status, error(status, message, errors), headers)


def failing(status, wanted, permissions):
    """The answer of a fault: what the test wants it to say, or else what GitHub would."""
    headers = [(name, str(value)) for name, value in wanted.get("headers", {}).items()]
    body = wanted.get("body")
    if isinstance(body, str) or (body is None and status >= 500):
        kind = wanted.get("content_type", "text/html; charset=utf-8")
        content = (UNICORN if body is None else body).encode()
        return with_headers(Answer(status, content, kind), headers)
    if status == 403 and body is None:
        headers.append(("X-Accepted-GitHub-Permissions", "; ".join(permissions)))
    answer = of_json(status, error(status) if body is None else body, headers)
    answer.content_type = wanted.get("content_type", JSON)
    return answer
