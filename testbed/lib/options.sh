# shellcheck shell=bash
# The command line after the subcommand.

# The defaults of the options.
option_name=${SIFCACHE_TESTBED_NAME:-}
option_on=ctl
option_user=
option_cwd=
option_nodes=2
option_clusters=1
option_all=
option_reuse=
option_configless=
option_accounting=
# The suite of the root file system. `with` passes it on to the testbed commands that its command
# runs.
export SIFCACHE_TESTBED_SUITE=${SIFCACHE_TESTBED_SUITE:-sid}
suite=$SIFCACHE_TESTBED_SUITE
extra_env=()
arguments=()

# parse ALLOWED ARG… sets option_… and arguments. ALLOWED is a list of words: `name=` takes a value,
# `all` takes none; `command` means that the first word that is not an option begins a command,
# whose options are not parsed.
parse() {
    local allowed=" $1 "
    shift
    while (($#)); do
        case $1 in
            --help | -h) help "$subcommand" && exit ;;
            --) arguments+=("${@:2}") && return ;;
            --*=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" ;;&
            -?*) parse_option "$allowed" "$@" && shift "$consumed" ;;
            *)
                if [[ $allowed == *' command '* ]]; then
                    arguments+=("$@") && return
                fi
                arguments+=("$1") && shift
                ;;
        esac
    done
}

# parse_option ALLOWED OPTION [VALUE…] sets consumed.
parse_option() {
    local option=${2#--}
    if [[ $1 == *" $option= "* ]]; then
        (($# > 2)) || usage_error "$subcommand $2: value missing"
        set_option "$option" "$3"
        consumed=2
    elif [[ $2 == --* && $1 == *" $option "* && $option != command ]]; then
        printf -v "option_$option" yes
        consumed=1
    else
        usage_error "$subcommand $2: no such option"
    fi
}

set_option() {
    case $1 in
        name) check_name "$2" ;;
        nodes) check_number --nodes "$2" 100 ;;
        clusters) check_number --clusters "$2" 16 ;;
        suite) check_suite "$2" && suite=$2 SIFCACHE_TESTBED_SUITE=$2 ;;
        env) [[ $2 == ?*=* ]] || usage_error "--env $2: not of the form NAME=VALUE" ;;
    esac
    if [[ $1 == env ]]; then
        extra_env+=("$2")
    else
        printf -v "option_$1" %s "$2"
    fi
}

# operands MIN MAX WHAT: checks the number of arguments that are not options.
operands() {
    ((${#arguments[@]} >= $1)) || usage_error "$subcommand: $3 missing"
    ((${#arguments[@]} <= $2)) || usage_error "$subcommand ${arguments[$2]}: one word too many"
}
