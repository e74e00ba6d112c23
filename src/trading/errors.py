"""The errors that the domain raises, by what the reader must do about them.

TradingError
 +- ConfigurationError   mend the configuration, then run again
 +- DataError            mend or fetch the data, then run again
 +- MonthError           the month cannot run as asked (order, source, lock)
 +- ModelError           an artefact of a model is missing or broken
 +- StoreError           an object or item is missing, or was changed under us
     +- NotFoundError
     +- ConflictError
"""


class TradingError(Exception):
    """An expected failure: its text is one clear sentence and a way out."""


class ConfigurationError(TradingError):
    """The configuration is invalid."""


class DataError(TradingError):
    """Market data is missing, malformed or not good enough to use."""


class MonthError(TradingError):
    """The month cannot run as it was asked for."""


class ModelError(TradingError):
    """A model artefact is missing, broken or of another version."""


class StoreError(TradingError):
    """A read or write of a store failed."""


class NotFoundError(StoreError):
    """The object or item does not exist."""


class ConflictError(StoreError):
    """A conditional write found something else than was expected."""
