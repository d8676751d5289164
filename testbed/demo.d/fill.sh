# shellcheck shell=bash
# Step 2: an admin fills the image root.

fill_image_root() {
    next_step 'an admin fills the image root'
    pull_into_root
    copy_into_root
    say 'That is the whole cache, plain files in a directory:'
    by root 'ls -lh /shared/sif/determinedai'
    promise_text "${cpu_image#*/}"
    promise_text "${gpu_image#*/}"
}

pull_into_root() {
    say 'While docker.io is in reach, one image is pulled to where its name says:'
    # shellcheck disable=SC2016 # the admin's shell is to expand it
    by root 'cd /shared/sif && mkdir determinedai' \
        "image=$cpu_image" \
        'singularity pull $image docker://$image'
    promise_status 0
}

copy_into_root() {
    say 'Another one was made elsewhere, and is copied to where its name says:'
    by root "singularity pull temporary-image docker://$gpu_image" \
        "cp temporary-image /shared/sif/$gpu_image" \
        'rm temporary-image'
    promise_status 0
}
