# shellcheck shell=sh
# For /etc/profile.d: workflow engines find the site's images in /shared/views. Create this view with
# `sifcache view /shared/views --for nextflow,cwltool,miniwdl`. Values that the user has already set
# are kept.
if [ -d /shared/views/nextflow ]; then
    : "${NXF_APPTAINER_LIBRARYDIR:=/shared/views/nextflow}"
    : "${NXF_SINGULARITY_LIBRARYDIR:=/shared/views/nextflow}"
    export NXF_APPTAINER_LIBRARYDIR NXF_SINGULARITY_LIBRARYDIR
fi
# If an image is not in the view, cwltool and miniwdl try to pull it into the view, and fail. Remove
# these lines if users pull other images.
if [ -d /shared/views/cwltool ]; then
    : "${CWL_SINGULARITY_CACHE:=/shared/views/cwltool}"
    export CWL_SINGULARITY_CACHE
fi
if [ -d /shared/views/miniwdl ]; then
    : "${MINIWDL__SINGULARITY__IMAGE_CACHE:=/shared/views/miniwdl}"
    export MINIWDL__SINGULARITY__IMAGE_CACHE
fi
