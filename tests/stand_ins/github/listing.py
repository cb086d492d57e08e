"""Lists of issues as GitHub gives them: with the pull requests, which the emulator leaves out."""

from urllib.parse import parse_qsl, urlencode

# What a pull request and the issue that GitHub lists for it have in common.
SHARED = [
    "assignee",
    "assignees",
    "author_association",
    "body",
    "closed_at",
    "comments",
    "comments_url",
    "created_at",
    "draft",
    "html_url",
    "id",
    "labels",
    "locked",
    "milestone",
    "node_id",
    "number",
    "state",
    "title",
    "updated_at",
    "user",
]

# Filters of GitHub's that nobody here needed yet.
UNSUPPORTED = {"mentioned", "milestone", "type"}


def as_issue(pull):
    """The issue that stands for a pull request."""
    url = pull["issue_url"]
    links = ["url", "html_url", "diff_url", "patch_url", "merged_at"]
    return {name: pull[name] for name in SHARED} | {
        "active_lock_reason": None,
        "events_url": f"{url}/events",
        "labels_url": f"{url}/labels{{/name}}",
        "performed_via_github_app": None,
        "pull_request": {name: pull[name] for name in links},
        "repository_url": url.rsplit("/", 2)[0],
        "state_reason": None,
        "timeline_url": f"{url}/timeline",
        "url": url,
    }


def pulls(emulator, login, repository):
    """All pull requests, as issues."""
    found = emulator.all_of(login, f"/repos/{repository.name}/pulls?state=all")
    return [as_issue(it) for it in found]


def matching(query, hidden):
    """Whether an issue belongs into the list that the query asks for."""
    state = query.get("state", "open")
    labels = {it.strip().casefold() for it in query.get("labels", "").split(",") if it.strip()}
    creator, assignee = query.get("creator"), query.get("assignee", "*")

    def matches(issue):
        author = (issue["user"] or {}).get("login", "ghost")
        assignees = [it["login"] for it in issue["assignees"]]
        return (
            issue["number"] not in hidden
            and state in ("all", issue["state"])
            and labels <= {it["name"].casefold() for it in issue["labels"]}
            and creator in (None, author)
            and ("assignee" not in query or (assignee in assignees or assignee == "none"))
            and issue["updated_at"] >= query.get("since", "")
        )

    return matches


def page(emulator, login, repository, query, hidden):
    """One page of the issues and pull requests, and the headers with the links to others."""
    query = dict(parse_qsl(query))
    if UNSUPPORTED & query.keys():
        raise ValueError(f"the stand-in cannot list issues by {UNSUPPORTED & query.keys()}")
    found = emulator.all_of(login, f"/repos/{repository.name}/issues?state=all")
    found += pulls(emulator, login, repository)
    found = list(filter(matching(query, hidden), found))
    key = {"updated": "updated_at", "comments": "comments"}.get(query.get("sort"), "created_at")
    descending = query.get("direction", "desc") == "desc"
    found.sort(key=lambda it: (it[key], it["number"]), reverse=descending)
    size = min(max(int(query.get("per_page", "30")), 1), 100)
    number = max(int(query.get("page", "1")), 1)
    last = max(-(-len(found) // size), 1)
    url = f"{emulator.base_url}/repos/{repository.name}/issues"
    relations = {"prev": number - 1, "next": number + 1, "last": last, "first": 1}
    links = [
        f'<{url}?{urlencode(query | {"page": to})}>; rel="{name}"'
        for name, to in relations.items()
        if 1 <= to <= last and to != number
    ]
    headers = [("Link", ", ".join(links))] if links else []
    return found[(number - 1) * size : number * size], headers
