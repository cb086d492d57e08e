"""SSH public keys, signing certificates and service-specific credentials."""

from .answers import AwsError
from .calls import handles
from .moto_model import service_credentials_of
from .paging import page


@handles("iam", "ListSSHPublicKeys")
def list_ssh_public_keys(call):
    """A user's SSH public keys."""
    keys = call.user().ssh_public_keys
    result = page(call, keys, "SSHPublicKeys", lambda key: key.ssh_public_key_id)
    shown = [
        {
            "UserName": key.user_name,
            "SSHPublicKeyId": key.ssh_public_key_id,
            "Status": key.status,
            "UploadDate": key.upload_date,
        }
        for key in result["SSHPublicKeys"]
    ]
    return {**result, "SSHPublicKeys": shown}


@handles("iam", "UpdateSSHPublicKey")
def update_ssh_public_key(call):
    """Activates or deactivates a key."""
    key = ssh_public_key(call)
    key.status = call.status()


@handles("iam", "DeleteSSHPublicKey")
def delete_ssh_public_key(call):
    """Deletes a key, active or not."""
    call.user().ssh_public_keys.remove(ssh_public_key(call))


def ssh_public_key(call):
    """The key of the call, or NoSuchEntity."""
    name = call.required("SSHPublicKeyId")
    keys = call.user().ssh_public_keys
    key = next((key for key in keys if key.ssh_public_key_id == name), None)
    if key is None:
        raise AwsError("NoSuchEntity", f"The SSH Public Key with id {name} cannot be found.", 404)
    return key


@handles("iam", "ListSigningCertificates")
def list_signing_certificates(call):
    """A user's signing certificates."""
    certificates = call.user().signing_certificates.values()
    result = page(call, certificates, "Certificates", lambda certificate: certificate.id)
    shown = [
        {
            "UserName": certificate.user_name,
            "CertificateId": certificate.id,
            "CertificateBody": certificate.body,
            "Status": certificate.status,
            "UploadDate": certificate.upload_date,
        }
        for certificate in result["Certificates"]
    ]
    return {**result, "Certificates": shown}


@handles("iam", "UpdateSigningCertificate")
def update_signing_certificate(call):
    """Activates or deactivates a certificate."""
    certificate = signing_certificate(call)
    certificate.status = call.status()


@handles("iam", "DeleteSigningCertificate")
def delete_signing_certificate(call):
    """Deletes a certificate, active or not."""
    del call.user().signing_certificates[signing_certificate(call).id]


def signing_certificate(call):
    """The certificate of the call, or NoSuchEntity."""
    name = call.required("CertificateId")
    certificate = call.user().signing_certificates.get(name)
    if certificate is None:
        raise AwsError("NoSuchEntity", f"The Certificate with id {name} cannot be found.", 404)
    return certificate


@handles("iam", "UpdateServiceSpecificCredential")
def update_service_specific_credential(call):
    """Activates or deactivates a credential."""
    credential = service_specific_credential(call)
    credential["Status"] = call.status()


@handles("iam", "DeleteServiceSpecificCredential")
def delete_service_specific_credential(call):
    """Deletes a credential, active or not."""
    service_credentials_of(call.user()).remove(service_specific_credential(call))


def service_specific_credential(call):
    """The credential of the call, or NoSuchEntity."""
    name = call.required("ServiceSpecificCredentialId")
    owned = service_credentials_of(call.user())
    found = next((one for one in owned if one["ServiceSpecificCredentialId"] == name), None)
    if found is None:
        raise AwsError("NoSuchEntity", f"No such credential {name} exists", 404)
    return found


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
        (user, credential)
        for user in users
        for credential in service_credentials_of(user)
        if service in (None, credential["ServiceName"])
    ]
    name = "ServiceSpecificCredentials"

    def order(pair):
        user, credential = pair
        return f"{user.name.lower()} {credential['ServiceSpecificCredentialId']}"

    result = page(call, owned, name, order)
    shown = [{"UserName": user.name, **credential} for user, credential in result[name]]
    return {**result, name: shown}
