"""The runner's OIDC endpoint, which issues tokens for the workflow."""

import base64
import json
import secrets
import time
from urllib.parse import parse_qs
from uuid import uuid4

from .accounts import since_start
from .answers import Answer, AwsError

ISSUER = "https://token.actions.githubusercontent.com"
SUBJECT = "repo:acme/iam:ref:refs/heads/main"
# The audience of a request without one.
DEFAULT_AUDIENCE = "https://github.com/acme"
SECONDS = 300


def answer(registry, request):
    """Responds to a token request. The last part of the path is the account."""
    account = registry.accounts.get(request.path.rpartition("/")[2])
    if account is None or request.method != "GET":
        return json_answer(404, {"message": "no such page"})
    query = parse_qs(request.query)
    # The runner's URL already has a query, to which the audience is added.
    if query.get("api-version") != ["2.0"]:
        return json_answer(400, {"message": "api-version is missing"})
    audience = query.get("audience", [DEFAULT_AUDIENCE])[0]
    authorized = request.headers.get("authorization", "") == f"Bearer {account.request_token}"
    with account.lock:
        fails = account.faults.take_one("oidc_errors")
    result = json_answer(401, {"message": "not authorized"})
    if fails:
        result = json_answer(500, {"message": "internal error"})
    elif authorized:
        value = token(registry, audience)
        is_bare = "oidc_bare" in account.faults.wanted
        result = json_answer(200, value if is_bare else {"count": 1, "value": value})
    entry = {"audience": audience, "authorized": authorized, "status": result.status}
    account.oidc_log.append({**entry, "at": since_start()})
    return result


def json_answer(status, content):
    """A JSON response."""
    return Answer(status, json.dumps(content).encode(), "application/json; charset=utf-8")


def token(registry, audience):
    """A new token for the audience, in the format of a signed one."""
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "sub": SUBJECT,
        "aud": audience,
        "jti": str(uuid4()),
        "iat": now,
        "nbf": now - 600,
        "exp": now + SECONDS,
        "repository": "acme/iam",
        "repository_owner": "acme",
        "ref": "refs/heads/main",
        "event_name": "schedule",
    }
    header = {"typ": "JWT", "alg": "RS256", "kid": secrets.token_hex(20)}
    parts = [json.dumps(header).encode(), json.dumps(claims).encode(), secrets.token_bytes(256)]
    text = ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
    registry.tokens[text] = claims
    registry.secrets.append(text)
    return text


def claims_of(registry, text):
    """The claims of a token that was issued here and has not expired."""
    claims = registry.tokens.get(text)
    if claims is None:
        raise AwsError(
            "InvalidIdentityToken", "The ID Token provided is not a valid JWT of this provider"
        )
    if time.time() >= claims["exp"]:
        raise AwsError("ExpiredTokenException", "Token expired")
    return claims
