"""Access Advisor: a job for each question, and the services that a user's policies allow."""

from uuid import uuid4

from .answers import AwsError
from .calls import handles
from .clock import now
from .moto_model import groups_of
from .paging import page

# The services that the seeded policies allow, by the namespace that access keys report.
SERVICES = {
    "ec2": "Amazon EC2",
    "iam": "AWS Identity and Access Management",
    "lambda": "AWS Lambda",
    "s3": "Amazon S3",
    "signin": "AWS Sign-In",
    "sts": "AWS Security Token Service",
}


@handles("iam", "GenerateServiceLastAccessedDetails")
def generate_service_last_accessed_details(call):
    """Begins a job for a user."""
    arn = call.needed("Arn")
    users = call.account.backend.users.values()
    user = next((it for it in users if it.arn == arn), None)
    if user is None:
        raise AwsError("NoSuchEntity", f"ARN {arn} cannot be found.", 404)
    job = str(uuid4())
    call.account.jobs[job] = {
        "access_key": call.session.access_key,
        "created": now(),
        "asked": 0,
        "services": services_of(call.account, user),
    }
    return {"JobId": job}


@handles("iam", "GetServiceLastAccessedDetails")
def get_service_last_accessed_details(call):
    """A job's result: in progress when first asked for, and there for its own session alone."""
    job = call.account.jobs.get(call.needed("JobId"))
    if job is None or job["access_key"] != call.session.access_key:
        raise AwsError("NoSuchEntity", "The specified job cannot be found.", 404)
    job["asked"] += 1
    common = {"JobType": "SERVICE_LEVEL", "JobCreationDate": job["created"]}
    if job["asked"] == 1:
        return {"JobStatus": "IN_PROGRESS", **common}
    services = job["services"]
    result = page(call, services, "ServicesLastAccessed", lambda it: it["ServiceNamespace"])
    return {"JobStatus": "COMPLETED", **common, "JobCompletionDate": now(), **result}


def services_of(account, user):
    """What Access Advisor tells of a user: nothing of one without policies."""
    has_policy = user.policies or user.managed_policies or groups_of(account.backend, user)
    if not has_policy:
        return []
    used = {}
    for key in user.access_keys:
        if key.last_used:
            note(used, key.last_used.service, key.last_used.timestamp, key.last_used.region)
    if user.password_last_used:
        note(used, "signin", user.password_last_used, account.region)
    for service, moment in getattr(user, "accessed", {}).items():
        note(used, service, moment, account.region)
    return [
        service_shown(user, namespace, *used.get(namespace, (None, None)))
        for namespace in sorted(SERVICES.keys() | used.keys())
    ]


def note(used, service, moment, region):
    """Keeps the latest use of a service."""
    if service not in used or used[service][0] < moment:
        used[service] = (moment, region)


def service_shown(user, namespace, moment, region):
    """One service, with the user's last use of it if there was one."""
    return {
        "ServiceName": SERVICES.get(namespace, namespace),
        "ServiceNamespace": namespace,
        "LastAuthenticated": moment,
        "LastAuthenticatedEntity": user.arn if moment else None,
        "LastAuthenticatedRegion": region,
        "TotalAuthenticatedEntities": 1 if moment else 0,
    }
