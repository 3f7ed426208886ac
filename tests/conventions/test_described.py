import dataclasses
import inspect
import pydoc

import pytest

from research import instruments, market, models
from research.conventions.described import described

FACTS = [
    kind
    for room in (instruments, models, market)
    for kind in (getattr(room, name) for name in room.__all__ if name not in getattr(room, "_LAZY", ()))
    if isinstance(kind, type) and dataclasses.is_dataclass(kind)
]


@pytest.mark.parametrize("kind", FACTS, ids=lambda kind: kind.__name__)
def test_help_names_every_term_with_its_type(kind):
    said = inspect.getdoc(kind).splitlines()
    for field in dataclasses.fields(kind):
        if field.init:
            assert any(line.startswith(f"{field.name} : {field.type}") for line in said), field.name


def test_help_says_what_the_comment_beside_a_field_says():
    said = pydoc.render_doc(instruments.Barrier, renderer=pydoc.plaintext)
    assert '"down" or "up": the side on which the barrier is hit' in said
    assert "looks at the barrier, evenly up to expiry; None: at every moment" in said
    assert "variance today, 1/year" in inspect.getdoc(models.Heston)
    assert "n_monitoring : int | None, default None" in said


def test_examples_stay_the_last_section():
    said = inspect.getdoc(models.LocalVol)
    assert said.index("make a jump in time") < said.index("Parameters") < said.index("Examples")


def test_an_object_has_the_docstring_of_its_class():
    assert models.BlackScholes(sigma=0.2).__doc__ == models.BlackScholes.__doc__


def test_without_source_the_docstring_stays_as_written(monkeypatch):
    def lost(_):
        raise OSError

    monkeypatch.setattr(inspect, "getsource", lost)

    @dataclasses.dataclass
    class Plain:
        """As written."""

        size: float = 1.0  # metres

    described(Plain)
    assert Plain.__doc__.startswith("As written.") and "metres" not in Plain.__doc__
    assert "size : " in Plain.__doc__
