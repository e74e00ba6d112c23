"""Does a provider take an API key? One request for one session of one share tells."""

import asyncio
from datetime import date

from pydantic import SecretStr

from trading.config import Settings
from trading.data.providers import NETWORK_PROVIDERS
from trading.errors import ConfigurationError

# Listed without a break since 1980, and asked for by everybody.
SYMBOL = "AAPL"


def check_key(provider: str, key: SecretStr, settings: Settings, *, session: date) -> None:
    """Ask `provider` for the bar of one share at `session` under `key`.

    Raises
    ------
    ProviderStopped
        The provider does not take the key, or its plan has no daily bars.
    ProviderError
        The provider could not be asked, or gave nothing: the key may be good.
    ConfigurationError
        There is no such provider, or no address to ask it at.
    """
    vendor = next((each for name, each in NETWORK_PROVIDERS.items() if name == provider), None)
    if vendor is None:
        raise ConfigurationError(
            f"no provider is called {provider}; known are {', '.join(NETWORK_PROVIDERS)}"
        )
    asked = vendor(settings, keys=lambda name: key if name == provider else None)
    asyncio.run(asked.fetch((SYMBOL,), session, session))
