"""The errors that the domain raises, by what the reader must do about them.

TradingError
 +- ConfigurationError   mend the configuration, then run again
 +- DataError            mend or fetch the data, then run again
 |   +- ProviderError    a provider of market data did not give what it was asked for
 |       +- ProviderUnavailable  it may pass: try the same provider again
 |       +- ProviderRefused      this provider does not have it, or not now: ask the next one
 |       +- ProviderStopped      no request will succeed until the operator acts: stop and tell
 +- MonthError           the month cannot run as asked (order, source, lock)
 +- ModelError           an artefact of a model is missing or broken
 +- StrategyError        a strategy cannot be found, built or trusted
 |   +- ParameterError   a parameter is unknown, of the wrong type or out of bounds
 |   +- SignalError      a signal breaks the contract
 |   +- StrategyFailure  the strategy raised, hung or changed what it was given
 +- RiskError            a risk figure is not defined for what it was given
 +- OrderError           an order is malformed, doubled or in the wrong state
 |   +- TransitionError  the order's state does not allow that
 +- BrokerError          a broker refused, failed or cannot be reached
 |   +- BrokerUnavailable    the request did not reach the broker for certain: try again
 |   +- BrokerRefused        the broker refused this request: mend it, do not repeat it
 |   +- BrokerStopped        no request will succeed until the operator acts: stop
 |   +- UnknownOutcome       nobody knows whether the broker has the order: reconcile, do not repeat
 |   +- ReconciliationError  our books and the broker's disagree: do not trade
 +- SessionError         a trading session cannot start or go on as asked (lock, home, clock)
 +- TransientError       a service throttled or gave no answer: the same call may be repeated
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


class ProviderError(DataError):
    """A provider of market data did not give what it was asked for."""


class ProviderUnavailable(ProviderError):
    """A failure that may pass: the same provider may be asked again."""


class ProviderRefused(ProviderError):
    """The provider does not have it, or will not give it now: ask the next one."""


class ProviderStopped(ProviderError):
    """No request to this provider will succeed until the operator acts: the key, the plan."""


class MonthError(TradingError):
    """The month cannot run as it was asked for."""


class ModelError(TradingError):
    """A model artefact is missing, broken or of another version."""


class StrategyError(TradingError):
    """A strategy cannot be found, built or trusted."""


class ParameterError(StrategyError):
    """A parameter is unknown, of the wrong type or out of its bounds."""


class SignalError(StrategyError):
    """A signal breaks the contract."""


class StrategyFailure(StrategyError):
    """The strategy raised, hung or changed what it was given."""


class RiskError(TradingError):
    """A risk figure is not defined for what it was given."""


class OrderError(TradingError):
    """An order is malformed, doubled or in the wrong state."""


class TransitionError(OrderError):
    """The order's state does not allow that."""


class BrokerError(TradingError):
    """A broker refused, failed or cannot be reached."""


class BrokerUnavailable(BrokerError):
    """The request did not reach the broker, for certain: it may be tried again."""


class BrokerRefused(BrokerError):
    """The broker refused this request: mend it, do not repeat it."""


class BrokerStopped(BrokerError):
    """No request will succeed until the operator acts: credentials, permissions, the account."""


class UnknownOutcome(BrokerError):
    """Nobody knows whether the broker has the order: reconcile, do not repeat."""


class ReconciliationError(BrokerError):
    """Our books and the broker's disagree: nothing is traded until they agree."""


class SessionError(TradingError):
    """A trading session cannot start, or cannot go on, as it was asked to."""


class TransientError(TradingError):
    """A service throttled, failed or gave no answer; repeating the whole call is safe."""


class StoreError(TradingError):
    """A read or write of a store failed."""


class NotFoundError(StoreError):
    """The object or item does not exist."""


class ConflictError(StoreError):
    """A conditional write found something else than was expected."""
