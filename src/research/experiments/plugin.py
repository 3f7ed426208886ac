"""What papermill finds by its entry point; the engine itself is imported when it is used.

papermill loads every engine while it is itself being imported, also when our engine is the one who imports it.
"""

from __future__ import annotations

from typing import Any


class ResearchEngine:
    """Stands for `research.experiments.engine.ResearchEngine`."""

    @classmethod
    def execute_notebook(cls, nb: Any, kernel_name: str, **kwargs: Any) -> Any:
        from research.experiments.engine import ResearchEngine as Engine

        return Engine.execute_notebook(nb, kernel_name, **kwargs)

    @classmethod
    def nb_kernel_name(cls, nb: Any, name: str | None = None) -> str:
        return name or "python3"

    @classmethod
    def nb_language(cls, nb: Any, language: str | None = None) -> str:
        return language or "python"
