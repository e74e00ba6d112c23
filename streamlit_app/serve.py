"""Serve the dashboard over TLS, as its container does.

The certificate is made anew at every start and never leaves the container. It encrypts the hop from
the load balancer, which shows people the certificate of the domain.
"""

import os
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from streamlit_app.health import port

APP = Path(__file__).with_name("app.py")
VALID = timedelta(days=365)
CLOCK_SKEW = timedelta(hours=1)


def write_certificate(folder: Path) -> tuple[Path, Path]:
    """Write a self-signed certificate and its key, the latter for this user alone."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "dashboard")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + VALID)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("dashboard")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = folder / "certificate.pem", folder / "key.pem"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.touch(mode=0o600)
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate_file, key_file


def command(certificate: Path, key: Path) -> list[str]:
    """Return the command that serves the page."""
    options = {
        "server.port": port(),
        "server.address": "0.0.0.0",  # noqa: S104 - the security group decides who comes
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "server.sslCertFile": str(certificate),
        "server.sslKeyFile": str(key),
        # The one origin, beside this host, whose WebSockets are taken.
        "browser.serverAddress": os.environ.get("TRADING_DASHBOARD_DOMAIN", "localhost"),
        "browser.gatherUsageStats": "false",
        "client.showErrorDetails": "none",
        "client.toolbarMode": "viewer",
    }
    given = [f"--{name}={value}" for name, value in options.items()]
    return [sys.executable, "-m", "streamlit", "run", str(APP), *given]


def main() -> None:
    """Make the certificate and become Streamlit."""
    folder = Path(tempfile.mkdtemp(prefix="dashboard-"))
    run = command(*write_certificate(folder))
    os.execv(run[0], run)  # noqa: S606 - our own interpreter, no shell


if __name__ == "__main__":
    main()
