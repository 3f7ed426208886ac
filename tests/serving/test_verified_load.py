"""`research.load` verifies before it imports; each refusal says what is not as it was approved."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pandas as pd
import pytest

from research.errors import IntegrityError, RefusedError
from research.governance import payload, promotion
from research.project import find_project
from research.serving import _load, _scorers, load
from research.serving._pinned import PinnedScorer


class Stub:
    """A scorer that needs no kernel, so that refusals are tested in milliseconds."""

    def price(self, frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(price=1.0)

    def scope_columns(self, frame: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({"tau": frame["tau"], "moneyness": frame["strike"] / 100.0})

    def example(self) -> pd.DataFrame:
        return pd.DataFrame({"strike": [100.0], "tau": [1.0]})


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Scorers made, by name: empty means that nothing was imported."""
    names: list[str] = []

    def make(content: dict[str, object], folder: Path) -> Stub:
        names.append(str(content["scorer"]))
        return Stub()

    monkeypatch.setattr(_load, "make", make)
    return names


@contextmanager
def alias(path: Path, name: str, version: int | None, ours: int | None) -> Iterator[None]:
    """A tracking store as MLflow's looks to the registry."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE registered_model_aliases (alias, version, name, workspace)")
        db.execute("CREATE TABLE model_version_tags (key, value, name, version, workspace)")
        if version is not None:
            db.execute("INSERT INTO registered_model_aliases VALUES ('champion', ?, ?, 'default')", (version, name))
        if ours is not None:
            db.execute(
                "INSERT INTO model_version_tags VALUES ('research.version', ?, ?, ?, 'default')",
                (str(ours), name, version),
            )
    yield


def test_an_approved_model_loads_and_shows_who_signed(world, made):
    run = world.promoted()
    served = load("heston_dax@champion")
    assert made == ["heston_surface"]
    assert (served.name, served.version, served.run, served.demo) == ("heston_dax", 1, run, False)
    assert served.signers == {"submit": ("sam",), "validate": ("vic",), "approve": ("abe",), "promote": ("sam",)}
    shown = repr(served)
    assert shown.startswith("heston_dax version 1, in production since ")
    assert "signed  submit sam, validate vic, approve abe, promote sam" in shown
    assert load("heston_dax").version == load("heston_dax@1").version == 1


def test_a_model_without_approval_is_refused(world, made):
    world.submitted()
    with pytest.raises(
        RefusedError, match=r"must have a version in production; got version 1 submitted\. Approval is missing"
    ):
        load("heston_dax@champion")
    with pytest.raises(
        RefusedError,
        match=r"heston_dax version 1 must be in production; it is submitted\. research model validate heston_dax@1",
    ):
        load("heston_dax@1")
    with pytest.raises(RefusedError, match="svi_dax must have a submitted version; got none"):
        load("svi_dax@champion")
    assert made == []


def test_a_retired_model_is_refused(world, made):
    world.promoted()
    promotion.retire(world.office, "heston_dax@1", world.by("abe"), reason="replaced")
    with pytest.raises(RefusedError, match="heston_dax version 1 must be in production; it is retired"):
        load("heston_dax@1")
    assert made == []


@pytest.mark.parametrize("name", ["scorer.json", "capsule.json", "manifest.json"])
def test_one_changed_byte_of_the_payload_is_refused(world, made, name):
    world.promoted()
    file = world.office.realm.payload("heston_dax", 1) / name
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))
    what = "payload manifest" if name == "manifest.json" else f"payload file {name}"
    with pytest.raises(
        IntegrityError, match=f"heston_dax version 1 refused: {what} must have the digest that was signed"
    ):
        load("heston_dax@champion")
    assert made == []


def test_a_removed_and_an_added_file_are_refused(world, made):
    world.promoted()
    folder = world.office.realm.payload("heston_dax", 1)
    (folder / "extra.pkl").write_bytes(b"cos\nsystem\n")
    with pytest.raises(IntegrityError, match=r"payload must hold only signed files; got extra.pkl too"):
        load("heston_dax@champion")
    (folder / "extra.pkl").unlink()
    (folder / "capsule.json").unlink()
    with pytest.raises(IntegrityError, match=r"payload file capsule\.json must be there; got none"):
        load("heston_dax@champion")
    shutil.rmtree(folder)
    with pytest.raises(IntegrityError, match=r"payload must be there; got no 1/payload/manifest\.json"):
        load("heston_dax@champion")
    assert made == []


def test_a_payload_of_another_version_is_refused(world, made):
    world.promoted()
    world.promoted()
    realm = world.office.realm
    shutil.rmtree(realm.payload("heston_dax", 2))
    shutil.copytree(realm.payload("heston_dax", 1), realm.payload("heston_dax", 2))
    with pytest.raises(IntegrityError, match="payload manifest must have the digest that was signed"):
        load("heston_dax@champion")


def test_a_changed_ledger_is_refused(world, made):
    world.promoted()
    path = world.office.ledger.path
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(IntegrityError, match="ledger entry 0"):
        load("heston_dax@champion")
    assert made == []


def test_a_cut_ledger_gives_no_champion(world, made):
    world.promoted()
    path = world.office.ledger.path
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    with pytest.raises(RefusedError, match="must have a version in production; got version 1 approved"):
        load("heston_dax@champion")


def test_an_edited_tree_is_refused_before_the_scorer_is_imported(world, made, monkeypatch, tmp_path):
    world.promoted()
    copy = tmp_path / "site" / "research"
    for name in payload._modules(Path()):
        target = copy.parent / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(payload.PACKAGE.parent / name, target)
    monkeypatch.setattr(payload, "PACKAGE", copy)
    monkeypatch.setattr(payload, "_imported_from", lambda name: None)
    assert load("heston_dax@champion").version == 1
    edited = copy / "models" / "heston.py"
    edited.write_text(edited.read_text() + "# one line more\n")
    with pytest.raises(
        IntegrityError,
        match=r"installed code must be the approved code; research/models/heston\.py differs\. Load it with pinned",
    ):
        load("heston_dax@champion")
    assert made == ["heston_surface"]  # from the first load


def test_a_module_imported_from_elsewhere_is_refused(world, made, monkeypatch):
    world.promoted()
    monkeypatch.setattr(payload, "_imported_from", lambda name: Path("elsewhere.py") if "errors" in name else None)
    with pytest.raises(IntegrityError, match=r"research/errors\.py was imported from elsewhere\.py"):
        load("heston_dax@champion")


@pytest.mark.parametrize(
    ("version", "ours", "says"),
    [
        (2, 2, "points to version 2"),
        (None, None, "points to no version"),
        (7, None, "points to a version that no one promoted"),
    ],
)
def test_a_moved_alias_is_refused(world, made, version, ours, says):
    world.promoted()
    with alias(world.store / "mlflow.db", "heston_dax", version, ours), pytest.raises(IntegrityError) as refusal:
        load("heston_dax@champion")
    assert str(refusal.value).startswith(
        "alias champion of heston_dax in MLflow must point to version 1, as the ledger says; "
        f"it {says}. Somebody moved it"
    )
    assert made == []


def test_an_alias_that_agrees_passes(world, made):
    world.promoted()
    with alias(world.store / "mlflow.db", "heston_dax", 5, 1):  # MLflow's own number may differ
        assert load("heston_dax@champion").version == 1


def test_a_use_outside_the_card_is_refused(world, made):
    world.promoted()
    assert load("heston_dax@champion", purpose="research").version == 1
    with pytest.raises(
        RefusedError,
        match=r"purpose must be an intended use of heston_dax \(research, .*\); got 'capital', which its card rules",
    ):
        load("heston_dax@champion", purpose="capital")
    with pytest.raises(RefusedError, match=r"got 'marketing'\."):
        load("heston_dax@champion", purpose="marketing")


def test_a_request_outside_the_scope_is_refused(world, made):
    world.promoted()
    served = load("heston_dax@champion")
    assert served.price(served.example())["price"].tolist() == [1.0]
    frame = pd.DataFrame({"strike": [100.0, 100.0], "tau": [1.0, 5.0]})
    with pytest.raises(
        RefusedError,
        match=r"tau must lie in \[0\.03, 2\] years, the scope of heston_dax version 1; got 5 \(1 of 2 rows\)",
    ):
        served.price(frame)
    with pytest.raises(RefusedError, match="moneyness must lie in"):
        served.price(pd.DataFrame({"strike": [float("nan")], "tau": [1.0]}))


def test_a_moved_checkout_loads(world, made, tmp_path):
    world.promoted()
    moved = tmp_path / "elsewhere" / "firm"
    shutil.copytree(world.root, moved)
    shutil.rmtree(world.root)
    assert load("heston_dax@champion", project=find_project(moved)).version == 1


def test_a_demo_model_needs_demo(world, made):
    with pytest.raises(RefusedError, match=r"must have been promoted in the demo; got no demo here. make demo"):
        load("heston_dax@champion", demo=True)


def test_an_unknown_scorer_is_never_imported():
    with pytest.raises(ValueError, match=r"scorer must be one of heston_surface; got 'os\.system'"):
        _scorers.make({"scorer": "os.system", "parameters": {}, "tables": {}}, Path())


def test_a_pinned_load_runs_the_approved_code_whatever_is_installed(world, made, monkeypatch):
    """The child can't be made from this small firm's few files; what reaches it is what counts here."""
    asked = []
    monkeypatch.setattr(
        _load, "PinnedScorer", lambda root, commit, folder, modules: asked.append((commit, modules)) or Stub()
    )
    world.promoted()
    head = world.git("rev-parse", "HEAD")
    monkeypatch.setattr(payload, "changed_modules", lambda modules: ["research/models/heston.py differs"])
    with pytest.raises(IntegrityError, match=f"Load it with pinned=True \\(runs commit {head[:12]}\\)"):
        load("heston_dax@champion")
    load("heston_dax@champion", pinned=True)
    ((commit, modules),) = asked
    assert commit == head
    assert "research/models/heston.py" in modules
    assert made == []


def test_a_commit_without_the_approved_code_is_refused_and_leaves_no_checkout(world):
    with pytest.raises(
        IntegrityError, match=r"must hold the approved code; research/models/heston\.py is not the approved"
    ):
        PinnedScorer(world.root, world.git("rev-parse", "HEAD"), world.root, {"research/models/heston.py": "0" * 64})
    assert world.git("worktree", "list").count("\n") == 0
