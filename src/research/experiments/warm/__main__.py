"""`python -m research.experiments.warm [state|start|stop]`: the warm process of this environment, for scripts.

Nobody needs it: the process starts with the first run, and ends by itself.
"""

from __future__ import annotations

import json
import sys

from research.experiments.warm import client


def main() -> int:
    """Print the state as JSON; 1 when nothing is alive."""
    word = sys.argv[1] if len(sys.argv) > 1 else "state"
    if word not in ("state", "start", "stop"):
        print(f"the word must be state, start or stop; got '{word}'.", file=sys.stderr)
        return 2
    if word == "start":
        client.start(wait=True)
    state = client.stop() if word == "stop" else client.ask({"do": "state"})
    print(json.dumps(state))
    return 0 if state is not None else 1


if __name__ == "__main__":
    sys.exit(main())
