"""Mail addresses: one way to read, compare, hash and mask them."""

import hashlib
import re
from email.errors import HeaderParseError
from email.headerregistry import Address

from trading.errors import ConfigurationError

HASH_LENGTH = 32
_NAMED = re.compile(r'"?(?P<name>[^<>"]*?)"?\s*<(?P<spec>[^<>\s]+)>')
_BARE = re.compile(r"(?P<spec>[^<>\s]+)")


def parse_address(text: str) -> Address:
    """Return `a@b.example` or `Name <a@b.example>` as an address.

    Raises `ConfigurationError` for anything else, line breaks (which could add headers) included.
    """
    complaint = (
        f"{text!r} is not a mail address; expected name@domain or Name <name@domain>: "
        "mend notifications.sender or notifications.recipients"
    )
    match = _NAMED.fullmatch(text) or _BARE.fullmatch(text)
    if match is None or not text.isprintable():
        raise ConfigurationError(complaint)
    try:
        address = Address(match.groupdict().get("name", ""), addr_spec=match["spec"])
    except (ValueError, IndexError, HeaderParseError) as error:
        raise ConfigurationError(complaint) from error
    if not address.username or not address.domain or not match["spec"].isascii():
        raise ConfigurationError(complaint)
    return address


def canonical(text: str) -> str:
    """Return the bare address in lower case: what two spellings of one recipient share."""
    return parse_address(text).addr_spec.lower()


def recipient_hash(text: str) -> str:
    """Return the first 32 hex digits of the sha256 of a canonical address.

    It stands for the recipient in tags and headers, where the address itself does not belong.
    """
    return hashlib.sha256(canonical(text).encode()).hexdigest()[:HASH_LENGTH]


def masked(text: str) -> str:
    """Return an address fit for logs and execution histories: `a…@domain`."""
    user, _, domain = canonical(text).partition("@")
    return f"{user[:1]}…@{domain}"
