#!/bin/bash
# streamflow 0.1.6 (PyPI): with the Slurm connector, arguments with spaces and other special characters lose their
# quotes.
#
# Expected: CWL, CommandLineTool, "Input binding": each argument is one argument of the program, whatever the connector
#           is. The SSH connector passes the command so.
# Actual:   streamflow quotes the arguments with apostrophes, and then puts the command between apostrophes again, for
#           `sh -c` in the job script. The inner ones end the outer ones: `grep -c 'two words' FILE` becomes `grep -c
#           two` with further arguments for sh.
# Affected: tools with patterns, expressions, titles or scripts in their arguments, such as awk, sed, grep, and `sh -c`.
#           Some fail; others do something else, wait for their standard input, or write the output to a file with
#           another name.
#
# An SSH server on loopback, from the asyncssh that streamflow installs, is the login node. sbatch is a stand-in that
# runs the script at once, and scontrol reports that the job completed.
# Requires Python 3.8 or later with venv, and PyPI; nothing is installed.
# Exit status: 0 if streamflow behaves as described, 1 otherwise.
# shellcheck disable=SC2016
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
printf '#!/bin/bash\necho "JobId=42 JobState=COMPLETED ExitCode=0:0"\n' >bin/scontrol
cat >bin/arguments <<'END_OF_TOOL'
#!/bin/bash
printf ' [%s]' "$@" >"$RESULT"
END_OF_TOOL
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
RESULT="$work/result" PATH="$work/bin:$PATH" python/bin/python server.py >server.log 2>&1 &
server=$!
for ((wait = 0; wait < 100; wait++)); do
    [[ ! -e port ]] || break
    sleep 0.1
done
printf '#!/bin/bash\n{{streamflow_command}}\n' >template
cat >workflow.cwl <<'END_OF_WORKFLOW'
cwlVersion: v1.2
class: Workflow
inputs: []
outputs: []
steps:
  print:
    in: []
    out: []
    run:
      class: CommandLineTool
      baseCommand: arguments
      arguments: [one, two words, '$1 > 0']
      inputs: []
      outputs: []
END_OF_WORKFLOW

# run CONNECTOR SETTING: runs the workflow, and prints the arguments that the tool gets.
run() {
    cat >streamflow.yml <<END_OF_SETTINGS
version: v1.0
workflows:
  main:
    type: cwl
    config: {file: workflow.cwl}
    bindings:
      - {step: /print, target: {model: cluster}, workdir: $work/jobs}
models:
  cluster:
    type: $1
    config:
      $2
      username: user
      sshKey: $work/key
      checkHostKey: false
      file: template
END_OF_SETTINGS
    rm -f result
    timeout 60 python/bin/streamflow run streamflow.yml --outdir results >log 2>&1
    printf '%s:%s\n' "$1" "$(<result)"
}
{
    run ssh "nodes: ['127.0.0.1:$(<port)']"
    run slurm "hostname: 127.0.0.1:$(<port)"
} | tee output
[[ $(<output) == 'ssh: [one] [two words] [$1 > 0]
slurm: [one] [two]' ]]
