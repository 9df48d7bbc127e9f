"""Settings are read from an environment, and every mistake in it is told at once."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import pytest

from cutline.runtime.environment import EnvReader, ListenAddress, SettingsError
from cutline.runtime.settings import AuthSettings, GrpcSettings, PostgresSettings, S3Settings, ShellSettings


class Colour(StrEnum):
    """A choice."""

    RED = "red"
    BLUE = "blue"


def _problems(env: EnvReader) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        env.finish()
    return caught.value.problems


def test_every_kind_of_value_is_read() -> None:
    """Each kind of variable becomes its own type."""
    env = EnvReader(
        {
            "TEXT": "a",
            "INT": "7",
            "NUM": "0.5",
            "FLAG": "Yes",
            "COLOUR": "blue",
            "FOR": "250ms",
            "AT": "[::1]:80",
            "URL": "nats://h:1",
            "CSV": "b, a,b",
        }
    )

    assert env.text("TEXT") == "a"
    assert env.integer("INT") == 7
    assert env.number("NUM") == 0.5
    assert env.flag("FLAG", default=False) is True
    assert env.choice("COLOUR", Colour.RED) is Colour.BLUE
    assert env.duration_s("FOR") == 0.25
    assert env.listen_address("AT") == ListenAddress("::1", 80)
    assert env.url("URL", schemes=("nats",)) == "nats://h:1"
    assert env.csv("CSV") == ("b", "a")
    env.finish()


@pytest.mark.parametrize(("text", "seconds"), [("5", 5), ("1.5s", 1.5), ("2m", 120), ("1h", 3600), ("7d", 604800)])
def test_durations(text: str, seconds: float) -> None:
    """A duration is a number with ms, s, m, h or d, and plain seconds without."""
    assert EnvReader({"FOR": text}).duration_s("FOR") == seconds


def test_all_problems_are_told_at_once_and_by_name() -> None:
    """One error names every variable at fault, in the order of reading."""
    env = EnvReader({"INT": "seven", "NUM": "nan", "FLAG": "maybe", "COLOUR": "green", "FOR": "soon", "AT": "80"})
    env.text("TEXT")
    env.integer("INT")
    env.number("NUM")
    env.flag("FLAG", default=True)
    env.choice("COLOUR", Colour.RED)
    env.duration_s("FOR")
    env.listen_address("AT")

    assert _problems(env) == (
        "TEXT: is required",
        "INT: 'seven' is not a whole number",
        "NUM: 'nan' is not a number",
        "FLAG: 'maybe' is neither true nor false",
        "COLOUR: 'green' is not one of red, blue",
        "FOR: 'soon' is not a duration such as 250ms, 5s, 2m, 1h or 7d",
        "AT: '80' is not host:port",
    )


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("INT", "11", "INT: 11 is not from 1 to 10"),
        ("INT", "0", "INT: 0 is not from 1 to 10"),
        ("AT", "h:65536", "AT: 'h:65536' is not host:port"),
        ("AT", ":80", "AT: ':80' is not host:port"),
        ("URL", "ftp://h", "URL: is not a URL beginning with http:// or https://"),
        ("URL", "http://", "URL: is not a URL beginning with http:// or https://"),
        ("URL", "http://user:half/other@h:80", "URL: is not a URL beginning with http:// or https://"),
        ("URL", "http://user:secret@", "URL: is not a URL beginning with http:// or https://"),
        ("CSV", "a,c", "CSV: 'c' is not one of a, b"),
        ("CSV", ",", "CSV: names nothing"),
    ],
)
def test_limits_are_named(name: str, value: str, problem: str) -> None:
    """A value outside its limit is refused with the limit."""
    env = EnvReader({name: value})
    env.integer("INT", 1, low=1, high=10)
    env.listen_address("AT", "h:1")
    env.url("URL", "http://h", schemes=("http", "https"))
    env.csv("CSV", ("a",), choices=("a", "b"))

    assert _problems(env) == (problem,)


def test_several_urls() -> None:
    """The nodes of a cluster are given in one variable; each is judged."""
    assert EnvReader({"URLS": "nats://u:p@a:1, tls://b"}).urls("URLS", schemes=("nats", "tls")) == (
        "nats://u:p@a:1",
        "tls://b",
    )
    env = EnvReader({"URLS": "nats://a:1,b:2"})
    env.urls("URLS", schemes=("nats", "tls"))
    env.urls("NONE", schemes=("nats",))

    assert _problems(env) == (
        "URLS: is not one or more URLs, separated by commas, each beginning with nats:// or tls://",
        "NONE: is required",
    )


def test_a_value_can_come_from_a_file(tmp_path: Path) -> None:
    """NAME_FILE names a file whose text, without the line end, is the value."""
    (tmp_path / "key").write_text("s3cret\n", "utf-8")

    assert EnvReader({"KEY_FILE": str(tmp_path / "key")}).secret("KEY") == "s3cret"


def test_a_file_that_cannot_be_read_or_comes_twice_is_a_problem(tmp_path: Path) -> None:
    """A missing file is told once, and a value given both ways is refused."""
    env = EnvReader({"KEY_FILE": str(tmp_path / "none"), "B": "1", "B_FILE": "x"})
    env.secret("KEY")
    env.text("B")

    assert _problems(env) == (
        f"KEY_FILE: '{tmp_path / 'none'}' cannot be read (FileNotFoundError)",
        "B: is set and B_FILE too; only one may be",
    )


def test_an_empty_variable_is_not_set() -> None:
    """Empty means the default, or that a required value is missing."""
    env = EnvReader({"A": "", "B": ""})

    assert env.text("A", "default") == "default"
    env.text("B")
    assert _problems(env) == ("B: is required",)


@pytest.mark.parametrize(
    ("address", "loopback"), [("127.0.0.1:1", True), ("localhost:1", True), ("[::1]:1", True), ("0.0.0.0:1", False)]
)
def test_loopback(address: str, *, loopback: bool) -> None:
    """Only addresses that no other machine reaches are loopback."""
    assert EnvReader({"AT": address}).listen_address("AT").loopback is loopback
    assert str(EnvReader({"AT": address}).listen_address("AT")) == address


def test_a_development_key_needs_a_loopback_listener() -> None:
    """The development key is refused where other machines could use it, and never shown."""
    key = "a-development-key"
    env = EnvReader({"CUTLINE_DEV_API_KEY": key, "CUTLINE_GRPC_LISTEN": "0.0.0.0:7001"})
    AuthSettings.read(env, GrpcSettings.read(env).listen)

    (problem,) = _problems(env)
    assert problem.startswith("CUTLINE_DEV_API_KEY: is allowed on a loopback listener only")
    assert key not in problem
    allowed = AuthSettings.read(EnvReader({"CUTLINE_DEV_API_KEY": key}), ListenAddress("127.0.0.1", 0))
    assert allowed.development_key == key
    assert key not in repr(allowed)


def test_groups_have_defaults_and_keep_secrets_out_of_their_repr() -> None:
    """What needs no decision has a default, and no secret is shown by accident."""
    env = EnvReader(
        {
            "CUTLINE_S3_ENDPOINT": "http://s3:1",
            "CUTLINE_S3_ACCESS_KEY": "id",
            "CUTLINE_S3_SECRET_KEY": "hidden",
            "CUTLINE_POSTGRES_DSN": "postgresql://u:hidden@h/d",
        }
    )
    shell, s3, postgres = ShellSettings.read(env), S3Settings.read(env), PostgresSettings.read(env)
    env.finish()

    assert shell.trace_sample_ratio == 0.1
    assert s3.public_endpoint == "http://s3:1"
    assert "hidden" not in repr((s3, postgres))


def test_pool_bounds_must_fit() -> None:
    """A pool that would keep more connections than it may have is refused."""
    env = EnvReader(
        {"CUTLINE_POSTGRES_DSN": "postgresql:///d", "CUTLINE_POSTGRES_POOL_MIN": "5", "CUTLINE_POSTGRES_POOL_MAX": "4"}
    )
    PostgresSettings.read(env)

    assert _problems(env) == ("CUTLINE_POSTGRES_POOL_MIN: 5 is above CUTLINE_POSTGRES_POOL_MAX, 4",)
