"""The proxy of the environment: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, and `NO_PROXY`."""

import ipaddress
from typing import Final
from urllib.request import getproxies_environment, proxy_bypass

import httpx

from trading.errors import ConfigurationError

SCHEMES: Final = ("http", "https")


def proxy_of(url: str) -> httpx.Proxy | None:
    """Return the proxy through which `url` is asked, None for a direct connection.

    As in curl and Python's urllib: the variable of the URL's scheme, else `ALL_PROXY`; lower case
    wins over upper case; a host that `NO_PROXY` lists (`*`, `example.com`, `.example.com`,
    `example.com:8080`) is asked directly. So is this machine itself, which no proxy reaches.

    Raises `ConfigurationError`, without the proxy's credentials, when the variable holds no
    address of an HTTP proxy.
    """
    asked = httpx.URL(url)
    proxies = getproxies_environment()
    variable = asked.scheme if proxies.get(asked.scheme) else "all"
    address = proxies.get(variable)
    if not address or _is_this_machine(asked.host):
        return None
    place = f"{asked.host}:{asked.port}" if asked.port else asked.host
    if proxy_bypass(place, proxies):
        return None
    try:
        proxy = httpx.URL(address if "://" in address else f"http://{address}")
    except httpx.InvalidURL:
        proxy = httpx.URL("")
    if proxy.scheme not in SCHEMES or not proxy.host:
        raise ConfigurationError(
            f"the environment variable {variable.upper()}_PROXY names no HTTP proxy; expected "
            "http://host:port, or nothing for a direct connection"
        )
    return httpx.Proxy(proxy)


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
