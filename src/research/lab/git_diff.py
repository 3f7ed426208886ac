"""`git diff` of a notebook: by cell, through nbdime, and without what running or opening it left behind.

Git hands over the file in the working tree as it is, outputs and all; both sides are stripped as git would store them.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from research.lab.strip import clean


def main(args: list[str]) -> int:
    """`args` are git's: path old-file old-hex old-mode new-file new-hex new-mode, and the new path of a rename."""
    from nbdime.vcs.git import diffdriver

    with tempfile.TemporaryDirectory(prefix="research-diff-") as folder:
        for at, side in ((1, "a"), (4, "b")):
            source = Path(args[at])
            if source.is_file() and str(source) != os.devnull:
                target = Path(folder) / side / args[0]
                target.parent.mkdir(parents=True)
                target.write_bytes(clean(source.read_bytes()))
                args[at] = f"{side}/{args[0]}"
        os.chdir(folder)
        try:
            return int(diffdriver.main(["diff", *args]) or 0)
        except BrokenPipeError:  # git diff | head
            sys.stderr.close()
            return 0
        finally:
            os.chdir("/")  # a folder that is somebody's place cannot be removed everywhere


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
