"""What outside tools find, and which of it we let stand for a reason that is written down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

import yaml

WAIVERS: Final = Path(__file__).with_name("waivers.yaml")


@dataclass(frozen=True, slots=True)
class Finding:
    """What a tool found.

    Attributes:
        rule: The tool's name of its rule.
        where: The resource, or file and line.
        message: What the tool says.
    """

    rule: str
    where: str
    message: str


@dataclass(frozen=True, slots=True)
class Waiver:
    """A rule that does not count somewhere.

    Attributes:
        rule: The tool's name of its rule.
        where: Pattern of the places, as in file names: `*` for all.
        reason: Why.
    """

    rule: str
    where: str
    reason: str

    def covers(self, finding: Finding) -> bool:
        """Whether it speaks of this finding."""
        return self.rule == finding.rule and fnmatchcase(finding.where, self.where)


def read_waivers(tool: str) -> list[Waiver]:
    """The waivers of one tool.

    Raises:
        ValueError: One of them gives no reason.
    """
    found = [Waiver(**entry) for entry in yaml.safe_load(WAIVERS.read_text(encoding="utf-8"))[tool]]
    if unexplained := [waiver.rule for waiver in found if not waiver.reason.strip()]:
        message = f"waivers without a reason: {', '.join(unexplained)}"
        raise ValueError(message)
    return found


def unwaived(findings: Sequence[Finding], waivers: Sequence[Waiver]) -> list[str]:
    """What no waiver covers, and which waivers cover nothing, one sentence each."""
    return [
        *(
            f"{finding.where}: {finding.message} ({finding.rule})"
            for finding in findings
            if not any(waiver.covers(finding) for waiver in waivers)
        ),
        *(
            f"{WAIVERS.name}: the waiver of {waiver.rule} for {waiver.where} covers nothing any more"
            for waiver in waivers
            if not any(waiver.covers(finding) for finding in findings)
        ),
    ]
