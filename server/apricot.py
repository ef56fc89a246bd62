"""``aliecs-server apricot``: the configuration service as a process of its own (workflows-config.md 9.1).

SIGTERM and SIGINT end it; calls in progress have a second.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import msgspec

from occ.errors import ConfigError
from server.flags import Port, Seconds, add_flags, converted, given_by
from server.process import STOP_GRACE_S, log_to, tell_ready, told_to_end

log = logging.getLogger("server")

PREFIX = "APRICOT_"
"""Of environment variables with settings."""
RUN_COUNTER = "runcounter.txt"
"""Where AliECS's service keeps the run number if its store is a file."""


class ServiceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the configuration service; keys and defaults are AliECS's, the last two are ours."""

    backend_uri: Annotated[
        str, msgspec.Meta(description="address of the store, consul://host:port or file:///path")
    ] = "consul://127.0.0.1:8500"
    listen_port: Annotated[Port, msgspec.Meta(description="port of apricot.Apricot; 0 = any free one")] = 32101
    http_listen_port: Annotated[Port, msgspec.Meta(description="port of HTTP; 0 = any free one")] = 32188
    verbose: Annotated[bool, msgspec.Meta(description="log at level DEBUG")] = False
    trim_space_in_vars_from_consul_kv: Annotated[
        bool, msgspec.Meta(description="take surrounding blanks away from defaults and vars")
    ] = msgspec.field(name="trimSpaceInVarsFromConsulKV", default=True)
    working_dir: Annotated[
        str, msgspec.Meta(description=f"folder whose {RUN_COUNTER} gives a store in a file its first run number")
    ] = "/var/lib/o2/apricot"
    bind_address: Annotated[str, msgspec.Meta(description="address that both ports listen on")] = "0.0.0.0"
    config_timeout_s: Annotated[Seconds, msgspec.Meta(description="time for one access to the store")] = 10.0


def load_settings(arguments: Sequence[str], environ: Mapping[str, str]) -> ServiceSettings:
    """Return the settings that flags and environment give, flags first.

    Raises:
        ConfigError: names key, source and what is allowed.
        SystemExit: for --help and flags that do not exist, as argparse does.
    """
    parser = argparse.ArgumentParser(
        prog="aliecs-server apricot",
        description="The configuration service of AliECS, alone: apricot.Apricot and its HTTP face.",
        epilog=f"Each setting can also stand in the environment as {PREFIX} and its key in upper case.",
        allow_abbrev=False,
    )
    add_flags(parser, ServiceSettings)
    given = given_by(ServiceSettings, PREFIX, parser.parse_args(arguments), environ)
    return ServiceSettings(**converted(ServiceSettings, given))


def main(arguments: Sequence[str]) -> int:
    """Serve until told to end; returns the exit code."""
    settings = load_settings(arguments, os.environ)
    log_to("", verbose=settings.verbose)
    return asyncio.run(_serve(settings))


async def _serve(settings: ServiceSettings) -> int:
    # Deferred: --help and bad settings must not wait for these imports.
    from server.config.open import open_store_configuration
    from server.config.runs import take_over
    from server.config.serve import ConfigurationServer

    told = told_to_end()
    configuration = await open_store_configuration(
        settings.backend_uri, deadline_s=settings.config_timeout_s, trim=settings.trim_space_in_vars_from_consul_kv
    )
    try:
        if configuration.endpoint.startswith("file://"):
            counter = await asyncio.to_thread(_read_counter, Path(settings.working_dir) / RUN_COUNTER)
            is_taken = bool(counter) and await configuration.ask(lambda store: take_over(store, counter))
            if is_taken:
                log.info("run number taken over from AliECS's file run=%s", counter)
        server = ConfigurationServer(
            configuration,
            address=settings.bind_address,
            port=settings.listen_port,
            http_port=settings.http_listen_port,
        )
        await server.start()
        log.info("serving store=%s", configuration.endpoint)
        tell_ready(server.port, server.http_port)
        await told
        await server.stop(STOP_GRACE_S)
    finally:
        await configuration.close()
    return 0


def _read_counter(path: Path) -> str:
    """Return the text of AliECS's run counter, "" if there is none.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        raise ConfigError(f"run counter {path} cannot be read: {error}") from error
