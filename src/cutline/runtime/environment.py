"""Reads settings from an environment and collects every problem before it complains.

A reader returns a usable value even where the variable is wrong, so that one pass finds all mistakes; `finish` then
raises one error that names each variable. Every variable can also be given as a file: NAME_FILE holds the path. Only
certificates, keys and the like stay files: their variables are named ..._FILE themselves.
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

EnumT = TypeVar("EnumT", bound=StrEnum)

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)?")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, None: 1.0}
_FLAGS: Final = {
    "1": True,
    "true": True,
    "yes": True,
    "on": True,
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}


class SettingsError(Exception):
    """The environment cannot be used; `problems` holds one sentence per variable at fault."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """Where a server listens; port 0 lets the system choose."""

    host: str
    port: int

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        """`host:port`, with brackets around IPv6."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class EnvReader:
    """Reads typed values from a mapping of environment variables.

    A reading method without a default makes its variable required. An empty variable counts as not set.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._problems: list[str] = []

    def refuse(self, name: str, why: str) -> None:
        """Notes a problem with a variable, for rules that span several of them."""
        self._problems.append(f"{name}: {why}")

    def finish(self) -> None:
        """Ends the reading.

        Raises:
            SettingsError: Some variable is missing or wrong; it lists them all.
        """
        if self._problems:
            raise SettingsError(tuple(self._problems))

    def text(self, name: str, default: str | None = None) -> str:
        """A string."""
        found = self._raw(name, required=default is None)
        return found if found is not None else (default or "")

    def secret(self, name: str, default: str | None = None) -> str:
        """A string whose value never appears in a problem."""
        return self.text(name, default)

    def integer(self, name: str, default: int | None = None, *, low: int = 0, high: int = 2**31 - 1) -> int:
        """A whole number from `low` to `high`."""
        found = self._raw(name, required=default is None)
        if found is None:
            return low if default is None else default
        try:
            value = int(found)
        except ValueError:
            self.refuse(name, f"{found[:40]!r} is not a whole number")
            return low
        if not low <= value <= high:
            self.refuse(name, f"{value} is not from {low} to {high}")
        return value

    def number(
        self, name: str, default: float | None = None, *, low: float = -math.inf, high: float = math.inf
    ) -> float:
        """A finite number from `low` to `high`."""
        found = self._raw(name, required=default is None)
        if found is None:
            return 0.0 if default is None else default
        try:
            value = float(found)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            self.refuse(name, f"{found[:40]!r} is not a number")
            return 0.0
        if not low <= value <= high:
            self.refuse(name, f"{value:g} is not from {low:g} to {high:g}")
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        """A yes or no: true, yes, on, 1 or false, no, off, 0."""
        found = self._raw(name, required=False)
        if found is None:
            return default
        value = _FLAGS.get(found.lower())
        if value is None:
            self.refuse(name, f"{found[:40]!r} is neither true nor false")
            return default
        return value

    def choice(self, name: str, default: EnumT) -> EnumT:
        """One of the values of an enumeration."""
        kind = type(default)
        found = self._raw(name, required=False)
        if found is None:
            return default
        try:
            return kind(found)
        except ValueError:
            self.refuse(name, f"{found[:40]!r} is not one of {', '.join(kind)}")
            return default

    def duration_s(
        self, name: str, default_s: float | None = None, *, low: float = 0.0, high: float = math.inf
    ) -> float:
        """A span of time in seconds, written as `250ms`, `5s`, `2m`, `1h`, `7d` or plain seconds."""
        found = self._raw(name, required=default_s is None)
        if found is None:
            return low if default_s is None else default_s
        match = _DURATION.fullmatch(found)
        if match is None:
            self.refuse(name, f"{found[:40]!r} is not a duration such as 250ms, 5s, 2m, 1h or 7d")
            return low
        value = float(match[1]) * _SECONDS[match[2]]
        if not low <= value <= high:
            self.refuse(name, f"{value:g} s is not from {low:g} s to {high:g} s")
        return value

    def listen_address(self, name: str, default: str | None = None) -> ListenAddress:
        """A `host:port` to listen on."""
        found = self._raw(name, required=default is None)
        text = found if found is not None else (default or "127.0.0.1:0")
        host, colon, port = text.rpartition(":")
        if not colon or not host or not port.isdecimal() or int(port) > 65535:
            self.refuse(name, f"{text[:80]!r} is not host:port")
            return ListenAddress("127.0.0.1", 0)
        return ListenAddress(host.removeprefix("[").removesuffix("]"), int(port))

    def url(self, name: str, default: str | None = None, *, schemes: Collection[str]) -> str:
        """A URL with one of the schemes and a host; an empty default means that none is needed."""
        found = self._raw(name, required=default is None)
        if found is None:
            return default or ""
        if not _is_url(found, schemes):
            self.refuse(name, f"is not a URL beginning with {_beginnings(schemes)}")
        return found

    def urls(self, name: str, *, schemes: Collection[str]) -> tuple[str, ...]:
        """One or more URLs, separated by commas, each with one of the schemes and a host."""
        raw = self._raw(name, required=True)
        found = tuple(url.strip() for url in raw.split(",")) if raw else ()
        if not all(_is_url(url, schemes) for url in found):
            self.refuse(
                name, f"is not one or more URLs, separated by commas, each beginning with {_beginnings(schemes)}"
            )
        return found

    def csv(
        self, name: str, default: tuple[str, ...] | None = None, *, choices: Collection[str] | None = None
    ) -> tuple[str, ...]:
        """Words separated by commas, repeats and refused ones dropped."""
        found = self._raw(name, required=default is None)
        if found is None:
            return default or ()
        words = tuple(dict.fromkeys(word.strip() for word in found.split(",") if word.strip()))
        if not words:
            self.refuse(name, "names nothing")
        if choices is None:
            return words
        for word in words:
            if word not in choices:
                self.refuse(name, f"{word[:40]!r} is not one of {', '.join(choices)}")
        return tuple(word for word in words if word in choices)

    def file_path(self, name: str) -> Path | None:
        """The path of a file that can be read; None where none is given.

        For what a library reads by itself, or what is replaced while the service runs.
        """
        text = self._environ.get(name)
        if not text:
            return None
        try:
            with Path(text).open("rb"):
                return Path(text)
        except OSError as error:
            self.refuse(name, f"{text!r} cannot be read ({error.strerror or type(error).__name__})")
            return None

    def is_set(self, name: str) -> bool:
        """Whether a variable is given, for rules that span several of them."""
        return bool(self._environ.get(name) or self._environ.get(f"{name}_FILE"))

    def _raw(self, name: str, *, required: bool) -> str | None:
        value, path = self._environ.get(name) or None, self._environ.get(f"{name}_FILE")
        if value is not None and path:
            self.refuse(name, f"is set and {name}_FILE too; only one may be")
        elif path:
            try:
                value = Path(path).read_text("utf-8").strip() or None
            except (OSError, UnicodeDecodeError) as error:
                self.refuse(f"{name}_FILE", f"{path!r} cannot be read ({type(error).__name__})")
                return None
        if value is None and required:
            self.refuse(name, "is required")
        return value


def _is_url(text: str, schemes: Collection[str]) -> bool:
    try:
        parts = urlsplit(text)
        port = parts.port  # not a number where a password holds a slash: whoever connects would tell half of it
    except ValueError:
        return False
    return parts.scheme in schemes and bool(parts.hostname) and port != 0


def _beginnings(schemes: Collection[str]) -> str:
    return " or ".join(f"{scheme}://" for scheme in schemes)
