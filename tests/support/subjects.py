"""Subjects of NATS and the patterns that take them: `*` stands for one token, `>` at the end for one or more."""

from __future__ import annotations


def covers(pattern: str, subject: str) -> bool:
    """Whether a pattern takes a subject or, where that has wildcards itself, every subject that it takes."""
    wanted, has = pattern.split("."), subject.split(".")
    if wanted[-1] == ">":
        return len(has) >= len(wanted) and all(map(_takes, wanted[:-1], has))
    return len(has) == len(wanted) and all(map(_takes, wanted, has))


def example(pattern: str) -> str:
    """A subject that a pattern takes; of acks a well-formed one, which has five tokens after its consumer."""
    return ".".join({"*": "x", ">": "1.1.1.1.0"}.get(token, token) for token in pattern.split("."))


def _takes(wanted: str, token: str) -> bool:
    return wanted == token or (wanted == "*" and token != ">")
