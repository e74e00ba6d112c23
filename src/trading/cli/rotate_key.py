"""`trading rotate-key`: a new API key of a data provider, tested before it is used."""

import sys
from pathlib import Path
from typing import Annotated

import boto3
import typer
from pydantic import SecretStr

from trading.cli.inspect import NO_MONTH, stored
from trading.cli.options import AsJson
from trading.cli.output import DONE, NOTHING_TO_DO, console, print_json, result
from trading.config import load_settings
from trading.data.providers.keys import VARIABLES, key_in_secret
from trading.errors import ConfigurationError
from trading.month.key_staging import WAIT_SECONDS, rotate_to


def rotate_key_command(
    provider: Annotated[str, typer.Argument(help=", ".join(VARIABLES))],
    key_file: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="The key; else it is asked for, or read."),
    ] = None,
    wait: Annotated[
        float, typer.Option(min=1.0, help="Seconds to wait for the promotion.")
    ] = WAIT_SECONDS,
    as_json: AsJson = False,
) -> int:
    """Stage a new API key: the provider is asked with it, and if it takes it, it is in use.

    The key is never an argument, where other people of the machine could see it.
    """
    if provider not in VARIABLES:
        raise ConfigurationError(
            f"{provider} has no API key; the providers with one are {', '.join(VARIABLES)}"
        )
    settings = load_settings()
    with stored(settings) as resources:
        if resources is None:
            console.print(NO_MONTH)
            return NOTHING_TO_DO
        secret = f"trading-{settings.environment}/providers/{provider}"
        key = _read(key_file, provider, secret)
        console.print(f"asking {provider} with the new key ...")
        version = rotate_to(boto3.client("secretsmanager"), secret, key, wait=wait)
    if as_json:
        print_json({"provider": provider, "secret": secret, "version": version})
    else:
        result.print(f"{provider} takes the new key; it is in use from the next fetch")
    return DONE


def _read(file: Path | None, provider: str, secret: str) -> SecretStr:
    if file is not None:
        text = file.read_text(encoding="utf-8")
    elif sys.stdin.isatty():
        text = typer.prompt(f"new API key of {provider}", hide_input=True)
    else:
        text = sys.stdin.read()
    key = key_in_secret(text, secret)
    if key is None or not key.get_secret_value().isascii():
        raise ConfigurationError(
            f"no API key of {provider} was given: put it into --key-file, or pipe it in"
        )
    return key
