#!/bin/bash
# streamflow 0.1.6 (PyPI): a Slurm job that ended at its time limit, for lack of memory or by scancel counts as
# completed.
#
# Expected: the step fails, as with a job that exits with 1. scontrol(1), "ExitCode": "The first number is the exit
#           code, typically as set by the exit() function. The second number of the signal that caused the process to
#           terminate".
# Actual:   streamflow reads only the first number of ExitCode, and not JobState. With a signal, the first number is 0.
#           The step is COMPLETED, the files that the job has written so far are its outputs, and the exit status is 0.
# Affected: workflows with the Slurm connector: a table or an archive that ends in the middle goes to the next steps.
#           Only jobs whose program fails by itself are noticed.
#
# An SSH server on loopback, from the asyncssh that streamflow installs, is the login node. sbatch is a stand-in that
# runs the script at once; scontrol prints the state and the exit code of a job that ended so.
# Requires Python 3.8 or later with venv, and PyPI; nothing is installed.
# Exit status: 0 if streamflow behaves as described, 1 otherwise.
set -euo pipefail
work=$(mktemp -d)
server=
trap 'rm -rf -- "$work"; [[ -z $server ]] || kill "$server" 2>/dev/null || :' EXIT
cd "$work"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check streamflow==0.1.6
python/bin/streamflow version

mkdir bin
cat >bin/sbatch <<'END_OF_SBATCH'
#!/bin/bash
while [[ $1 == -* ]]; do
    case $1 in
        -D) cd "$2" ;;
        -o) output=$2 ;;
    esac
    [[ $1 == --* ]] || shift
    shift
done
bash "$1" >"${output-output}" 2>&1
echo 42
END_OF_SBATCH
printf '#!/bin/bash\n' >bin/squeue
cat >bin/scontrol <<'END_OF_SCONTROL'
#!/bin/bash
echo "JobId=42 $(<"$STATE") Requeue=1 Restarts=0 BatchFlag=1 StdOut=/dev/null"
END_OF_SCONTROL
chmod 755 bin/*
cat >server.py <<'END_OF_SERVER'
import asyncio, asyncssh, os
class Server(asyncssh.SSHServer):
    def begin_auth(self, username):
        return False
async def run(process):
    child = await asyncio.create_subprocess_shell(
        process.command, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    output, errors = await child.communicate()
    process.stdout.write(output.decode())
    process.stderr.write(errors.decode())
    process.exit(child.returncode)
async def main():
    key = asyncssh.generate_private_key("ssh-ed25519")
    key.write_private_key("key")
    server = await asyncssh.create_server(
        Server, "127.0.0.1", 0, server_host_keys=[key], process_factory=run, sftp_factory=True, allow_scp=True)
    with open("port.new", "w") as file:
        file.write(str(server.get_port()))
    os.rename("port.new", "port")
    await asyncio.sleep(300)
asyncio.run(main())
END_OF_SERVER
STATE="$work/state" PATH="$work/bin:$PATH" python/bin/python server.py >server.log 2>&1 &
server=$!
for ((wait = 0; wait < 100; wait++)); do
    [[ ! -e port ]] || break
    sleep 0.1
done
cat >streamflow.yml <<END_OF_SETTINGS
version: v1.0
workflows:
  main:
    type: cwl
    config: {file: workflow.cwl}
    bindings:
      - {step: /simulate, target: {model: cluster}, workdir: $work/jobs}
models:
  cluster:
    type: slurm
    config:
      hostname: "127.0.0.1:$(<port)"
      username: user
      sshKey: $work/key
      checkHostKey: false
      pollingInterval: 1
      file: template
END_OF_SETTINGS
printf '#!/bin/bash\n{{streamflow_command}}\n' >template
cat >workflow.cwl <<'END_OF_WORKFLOW'
cwlVersion: v1.2
class: Workflow
inputs: []
outputs:
  result: {type: File, outputSource: simulate/result}
steps:
  simulate:
    in: []
    out: [result]
    run:
      class: CommandLineTool
      baseCommand: [touch, result.txt]
      inputs: []
      outputs:
        result: {type: File, outputBinding: {glob: result.txt}}
END_OF_WORKFLOW

# run STATE...: runs the workflow with a job that ends so, and prints what streamflow reports.
run() {
    local status=0
    echo "$*" >state
    rm -rf results
    timeout 60 python/bin/streamflow run streamflow.yml --outdir results >log 2>&1 || status=$?
    printf '%s: exit status %s\n' "$*" "$status"
    sed -n 's,.*\(Step /simulate/run terminated with status .*\),    \1,p' log
}
{
    run JobState=COMPLETED Reason=None ExitCode=0:0
    run JobState=FAILED Reason=NonZeroExitCode ExitCode=1:0
    run JobState=TIMEOUT Reason=TimeLimit ExitCode=0:15
    run JobState=OUT_OF_MEMORY Reason=OutOfMemory ExitCode=0:125
    run JobState=CANCELLED Reason=None ExitCode=0:15
} | tee output
[[ $(<output) == 'JobState=COMPLETED Reason=None ExitCode=0:0: exit status 0
    Step /simulate/run terminated with status COMPLETED
JobState=FAILED Reason=NonZeroExitCode ExitCode=1:0: exit status 1
    Step /simulate/run terminated with status FAILED
JobState=TIMEOUT Reason=TimeLimit ExitCode=0:15: exit status 0
    Step /simulate/run terminated with status COMPLETED
JobState=OUT_OF_MEMORY Reason=OutOfMemory ExitCode=0:125: exit status 0
    Step /simulate/run terminated with status COMPLETED
JobState=CANCELLED Reason=None ExitCode=0:15: exit status 0
    Step /simulate/run terminated with status COMPLETED' ]]
