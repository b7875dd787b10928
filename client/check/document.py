"""The result of a check as JSON, for whoever collects such documents: counts and findings, versioned.

It holds lines and columns, never a record's name, a path or a value; small counts are in it all the same, so it is the
operator's to pass on and is sent nowhere.
"""

from __future__ import annotations

from typing import Any

from client.check import estimate as estimation
from client.check.check import CheckResult
from client.check.finding import Finding
from client.data.pipeline import PIPELINE_VERSION
from shared_model.version import PACKAGE_VERSION

SCHEMA = "fedfundus-check/1"  # the number changes whenever a key is removed or means something else


def document(result: CheckResult) -> dict[str, Any]:
    """The result as plain values."""
    return {
        "schema": SCHEMA,
        "package_version": PACKAGE_VERSION,
        "pipeline_version": PIPELINE_VERSION,
        "site": result.site,
        "verdict": {"exit_code": result.exit_code, "lines": list(result.verdict.lines)},
        "counts": result.summary.document() if result.summary else None,
        "findings": [_finding(finding) for finding in result.findings],
        "notices": list(result.notices),
        "estimate": estimation.document(result.estimate) if result.estimate else None,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    shown = ("kind", "level", "what", "where", "count", "fix")
    return {**{name: getattr(finding, name) for name in shown}, "lines": list(finding.lines)}
