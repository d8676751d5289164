#!/usr/bin/env bash
# Runs COUNT steps of mixed kinds as a user on the login node, and checks each of them.
# usage: steps.sh jobs|allocation COUNT [without]
# With `without`, the steps use the image's path instead of the reference, and no option of sifcache.
# Prints a line for each step with an unexpected result, and the number of steps.
set -u
how=$1 count=$2 without=${3:-}
image=docker://o/i:1 require=--sif-cache=require off=--sif-cache=off lacking=66:'not in the image cache'
[[ $without ]] && image=/shared/sif/o/i:1 require=--quiet off=--quiet lacking=255:refused
printf '0 true\n1 apptainer exec %s cat /etc/image-name\n' "$image" >"$HOME/multi.conf"

# The kinds of the steps, in a cycle: a kind that is listed more often runs more often.
kinds=(true true true true true true nodes tasks hit shim miss require multi off pass false
	true true true true)

# Runs one step; prints nothing if the result is as expected.
# shellcheck disable=SC2016  # these variables are expanded in the task
step() {
	local kind=$1 node=$2 status=0 want=0 text='' said
	case $kind in
	true) set -- -w "$node" true ;;
	false) want=1; set -- -w "$node" false ;;
	nodes) want=0; text=$'n1\nn2'; set -- -N2 -n2 hostname ;;
	tasks) text=$'0\n1\n2\n3'; set -- -w "$node" -n4 --overcommit bash -c 'echo $SLURM_PROCID' ;;
	hit) text=image; set -- -w "$node" apptainer exec "$image" cat /etc/image-name ;;
	shim) text=image; set -- -w "$node" bash -c "apptainer exec $image cat /etc/image-name" ;;
	# There is no registry: an image that is not in the cache cannot run.
	miss) want=255; text=refused; set -- -w "$node" apptainer exec docker://o/absent:1 true ;;
	require) want=${lacking%:*} text=${lacking#*:}
		set -- -w "$node" "$require" apptainer exec docker://o/absent:1 true ;;
	multi) text=image; set -- -w "$node" -n2 --overcommit --multi-prog "$HOME/multi.conf" ;;
	off) want=255; text=refused
		set -- -w "$node" "$off" apptainer exec docker://o/i:1 true ;;
	pass) text=apptainer; set -- -w "$node" apptainer --version ;;
	esac
	said=$(srun -N1 -n1 "$@" 2>&1 </dev/null | grep -v "^srun: job " | sort; exit "${PIPESTATUS[0]}") || status=$?
	case $kind:$said in
	true: | false:* | nodes:"$text" | tasks:"$text") text=ok ;;
	hit:*/environments:* | shim:*/environments:* | multi:*/environments:*) text=ok ;;
	miss:*"$text"* | off:*"$text"* | require:*"$text"* | pass:*"$text"*) text=ok ;;
	esac
	[[ $status = "$want" && $text = ok ]] || printf 'LOST %s on %s: status %s: %s\n' "$kind" "$node" "$status" "$said"
}

run() {
	local n
	for ((n = 0; n < count; n++)); do
		step "${kinds[n % ${#kinds[@]}]}" "n$((n / ${#kinds[@]} % 2 + 1))"
		((n % 100 == 99)) && echo "at $((n + 1))"
	done
	echo "done $count"
}

case $how in
jobs) run ;;
allocation) exec salloc --quiet -N2 -n2 --overcommit "$0" inside "$count" "$without" ;;
inside) run ;;
esac
