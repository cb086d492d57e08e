"""Runs a TLS endpoint in front of the stand-in, with a certificate of a private authority.

    python tls_front.py TARGET_PORT CA_FILE

writes the authority's certificate to CA_FILE and prints its port. It ends when its standard input
is closed.
"""

import datetime
import socket
import ssl
import sys
import tempfile
import threading

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


def name(text):
    """A name with only a common name."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def certificate(subject, key, issuer, issuer_key, extensions):
    """A certificate that is valid for a day."""
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(issuer_key, hashes.SHA256())


def pem(cert):
    """A certificate in PEM."""
    return cert.public_bytes(serialization.Encoding.PEM)


def context(ca_file):
    """The TLS context of the server. Writes the authority's certificate."""
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(
        ec.SECP256R1()
    )
    authority_name = name("A private authority")
    authority = certificate(
        authority_name,
        authority_key,
        authority_name,
        authority_key,
        [(x509.BasicConstraints(ca=True, path_length=0), True)],
    )
    server = certificate(
        name("localhost"),
        key,
        authority_name,
        authority_key,
        [
            (x509.SubjectAlternativeName([x509.DNSName("localhost")]), False),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        ],
    )
    with open(ca_file, "wb") as file:
        file.write(pem(authority))
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        file.write(pem(server) + private)
        file.flush()
        tls.load_cert_chain(file.name)
    return tls


def pipe(source, sink):
    """Copies bytes until the source ends."""
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def serve(client, tls, target):
    """Serves a connection."""
    try:
        client = tls.wrap_socket(client, server_side=True)
        server = socket.create_connection(("127.0.0.1", target))
    except OSError:
        # A client that does not trust the authority disconnects.
        client.close()
        return
    threading.Thread(target=pipe, args=(client, server), daemon=True).start()
    pipe(server, client)


def main():
    """Listens until standard input is closed."""
    target, ca_file = int(sys.argv[1]), sys.argv[2]
    tls = context(ca_file)
    listener = socket.create_server(("127.0.0.1", 0))

    def accept():
        while True:
            client, _ = listener.accept()
            threading.Thread(target=serve, args=(client, tls, target), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    print(listener.getsockname()[1], flush=True)
    sys.stdin.read()


main()
