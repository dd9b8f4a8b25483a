"""Certificates are verified against the name, while the connection goes to the checked address."""

import asyncio
import datetime as dt
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from dispatcher.forward import UrlPolicy
from dispatcher.forward.transport import NotSent
from tests.forward.conftest import MakeTransport
from tests.forward.servers import answer, serving

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def to_loopback(host: str, port: int) -> list[str]:
    return ["127.0.0.1"]


POLICY = UrlPolicy(allow_loopback=True, resolver=to_loopback)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate of gpu-1.example, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gpu-1.example")])
    now = dt.datetime.now(dt.UTC)
    cert = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("gpu-1.example")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "gpu-1.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + cert.public_bytes(serialization.Encoding.PEM))
    return file


async def fetch(make_transport: MakeTransport, certificate: Path, host: str, ca_file: str | None) -> int:
    """Call a TLS server with a key; answers how many requests it got."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    async with serving(answer(200, b"{}"), tls=context) as server:
        transport = make_transport(POLICY, ca_file=ca_file)
        url = server.url(host=host, scheme="https")
        try:
            await transport.request("POST", url, {"Authorization": "Bearer k"}, b"{}", timeout_s=5, max_bytes=100)
        finally:
            requests = len(server.requests)
    return requests


async def test_a_private_authority(make_transport: MakeTransport, certificate: Path) -> None:
    assert await fetch(make_transport, certificate, "gpu-1.example", str(certificate)) == 1


@pytest.mark.parametrize(("host", "trusted"), [("gpu-1.example", False), ("gpu-2.example", True), ("127.0.0.1", True)])
async def test_an_unknown_authority_or_a_wrong_name(
    make_transport: MakeTransport, certificate: Path, host: str, trusted: bool
) -> None:
    with pytest.raises(NotSent):
        await fetch(make_transport, certificate, host, str(certificate) if trusted else None)


async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    writer.close()


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


@pytest.mark.parametrize("handler", [refuse, hang])
async def test_no_tls_where_tls_is_expected(make_transport: MakeTransport, handler: Handler) -> None:
    closed = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await handler(reader, writer)
        closed.set()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        url = f"https://gpu-1.example:{server.sockets[0].getsockname()[1]}/"
        with pytest.raises(NotSent):
            await make_transport(POLICY).request("POST", url, {}, b"", timeout_s=0.3, max_bytes=100)
        await asyncio.wait_for(closed.wait(), 2)  # a socket left open would keep the server waiting
