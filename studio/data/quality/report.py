"""The data check: everything that is to be known of labelled texts or pictures before anything is trained."""

import dataclasses
import functools
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rich.progress import Progress

from studio.config import ImageData, TextData
from studio.data import curation
from studio.data.curation import Curation
from studio.data.quality import labels, pictures, reading, repeats, texts
from studio.data.quality.items import Finding, Items
from studio.data.quality.reasons import WHY
from studio.data.sources import SPLITS, Source
from studio.errors import RequestError

_ORDER = ("error", "warning", "note")


@dataclass
class Report:
    """What was found; not `complete` where somebody ended the check early."""

    task: str
    origin: str
    rows: dict[str, int]  # by split
    labels: list[str]
    notes: list[str]  # how the data were read
    findings: list[Finding] = field(default_factory=list)
    complete: bool = True

    def add(self, findings: Iterable[Finding]) -> None:
        """Findings as they come; Ctrl-C on the way ends this and all that would follow."""
        if not self.complete:
            return
        try:
            for finding in findings:
                self.findings.append(finding)
        except KeyboardInterrupt:
            self.complete = False
        self.findings.sort(key=lambda finding: _ORDER.index(finding.severity))

    def decisions(self, kinds: list[str]) -> Curation:
        """What the findings of these kinds propose, together; KIND:relabel is the other labels that one proposes.

        Raises:
            RequestError: nothing was found of a kind, or nothing can be decided about it.
        """
        offered: dict[str, Curation] = {}
        for finding in self.findings:
            for kind, decision in ((finding.kind, finding.decision), (f"{finding.kind}:relabel", finding.relabel)):
                if decision:
                    offered[kind] = offered.get(kind, Curation()) | decision
        if unknown := [kind for kind in kinds if kind not in offered]:
            choice = ", ".join(sorted(offered)) or "nothing"
            raise RequestError(f"--apply {unknown[0]}: the findings that can be applied are: {choice}")
        return functools.reduce(Curation.__or__, (offered[kind] for kind in kinds))

    def as_json(self) -> dict[str, Any]:
        """The report for programs; each finding with why it matters, decisions as in a curation file."""
        told = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
        return told | {"findings": [_as_json(finding) for finding in self.findings]}


def check(
    items: Items, source: Source, data: TextData | ImageData, task: str, bar: Progress, quick: bool = False
) -> Report:
    """Checks the rows of a source. `quick` looks at the headers of pictures alone."""
    sizes = np.bincount(items.split, minlength=len(SPLITS)).tolist()
    rows = {split: size for split, size in zip(SPLITS, sizes, strict=True) if size}
    report = Report(task, source.origin, rows, source.labels, source.notes)
    report.add(reading.check(source.flaws, "picture" if items.is_image else "text"))
    report.add(labels.check(items))
    if items.is_image:
        report.add(pictures.check(items, quick, bar))
    else:
        bar.add_task("Checking texts", total=None)
        report.add(texts.check(items, data.max_seq_length))
    bar.add_task("Looking for what stands there several times", total=None)
    report.add(repeats.check(items, quick))
    return report


def _as_json(finding: Finding) -> dict[str, Any]:
    told = {item.name: getattr(finding, item.name) for item in dataclasses.fields(finding)}
    for name in ("decision", "relabel"):
        told[name] = curation.as_json(told[name]) if told[name] else None
    return told | {"why": WHY[finding.kind], "examples": [dataclasses.asdict(one) for one in finding.examples]}
