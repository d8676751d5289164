# shellcheck shell=bash
# Step 7: what the cache was used for.

# As on any cluster, the login node has the logs of all nodes.
collect_logs() {
    local host
    "$testbed_dir/testbed" exec -- bash -c '
        echo "module(load=\"imudp\") input(type=\"imudp\" port=\"514\")" >>/etc/rsyslog.conf'
    for host in n1 n2; do
        "$testbed_dir/testbed" exec --on "$host" -- bash -c 'echo "*.* @ctl" >>/etc/rsyslog.conf'
    done
    for host in ctl n1 n2; do
        # shellcheck disable=SC2016 # The host's shell expands it.
        "$testbed_dir/testbed" exec --on "$host" -- bash -c '
            kill "$(cat /run/rsyslogd.pid)"
            while [[ -e /run/rsyslogd.pid ]]; do sleep 0.05; done
            rsyslogd'
    done
} >/dev/null

# Where the page is after the demonstration, when the cluster is gone.
page=$project/target/demo/report.html

report_page() {
    next_step 'what the cache was used for'
    say 'The logs of all nodes show what jobs asked for. Managers look at a page:'
    by root 'sifcache report --log /var/log/syslog --html report.html' \
        'sifcache report --log /var/log/syslog'
    promise_status 0
    promise_text ' launches, '
    promise_text 'not downloaded'
    mkdir -p -- "${page%/*}"
    "$testbed_dir/testbed" exec -- cat /root/report.html >"$page"
    # Names have places at which they may be broken.
    sed 's/<wbr>//g' "$page" | grep -Fc -- "$cpu_image" >/dev/null || broken 'the page does not name the image of the jobs'
}
