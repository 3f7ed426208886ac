"""What differs between two runs, two commits of a notebook, or two sweeps; nothing else is said unless asked.

| Question | Where |
|---|---|
| What differs between two runs? | runs |
| In their code: cells as text, modules as patches? | code |
| Between two commits of a notebook? | notebooks |
| Between two sweeps, point by point? | sweeps |
| As lines in a terminal | terminal |
| As one page | page |
"""

from __future__ import annotations
