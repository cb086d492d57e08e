"""The runner's OIDC endpoint: tokens that say who the workflow is."""

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
# The audience of a request that names none.
OWN_AUDIENCE = "https://github.com/acme"
SECONDS = 300


def answer(registry, request):
    """Answers a token request; the last part of the path names the account that logs it."""
    account = registry.accounts.get(request.path.rpartition("/")[2])
    if account is None or request.method != "GET":
        return told(404, {"message": "no such page"})
    query = parse_qs(request.query)
    # The runner's URL has a query of its own, to which the audience is added.
    if query.get("api-version") != ["2.0"]:
        return told(400, {"message": "api-version is missing"})
    audience = query.get("audience", [OWN_AUDIENCE])[0]
    authorized = request.headers.get("authorization", "") == f"Bearer {account.request_token}"
    with account.lock:
        fails = account.faults.once("oidc_errors")
    result = told(401, {"message": "not authorized"})
    if fails:
        result = told(500, {"message": "internal error"})
    elif authorized:
        value = token(registry, audience)
        is_bare = "oidc_bare" in account.faults.wanted
        result = told(200, value if is_bare else {"count": 1, "value": value})
    entry = {"audience": audience, "authorized": authorized, "status": result.status}
    account.oidc_log.append({**entry, "at": since_start()})
    return result


def told(status, content):
    """An answer in JSON."""
    return Answer(status, json.dumps(content).encode(), "application/json; charset=utf-8")


def token(registry, audience):
    """A fresh token for the audience, with the shape of a signed one."""
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
    text = ".".join(base64.urlsafe_b64encode(it).rstrip(b"=").decode() for it in parts)
    registry.tokens[text] = claims
    registry.secrets.append(text)
    return text


def claims_of(registry, text):
    """The claims of a token that was given out here and has not expired."""
    claims = registry.tokens.get(text)
    if claims is None:
        raise AwsError(
            "InvalidIdentityToken", "The ID Token provided is not a valid JWT of this provider"
        )
    if time.time() >= claims["exp"]:
        raise AwsError("ExpiredTokenException", "Token expired")
    return claims
