"""The whole way with nothing replaced: traced modules, MLflow's registry, its pyfunc, and the real scorer."""

from __future__ import annotations

import shutil
import sys

import pandas as pd
import pytest

from research.errors import InputError, IntegrityError, RefusedError
from research.governance import audit, payload, projection, promotion
from research.project import find_project
from research.serving import load

BUILD = payload._modules  # the real one: the small firm replaces it


@pytest.mark.slow
def test_a_promoted_model_prices_through_mlflow_and_a_foreign_alias_is_found(world, monkeypatch):
    import mlflow

    monkeypatch.setattr(payload, "_modules", BUILD)
    monkeypatch.delenv("RESEARCH_MLFLOW", raising=False)
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(payload.PACKAGE, world.root / "src" / "research", dirs_exist_ok=True, ignore=ignore)
    world.commit("The code as installed")
    world.promoted()
    said = projection.sync(world.office)
    assert said == ["heston_dax version 1 registered", "heston_dax: alias champion set to version 1"]
    assert projection.sync(world.office) == []

    content = payload.read_scorer(world.office.realm.payload("heston_dax", 1))
    for name in ("serving/heston_surface.py", "models/heston.py", "core/models/heston.py", "pricing/fourier.py"):
        assert f"research/{name}" in content["modules"]
    assert not any(word in name for word in ("governance", "lineage", "garch") for name in content["modules"])

    frame = pd.DataFrame({"strike": [4400.0, 4600.0], "tau": [0.5, 1.0]})
    served = load("heston_dax@champion", purpose="indicative_pricing")
    ours = served.price(frame)
    uri = f"sqlite:///{world.store / 'mlflow.db'}"
    before = mlflow.get_tracking_uri(), mlflow.get_registry_uri()
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    try:
        theirs = mlflow.pyfunc.load_model("models:/heston_dax@champion").predict(frame)
        pd.testing.assert_frame_equal(theirs, ours, check_exact=True)
        client = mlflow.MlflowClient(uri, uri)
        shown = client.get_model_version_by_alias("heston_dax", "champion")
        assert shown.run_id is not None
        assert shown.tags["research.state"] == "production"
        assert shown.tags["research.signed.approve"] == "abe"

        pinned = load("heston_dax@champion", pinned=True)
        pd.testing.assert_frame_equal(pinned.price(frame), ours, check_exact=True)
        assert repr(pinned).endswith("rho -0.7), pinned")
        with pytest.raises(RefusedError, match="tau must lie in"):
            pinned.price(frame.assign(tau=9.0))
        with pytest.raises(InputError, match="strike must be finite and > 0; got -1"):
            pinned.scorer.price(frame.assign(strike=-1.0))
        pinned.scorer.close()
        assert world.git("worktree", "list").count("\n") == 0

        world.promoted()
        projection.sync(world.office)
        client.set_registered_model_alias("heston_dax", "champion", shown.version)  # behind the ledger's back
    finally:
        mlflow.set_tracking_uri(before[0])
        mlflow.set_registry_uri(before[1])
    with pytest.raises(IntegrityError, match="must point to version 2, as the ledger says; it points to version 1"):
        load("heston_dax@champion")
    problems = audit.verify(find_project(world.root)).problems
    assert problems == ("registry: alias champion of heston_dax must point to version 2; got 1",)
    assert projection.sync(world.office) == ["heston_dax: alias champion set to version 2"]
    assert load("heston_dax@champion").version == 2
    promotion.retire(world.office, "heston_dax@champion", world.by("abe"), reason="end of test")
    assert projection.sync(world.office)[-1] == "heston_dax: alias champion removed"
    copy = next((world.store / "artifacts").glob("*/*/artifacts/executed.ipynb"))
    copy.write_text("{ }")
    (problem,) = audit.verify(find_project(world.root)).problems
    assert problem.endswith("MLflow's copy of executed.ipynb must be the recorded file; it was changed")


def test_the_closure_command_names_what_is_wrong_in_one_line(tmp_path):
    import subprocess

    (tmp_path / "scorer.json").write_text('{"scorer": "heston_surfce", "parameters": {}, "tables": {}}')
    call = [sys.executable, "-P", "-m", "research.serving.closure", str(tmp_path)]
    done = subprocess.run(call, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.strip() == (
        "InputError: scorer must be one of heston_surface; got 'heston_surfce'. Did you mean 'heston_surface'?"
    )
