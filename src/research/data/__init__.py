"""Data sets: the dictionary, checked reads, digests, quality.

| question | function |
|---|---|
| give me the rows known by a date, checked and recorded | `load` |
| what was read in this process? | `reads`, `reset_reads` |
| what is there, what does a column mean? | `catalog` |
| is it the same data? | `digest_frame`, `digest_columns` |
| is it good enough? | `check` |
| make the files of a data set; are they here? | `ingest`, `curate`, `state` |
| bring in my own file, through a contract | `draft`, `import_file` |
"""

from research.data.catalog import catalog
from research.data.check import check
from research.data.digest import digest_columns, digest_frame
from research.data.draft import draft
from research.data.importer import import_file
from research.data.ingest import curate, ingest, state
from research.data.journal import Read, reads, reset_reads
from research.data.reader import load

__all__ = [
    "load", "Read", "reads", "reset_reads", "catalog", "check", "digest_columns", "digest_frame",
    "ingest", "curate", "state", "draft", "import_file",
]  # fmt: skip
