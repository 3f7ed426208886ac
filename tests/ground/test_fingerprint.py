"""Digests: canonical JSON after RFC 8785, trees by path and content."""

import math
from pathlib import Path

import pytest

from research import fingerprint


def test_canonical_json_agrees_with_rfc_8785_example() -> None:
    # RFC 8785, section 3.2.2 and 3.2.3: the sample object and its canonical form
    value = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": '€$\u000f\nA\'B"\\\\"/',
        "literals": [None, True, False],
    }
    expected = (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )
    assert fingerprint.canonical_json(value).decode() == expected


def test_key_order_does_not_change_a_digest_and_a_value_does() -> None:
    assert fingerprint.digest_json({"a": 1, "b": 2}) == fingerprint.digest_json({"b": 2, "a": 1})
    assert fingerprint.digest_json({"a": 1}) != fingerprint.digest_json({"a": 1.5})


def test_nan_is_refused_by_canonical_json() -> None:
    with pytest.raises(ValueError, match=r"(?i)nan|not.*representable|domain"):
        fingerprint.canonical_json({"x": math.nan})


def test_sha_256_of_abc() -> None:  # FIPS 180-4, example "abc"
    assert fingerprint.digest_bytes(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_a_tree_has_the_same_digest_wherever_it_stands(tmp_path: Path) -> None:
    files = {"a.py": "x = 1\n", "sub/b.py": "y = 2\n"}
    one, two = write(tmp_path / "one", files), write(tmp_path / "two", files)
    write(two, {"__pycache__/a.cpython-311.py": "junk", "notes.txt": "not code"})
    assert fingerprint.digest_tree(one) == fingerprint.digest_tree(two)


@pytest.mark.parametrize("change", [{"sub/b.py": "y = 3\n"}, {"c.py": ""}])
def test_an_edit_or_a_new_file_changes_the_tree_digest(tmp_path: Path, change: dict[str, str]) -> None:
    files = {"a.py": "x = 1\n", "sub/b.py": "y = 2\n"}
    one, two = write(tmp_path / "one", files), write(tmp_path / "two", {**files, **change})
    assert fingerprint.digest_tree(one) != fingerprint.digest_tree(two)
