"""Figures and pages: what a person looks at.

| question | name | kind |
|---|---|---|
| how does a figure look? | `style` | one matplotlib style, colour-blind safe |
| which pictures are there? | `charts` | one file per chart; frames in, figure out |
| what ran, and what came out? | `index` | `reports/index.html`, one page without a network |
| the same, in ten lines | `summary` | printed at the end of `make demo` |

Charts take plain frames and arrays, so that a notebook can plot what it has just computed.
"""
