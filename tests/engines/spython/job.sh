#!/bin/bash
# exec, run and instance start of a reference; pulls with and without a name, and a launch of the file.
"$VENV/bin/python3" - <<'P'
from spython.main import Client

uri, show = "docker://alpine:3.20", ["cat", "/etc/image-name"]
launches = {
    "exec": lambda: Client.execute(uri, show),
    "run": lambda: "".join(Client.run(uri, show, return_result=False)),
    "pull": lambda: Client.execute(Client.pull(uri), show),
    "pull by name": lambda: Client.execute(Client.pull(uri, name="mine.sif", force=True), show),
}


def instance():
    started = Client.instance(uri, name="i1")
    try:
        return Client.execute(started, show)
    finally:
        started.stop()


launches["instance"] = instance
failed = 0
for name, launch in launches.items():
    try:
        # A list, if the runtime also wrote to standard error.
        said = str(launch())
    except BaseException as error:
        said = f"{type(error).__name__}: {error}"
    if said.strip() != "library/alpine:3.20":
        failed = 1
        print(f"{name}: {said}")
if not failed:
    print(said.strip())
raise SystemExit(failed)
P
