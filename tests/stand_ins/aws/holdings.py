"""A user with credentials, groups and policies for tests, from the model, not from responses."""

from .moto_model import groups_of, service_credentials_of
from .tags import tags_of


def holdings(account, name):
    """A user with all credentials, groups and policies; None if the user does not exist."""
    user = account.backend.users.get(name)
    if user is None:
        return None
    keys = [(key.access_key_id, key.status) for key in user.access_keys]
    certificates = [
        (certificate.id, certificate.status) for certificate in user.signing_certificates.values()
    ]
    ssh_keys = [(key.ssh_public_key_id, key.status) for key in user.ssh_public_keys]
    return {
        "name": user.name,
        "path": user.path,
        "tags": {tag["Key"]: tag["Value"] for tag in tags_of(account, user)},
        "password": bool(user.password),
        "keys": with_status(keys),
        "certificates": with_status(certificates),
        "ssh_keys": with_status(ssh_keys),
        "service_credentials": [
            {
                "id": credential["ServiceSpecificCredentialId"],
                "service": credential["ServiceName"],
                "status": credential["Status"],
            }
            for credential in service_credentials_of(user)
        ],
        "mfa": list(user.mfa_devices),
        "groups": [group.name for group in groups_of(account.backend, user)],
        "inline": list(user.policies),
        "attached": list(user.managed_policies),
        "boundary": getattr(user, "boundary", None),
    }


def with_status(credentials):
    """Credential ids with their status."""
    return [{"id": name, "status": status} for name, status in credentials]
