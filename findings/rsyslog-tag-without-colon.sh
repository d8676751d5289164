#!/bin/bash
# rsyslog 8.2302.0 (Debian 12): a message that arrives in RFC 5424 format loses the colon after its program name when it is
# written with the default template.
#
# Expected: both lines are `TIME HOST program: text`. The same template writes messages in RFC 3164 format like this, and
#           programs that read such files expect `program:`.
# Actual:   `TIME HOST program text` for RFC 5424, `TIME HOST program: text` for RFC 3164.
# Affected: a site whose nodes forward with RSYSLOG_SyslogProtocol23Format to a host that writes RSYSLOG_FileFormat.
#
# Requires Debian 12, and any user who may use apt; nothing is installed.
# Exit status: 0 if rsyslog behaves as described, 1 otherwise.
set -euo pipefail
version=8.2302.0-1+deb12u2
work=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid"; rm -rf -- "$work"' EXIT
chmod 755 "$work"
cd "$work"
apt-get -qq -o APT::Sandbox::User=root download "rsyslog=$version" libestr0 libfastjson4 >/dev/null
for package in *.deb; do dpkg-deb --extract "$package" root; done
libraries=$(dirname "$(find root -name 'libestr.so.*' -print -quit)")
modules=$(dirname "$(find root -name imudp.so)")
cat >rsyslog.conf <<END
module(load="imudp")
input(type="imudp" address="127.0.0.1" port="15514" ruleset="file")
ruleset(name="file") { action(type="omfile" file="$work/log" template="RSYSLOG_FileFormat") }
END
daemon=(env LD_LIBRARY_PATH="$libraries" root/usr/sbin/rsyslogd -M "$modules")
"${daemon[@]}" -v | head -n 1
"${daemon[@]}" -n -f "$work/rsyslog.conf" -i "$work/pid" &
pid=$!
for _ in {1..100}; do
    # Repeated until the daemon listens.
    printf '<30>1 2026-01-05T10:00:00Z n1 program - - - text' >/dev/udp/127.0.0.1/15514 || :
    printf '<30>Jan  5 10:00:00 n1 program: text' >/dev/udp/127.0.0.1/15514 || :
    sleep 0.1
    [[ -s log ]] && (($(sort -u log | wc -l) >= 2)) && break
done
sort -u log
grep -q ' n1 program text$' log && grep -q ' n1 program: text$' log
