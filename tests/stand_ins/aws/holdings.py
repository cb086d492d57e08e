"""All that a user has: for tests to look at, from the model and never from what is answered."""

from .moto_model import groups_of, service_credentials_of
from .tags import tags_of


def holdings(account, name):
    """A user with everything; None if there is no such user."""
    user = account.backend.users.get(name)
    if user is None:
        return None
    keys = [(it.access_key_id, it.status) for it in user.access_keys]
    certificates = [(it.id, it.status) for it in user.signing_certificates.values()]
    ssh_keys = [(it.ssh_public_key_id, it.status) for it in user.ssh_public_keys]
    return {
        "name": user.name,
        "path": user.path,
        "tags": {it["Key"]: it["Value"] for it in tags_of(account, user)},
        "password": bool(user.password),
        "keys": with_status(keys),
        "certificates": with_status(certificates),
        "ssh_keys": with_status(ssh_keys),
        "service_credentials": [
            {
                "id": it["ServiceSpecificCredentialId"],
                "service": it["ServiceName"],
                "status": it["Status"],
            }
            for it in service_credentials_of(user)
        ],
        "mfa": list(user.mfa_devices),
        "groups": [it.name for it in groups_of(account.backend, user)],
        "inline": list(user.policies),
        "attached": list(user.managed_policies),
        "boundary": getattr(user, "boundary", None),
    }


def with_status(credentials):
    """Credentials by their ids, each with its status."""
    return [{"id": name, "status": status} for name, status in credentials]
