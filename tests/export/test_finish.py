"""A run ends well also when its report cannot be drawn."""

import json

import pyarrow as pa

from studio import events
from studio.data.splits import Splits
from studio.evaluation.report import Report
from studio.export import finish
from studio.runs import Run


def test_a_plot_that_fails_is_told_and_fails_nothing(tmp_path, capsys):
    run = Run(tmp_path / "run")
    run.create(recipe="bert", task="text-classification", command=[], settings="seed: 1\n", seed=1)
    run.report.mkdir()
    (run.report / "metrics.json").write_text(json.dumps({}))
    (run.report / "predictions.parquet").write_bytes(b"no table")
    finish._draw(Report({}, pa.table({})), Splits(None, None, None, [], [], ""), run)
    run.unlock()
    assert "could not be drawn" in capsys.readouterr().out
    alerts = [event.data["message"] for event in events.read(run.events)[0] if event.kind == "alert"]
    assert len(alerts) == 1 and "is damaged" in alerts[0]
