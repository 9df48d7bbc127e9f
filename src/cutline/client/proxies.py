"""Which way connections leave: what runs on this machine is never asked through a proxy of the environment."""

from __future__ import annotations

from typing import Final

import httpx

_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})


def http_client() -> httpx.AsyncClient:
    """An HTTP client for uploads and downloads; proxies of the environment apply to other machines only."""
    try:
        return httpx.AsyncClient(mounts={f"all://{host}": None for host in _LOOPBACK})
    except ImportError:  # a SOCKS proxy takes a package that the SDK does not bring; most calls need no HTTP at all
        return httpx.AsyncClient(trust_env=False)


def channel_options(target: str) -> tuple[tuple[str, int], ...]:
    """What a gRPC channel to `target` needs so that no proxy stands between."""
    address = target.rpartition("/")[2]
    for scheme in ("dns:", "ipv4:", "ipv6:"):
        address = address.removeprefix(scheme)
    host = address.rpartition(":")[0] or address
    return (("grpc.enable_http_proxy", 0),) if host in _LOOPBACK else ()
