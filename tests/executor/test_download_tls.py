"""Binaries over https: the certificate counts, and there is no way back to http."""

import datetime as dt
import ipaddress
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from dispatcher.executor.download import download
from dispatcher.executor.errors import JobError
from dispatcher.executor.http import Http
from tests.executor.servers import Files, listening


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate of 127.0.0.1, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "binaries")])
    now = dt.datetime.now(dt.UTC)
    cert = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "binaries.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + cert.public_bytes(serialization.Encoding.PEM))
    return file


@pytest.fixture
def safe_files(certificate: Path) -> Iterator[Files]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    site = Files()
    site.server.socket = context.wrap_socket(site.server.socket, server_side=True)
    site.url = site.url.replace("http:", "https:")
    with listening(site):
        yield site


async def test_the_certificate_must_be_trusted(safe_files: Files, certificate: Path, tmp_path: Path) -> None:
    url, digest = safe_files.add("b", "#!/bin/sh\n")
    async with Http(1) as http:
        with pytest.raises(JobError, match="could not be downloaded: ConnectError"):
            await download(http, url, digest, tmp_path / "binary", most=100, allow_http=False)
    assert safe_files.seen == []
    async with Http(1, ssl.create_default_context(cafile=str(certificate))) as http:
        await download(http, url, digest, tmp_path / "binary", most=100, allow_http=False)
    assert (tmp_path / "binary").read_bytes() == b"#!/bin/sh\n"


@pytest.mark.parametrize(("allow_http", "said"), [(False, "must begin with https"), (True, "another host")])
async def test_https_never_leads_to_http(
    safe_files: Files, certificate: Path, tmp_path: Path, allow_http: bool, said: str
) -> None:
    url, digest = safe_files.add("b", "#!/bin/sh\n")
    safe_files.special["/b"] = (302, {"Location": url.replace("https:", "http:")}, b"")
    async with Http(1, ssl.create_default_context(cafile=str(certificate))) as http:
        with pytest.raises(JobError, match=said):
            await download(http, url, digest, tmp_path / "binary", most=100, allow_http=allow_http)
