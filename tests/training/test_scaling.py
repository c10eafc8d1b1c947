"""However a step's rows are cut into batches and spread over processes, it is the same step."""

import json

import pytest

from tests.training.scaling import FAMILIES


@pytest.fixture(scope="module")
def found(tmp_path_factory, program):
    folder = tmp_path_factory.mktemp("scaling")
    alone = program("tests/training/scaling.py", folder)
    assert alone.returncode == 0, alone.stderr[-3000:]
    two = program(
        "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2",
        "tests/training/scaling.py", folder,
    )  # fmt: skip
    assert two.returncode == 0, two.stderr[-3000:]
    one, both = (json.loads((folder / f"found-{n}.json").read_text()) for n in (1, 2))
    return {family: one[family] | both[family] for family in FAMILIES}


@pytest.mark.slow
@pytest.mark.xdist_group("scaling")
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("batching", "reference"), [("accumulated", "whole"), ("parallel", "whole"), ("ragged", "ragged whole")]
)
def test_same_losses_and_gradient_norms(found, family, batching, reference):
    steps, expected = found[family][batching], found[family][reference]
    assert len(steps) == len(expected) == 5
    for step, other in zip(steps, expected, strict=True):
        assert step == pytest.approx(other, abs=1e-4)
    assert expected[0][1] > 1e-3  # a norm of nothing would agree with everything
