"""Lab: the framework at home in JupyterLab. A door; it starts, shows and checks, and computes nothing.

| Question | Function | Where |
|---|---|---|
| Start JupyterLab with our kernel, jobs and MLflow | `launch(project, args)` | server |
| Run a notebook from the Notebook Jobs panel | `ResearchScheduler`, `ResearchJob` | jobs |
| What did this notebook record before? | `%last`, `%run_info`, `%lineage` | magics, history |
| Open a run again, with its parameters and data | `reopen(run)` | reopen |
| Start a new notebook, with test and stage | `create(kind, name)` | scaffold |
| What would keep a notebook from promotion? | `inspect(notebook)` | inspection |
| Keep outputs out of git | the filter `research-strip` | strip, git_setup |
"""
