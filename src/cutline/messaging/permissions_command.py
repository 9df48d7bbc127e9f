"""Prints the broker's users and what each may do, for an operator to read and for the broker to load.

`--format conf` is configuration of nats-server to include, `--format helm` are values of its Helm chart and
`--format json` is for programs. Keys are public NKeys (`U...`), given as `--nkey imaging=U...`; where one is not given,
the first two formats name an environment variable of the broker instead, `$CUTLINE_NKEY_IMAGING`.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from cutline.messaging.permissions import ACCOUNT, SYSTEM_ACCOUNT, BusUser, Grant, Permissions, permissions
from cutline.messaging.topology import Topology

SYSTEM_USER: Final = "sys"
"""Name of the key of an operator's tools in the broker's own account."""

_PUBLIC_NKEY: Final = re.compile(r"U[A-Z2-7]{55}")
_ABOUT: Final = (
    "The users of the broker and what each may do; everything else is refused.",
    "Made by `python -m cutline.messaging.permissions`: change it there, and print this again.",
)


def conf(topology: Topology, nkeys: Mapping[str, str]) -> str:
    """Configuration of nats-server, with the reason at each subject."""
    return "\n".join(_conf_lines(topology, nkeys)) + "\n"


def helm(topology: Topology, nkeys: Mapping[str, str]) -> str:
    """Values of the NATS chart: what they add to its configuration, with the reason at each subject."""
    return "\n".join(_helm_lines(topology, nkeys)) + "\n"


def as_json(topology: Topology, nkeys: Mapping[str, str]) -> str:
    """Every user with its inbox, its key where one is given, its subjects and their reasons."""

    def grants(some: Sequence[Grant]) -> list[dict[str, str]]:
        return [{"subject": grant.subject, "reason": grant.reason} for grant in some]

    users = {}
    for user in BusUser:
        allowed = permissions(user, topology)
        key = {"nkey": nkeys[user]} if user in nkeys else {}
        users[user.value] = {
            **key,
            "inbox_prefix": user.inbox_prefix,
            "publish": grants(allowed.publish),
            "subscribe": grants(allowed.subscribe),
        }
    return json.dumps({"account": ACCOUNT, "users": users}, indent=2) + "\n"


def _conf_lines(topology: Topology, nkeys: Mapping[str, str]) -> Iterator[str]:
    yield from (f"# {line}" for line in _ABOUT)
    yield from ("accounts {", f"  {ACCOUNT} {{", "    jetstream: enabled", "    users: [")
    for user in BusUser:
        yield from (f"      # {user.value}", "      {", f"        nkey: {_nkey(user, nkeys)}", "        permissions: {")
        for action, grants in _actions(permissions(user, topology)):
            yield from (f"          {action}: {{", f"            {_verb(grants)}: [")
            for reason, subjects in _by_reason(grants):
                yield f"              # {reason}"
                yield from (f"              {json.dumps(subject)}" for subject in subjects)
            yield from ("            ]", "          }")
        yield from ("        }", "      }")
    yield from ("    ]", "  }", f"  {SYSTEM_ACCOUNT} {{", f"    users: [{{nkey: {_nkey(SYSTEM_USER, nkeys)}}}]", "  }")
    yield from ("}", f"system_account: {SYSTEM_ACCOUNT}")


def _helm_lines(topology: Topology, nkeys: Mapping[str, str]) -> Iterator[str]:
    yield from (f"# {line}" for line in _ABOUT)
    yield from (
        "config:",
        "  merge:",
        "    accounts:",
        f"      {ACCOUNT}:",
        "        jetstream: enabled",
        "        users:",
    )
    for user in BusUser:
        yield from (
            f"          # {user.value}",
            f"          - nkey: {_chart_nkey(user, nkeys)}",
            "            permissions:",
        )
        for action, grants in _actions(permissions(user, topology)):
            yield from (f"              {action}:", f"                {_verb(grants)}:")
            for reason, subjects in _by_reason(grants):
                yield f"                  # {reason}"
                yield from (f"                  - {json.dumps(subject)}" for subject in subjects)
    yield from (f"      {SYSTEM_ACCOUNT}:", "        users:", f"          - nkey: {_chart_nkey(SYSTEM_USER, nkeys)}")
    yield f"    system_account: {SYSTEM_ACCOUNT}"


def _actions(allowed: Permissions) -> Iterator[tuple[str, Sequence[Grant]]]:
    yield "publish", allowed.publish
    yield "subscribe", allowed.subscribe


def _verb(grants: Sequence[Grant]) -> str:
    """An empty list of what is allowed would allow everything."""
    return "allow" if grants else "deny"


def _by_reason(grants: Sequence[Grant]) -> Iterator[tuple[str, list[str]]]:
    """Subjects below what they are needed for; for a user that needs none, everything, which is then denied."""
    if not grants:
        yield "it needs none", [">"]
    reasons = dict.fromkeys(grant.reason for grant in grants)
    for reason in reasons:
        yield reason, [grant.subject for grant in grants if grant.reason == reason]


def _nkey(user: str, nkeys: Mapping[str, str]) -> str:
    return nkeys.get(user) or f"${_variable(user)}"


def _chart_nkey(user: str, nkeys: Mapping[str, str]) -> str:
    """The chart puts what stands in angle brackets into the configuration without quotes, so that it is a variable."""
    return nkeys.get(user) or f"<< ${_variable(user)} >>"


def _variable(user: str) -> str:
    return f"CUTLINE_NKEY_{user.upper().replace('-', '_')}"


def _key_of_user(text: str) -> tuple[str, str]:
    user, _, nkey = text.partition("=")
    if user not in {*BusUser, SYSTEM_USER}:
        msg = f"{user!r} is not one of {', '.join((*BusUser, SYSTEM_USER))}"
        raise argparse.ArgumentTypeError(msg)
    if not _PUBLIC_NKEY.fullmatch(nkey):
        msg = f"{nkey[:60]!r} is not a user's public NKey: U and 55 letters and digits"
        raise argparse.ArgumentTypeError(msg)
    return user, nkey


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints in the format asked for; the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m cutline.messaging.permissions", description="Prints the broker's users and what each may do."
    )
    formats = {"conf": conf, "helm": helm, "json": as_json}
    parser.add_argument("--format", choices=formats, default="conf")
    parser.add_argument(
        "--nkey", type=_key_of_user, action="append", default=[], metavar="USER=NKEY", help="a user's public NKey"
    )
    parser.add_argument("--namespace", default="", help="namespace of the topology, as CUTLINE_NATS_NAMESPACE")
    choice = parser.parse_args(arguments)
    sys.stdout.write(formats[choice.format](Topology(namespace=choice.namespace), dict(choice.nkey)))
    return 0
