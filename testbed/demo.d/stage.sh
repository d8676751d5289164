# shellcheck shell=bash
# Output, commands and checks of the demonstration.

# Set by the last typed command: its line, its exit status, and its duration.
last_line=
status=
hundredths=
step=0

open_stage() {
    bold='' blue='' dim='' off=''
    if [[ -t 1 && -z ${NO_COLOR:-} ]]; then
        bold=$'\e[1m' blue=$'\e[1;34m' dim=$'\e[2m' off=$'\e[0m'
    fi
    scratch=$(mktemp -d)
    trap 'rm -r -- "$scratch"' EXIT
}

# Prints one empty line, even if it is called several times.
at_gap=
gap() {
    [[ -n $at_gap ]] || printf '\n'
    at_gap=yes
}

heading() {
    gap
    printf '%s%s%s\n\n' "$bold" "$1" "$off"
}

next_step() { heading "Step $((++step)): $1"; }

# say LINE…: a paragraph.
say() {
    gap
    printf '%s\n' "$@" ''
}

# The shell that `typed` starts. It prints each line after the prompt, runs it, and writes the
# status and the microseconds to descriptor 3. The time is measured here, so that it does not
# include entering the cluster. It stops after the first line that fails.
# shellcheck disable=SC2016 # this shell must not expand anything
typing_shell='
    prompt=$1 blue=$2 off=$3
    for line in "${@:4}"; do
        printf "%s%s%s %s\n" "$blue" "$prompt" "$off" "$line"
        start=${EPOCHREALTIME//[^0-9]/}
        eval "$line" </dev/null 3>&-
        status=$?
        printf "%d %d\n" "$status" "$((${EPOCHREALTIME//[^0-9]/} - start))" >&3
        ((status == 0)) || break
    done'

# typed PROMPT LINES… -- COMMAND… runs the lines in one shell, started by COMMAND.
typed() {
    local prompt=$1 lines=() micros
    shift
    while [[ $1 != -- ]]; do lines+=("$1") && shift; done
    shift
    last_line="$prompt ${lines[-1]}"
    : >"$scratch/outcome"
    # The pipeline's own status is not used: the status of the last line is in the outcome.
    "$@" bash -c "$typing_shell" bash "$prompt" "$blue" "$off" "${lines[@]}" \
        2>&1 3>>"$scratch/outcome" </dev/null | tee "$scratch/output" || :
    read -r status micros < <(tail -n 1 "$scratch/outcome") ||
        broken 'the testbed could not run the command'
    hundredths=$(((micros + 5000) / 10000))
    at_gap=
}

# by USER LINE…: typed on the login node.
by() {
    local sign=\$
    [[ $1 != root ]] || sign=#
    typed "$1@ctl$sign" "${@:2}" -- "$testbed_dir/testbed" exec --user "$1" --cwd "$(home_of "$1")" --
}

# on NODE LINE…: typed by root on a node.
on() { typed "root@$1#" "${@:2}" -- "$testbed_dir/testbed" exec --on "$1" --; }

# here LINE…: typed outside of the cluster, in the project's top directory.
here() { typed demo\$ "$@" -- env --chdir="$project"; }

home_of() { if [[ $1 == root ]]; then echo /root; else echo "/home/$1"; fi; }

# from_project PATH: the path relative to the project's top directory, quoted.
from_project() { printf '%q' "${1#"$project/"}"; }

seconds() { printf '%d.%02d s' "$(($1 / 100))" "$(($1 % 100))"; }

show_outcome() { printf '%s(exit status %d after %s)%s\n' "$dim" "$status" "$(seconds "$hundredths")" "$off"; }

# Checks of the last typed command.

promise_status() {
    ((status == $1)) || broken "exit status $status instead of $1"
}

# promise_line TEXT: the output has exactly this line.
promise_line() {
    grep -Fxq -- "$1" "$scratch/output" || broken "no line of the output is: $1"
}

promise_no_line() {
    ! grep -Fxq -- "$1" "$scratch/output" || broken "a line of the output is: $1"
}

# promise_text TEXT: the output contains this text.
promise_text() {
    grep -Fq -- "$1" "$scratch/output" || broken "the output does not contain: $1"
}

# promise_line_like START REST: the output has a line that begins with START, a regular expression,
# and that contains REST.
promise_line_like() {
    grep -e "$1" -- "$scratch/output" | grep -Fq -e "$2" || broken "no line of the output matches $1 and contains: $2"
}

broken() {
    printf '\ndemo: step %d: unexpected result: %s\n' "$step" "$1" >&2
    printf 'demo: step %d: the command was: %s\n' "$step" "$last_line" >&2
    exit 1
}
