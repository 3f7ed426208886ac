"""Warm interpreters: a process that has the libraries loaded forks one child for each run.

| Question | Where |
|---|---|
| Where does its socket lie, and whom does it serve? | place |
| How do they talk? | wire |
| What waits for requests and forks? | server |
| Who watches one run and cleans up after it? | keeper |
| What does the child do with cells? | child, shell |
| How does a runner get a child, warm or cold? | client |
| A Jupyter kernel from the same process | provisioner, kernelspec |

The warm process has loaded what installed packages offer, and of `research` only what every run has anyway; a run
imports its rooms itself. So what a run imported is told as in a cold process, and an edit of a room needs no restart.
"""
