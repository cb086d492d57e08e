"""The control endpoint for tests: creates, changes, and inspects repositories."""

import base64
import json
from urllib.parse import quote

from . import listing
from .answers import json_answer
from .faults import Faults
from .github_behavior import Call, as_github, execute
from .repositories import PERMISSIONS, PERSON


def answer(proxy, request):
    """Executes a command. An error of the test gets status 400 with its reason."""
    try:
        arguments = json.loads(request.body or b"{}")
        name = request.path.rpartition("/")[2]
        if name == "repository":
            return json_answer(200, create_repository(proxy, **arguments))
        repository = proxy.registry.by_name[arguments["repository"]]
        value = COMMANDS[name](proxy, repository, arguments.get("value"))
        return json_answer(200, {"value": value})
    except Exception as error:  # noqa: BLE001: the test shows every error
        return json_answer(400, {"error": f"{type(error).__name__}: {error}"})


def create_repository(proxy, visibility):
    """Creates a repository with one commit on `main`."""
    repository = proxy.registry.add()
    name = repository.name.partition("/")[2]
    body = {"name": name, "auto_init": True, "private": visibility != "public"}
    created = result(proxy.emulator.ask(PERSON, "POST", "/orgs/acme/repos", body))
    if visibility == "internal":
        change = {"visibility": visibility}
        result(proxy.emulator.ask(PERSON, "PATCH", f"/repos/{repository.name}", change))
    return {
        "id": created["id"],
        "full_name": repository.name,
        "visibility": visibility,
        "token": repository.token,
        "personal_token": repository.personal_token,
        "app_token": repository.app_token,
        "head": head(proxy, repository, "main"),
    }


def result(reply):
    """The JSON of a successful reply."""
    if reply.status >= 400:
        raise ValueError(f"{reply.status} {reply.body.decode('utf-8', 'replace')}")
    return json.loads(reply.body) if reply.body else None


def act(proxy, repository, value):
    """Sends requests as a user, in order, and returns the responses. They are not logged.

    The responses are without bodies, which are long and known to the test.
    """
    found = []
    for method, below, body in value["calls"]:
        call = Call(repository, value["login"], method, below, value=body)
        response = result(execute(proxy.emulator, call))
        found.append(response)
        if isinstance(response, dict):
            response.pop("body", None)
    return found


def ask(proxy, repository, method, below, body=None):
    """Sends a request directly to the emulator as a user with all permissions."""
    target = f"/repos/{repository.name}{below}"
    return proxy.emulator.ask(PERSON, method, target, body)


def head(proxy, repository, branch):
    """The head commit of a branch."""
    return result(ask(proxy, repository, "GET", f"/git/ref/heads/{branch}"))["object"]["sha"]


def make_branch(proxy, repository, value):
    """Creates a branch at the head of another and returns the commit."""
    commit = head(proxy, repository, value["from"])
    body = {"ref": f"refs/heads/{value['name']}", "sha": commit}
    result(ask(proxy, repository, "POST", "/git/refs", body))
    return commit


def commit(proxy, repository, value):
    """Writes a file on a branch (null removes it) and returns the commit."""
    below = f"/contents/{quote(value['path'])}"
    branch, content = value["branch"], value["content"]
    body = {"message": f"Change {value['path']}", "branch": branch}
    existing = ask(proxy, repository, "GET", f"{below}?ref={quote(branch, safe='')}")
    if existing.status == 200:
        body["sha"] = existing.value["sha"]
    if content is not None:
        body["content"] = base64.b64encode(content.encode()).decode()
    method = "DELETE" if content is None else "PUT"
    return result(ask(proxy, repository, method, below, body))["commit"]["sha"]


def make_pull(proxy, repository, value):
    """Opens a pull request."""
    created = result(ask(proxy, repository, "POST", "/pulls", value))
    repository.pulls.add(created["number"])
    return {
        "number": created["number"],
        "author": created["user"]["login"],
        "head_ref": created["head"]["ref"],
        "head_sha": created["head"]["sha"],
        "head_repository": repository.name,
        "base_ref": created["base"]["ref"],
        "base_sha": created["base"]["sha"],
        "draft": created["draft"],
    }


def comments(proxy, repository, number):
    """The comments of an issue or a pull request, oldest first."""
    found = proxy.emulator.all_of(PERSON, f"/repos/{repository.name}/issues/{number}/comments")
    return [
        {
            "id": comment["id"],
            "body": comment["body"],
            "author": comment["user"]["login"],
            "updated_at": comment["updated_at"],
        }
        for comment in found
    ]


def issues(proxy, repository, _):
    """The issues, oldest first, each with its comments."""
    query = "state=all&direction=asc&per_page=100&page="
    found, number = [], 1
    while True:
        page, headers = listing.page(proxy.emulator, PERSON, repository, f"{query}{number}", ())
        found += [issue for issue in page if "pull_request" not in issue]
        if 'rel="next"' not in dict(headers).get("Link", ""):
            break
        number += 1
    call = Call(repository, PERSON, "GET", "/issues")
    return [
        {
            **{
                name: issue[name] for name in ("number", "title", "state", "state_reason", "locked")
            },
            "body": issue["body"] or "",
            "author": issue["user"]["login"],
            "labels": [label["name"] for label in issue["labels"]],
            "assignees": [user["login"] for user in issue["assignees"]],
            "closed_at": issue["closed_at"],
            "updated_at": issue["updated_at"],
            "comments": comments(proxy, repository, issue["number"]) if issue["comments"] else [],
        }
        for issue in (as_github(call, one) for one in found)
    ]


def set_faults(_, repository, value):
    """Replaces the repository's faults."""
    repository.faults = Faults(value)


def set_permissions(_, repository, value):
    """Sets permissions of the job's token; others have their defaults."""
    repository.permissions = PERMISSIONS | value


def set_has_issues(_, repository, value):
    """Turns the repository's issues on or off."""
    repository.has_issues = value


def drop_assignees(_, repository, __):
    """Ignores the assignees of new issues."""
    repository.drops_assignees = True


def reset_log(_, repository, __):
    """Clears the log of requests."""
    repository.log = []


COMMANDS = {
    "act": act,
    "branch": make_branch,
    "comments": comments,
    "commit": commit,
    "drop-assignees": drop_assignees,
    "faults": set_faults,
    "has-issues": set_has_issues,
    "head": head,
    "issues": issues,
    "log": lambda _, repository, __: repository.log,
    "permissions": set_permissions,
    "pull": make_pull,
    "reset-log": reset_log,
}
