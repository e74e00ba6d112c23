"""What can go wrong when somebody is told, by what to do about it.

TradingError
 +- NotificationError
     +- MailRejectedError        the mail service refuses it: mend what it names, then rerun
     +- MailUnavailableError     the mail service is out of reach or throttles: rerun later
     +- MailOutcomeUnknownError  nobody knows whether it was sent: rerun, it reconciles first
"""

from trading.errors import TradingError


class NotificationError(TradingError):
    """Somebody could not be told."""


class MailRejectedError(NotificationError):
    """The mail service refused the mail; it was not sent."""


class MailUnavailableError(NotificationError):
    """The mail service could not take the mail now; it was not sent."""


class MailOutcomeUnknownError(NotificationError):
    """The mail may or may not have been sent."""
