"""What GitHub does and the emulator does not: limits, refusals, and what its answers lack."""

import re
import textwrap
from urllib.parse import quote, unquote

from wire import Answer

from . import listing
from .answers import JSON, error, of_json, refusal, with_headers
from .repositories import APP, ASSIGNABLE, PERSON, WORKFLOW

# The most characters of a text: of what, in which field, as the refusal names both.
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

# Files above this size come without their content.
LARGE_FILE = 1024 * 1024


class Call:
    """A call to be carried out: who asks what of which repository."""

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
        """The number in the path, if the path is of this form."""
        found = re.fullmatch(pattern, self.below)
        return int(found[1]) if found else None

    def field(self, name, default=None):
        """A field of the body; the default where there is no such body."""
        return self.value.get(name, default) if isinstance(self.value, dict) else default

    @property
    def resource(self):
        """What is written, as refusals name it."""
        if "/comments" in self.below:
            return "IssueComment"
        return "Label" if self.below.startswith("/labels") else "Issue"


def carry_out(emulator, call, hidden=frozenset(), unsaid=frozenset()):
    """Carries the call out, as GitHub would.

    Issues with hidden numbers are left out of lists, and so are comments with unsaid ids.
    """
    number = call.numbered(r"/issues/(\d+)(?:/.*)?")
    is_pull = number in call.repository.pulls
    refused = refuse(call, number, is_pull)
    if refused is not None:
        return refused
    if call.method == "GET" and call.below == "/issues":
        found, headers = listing.page(emulator, PERSON, call.repository, call.query, hidden)
        return of_json(200, [mended(call, it) for it in found], headers)
    if is_pull and call.method == "GET" and call.numbered(r"/issues/(\d+)"):
        pulls = listing.pulls(emulator, PERSON, call.repository)
        pull = next(it for it in pulls if it["number"] == number)
        return of_json(200, mended(call, pull))
    assignee = re.fullmatch(r"/assignees/([^/]+)", call.below)
    if call.method == "GET" and assignee:
        known = unquote(assignee[1]).casefold() in ASSIGNABLE
        return of_json(204, None) if known else refusal(404)
    if is_pull and call.numbered(r"/issues/(\d+)/lock") is not None:
        # The emulator locks no pull requests.
        note(call, None, None)
        return of_json(204, None)
    spell_labels(emulator, call)
    if call.repository.drops_assignees and call.field("assignees"):
        call.value["assignees"] = []
    reason = state_reason(call)
    reply = emulator.ask(call.login, call.method, call.target, call.value, call.accept)
    if reply.status >= 400:
        return failed(call, reply)
    note(call, reply, reason)
    show_closer(emulator, call, reply)
    if unsaid and call.method == "GET" and call.numbered(r"/issues/(\d+)/comments"):
        reply.value = [it for it in reply.value if it["id"] not in unsaid]
    return succeeded(call, reply, is_pull)


def refuse(call, number, is_pull):
    """The refusal of a call that GitHub refuses and the emulator does not, else None."""
    about_issues = call.below == "/issues" or (number is not None and not is_pull)
    if about_issues and not call.repository.has_issues:
        return refusal(410)
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
        # Only people who may write to the repository comment on what is locked.
        if call.login == WORKFLOW and number in call.repository.locked:
            return refusal(403, "Unable to create comment because issue is locked.")
    return None


def too_long(call):
    """The refusal of a text that exceeds its limit, else None."""
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
    """The refusal of a field."""
    told = {"resource": resource, "field": field, "code": code}
    told |= {"value": value} if value is not None else {}
    return refusal(422, errors=[told | ({"message": message} if message else {})])


def spell_labels(emulator, call):
    """Names labels as the repository spells them: to GitHub, case makes no other label."""
    path = re.fullmatch(r"(/labels/|/issues/\d+/labels/)(.+)", call.below)
    names = call.value if isinstance(call.value, list) else call.field("labels")
    names = names if isinstance(names, list) else []
    if not (path or names or (call.method, call.below) == ("POST", "/labels")):
        return
    found = emulator.all_of(PERSON, f"/repos/{call.repository.name}/labels")
    known = {it["name"].casefold(): it["name"] for it in found}

    def spelled(name):
        return known.get(name.casefold(), name) if isinstance(name, str) else name

    if path:
        call.below = path[1] + quote(spelled(unquote(path[2])), safe="")
    if names:
        names[:] = map(spelled, names)
    if call.below == "/labels" and isinstance(call.field("name"), str):
        call.value["name"] = spelled(call.value["name"])


def state_reason(call):
    """Hides from the emulator the reason that it does not know, and gives the reason meant."""
    reason = call.field("state_reason")
    if reason == "duplicate":
        call.value["state_reason"] = "not_planned"
    return reason


def note(call, reply, reason):
    """Keeps what the emulator does not."""
    if (call.method, call.below) == ("POST", "/issues"):
        call.repository.created[reply.value["number"]] = call.repository.requests
    if call.method == "POST" and call.numbered(r"/issues/(\d+)/comments"):
        call.repository.commented[reply.value["id"]] = call.repository.requests
    locked = call.numbered(r"/issues/(\d+)/lock")
    if locked is not None:
        # The emulator knows it too, but asking for each comment is slow.
        call.repository.locked -= {locked}
        call.repository.locked |= {locked} if call.method == "PUT" else set()
    number = call.numbered(r"/issues/(\d+)")
    if call.method == "PATCH" and number is not None and call.field("state"):
        if call.field("state") == "closed":
            call.repository.closers[number] = call.login
        call.repository.duplicates.discard(number)
        if reason == "duplicate":
            call.repository.duplicates.add(number)


def show_closer(emulator, call, reply):
    """Names who closed an issue in what is read of it alone; lists leave that out."""
    number = call.numbered(r"/issues/(\d+)")
    issue = reply.value if number is not None else None
    if not isinstance(issue, dict) or "closed_at" not in issue:
        return
    closer = call.repository.closers.get(number) if issue["closed_at"] else None
    user = closer and emulator.ask(closer, "GET", "/user").value
    issue["closed_by"] = user and {name: user[name] for name in issue["user"] if name in user}
    reply.value = issue


def failed(call, reply):
    """The emulator's refusal, in GitHub's words."""
    # What a token may not see is not there.
    if reply.status in (403, 404) and call.method == "GET":
        return refusal(404)
    if reply.status != 422:
        return of_json(reply.status, error(reply.status, (reply.value or {}).get("message")))
    if call.resource == "Label":
        if not re.fullmatch("[0-9a-fA-F]{6}", call.field("color", "ededed")):
            return invalid("Label", "color", "invalid")
        code = "already_exists" if call.field("name") else "missing_field"
        return invalid("Label", "name", code)
    field = "assignees" if call.field("assignees") else "data"
    return invalid(call.resource, field, "invalid")


def succeeded(call, reply, is_pull):
    """The emulator's answer, with what it lacks."""
    kind = reply.headers.get("content-type", JSON)
    if "json" not in kind:
        # A file as it is, for who asked for it so.
        return Answer(reply.status, reply.body, "application/vnd.github.raw+json; charset=utf-8")
    value = mended(call, reply.value, is_pull)
    headers = [(it.title(), reply.headers[it]) for it in ("link",) if it in reply.headers]
    return with_headers(of_json(reply.status, value), headers)


def mended(call, value, is_pull=False):
    """What is read, as GitHub shows it."""
    if isinstance(value, list):
        return [mended(call, it, is_pull) for it in value]
    if not isinstance(value, dict):
        return value
    shown = {name: shape(name, it) for name, it in value.items()}
    if call.below == "/issues":
        shown.pop("closed_by", None)
    if "/comments" in call.below and is_pull and "html_url" in shown:
        shown["html_url"] = shown["html_url"].replace("/issues/", "/pull/")
    # To the emulator these bots are members of the organisation, which lets them in.
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


def shape(name, value):
    """A member of what is read: moments to the second, whole accounts."""
    if isinstance(value, list):
        return [shape(name, it) for it in value]
    if isinstance(value, dict):
        shown = {inner: shape(inner, it) for inner, it in value.items()}
        return account(shown) if "login" in shown else shown
    if isinstance(value, str) and (name.endswith("_at") or name == "date"):
        return re.sub(r"\.\d+Z$", "Z", value)
    return value


def account(value):
    """A user or organisation, with what the emulator leaves out of the latter, and bots as such."""
    whole = {f"{name}_url": f"{value['url']}/{name}" for name in ACCOUNT_LINKS}
    whole = whole | {"gravatar_id": ""} | value
    if value["login"].endswith("[bot]"):
        whole["type"] = "Bot"
        # Brackets have no place in a URL.
        for name in whole:
            if name.endswith("url"):
                whole[name] = whole[name].replace("[bot]", "%5Bbot%5D")
    return whole


def wrap(file):
    """Breaks a file's base64 into lines, and leaves it out of a large file."""
    file["content"] = "".join(f"{it}\n" for it in textwrap.wrap(file["content"], 60))
    if file["size"] > LARGE_FILE:
        file["content"], file["encoding"] = "", "none"
