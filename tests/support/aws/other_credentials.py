"""SSH public keys, signing certificates and service-specific credentials, as IAM shows them."""

from .answers import AwsError
from .calls import handles
from .moto_model import service_credentials_of
from .paging import page


@handles("iam", "ListSSHPublicKeys")
def list_ssh_public_keys(call):
    """A user's SSH public keys."""
    keys = call.user().ssh_public_keys
    result = page(call, keys, "SSHPublicKeys", lambda it: it.ssh_public_key_id)
    shown = [
        {
            "UserName": it.user_name,
            "SSHPublicKeyId": it.ssh_public_key_id,
            "Status": it.status,
            "UploadDate": it.upload_date,
        }
        for it in result["SSHPublicKeys"]
    ]
    return {**result, "SSHPublicKeys": shown}


@handles("iam", "ListSigningCertificates")
def list_signing_certificates(call):
    """A user's signing certificates."""
    certificates = call.user().signing_certificates.values()
    result = page(call, certificates, "Certificates", lambda it: it.id)
    shown = [
        {
            "UserName": it.user_name,
            "CertificateId": it.id,
            "CertificateBody": it.body,
            "Status": it.status,
            "UploadDate": it.upload_date,
        }
        for it in result["Certificates"]
    ]
    return {**result, "Certificates": shown}


@handles("iam", "ListServiceSpecificCredentials")
def list_service_specific_credentials(call):
    """The service-specific credentials of a user, or of the whole account."""
    if call.parameters.get("AllUsers", "").lower() == "true":
        if call.parameters.get("UserName"):
            raise AwsError("ValidationError", "UserName and AllUsers cannot be given together")
        users = list(call.account.backend.users.values())
    else:
        users = [call.user()]
    service = call.parameters.get("ServiceName")
    owned = [
        (user, it)
        for user in users
        for it in service_credentials_of(user)
        if service in (None, it["ServiceName"])
    ]
    name = "ServiceSpecificCredentials"
    order = lambda it: f"{it[0].name.lower()} {it[1]['ServiceSpecificCredentialId']}"  # noqa: E731
    result = page(call, owned, name, order)
    return {**result, name: [{"UserName": user.name, **it} for user, it in result[name]]}
