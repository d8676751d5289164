# shellcheck shell=bash
# Step 4: an image that is not in the cache.

# Exit status of a task that ends because its image is missing.
missing=66

not_in_the_cache() {
    next_step 'an image that is not in the cache'
    pulled_as_before
    required
    refused
    explained
}

pulled_as_before() {
    say 'By default, the command runs as without the plugin, and pulls from docker.io:'
    here 'testbed/testbed hub start'
    promise_status 0
    runs_image alice "$rocm_image"
}

required() {
    local line
    line=$(user_line "$rocm_image")
    say 'A user who does not want to wait for a pull can require an image from the cache:'
    by alice "srun --sif-cache=require ${line#srun }"
    show_outcome
    promise_refusal
}

refused() {
    say 'A site can set the same for all users:'
    by root "sed -i '/sifcache/s/\$/ on_miss=fail/' /etc/slurm/plugstack.conf" \
        'cat /etc/slurm/plugstack.conf'
    promise_line 'optional spank_sifcache.so image_root=/shared/sif on_miss=fail'
    by alice "$(user_line "$rocm_image")"
    show_outcome
    promise_refusal
}

# The message contains the missing image and the other tags in the cache.
promise_refusal() {
    promise_status "$missing"
    promise_no_line "$rocm_image"
    promise_text "$rocm_image is not in the image cache"
    promise_text "${cpu_image#*:}"
}

explained() {
    say 'sifcache explain shows for a command, without a job, which file it uses, or where' \
        'a file would have to be. Exit status 1 means that the image is missing:'
    here "testbed/testbed push $(from_project "$command") /usr/local/bin/sifcache 755"
    promise_status 0
    by alice "sifcache explain -- singularity run docker://$cpu_image"
    show_outcome
    promise_status 0
    promise_line_like '^command .* /shared/sif/' "$cpu_image"
    by alice "sifcache explain -- singularity run docker://$rocm_image"
    show_outcome
    promise_status 1
    promise_line_like '^candidates .* /shared/sif/' "$rocm_image"
}
