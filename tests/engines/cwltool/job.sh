#!/bin/bash
# Without a directory for images, the pulled file is in the working directory.
[[ -z $VIEW ]] || export CWL_SINGULARITY_CACHE=$VIEW/cwltool
"$VENV/bin/cwltool" --singularity tool.cwl && cat o.txt
