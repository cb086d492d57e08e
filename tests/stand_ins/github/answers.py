"""JSON responses and errors of GitHub."""

import json

from wire import Answer

JSON = "application/json; charset=utf-8"

# The default messages of errors.
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

# The HTML page that GitHub returns for internal errors.
UNICORN = """<!DOCTYPE html>
<html><head><title>Unicorn! &middot; GitHub</title></head>
<body><p>We had issues producing the response to your request.</p></body></html>
"""


def json_answer(status, value, headers=()):
    """A response with a JSON value; without a body for None."""
    body = b"" if value is None else json.dumps(value).encode()
    return with_headers(Answer(status, body, JSON), headers)


def with_headers(answer, headers):
    """The response with additional headers."""
    answer.headers += list(headers)
    return answer


def error(status, message=None, errors=None):
    """The JSON of an error."""
    value = {"message": message or MESSAGES.get(status, "Server Error")}
    if errors:
        value["errors"] = errors
    return value | {"documentation_url": "https://docs.github.com/rest", "status": str(status)}


def error_answer(status, message=None, errors=None, headers=()):
    """An error response in GitHub's format."""
    return json_answer(status, error(status, message, errors), headers)


def fault_answer(status, wanted, permissions):
    """The response of a fault: as the test requests, or as GitHub would respond."""
    headers = [(name, str(value)) for name, value in wanted.get("headers", {}).items()]
    body = wanted.get("body")
    if isinstance(body, str) or (body is None and status >= 500):
        kind = wanted.get("content_type", "text/html; charset=utf-8")
        content = (UNICORN if body is None else body).encode()
        return with_headers(Answer(status, content, kind), headers)
    if status == 403 and body is None:
        headers.append(("X-Accepted-GitHub-Permissions", "; ".join(permissions)))
    answer = json_answer(status, error(status) if body is None else body, headers)
    answer.content_type = wanted.get("content_type", JSON)
    return answer
