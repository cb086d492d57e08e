"""Access Advisor: jobs, and the services that a user's policies allow."""

from uuid import uuid4

from .answers import AwsError
from .calls import handles
from .clock import now
from .moto_model import groups_of
from .paging import page

# The services that the seeded policies allow, by service namespace.
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
    """Starts a job for a user."""
    arn = call.required("Arn")
    users = call.account.backend.users.values()
    user = next((user for user in users if user.arn == arn), None)
    if user is None:
        raise AwsError("NoSuchEntity", f"ARN {arn} cannot be found.", 404)
    job = str(uuid4())
    call.account.jobs[job] = {
        "access_key": call.session.access_key,
        "created": now(),
        "requests": 0,
        "services": services_of(call.account, user),
    }
    return {"JobId": job}


@handles("iam", "GetServiceLastAccessedDetails")
def get_service_last_accessed_details(call):
    """The result of a job: in progress at the first request, and visible only to its session."""
    job = call.account.jobs.get(call.required("JobId"))
    if job is None or job["access_key"] != call.session.access_key:
        raise AwsError("NoSuchEntity", "The specified job cannot be found.", 404)
    job["requests"] += 1
    common = {"JobType": "SERVICE_LEVEL", "JobCreationDate": job["created"]}
    if job["requests"] == 1:
        return {"JobStatus": "IN_PROGRESS", **common}
    services = job["services"]
    result = page(
        call, services, "ServicesLastAccessed", lambda service: service["ServiceNamespace"]
    )
    return {"JobStatus": "COMPLETED", **common, "JobCompletionDate": now(), **result}


def services_of(account, user):
    """The services of a user; none for a user without policies."""
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
    """Records the use of a service, if it is the latest."""
    if service not in used or used[service][0] < moment:
        used[service] = (moment, region)


def service_shown(user, namespace, moment, region):
    """A service with the user's last use, if any."""
    return {
        "ServiceName": SERVICES.get(namespace, namespace),
        "ServiceNamespace": namespace,
        "LastAuthenticated": moment,
        "LastAuthenticatedEntity": user.arn if moment else None,
        "LastAuthenticatedRegion": region,
        "TotalAuthenticatedEntities": 1 if moment else 0,
    }
