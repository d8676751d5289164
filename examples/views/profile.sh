# For /etc/profile.d: workflow engines find the site's images in /shared/views, which
# `sifcache view /shared/views --for nextflow,cwltool,miniwdl` maintains. Values that a user has set
# before are kept.
if [ -d /shared/views/nextflow ]; then
    : "${NXF_APPTAINER_LIBRARYDIR:=/shared/views/nextflow}"
    : "${NXF_SINGULARITY_LIBRARYDIR:=/shared/views/nextflow}"
    export NXF_APPTAINER_LIBRARYDIR NXF_SINGULARITY_LIBRARYDIR
fi
# cwltool and miniwdl fail if an image is not in the view, because they would pull it there. Remove
# these lines if users pull images of their own.
if [ -d /shared/views/cwltool ]; then
    : "${CWL_SINGULARITY_CACHE:=/shared/views/cwltool}"
    export CWL_SINGULARITY_CACHE
fi
if [ -d /shared/views/miniwdl ]; then
    : "${MINIWDL__SINGULARITY__IMAGE_CACHE:=/shared/views/miniwdl}"
    export MINIWDL__SINGULARITY__IMAGE_CACHE
fi
