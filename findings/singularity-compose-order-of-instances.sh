#!/bin/bash
# singularity-compose 0.1.19 (PyPI): `up` starts an instance before one that it depends on, and reports a circular
# dependency that does not exist.
#
# Expected: the instances are started in an order that follows `depends_on`, whatever their order in the file is.
# Actual:   web depends on app, app on db, and db on storage. In the order web, db, app, storage, db is started first, and
#           storage last. Then `up` prints "Unable to create all instances, possible circular dependency" and exits with
#           1, although all instances have been started. In the order storage, db, app, web, it works.
# Affected: projects with a chain of dependencies: a database starts before its storage or its broker, and scripts that
#           check the exit status stop. singularity-compose sorts in one pass: an instance that it moves forward can pass
#           its own dependencies.
#
# The runtime is a stand-in that records the started instances and lists them.
# Requires Python 3.8 or later with venv, and PyPI; nothing is installed.
# Exit status: 0 if singularity-compose behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd "$work"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check singularity-compose==0.1.19
python/bin/pip list --disable-pip-version-check 2>/dev/null | grep '^singularity-compose '
mkdir bin
cat >bin/singularity <<END_OF_RUNTIME
#!/bin/bash
started=$work/started
case \$* in
*'instance start'*) echo "\${!#}" >>"\$started" ;;
*'instance list'*)
    # With a name after the options, only this instance is listed.
    separator=
    printf '{"instances": ['
    while read -r name; do
        [[ \${!#} == --json || \${!#} == "\$name" ]] || continue
        printf '%s{"instance": "%s", "pid": 1, "img": "", "ip": ""}' "\$separator" "\$name"
        separator=,
    done <"\$started"
    echo ']}'
    ;;
*version) echo 'apptainer version 1.4.5' ;;
esac
END_OF_RUNTIME
chmod +x bin/singularity
# up INSTANCE...: starts a project whose file has the instances in this order, and prints the order of their start.
up() {
    local -A depends_on=([web]=app [app]=db [db]=storage [storage]="")
    local instance status=0
    rm -rf project
    mkdir project
    : >started
    printf 'version: "2.0"\ninstances:\n' >project/singularity-compose.yml
    for instance in "$@"; do
        mkdir "project/$instance"
        touch "project/$instance/$instance.sif"
        printf '  %s:\n    image: ./%s/%s.sif\n    network: {enable: false}\n    depends_on: [%s]\n' \
            "$instance" "$instance" "$instance" "${depends_on[$instance]}" >>project/singularity-compose.yml
    done
    (cd project && PATH=$work/bin:$PATH ../python/bin/singularity-compose up) >messages 2>&1 || status=$?
    printf 'file:    %s\nstarted: %s\nexit status: %d\n' "$*" "$(sed 's/1$//' started | xargs)" "$status"
    grep -o 'Unable to create all instances.*' messages || :
}
{
    up storage db app web
    up web db app storage
} | tee output
[[ $(<output) == 'file:    storage db app web
started: storage db app web
exit status: 0
file:    web db app storage
started: db app web storage
exit status: 1
Unable to create all instances, possible circular dependency.' ]]
