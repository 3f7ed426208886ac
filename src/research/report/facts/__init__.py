"""What the store, the dictionary and the ledger say, as plain facts for page and summary.

| question | function | reads |
|---|---|---|
| everything at once | `collect` | the three below |
| which notebooks ran, and what came out? | `notebooks` | runs and their capsules |
| which data did they read? | `datasets` | reads in the capsules, and the dictionary |
| which models are approved, by whom? | `models` | inventory and ledgers |
"""

from research.report.facts.collect import Facts, collect
from research.report.facts.datasets import Dataset, datasets
from research.report.facts.models import Model, Signature, models
from research.report.facts.notebooks import Notebook, notebooks

__all__ = ["Facts", "collect", "Notebook", "notebooks", "Dataset", "datasets", "Model", "Signature", "models"]
