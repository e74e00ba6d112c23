"""A mail as one HTML page, to be looked at in a browser."""

from base64 import b64encode
from email.message import EmailMessage

from trading.errors import DataError


def to_preview_html(message: EmailMessage) -> str:
    """Return the HTML of a mail with its images inside: content ids become data URIs.

    Raises `DataError` when the mail has no HTML part.
    """
    body = message.get_body(("html",))
    if body is None:
        raise DataError("the mail has no HTML part; only mails of `render` can be previewed")
    page = str(body.get_content())
    for part in message.walk():
        if part.get_content_maintype() == "image" and part["Content-ID"]:
            data = b64encode(part.get_payload(decode=True)).decode()  # type: ignore[arg-type]
            name = str(part["Content-ID"]).strip("<>")
            page = page.replace(f'"cid:{name}"', f'"data:{part.get_content_type()};base64,{data}"')
    return page
