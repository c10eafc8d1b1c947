"""Jobs of several processes as the engine starts them, with a real model."""

import json

import pytest

from studio import events, processes
from studio.jobs.control import settle
from studio.jobs.standing import standing
from studio.runs import Run
from tests.jobs.conftest import state, until

# What `accelerate config` may have left: one card, and a second machine that never comes.
ELSEWHERE = """
compute_environment: LOCAL_MACHINE
distributed_type: MULTI_GPU
gpu_ids: "0"
machine_rank: 1
main_process_ip: 192.0.2.1
main_process_port: 29500
num_machines: 2
num_processes: 4
"""


@pytest.mark.slow
def test_a_job_of_two_processes_is_started_stopped_forced_and_resumed(root, studio, tiny_bert, reviews, tmp_path):
    (tmp_path / "accelerate").mkdir()
    (tmp_path / "accelerate/default_config.yaml").write_text(ELSEWHERE)
    folder = root / "a"
    flags = ["--dataset_name", reviews, "--model_name_or_path", tiny_bert, "--logging_steps", "1"]
    flags += ["--max_steps", "400", "--output_dir", folder]
    environment = {"HF_HOME": str(tmp_path)}

    def steps() -> int:
        return max((e.step for e in events.read(folder / "events.jsonl")[0] if e.kind == "metric"), default=0)

    studio("run", "text_classification", "--num_processes", "2", *flags, env=environment)
    until(lambda: steps() >= 3 or standing(folder).state == "failed", 120)
    assert state(folder) == "running", (folder / "train.log").read_text()
    assert len(processes.of_run(folder)) >= 3  # the launcher and two ranks
    studio("stop", "a", "--wait")
    settle(folder)
    saved = Run(folder).checkpoint_folders()
    assert state(folder) == "stopped" and saved and processes.of_run(folder) == []

    studio("resume", "a", env=environment)
    until(lambda: state(folder) == "running" and any(
        e.data.get("resumed_from") for e in events.read(folder / "events.jsonl")[0]), 120)  # fmt: skip
    studio("stop", "a", "--force")
    settle(folder)
    assert state(folder) == "stopped" and processes.of_run(folder) == []
    record = json.loads((folder / "run.json").read_text())
    assert record["start"]["processes"] == 2 and record["command"][:3] == ["accelerate", "launch", "--multi_gpu"]
