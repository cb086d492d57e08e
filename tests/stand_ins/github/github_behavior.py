"""Behavior of GitHub that the emulator does not have: limits, errors, and response fields."""

import re
import textwrap
from urllib.parse import quote, unquote

from wire import Answer

from . import listing
from .answers import JSON, error, json_answer, error_answer, with_headers
from .repositories import APP, ASSIGNABLE, PERSON, WORKFLOW

# The maximum number of characters, by resource and field.
LIMITS = {
    ("Issue", "title"): 256,
    ("Issue", "body"): 65536,
    ("IssueComment", "body"): 65536,
    ("Label", "name"): 50,
    ("Label", "description"): 100,
}

ACCOUNT_LINKS = [
    "followers",
    "following",
    "gists",
    "organizations",
    "received_events",
    "starred",
    "subscriptions",
]

# The content of files above this size is omitted.
LARGE_FILE = 1024 * 1024


class Call:
    """A request: repository, login, method, path, query, and body."""

    def __init__(self, repository, login, method, below, query="", value=None, accept=""):
        self.repository, self.login = repository, login
        self.method, self.below, self.query = method, below, query
        self.value, self.accept = value, accept or "application/vnd.github+json"

    @property
    def target(self):
        """The path and query."""
        mark = "?" if self.query else ""
        return f"/repos/{self.repository.name}{self.below}{mark}{self.query}"

    def numbered(self, pattern):
        """The number in the path, if the path matches the pattern."""
        found = re.fullmatch(pattern, self.below)
        return int(found[1]) if found else None

    def field(self, name, default=None):
        """A field of the body, or the default."""
        return self.value.get(name, default) if isinstance(self.value, dict) else default

    @property
    def resource(self):
        """The resource as errors name it."""
        if "/comments" in self.below:
            return "IssueComment"
        return "Label" if self.below.startswith("/labels") else "Issue"


def execute(emulator, call, hidden_issues=frozenset(), hidden_comments=frozenset()):
    """Executes the request like GitHub.

    Lists omit the hidden issues and comments.
    """
    number = call.numbered(r"/issues/(\d+)(?:/.*)?")
    is_pull = number in call.repository.pulls
    rejection = reject(call, number, is_pull)
    if rejection is not None:
        return rejection
    if call.method == "GET" and call.below == "/issues":
        found, headers = listing.page(emulator, PERSON, call.repository, call.query, hidden_issues)
        return json_answer(200, [as_github(call, issue) for issue in found], headers)
    if is_pull and call.method == "GET" and call.numbered(r"/issues/(\d+)"):
        pulls = listing.pulls(emulator, PERSON, call.repository)
        pull = next(pull for pull in pulls if pull["number"] == number)
        return json_answer(200, as_github(call, pull))
    assignee = re.fullmatch(r"/assignees/([^/]+)", call.below)
    if call.method == "GET" and assignee:
        known = unquote(assignee[1]).casefold() in ASSIGNABLE
        return json_answer(204, None) if known else error_answer(404)
    if is_pull and call.numbered(r"/issues/(\d+)/lock") is not None:
        # The emulator cannot lock pull requests.
        record(call, None, None)
        return json_answer(204, None)
    spell_labels(emulator, call)
    if call.repository.drops_assignees and call.field("assignees"):
        call.value["assignees"] = []
    reason = state_reason(call)
    reply = emulator.ask(call.login, call.method, call.target, call.value, call.accept)
    if reply.status >= 400:
        return failed(call, reply)
    record(call, reply, reason)
    add_closer(emulator, call, reply)
    if hidden_comments and call.method == "GET" and call.numbered(r"/issues/(\d+)/comments"):
        reply.value = [one for one in reply.value if one["id"] not in hidden_comments]
    return succeeded(call, reply, is_pull)


def reject(call, number, is_pull):
    """The error of a request that GitHub rejects and the emulator accepts, else None."""
    about_issues = call.below == "/issues" or (number is not None and not is_pull)
    if about_issues and not call.repository.has_issues:
        return error_answer(410)
    if call.method not in ("POST", "PATCH"):
        return None
    title = call.field("title", "" if call.below == "/issues" else None)
    if call.resource == "Issue" and isinstance(title, str) and not title.strip():
        return invalid("Issue", "title", "missing_field")
    long = too_long(call)
    if long is not None:
        return long
    assignees = call.field("assignees") if call.resource == "Issue" else None
    for login in assignees if isinstance(assignees, list) else []:
        if str(login).casefold() not in ASSIGNABLE:
            return invalid("Issue", "assignees", "invalid", value=login)
    if call.resource == "IssueComment":
        if not str(call.field("body") or "").strip():
            return invalid("IssueComment", "data", "unprocessable", "Body cannot be blank")
        # Only people with write access can comment on locked issues.
        if call.login == WORKFLOW and number in call.repository.locked:
            return error_answer(403, "Unable to create comment because issue is locked.")
    return None


def too_long(call):
    """The error of a text that exceeds its limit, else None."""
    for (resource, name), limit in LIMITS.items():
        text = call.field(name)
        if call.resource != resource or not isinstance(text, str) or len(text) <= limit:
            continue
        if resource == "IssueComment":
            message = f"Body is too long (maximum is {limit} characters)"
            return invalid(resource, "data", "unprocessable", message)
        message = f"{name} is too long (maximum is {limit} characters)"
        return invalid(resource, name, "custom", message)
    return None


def invalid(resource, field, code, message=None, value=None):
    """The error of a field."""
    details = {"resource": resource, "field": field, "code": code}
    details |= {"value": value} if value is not None else {}
    return error_answer(422, errors=[details | ({"message": message} if message else {})])


def spell_labels(emulator, call):
    """Changes label names to the spelling of the repository, because they are case-insensitive."""
    path = re.fullmatch(r"(/labels/|/issues/\d+/labels/)(.+)", call.below)
    names = call.value if isinstance(call.value, list) else call.field("labels")
    names = names if isinstance(names, list) else []
    if not (path or names or (call.method, call.below) == ("POST", "/labels")):
        return
    found = emulator.all_of(PERSON, f"/repos/{call.repository.name}/labels")
    known = {label["name"].casefold(): label["name"] for label in found}

    def spelled(name):
        return known.get(name.casefold(), name) if isinstance(name, str) else name

    if path:
        call.below = path[1] + quote(spelled(unquote(path[2])), safe="")
    if names:
        names[:] = map(spelled, names)
    if call.below == "/labels" and isinstance(call.field("name"), str):
        call.value["name"] = spelled(call.value["name"])


def state_reason(call):
    """The state reason of the request. Replaces one that the emulator does not know."""
    reason = call.field("state_reason")
    if reason == "duplicate":
        call.value["state_reason"] = "not_planned"
    return reason


def record(call, reply, reason):
    """Records what the emulator does not store."""
    if (call.method, call.below) == ("POST", "/issues"):
        call.repository.created[reply.value["number"]] = call.repository.requests
    if call.method == "POST" and call.numbered(r"/issues/(\d+)/comments"):
        call.repository.commented[reply.value["id"]] = call.repository.requests
    locked = call.numbered(r"/issues/(\d+)/lock")
    if locked is not None:
        # The emulator stores this too, but a request for each comment is slow.
        call.repository.locked -= {locked}
        call.repository.locked |= {locked} if call.method == "PUT" else set()
    number = call.numbered(r"/issues/(\d+)")
    if call.method == "PATCH" and number is not None and call.field("state"):
        if call.field("state") == "closed":
            call.repository.closers[number] = call.login
        call.repository.duplicates.discard(number)
        if reason == "duplicate":
            call.repository.duplicates.add(number)


def add_closer(emulator, call, reply):
    """Adds `closed_by` to a single issue. Lists do not have it."""
    number = call.numbered(r"/issues/(\d+)")
    issue = reply.value if number is not None else None
    if not isinstance(issue, dict) or "closed_at" not in issue:
        return
    closer = call.repository.closers.get(number) if issue["closed_at"] else None
    user = closer and emulator.ask(closer, "GET", "/user").value
    issue["closed_by"] = user and {name: user[name] for name in issue["user"] if name in user}
    reply.value = issue


def failed(call, reply):
    """The emulator's error with GitHub's message."""
    # Without permission, GitHub responds with 404.
    if reply.status in (403, 404) and call.method == "GET":
        return error_answer(404)
    if reply.status != 422:
        return json_answer(reply.status, error(reply.status, (reply.value or {}).get("message")))
    if call.resource == "Label":
        if not re.fullmatch("[0-9a-fA-F]{6}", call.field("color", "ededed")):
            return invalid("Label", "color", "invalid")
        code = "already_exists" if call.field("name") else "missing_field"
        return invalid("Label", "name", code)
    field = "assignees" if call.field("assignees") else "data"
    return invalid(call.resource, field, "invalid")


def succeeded(call, reply, is_pull):
    """The emulator's response with the missing fields."""
    kind = reply.headers.get("content-type", JSON)
    if "json" not in kind:
        # The raw content of a file, as requested.
        return Answer(reply.status, reply.body, "application/vnd.github.raw+json; charset=utf-8")
    value = as_github(call, reply.value, is_pull)
    headers = [("Link", reply.headers["link"])] if "link" in reply.headers else []
    return with_headers(json_answer(reply.status, value), headers)


def as_github(call, value, is_pull=False):
    """The value of a response as GitHub returns it."""
    if isinstance(value, list):
        return [as_github(call, item, is_pull) for item in value]
    if not isinstance(value, dict):
        return value
    shown = {name: convert(name, field) for name, field in value.items()}
    if call.below == "/issues":
        shown.pop("closed_by", None)
    if "/comments" in call.below and is_pull and "html_url" in shown:
        shown["html_url"] = shown["html_url"].replace("/issues/", "/pull/")
    # In the emulator these bots are members of the organization, which gives them access.
    apps = (WORKFLOW, APP)
    if shown.get("author_association") and (shown.get("user") or {}).get("login") in apps:
        shown["author_association"] = "NONE"
    if "state_reason" in shown and shown["number"] in call.repository.duplicates:
        shown["state_reason"] = "duplicate"
    if "has_issues" in shown:
        shown |= {"has_issues": call.repository.has_issues}
        shown |= {"network_count": 0, "subscribers_count": 0}
    if shown.get("encoding") == "base64":
        wrap(shown)
    return shown


def convert(name, value):
    """A field as GitHub returns it: times to the second, complete accounts."""
    if isinstance(value, list):
        return [convert(name, item) for item in value]
    if isinstance(value, dict):
        shown = {inner: convert(inner, field) for inner, field in value.items()}
        return account(shown) if "login" in shown else shown
    if isinstance(value, str) and (name.endswith("_at") or name == "date"):
        return re.sub(r"\.\d+Z$", "Z", value)
    return value


def account(value):
    """A user or organization with the fields that the emulator omits, and the type of bots."""
    complete = {f"{name}_url": f"{value['url']}/{name}" for name in ACCOUNT_LINKS}
    complete = complete | {"gravatar_id": ""} | value
    if value["login"].endswith("[bot]"):
        complete["type"] = "Bot"
        # Brackets are not allowed in a URL.
        for name in complete:
            if name.endswith("url"):
                complete[name] = complete[name].replace("[bot]", "%5Bbot%5D")
    return complete


def wrap(file):
    """Wraps the base64 of a file, and omits it for a large file."""
    file["content"] = "".join(f"{line}\n" for line in textwrap.wrap(file["content"], 60))
    if file["size"] > LARGE_FILE:
        file["content"], file["encoding"] = "", "none"
