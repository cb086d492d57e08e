"""STS: the identity of the caller, and credentials of roles."""

import re
from datetime import datetime, timezone

from .answers import AwsError
from .calls import handles
from .oidc import claims_of

SHORTEST, LONGEST_CHAINED = 900, 3600
SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)


@handles("sts", "GetCallerIdentity")
def get_caller_identity(call):
    """The caller's account and ARN."""
    if call.session.role is None:
        user = call.session.user
        return {"Arn": user.arn, "UserId": user.id, "Account": call.account.id}
    role = call.account.role_named(call.session.role)
    return {
        "Arn": shown_arn(call.account, call.session.arn),
        "UserId": f"{role.id}:{call.session.name}",
        "Account": call.account.id,
    }


@handles("sts", "AssumeRole")
def assume_role(call):
    """Credentials of a role, if its trust policy allows it. With role chaining, at most an hour."""
    arn = call.required("RoleArn")
    account = call.registry.account_of(arn)
    role = account.role(arn) if account else None
    denial = AwsError(
        "AccessDenied",
        f"User: {call.caller} is not authorized to perform: sts:AssumeRole on resource: {arn}",
        403,
    )
    if role is None or account.faults.wanted.get("refuse_role"):
        raise denial
    if account.external_ids.get(role.name) not in (None, call.parameters.get("ExternalId")):
        raise denial
    seconds = seconds_wanted(call, role)
    if call.session.role is not None and seconds > LONGEST_CHAINED:
        raise AwsError(
            "ValidationError",
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by "
            "role chaining",
        )
    return credentials(call, account, role, seconds)


@handles("sts", "AssumeRoleWithWebIdentity")
def assume_role_with_web_identity(call):
    """Credentials of a role for a token of the runner."""
    arn, account = call.required("RoleArn"), call.account
    account.faults.role_with_web_identity()
    claims = claims_of(call.registry, call.required("WebIdentityToken"))
    wanted = "sts.amazonaws.com.cn" if account.partition == "aws-cn" else "sts.amazonaws.com"
    if claims["aud"] != wanted:
        raise AwsError("InvalidIdentityToken", "Incorrect token audience")
    role = account.role(arn)
    if role is None:
        raise AwsError(
            "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", 403
        )
    result = credentials(call, account, role, seconds_wanted(call, role))
    return {
        "SubjectFromWebIdentityToken": claims["sub"],
        "Audience": claims["aud"],
        "Provider": f"arn:{account.partition}:iam::{account.id}:oidc-provider/{claims['iss'][8:]}",
        **result,
    }


def seconds_wanted(call, role):
    """The requested session duration, within the role's limits."""
    seconds = int(call.parameters.get("DurationSeconds", "3600"))
    if seconds < SHORTEST:
        raise AwsError(
            "ValidationError",
            f"1 validation error detected: Value '{seconds}' at 'durationSeconds' failed to "
            f"satisfy constraint: Member must have value greater than or equal to {SHORTEST}",
        )
    if seconds > int(role.max_session_duration):
        raise AwsError(
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        )
    return seconds


def shown_arn(account, arn):
    """The ARN of a session, with the account that a fault requests."""
    return arn.replace(account.id, account.faults.wanted.get("other_account", account.id))


def credentials(call, account, role, seconds):
    """Opens a session of the role and returns its credentials."""
    name = call.required("RoleSessionName")
    if not SESSION_NAME.fullmatch(name):
        raise AwsError(
            "ValidationError",
            f"1 validation error detected: Value '{name}' at 'roleSessionName' failed to satisfy "
            "constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*",
        )
    # A test may request a shorter lifetime than AWS allows.
    seconds = seconds if account.session_seconds is None else account.session_seconds
    session = call.registry.open_session(account, role.name, name, seconds)
    return {
        "Credentials": {
            "AccessKeyId": session.access_key,
            "SecretAccessKey": session.secret,
            "SessionToken": session.token,
            "Expiration": datetime.fromtimestamp(session.expires, timezone.utc),
        },
        "AssumedRoleUser": {
            "AssumedRoleId": f"{role.id}:{name}",
            "Arn": shown_arn(account, session.arn),
        },
    }
