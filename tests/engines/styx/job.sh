#!/bin/bash
# A command, as the wrappers that Styx generates start it. The image has no bash, so one is bound.
export APPTAINER_BIND=/shared/engines/bash:/bin/bash
"$VENV/bin/python3" - <<'P'
from styxdefs import Metadata
from styxsingularity import SingularityRunner

runner = SingularityRunner(data_dir="data")
metadata = Metadata(id="i", name="n", package="p", container_image_tag="alpine:3.20")
runner.start_execution(metadata).run(["cat", "/etc/image-name"], handle_stdout=print)
P
