"""`research check`: what would keep a notebook from promotion is found, named with its cell, and answered."""

import json
from pathlib import Path

import pytest

from research.cli import app
from research.lab.inspection import inspect

ROOT = Path(__file__).resolve().parents[2]
PARAMETERS = "from datetime import date\n\nas_of: date = date(2002, 7, 5)\nseed: int = 1\nn: int = 10"
CHECK = "import research\n\nparams = research.parameters(globals())"
RECORD = "from research import record\n\nrecord(passed=True)"


def write(folder: Path, *between: str, head: str = PARAMETERS, check: str = CHECK, tail: str = RECORD) -> Path:
    """A notebook of title, parameters, check, the cells given (from cell 4), record."""
    sources = [source for source in (head, check, *between, tail) if source]
    cells = [{"cell_type": "markdown", "source": "# Study", "metadata": {}}]
    cells += [
        {
            "cell_type": "code",
            "source": source,
            "metadata": {"tags": ["parameters"]} if source == head else {},
            "outputs": [],
            "execution_count": None,
        }
        for source in sources
    ]
    path = folder / "study.ipynb"
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return path


CLEAN = [
    "import numpy as np\nrng = np.random.default_rng(seed)\ndraws = rng.normal(size=n)",
    "def later():\n    return below + n\nbelow = 1\nlater()",  # a function may use what stands below it
    "total = 0\nfor i in range(n):\n    total += i\n    last = i\nprint(last)",
    "from pathlib import Path\nname = Path('figures') / 'x.png'",
    "squares = {k: v for k, v in enumerate(x**2 for x in range(n))}\n[i for i in squares]",
    "f = lambda x, *a, **k: (x, a, k)\nf(1)",
    "class Point:\n    x: int = 0\n    def move(self, by):\n        self.x += by\n        return Point()",
    "try:\n    import numba\nexcept ImportError as error:\n    numba = error\nnumba",
    "if (m := n) > 3:\n    print(m)\n'''/home/in/a/text that stands alone'''",
    "import random\ndraw = random.Random(seed).gauss(0, 1)",
    "import numpy as np\nnp.random.seed(seed)\nnp.random.normal()",
    "import time\nstarted = time.perf_counter()",  # a duration, not the clock
    "import scipy.stats as st\nst.norm.rvs(size=n, random_state=seed)",
    "%matplotlib inline\n%config InlineBackend.figure_format = 'svg'\nn",
    "match n:\n    case 10:\n        word = 'ten'\n    case _:\n        word = 'other'\nword",
    "frame = n\nframe: int = 3",
]


@pytest.mark.parametrize("source", CLEAN)
def test_what_may_stand_in_a_notebook_is_not_found(source: str, tmp_path: Path) -> None:
    assert inspect(write(tmp_path, source)) == []


FAULTS = {
    "import pandas as pd\nframe = pd.read_csv('quotes.csv')": (
        "cell 4, line 2: undeclared read: pd.read_csv(...) reads past data.load. "
        "Bring it in with research data import, and read it with data.load."
    ),
    "text = open('notes.txt').read()": "cell 4, line 1: undeclared read: open(...) reads past data.load.",
    "from pathlib import Path\nPath('x').read_text()": "line 2: undeclared read: Path('x').read_text(...) reads past",
    "import requests": "cell 4, line 1: undeclared read: requests reaches the network.",
    "import subprocess": "undeclared read: subprocess starts programs. A run may start no program",
    "import os\nos.system('ls')": "undeclared read: os.system(...) starts a program.",
    "import os\nhome = os.environ['HOME']": "os.environ depends on where it runs. Make it a parameter.",
    "import sqlite3\nsqlite3.connect('x.db')": "undeclared read: sqlite3.connect(...) opens a database.",
    "with open('out.txt', 'w') as f:\n    f.write('x')": "open(...) writes a file that no record knows.",
    "import numpy as np\nnp.random.normal(size=3)": (
        "cell 4, line 2: unseeded randomness: np.random.normal(...) draws from the global generator. "
        "Write rng = np.random.default_rng(seed), with seed: int among the parameters."
    ),
    "from numpy.random import default_rng\nrng = default_rng()": "unseeded randomness: default_rng() has no seed.",
    "import numpy as np\nrng = np.random.default_rng(None)": "np.random.default_rng(None) has no seed.",
    "import random\nrandom.shuffle([1, 2])": "random.shuffle(...) draws from the global generator.",
    "import random\nr = random.Random()": "random.Random() has no seed. Write random.Random(seed).",
    "import uuid\nuuid.uuid4()": "unseeded randomness: uuid.uuid4(...) is different every time.",
    "import pandas as pd\npd.DataFrame().sample(frac=0.5)": "pd.DataFrame().sample(...) has no random_state.",
    "from datetime import datetime\nnow = datetime.now()": (
        "cell 4, line 2: wall clock: datetime.now(...) is another day tomorrow. "
        "Make it a parameter: as_of: date = date(2002, 7, 5)."
    ),
    "today = date.today()": "wall clock: date.today(...) is another day tomorrow.",
    "import time\nt = time.time()": "wall clock: time.time(...) is another day tomorrow.",
    "import pandas as pd\nt = pd.Timestamp('now')": "wall clock: pd.Timestamp('now') is another day tomorrow.",
    "!ls": "cell 4, line 1: magic: !ls. A run may start no program; do this outside the notebook.",
    "files = !ls": "magic: files = !ls. A run may start no program",
    "%pip install x": "magic: %pip install x. Packages come from requirements.lock.",
    "%%bash\nls": "magic: %%bash. A run may start no program",
    "%load_ext research": "magic: %load_ext research. Useful by hand; take it out before the notebook is committed.",
    "x = n\nx?": "cell 4, line 2: magic: x?. Write it in Python, or take it out.",
    "place = '/home/ada/quotes.csv'": (
        "cell 4, line 1: absolute path: '/home/ada/quotes.csv'. Name data by its catalogue name: "
        "data.load('equity/...')."
    ),
    "place = 'C:\\\\quotes.csv'": "absolute path: 'C:\\\\quotes.csv'.",
    "frame.head()": "cell 4, line 1: hidden state: frame is defined nowhere. Was its cell deleted?",
    "Out[3]": "hidden state: Out is whatever ran last. Give the result a name.",
    "x = y\ny = 1": "hidden state: y is used before it is defined in the same cell. Move it up.",
    "count += 1": "hidden state: count is used before it is defined in the same cell.",
    "def f():\n    return nowhere": "cell 4, line 2: hidden state: nowhere is defined nowhere.",
    "from numpy import *": "hidden state: from numpy import * brings names that nobody sees.",
    "from research.core.models import black": "structure: research.core.models is imported, whose arguments nobody",
    "x = (": "cell 4, line 1: structure: not Python: '(' was never closed.",
}


@pytest.mark.parametrize("source", FAULTS)
def test_a_fault_is_found_with_its_cell_and_a_hint(source: str, tmp_path: Path) -> None:
    (found,) = inspect(write(tmp_path, source))
    assert FAULTS[source] in str(found)


def test_a_name_defined_only_below_is_told_with_the_cell_that_defines_it(tmp_path: Path) -> None:
    (found,) = inspect(write(tmp_path, "price * 2", "price = 1.0"))
    assert str(found) == ("cell 4, line 1: hidden state: price is defined only below, in cell 5. Move that cell up.")


def test_cells_run_out_of_order_are_found_while_the_counts_are_still_there(tmp_path: Path) -> None:
    path = write(tmp_path, "a = 1", "b = 2")
    raw = json.loads(path.read_text())
    for number, count in ((1, 1), (2, 2), (3, 7), (4, 4)):
        raw["cells"][number]["execution_count"] = count
    path.write_text(json.dumps(raw))
    (found,) = inspect(path)
    assert str(found) == (
        "cell 5: hidden state: run as [4], after the cell above ran as [7]. Restart the kernel and run all cells."
    )


def test_a_notebook_without_parameters_or_record_is_told_so(tmp_path: Path) -> None:
    path = write(tmp_path, "x = 1", head="", check="", tail="")
    raw = json.loads(path.read_text())
    raw["cells"][1]["metadata"] = {}
    path.write_text(json.dumps(raw))
    assert [str(f).partition(".")[0] for f in inspect(path)] == [
        "structure: no parameters cell",
        "structure: nothing is recorded",
    ]


def test_unchecked_and_faulty_parameters_are_told(tmp_path: Path) -> None:
    unchecked = inspect(write(tmp_path, check=""))
    assert [f.what for f in unchecked] == ["the parameters are not checked"]
    faulty = inspect(write(tmp_path, head="n = 10"))
    assert str(faulty[0]).startswith("cell 2: structure: n must have a type annotation; got 'n = 10'. Write n: int")


def test_the_command_ends_with_1_and_json_holds_every_finding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = write(tmp_path, "import requests\nx = date.today()")
    assert app.main(["check", str(bad), "--json"]) == 1
    (items,) = json.loads(capsys.readouterr().out).values()
    assert [(item["cell"], item["line"], item["kind"]) for item in items] == [
        (4, 1, "undeclared read"),
        (4, 2, "wall clock"),
    ]
    assert app.main(["check", str(bad)]) == 1
    assert "1 of 1 notebooks would be kept from promotion." in capsys.readouterr().out


def test_a_file_that_is_no_notebook_is_wrong_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.ipynb").write_text("{}")
    assert app.main(["check", str(tmp_path / "x.ipynb")]) == 2
    assert "must be a notebook of format 4" in capsys.readouterr().err


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*/*.ipynb")), ids=lambda p: p.stem)
def test_the_notebooks_of_this_project_would_not_be_kept_from_promotion(path: Path) -> None:
    assert [str(item) for item in inspect(path)] == []
