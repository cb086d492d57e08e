"""What an audit must find in an account: computed from the model, never from what is answered."""

from datetime import timedelta

from .answers import written
from .clock import now as by_the_clock
from .moto_model import service_credentials_of
from .tags import tags_of


def truth(account):
    """The account's users as they are now, and which of their credentials are stale."""
    now = by_the_clock()
    users = list(account.backend.users.values())
    return {
        "account": account.id,
        "now": written(now),
        "days": account.days,
        "users": [of_user(account, it, now) for it in users],
    }


def iso(moment):
    """A moment as text, None for never."""
    return written(moment) if moment else None


def disuse(account, now, reference, enabled):
    """The reference date, the whole days since then, and whether that makes it stale."""
    age = now - reference
    return {
        "reference_date": iso(reference),
        "days": age // timedelta(days=1),
        "stale": enabled and age >= timedelta(days=account.days),
    }


def of_user(account, user, now):
    """One user, with each credential and the reasons why the user is stale."""
    keys = [of_key(account, it, now) for it in user.access_keys]
    password = of_password(account, user, now)
    others = of_others(account, user, now)
    reasons = [{"credential": "access-key", **it} for it in keys if it["stale"]]
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
        "tags": {it["Key"]: it["Value"] for it in tags_of(account, user)},
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
    told = {"last_used": iso(used), "last_changed": iso(changed)}
    return {**told, **disuse(account, now, used or changed, True)}


def of_key(account, key, now):
    """An access key; an inactive one is never stale, but in time a leftover."""
    used = key.last_used.timestamp if key.last_used else None
    told = disuse(account, now, used or key.create_date, key.status == "Active")
    return {
        "id": key.access_key_id,
        "status": key.status,
        "created": iso(key.create_date),
        "last_used": iso(used),
        "last_service": key.last_used.service if key.last_used else None,
        **told,
        "leftover": key.status == "Inactive" and told["days"] >= account.days,
    }


def of_others(account, user, now):
    """SSH keys, service-specific credentials and certificates; `stale` means active and old."""
    found = [
        ("ssh-key", it.ssh_public_key_id, it.status, it.upload_date, None)
        for it in user.ssh_public_keys
    ]
    found += [
        ("signing-certificate", it.id, it.status, it.upload_date, None)
        for it in user.signing_certificates.values()
    ]
    found += [
        (
            "service-specific-credential",
            it["ServiceSpecificCredentialId"],
            it["Status"],
            it["CreateDate"],
            it["ServiceName"],
        )
        for it in service_credentials_of(user)
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
