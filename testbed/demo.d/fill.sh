# shellcheck shell=bash
# Step 2: an admin fills the image root.

fill_image_root() {
    next_step 'an admin fills the image root'
    pull_into_root
    copy_into_root
    say 'The cache consists of plain files in a directory:'
    by root 'ls -lh /shared/sif/determinedai'
    promise_text "${cpu_image#*/}"
    promise_text "${gpu_image#*/}"
}

pull_into_root() {
    say 'While docker.io is reachable, one image is pulled to the path of its name:'
    # shellcheck disable=SC2016 # the admin's shell expands it
    by root 'cd /shared/sif && mkdir determinedai' \
        "image=$cpu_image" \
        'singularity pull $image docker://$image'
    promise_status 0
}

copy_into_root() {
    say 'Another image was made on another machine, and is copied to the path of its name:'
    by root "singularity pull temporary-image docker://$gpu_image" \
        "cp temporary-image /shared/sif/$gpu_image" \
        'rm temporary-image'
    promise_status 0
}
