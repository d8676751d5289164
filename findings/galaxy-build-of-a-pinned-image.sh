#!/bin/bash
# galaxy-tool-util 26.1.2 (PyPI): Galaxy's resolver `cached_explicit_singularity` with `namespace: biocontainers` starts
# another build of a BioContainers image than the one that the tool names, although the cache directory has that one, too.
#
# Expected: docker://quay.io/biocontainers/tool:1.0--py39_0 starts the file tool:1.0--py39_0.
# Actual:   the resolver ignores the build, which is the text after `--`, and takes the first file of the same name and
#           version. Files are sorted with the highest build number first, so the result is tool:1.0--py27_1. If only another
#           build is there, it is used as well.
# Affected: Galaxy servers with the depot /cvmfs/singularity.galaxyproject.org/all as `cache_directory`, and tools that pin
#           an image because builds differ, such as in their Python or in the releases of libraries. No message shows the
#           difference, and the image of a job depends on which builds the depot has.
#
# The files are empty, because nothing is started.
# Requires Python 3.10 or later with venv, and PyPI; nothing is installed.
# Exit status: 0 if the resolver behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check galaxy-tool-util==26.1.2
python/bin/pip list --disable-pip-version-check 2>/dev/null | grep '^galaxy-tool-util '

mkdir both other
touch both/tool:1.0--py39_0 both/tool:1.0--py27_1 other/tool:1.0--py27_1
cat >resolve.py <<'END_OF_PROGRAM'
import os
from galaxy.tool_util.deps.container_resolvers.explicit import CachedExplicitSingularityContainerResolver
from galaxy.tool_util.deps.dependencies import AppInfo, ToolInfo
from galaxy.tool_util.deps.requirements import ContainerDescription
for directory in "both", "other":
    for build in "py39_0", "py27_1":
        tool = ToolInfo(container_descriptions=[
            ContainerDescription(f"quay.io/biocontainers/tool:1.0--{build}", type="docker")])
        resolver = CachedExplicitSingularityContainerResolver(
            AppInfo(), cache_directory=os.path.abspath(directory), namespace="biocontainers")
        file = os.path.basename(resolver.resolve(["singularity"], tool).identifier)
        print(f"{' '.join(sorted(os.listdir(directory)))}: {build} requested, {file} selected")
END_OF_PROGRAM
python/bin/python resolve.py | tee selected
[[ $(<selected) == 'tool:1.0--py27_1 tool:1.0--py39_0: py39_0 requested, tool:1.0--py27_1 selected
tool:1.0--py27_1 tool:1.0--py39_0: py27_1 requested, tool:1.0--py27_1 selected
tool:1.0--py27_1: py39_0 requested, tool:1.0--py27_1 selected
tool:1.0--py27_1: py27_1 requested, tool:1.0--py27_1 selected' ]]
