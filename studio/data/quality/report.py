"""The data check: everything that is to be known of labelled texts or pictures before anything is trained."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from studio.config import ImageData, TextData
from studio.data import curation
from studio.data.curation import Curation
from studio.data.quality import labels, pictures, repeats, texts
from studio.data.quality.items import Finding, Items
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
        """What the findings of these kinds propose, together.

        Raises:
            RequestError: nothing was found of a kind, or nothing can be decided about it.
        """
        offered = {finding.kind for finding in self.findings if finding.decision}
        if unknown := [kind for kind in kinds if kind not in offered]:
            choice = ", ".join(sorted(offered)) or "nothing"
            raise RequestError(f"--apply {unknown[0]}: the findings that can be applied are: {choice}")
        chosen = Curation()
        for finding in self.findings:
            if finding.kind in kinds and finding.decision:
                chosen |= finding.decision
        return chosen

    def as_json(self) -> dict[str, Any]:
        """The report for programs; a decision is told as in a curation file."""
        told = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
        return told | {"findings": [_as_json(finding) for finding in self.findings]}


def check(items: Items, source: Source, data: TextData | ImageData, task: str, quick: bool = False) -> Report:
    """Checks the rows of a source. `quick` looks at the headers of pictures alone."""
    sizes = np.bincount(items.split, minlength=len(SPLITS)).tolist()
    rows = {split: size for split, size in zip(SPLITS, sizes, strict=True) if size}
    report = Report(task, source.origin, rows, source.labels, source.notes)
    report.add(labels.left_out(source.dropped, "picture" if items.is_image else "text"))
    report.add(labels.check(items))
    report.add(pictures.check(items, quick) if items.is_image else texts.check(items, data.max_seq_length))
    report.add(repeats.check(items, quick))
    return report


def _as_json(finding: Finding) -> dict[str, Any]:
    told = {item.name: getattr(finding, item.name) for item in dataclasses.fields(finding)}
    decision = curation.as_json(finding.decision) if finding.decision else None
    return told | {"examples": [dataclasses.asdict(example) for example in finding.examples], "decision": decision}
