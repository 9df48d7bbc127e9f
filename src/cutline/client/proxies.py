"""Which way connections leave: what runs on this machine is never asked through a proxy of the environment."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final

_SCHEMES: Final = ("dns:", "ipv4:", "ipv6:")
_LOCALHOST: Final = "localhost"

LOOPBACK_HOSTS: Final = ("127.0.0.1", _LOCALHOST, "[::1]")
"""Names of this machine, as addresses on the web write them."""


def on_this_machine(target: str) -> bool:
    """Whether a gRPC target can only be this machine: a loopback address, `localhost`, or a Unix socket."""
    if target.startswith(("unix:", "unix-abstract:")):
        return True
    hosts = [_host(address) for address in _addresses(target)]
    return all(host == _LOCALHOST or _is_loopback(host) for host in hosts)


def channel_options(target: str) -> tuple[tuple[str, int], ...]:
    """What a gRPC channel to `target` needs so that no proxy stands between."""
    return (("grpc.enable_http_proxy", 0),) if on_this_machine(target) else ()


def shared_host(target: str) -> str:
    """The host that all addresses of a target with several share; empty where there is none, or one address."""
    addresses = _addresses(target)
    hosts = {_host(address) for address in addresses}
    return hosts.pop() if len(addresses) > 1 and len(hosts) == 1 else ""


def _addresses(target: str) -> list[str]:
    """The addresses of a target, which may list several: `ipv4:10.0.0.1:443,10.0.0.2:443`."""
    rest = target.rpartition("/")[2]
    for scheme in _SCHEMES:
        rest = rest.removeprefix(scheme)
    return rest.split(",")


def _host(address: str) -> str:
    if address.startswith("["):
        return address[1:].partition("]")[0]
    host, _, port = address.rpartition(":")
    return host if host and port.isdigit() and ":" not in host else address


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
