"""Where the services are and who calls."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Final, Self

from cutline.client.errors import BadSettingError, NotConfiguredError
from cutline.client.proxies import on_this_machine

INGEST_TARGET: Final = "CUTLINE_INGEST_TARGET"
STATUS_TARGET: Final = "CUTLINE_STATUS_TARGET"
BOTH_TARGETS: Final = "CUTLINE_TARGET"
ADMIN_TARGET: Final = "CUTLINE_ADMIN_TARGET"
API_KEY: Final = "CUTLINE_API_KEY"
TOKEN: Final = "CUTLINE_TOKEN"  # noqa: S105  (the name of a variable)
TLS: Final = "CUTLINE_TLS"
CA_FILE: Final = "CUTLINE_CA_FILE"
CLIENT_CERT_FILE: Final = "CUTLINE_CLIENT_CERT_FILE"
CLIENT_KEY_FILE: Final = "CUTLINE_CLIENT_KEY_FILE"

_CREDENTIAL: Final = re.compile(r"[!-~]*")

_DATA_FOLDER: Final = ".cutline"
_FIRST_INSTANCE: Final = "1"
_FILE_NAME: Final = "client.env"
_WORDS: Final = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}

Token = str | Callable[[], str]
"""A bearer token such as a JWT; or what gives one that is valid now, asked before every try of a call."""


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """How a client reaches the services, and as whom.

    Without a word about TLS it is spoken with every other machine, and not with this one: a credential crosses a
    network in plaintext only where `tls=False` says so.

    Attributes:
        ingest_target: gRPC target of the ingest service, such as `127.0.0.1:7001` or `dns:///ingest.example:443`.
        status_target: The same for the status service.
        api_key: Credential sent with every call.
        tls: Whether to speak TLS; None means with every target that is not this machine, and wherever files for TLS
            are given.
        token: Sent in place of the key: a bearer token, or what gives one. A callable may be called from several
            threads at a time, and inside the event loop: it should answer from memory most of the time.
        ca_file: PEM file with the roots to trust; None means the public ones. The object store is trusted by both.
        client_cert_file: PEM file with the certificate to show (mTLS), and its chain.
        client_key_file: PEM file with its key.
        admin_target: gRPC target of the queues' service, where operators' calls are served apart; empty means the
            ingest target.

    Raises:
        BadSettingError: A client certificate comes without its key, files for TLS without TLS, or a credential holds
            what cannot be sent.
    """

    ingest_target: str
    status_target: str
    api_key: str = field(default="", repr=False)
    tls: bool | None = None
    token: Token | None = field(default=None, repr=False)
    ca_file: str | PathLike[str] | None = None
    client_cert_file: str | PathLike[str] | None = None
    client_key_file: str | PathLike[str] | None = None
    admin_target: str = ""

    def __post_init__(self) -> None:
        if (self.client_cert_file is None) != (self.client_key_file is None):
            message = f"{CLIENT_CERT_FILE} and {CLIENT_KEY_FILE} go together: one is set, the other is not"
            raise BadSettingError(message)
        if self.tls is False and self._tls_files:
            message = f"{TLS} is off, but files for TLS are set"
            raise BadSettingError(message)
        _sendable(API_KEY, self.api_key)
        if isinstance(self.token, str):
            _sendable(TOKEN, self.token)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, *, folder: Path | None = None) -> Self:
        """Settings from the environment, or from what an embedded stack started in this folder wrote.

        CUTLINE_TARGET stands for both targets where one address serves both; CUTLINE_ADMIN_TARGET is asked about the
        queues where that is another than ingest's. Without the target of a service in the environment
        `.cutline/1/client.env` is read, or that of another instance where it is the only one.

        Args:
            environ: Environment variables; None means the process's own.
            folder: Where to look for `.cutline`; None means the current folder.

        Raises:
            NotConfiguredError: A target or the credential is in neither; it names the variables.
            BadSettingError: A variable cannot be read.
        """
        return cls.of(environ=environ, folder=folder)

    @classmethod
    def of(
        cls,
        *,
        target: str = "",
        api_key: str = "",
        token: Token | None = None,
        environ: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> Self:
        """Settings as given, and as `from_env` where nothing is given.

        Args:
            target: gRPC target of all services; before those of the environment.
            api_key: Credential; before any of the environment.
            token: Token to send in place of a key; before any of the environment.
            environ: Environment variables; None means the process's own.
            folder: Where to look for `.cutline`; None means the current folder.

        Raises:
            NotConfiguredError: A target or the credential is nowhere; it names the variables.
            BadSettingError: A variable cannot be read.
        """
        found = {name: value for name, value in (os.environ if environ is None else environ).items() if value}
        if target:
            found |= {INGEST_TARGET: target, STATUS_TARGET: target, ADMIN_TARGET: target}
        if not any(found.get(name) for name in (INGEST_TARGET, STATUS_TARGET, BOTH_TARGETS)):
            found = {**_embedded(folder or Path.cwd()), **found}
        both = found.get(BOTH_TARGETS, "")
        key, bearer = (api_key, token) if api_key or token else (found.get(API_KEY, ""), found.get(TOKEN))
        values = {
            INGEST_TARGET: found.get(INGEST_TARGET) or both,
            STATUS_TARGET: found.get(STATUS_TARGET) or both,
            API_KEY: key or bearer,
        }
        if missing := [name for name, value in values.items() if not value]:
            raise NotConfiguredError(missing)
        return cls(
            ingest_target=found.get(INGEST_TARGET) or both,
            status_target=found.get(STATUS_TARGET) or both,
            api_key=key,
            token=bearer,
            tls=_switch(TLS, found.get(TLS, "")),
            ca_file=found.get(CA_FILE),
            client_cert_file=found.get(CLIENT_CERT_FILE),
            client_key_file=found.get(CLIENT_KEY_FILE),
            admin_target=found.get(ADMIN_TARGET, ""),
        )

    def speaks_tls(self, target: str) -> bool:
        """Whether TLS is spoken with a target."""
        if self.tls is not None:
            return self.tls
        return self._tls_files or not on_this_machine(target)

    def credential(self) -> str:
        """What to send as bearer token now.

        Raises:
            BadSettingError: What the function gave cannot be sent.
        """
        if self.token is None:
            return self.api_key
        return self.token if isinstance(self.token, str) else _sendable(TOKEN, self.token())

    @property
    def _tls_files(self) -> bool:
        return any(file is not None for file in (self.ca_file, self.client_cert_file, self.client_key_file))


def chosen(settings: ClientSettings | None, *, target: str, api_key: str, token: Token | None) -> ClientSettings:
    """The settings given, or those of the environment with what is given in their place.

    Raises:
        TypeError: Settings are given with an address or credential too, or are something else.
        NotConfiguredError: A target or the credential is nowhere.
        BadSettingError: A setting cannot be used.
    """
    if settings is None:
        return ClientSettings.of(target=target, api_key=api_key, token=token)
    if target or api_key or token:
        message = "settings are given, and target, api_key or token too"
        raise TypeError(message)
    if not isinstance(settings, ClientSettings):
        message = f"settings: {type(settings).__name__} is not ClientSettings; an address is given as target=..."
        raise TypeError(message)
    return settings


def _sendable(name: str, credential: object) -> str:
    """The credential, where a header can hold it; what is wrong with it is told without it.

    Raises:
        BadSettingError: It is no text, or has blanks, line breaks or letters beyond ASCII.
    """
    if isinstance(credential, str) and _CREDENTIAL.fullmatch(credential):
        return credential
    fault = "has a blank, a line break or a letter beyond ASCII" if isinstance(credential, str) else "is no text"
    message = f"{name}: the credential {fault}: it is one word, as read from a file without the end of its line"
    raise BadSettingError(message)


def _switch(name: str, text: str) -> bool | None:
    """A setting that is on, off or not said."""
    if not text:
        return None
    try:
        return _WORDS[text.lower()]
    except KeyError:
        message = f"{name} is {text!r}, not one of {', '.join(_WORDS)}"
        raise BadSettingError(message) from None


def _embedded(folder: Path) -> dict[str, str]:
    """What the embedded stack of this folder wrote for clients; nothing where none ran."""
    stacks = sorted((folder / _DATA_FOLDER).glob(f"*/{_FILE_NAME}"))
    first = folder / _DATA_FOLDER / _FIRST_INSTANCE / _FILE_NAME
    path = first if first in stacks else stacks[0] if len(stacks) == 1 else None
    if path is None:
        return {}
    try:
        lines = path.read_text("utf-8").splitlines()
    except OSError:
        return {}
    words = [word for line in lines for word in shlex.split(line, comments=True)]
    return dict(word.split("=", 1) for word in words if word.startswith("CUTLINE_") and "=" in word)
