"""The expected findings of an account, computed from the model instead of API responses."""

from datetime import timedelta

from .answers import format_time
from .clock import now as current_time
from .moto_model import service_credentials_of
from .tags import tags_of


def truth(account):
    """The current users of the account, and which of their credentials are stale."""
    now = current_time()
    users = list(account.backend.users.values())
    return {
        "account": account.id,
        "now": format_time(now),
        "days": account.days,
        "users": [of_user(account, user, now) for user in users],
    }


def iso(moment):
    """The time as text; None for never."""
    return format_time(moment) if moment else None


def disuse(account, now, reference, enabled):
    """The reference date, the days of disuse, and whether the credential is stale."""
    age = now - reference
    return {
        "reference_date": iso(reference),
        "days": age // timedelta(days=1),
        "stale": enabled and age >= timedelta(days=account.days),
    }


def of_user(account, user, now):
    """A user with all credentials, and those that are stale."""
    keys = [of_key(account, key, now) for key in user.access_keys]
    password = of_password(account, user, now)
    others = of_others(account, user, now)
    reasons = [{"credential": "access-key", **key} for key in keys if key["stale"]]
    if password and password["stale"]:
        reasons.insert(0, {"credential": "password", **password})
    return {
        "user": user.name,
        "user_id": user.id,
        "arn": user.arn,
        "path": user.path,
        "created": iso(user.create_date),
        "kind": getattr(user, "kind", ""),
        "note": getattr(user, "note", ""),
        "tags": {tag["Key"]: tag["Value"] for tag in tags_of(account, user)},
        "mfa": bool(user.mfa_devices),
        "password": password,
        "keys": keys,
        "other_credentials": others,
        "without_credentials": not (password or keys or others),
        "stale": bool(reasons),
        "reasons": reasons,
    }


def of_password(account, user, now):
    """The user's password, or None."""
    if not user.password:
        return None
    changed = getattr(user, "password_created", user.create_date)
    used = user.password_last_used
    dates = {"last_used": iso(used), "last_changed": iso(changed)}
    return {**dates, **disuse(account, now, used or changed, True)}


def of_key(account, key, now):
    """An access key. An inactive key is never stale, but may have been inactive for long."""
    used = key.last_used.timestamp if key.last_used else None
    fields = disuse(account, now, used or key.create_date, key.status == "Active")
    return {
        "id": key.access_key_id,
        "status": key.status,
        "created": iso(key.create_date),
        "last_used": iso(used),
        "last_service": key.last_used.service if key.last_used else None,
        **fields,
        "inactive_too_long": key.status == "Inactive" and fields["days"] >= account.days,
    }


def of_others(account, user, now):
    """SSH keys, service-specific credentials and certificates. `stale` means active and old."""
    found = [
        ("ssh-key", key.ssh_public_key_id, key.status, key.upload_date, None)
        for key in user.ssh_public_keys
    ]
    found += [
        ("signing-certificate", certificate.id, certificate.status, certificate.upload_date, None)
        for certificate in user.signing_certificates.values()
    ]
    found += [
        (
            "service-specific-credential",
            credential["ServiceSpecificCredentialId"],
            credential["Status"],
            credential["CreateDate"],
            credential["ServiceName"],
        )
        for credential in service_credentials_of(user)
    ]
    return [
        {
            "kind": kind,
            "id": name,
            "status": status,
            "created": iso(created),
            "service": service,
            **disuse(account, now, created, status == "Active"),
        }
        for kind, name, status, created, service in found
    ]
