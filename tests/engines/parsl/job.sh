#!/bin/bash
# A bash_app with a launch. The workers run in a step of this job.
PATH=$VENV/bin:$PATH python3 - <<'P'
import parsl
from parsl import Config, bash_app
from parsl.executors import HighThroughputExecutor
from parsl.launchers import SrunLauncher
from parsl.providers import LocalProvider

provider = LocalProvider(launcher=SrunLauncher(), init_blocks=1, max_blocks=1)
executor = HighThroughputExecutor(
    label="h", address="127.0.0.1", max_workers_per_node=1, encrypted=False, provider=provider
)
parsl.load(Config(executors=[executor]))


@bash_app
def launch(stdout="o.txt", stderr="e.txt"):
    return "apptainer exec docker://alpine:3.20 cat /etc/image-name"


try:
    launch().result(timeout=100)
finally:
    print(open("o.txt").read(), open("e.txt").read(), end="")
    parsl.dfk().cleanup()
P
