//! The options that `srun`, `mpirun` and `env` take before the command that they start.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

/// How a program parses its arguments before the command.
pub(super) struct Grammar {
    /// Names of the program.
    names: &'static [&'static str],
    /// Short options with a value, in the same argument or the next.
    value_letters: &'static [u8],
    /// Short options without a value, or with a value in the same argument.
    letters: &'static [u8],
    /// Whether long options may be abbreviated, as getopt_long(3) allows.
    abbreviates: bool,
    /// Whether long options may also start with a single dash.
    one_dash: bool,
    /// Whether variable assignments may precede the command.
    pub(super) assigns: bool,
    /// Long options without a value, or with a value in the same argument.
    flags: &'static str,
    /// Long options with a value, in the same argument after `=`, or in the next.
    values: &'static str,
    /// Long options with two values, in the next two arguments.
    pairs: &'static str,
}

const GRAMMARS: [Grammar; 3] = [
    // Slurm 20.11 to 26.05.
    Grammar {
        names: &["srun"],
        value_letters: b"ABCDFGJLMNSTWbcdeimnopqrtwx",
        letters: b"EHIKOQVXZhklsuv",
        abbreviates: true,
        one_dash: false,
        assigns: false,
        flags: "async bcast compress consolidate-segments contiguous debugger-test disable-status \
            exact exclusive external-launcher help hold immediate interactive kill-on-bad-exit \
            label multi-prog nice no-allocate no-kill oom-kill-step overcommit overlap \
            oversubscribe parsable preserve-env propagate pty quiet quit-on-interrupt reboot \
            resv-ports send-libs spread-job spread-segments stepmgr test-only unbuffered usage \
            use-min-nodes verbose version wait-for-children whole x11",
        values: "accel-bind account acctg-freq autocomplete bb bbf bcast-exclude begin chdir \
            cluster cluster-constraint clusters comment constraint container container-id container-type context \
            core-spec cores-per-socket cpu-bind cpu-freq cpu_bind cpus-per-gpu cpus-per-task \
            deadline delay-boot dependency distribution epilog error exclude export \
            extra extra-node-info gid gpu-bind gpu-freq gpus gpus-per-node gpus-per-socket \
            gpus-per-task gres gres-flags het-group hint ignore-signals input job-name jobid \
            licenses mail-type mail-user mcs-label mem mem-bind mem-per-cpu mem-per-gpu \
            mem-update mincpus mpi msg-timeout network nodefile nodelist nodes ntasks \
            ntasks-per-core ntasks-per-gpu ntasks-per-node ntasks-per-socket ntasks-per-tres \
            open-mode output pack-group partition power prefer priority profile prolog qos \
            relative reservation resources runtime segment sif-cache signal slurmd-debug \
            sockets-per-node switches task-epilog task-prolog tasks-per-node thread-spec threads \
            threads-per-core time time-min tmp treewidth tres-bind tres-per-task uid wait wckey",
        pairs: "",
    },
    // Open MPI 4 and 5, and additional options of MPICH and Intel MPI.
    Grammar {
        names: &["mpirun", "mpiexec", "mpiexec.hydra", "orterun", "prterun"],
        value_letters: b"HNcnxf",
        letters: b"hlqvV",
        abbreviates: false,
        one_dash: true,
        assigns: false,
        flags: "allow-run-as-root bynode byslot display-allocation display-map do-not-launch \
            do-not-resolve enable-recovery envall envnone genvall genvnone get-stack-traces help \
            merge-stderr-to-stdout nolocal nooversubscribe oversubscribe prepend-rank quiet \
            report-bindings show-progress stream-buffering tag-output timestamp-output \
            use-hwthread-cpus verbose version",
        values: "am bind-to bootstrap cpu-set default-hostfile display envlist genvlist host \
            hostfile hosts iface launcher machinefile map-by max-restarts np npernode npersocket \
            output output-filename path personality pernode-list ppn prefix prtemca-file rank-by \
            rankfile report-uri rf rmk rr runtime-options stdin timeout tune wd wdir \
            with-ft xml-file",
        pairs: "env genv gmca gpmixmca mca omca pmca pmixmca prtemca",
    },
    // GNU coreutils.
    Grammar {
        names: &["env"],
        value_letters: b"uCa",
        letters: b"i0v",
        abbreviates: true,
        one_dash: false,
        assigns: true,
        flags: "block-signal debug default-signal help ignore-environment ignore-signal \
            list-signal-handling null version",
        values: "argv0 chdir unset",
        pairs: "",
    },
];

/// The grammar of a program that starts commands.
pub(super) fn of(program: &OsStr) -> Option<&'static Grammar> {
    let name = program.as_bytes().rsplit(|byte| *byte == b'/').next()?;
    GRAMMARS.iter().find(|grammar| grammar.names.iter().any(|n| n.as_bytes() == name))
}

/// How many of the following arguments belong to an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    Nothing,
    Value,
    Pair,
}

/// An option: its name, its value if that is in the same argument, and the following arguments that
/// belong to it.
pub(super) struct Flag<'a> {
    pub(super) name: String,
    pub(super) value: Option<&'a [u8]>,
    pub(super) takes: Takes,
}

impl Grammar {
    /// Parses an option; returns `None` if it is not in the tables.
    pub(super) fn option<'a>(&self, word: &'a [u8]) -> Option<Flag<'a>> {
        match word {
            [b'-', b'-', long @ ..] => self.long(long),
            [b'-', letters @ ..] if self.one_dash => {
                self.long(letters).or_else(|| self.short(letters))
            }
            [b'-', letters @ ..] => self.short(letters),
            _ => None,
        }
    }

    fn long<'a>(&self, word: &'a [u8]) -> Option<Flag<'a>> {
        let at = word.iter().position(|byte| *byte == b'=');
        let (name, value) = word.split_at(at.unwrap_or(word.len()));
        let value = value.get(1..);
        let name = str::from_utf8(name).ok()?;
        let lists =
            [(self.flags, Takes::Nothing), (self.values, Takes::Value), (self.pairs, Takes::Pair)];
        let all =
            || lists.iter().flat_map(|(list, takes)| list.split_whitespace().map(|n| (n, *takes)));
        let exact = all().find(|(known, _)| *known == name);
        let abbreviated = || {
            let mut longer = all().filter(|(known, _)| known.starts_with(name));
            let first = longer.next().filter(|_| self.abbreviates)?;
            // For an ambiguous abbreviation, the first match is used, provided that all matches
            // take the same number of arguments.
            longer.all(|(_, takes)| takes == first.1).then_some(first)
        };
        let flag = |name: &str, takes| Some(Flag { name: name.to_owned(), value, takes });
        match (exact.or_else(abbreviated), value) {
            (Some((known, _)), Some(_)) => flag(known, Takes::Nothing),
            (Some((known, takes)), None) => flag(known, takes),
            // This may be an option of another SPANK plugin, for example.
            (None, Some(_)) if !self.assigns => flag(name, Takes::Nothing),
            (None, _) => None,
        }
    }

    fn short<'a>(&self, letters: &'a [u8]) -> Option<Flag<'a>> {
        let (first, rest) = letters.split_first()?;
        let name = char::from(*first).to_string();
        if self.value_letters.contains(first) {
            let value = (!rest.is_empty()).then_some(rest);
            let takes = if value.is_some() { Takes::Nothing } else { Takes::Value };
            return Some(Flag { name, value, takes });
        }
        if !self.letters.contains(first) {
            return None;
        }
        match rest.first() {
            // -I, -K and -k of srun may have a value in the same argument.
            Some(next) if !next.is_ascii_digit() && !b"IKk".contains(first) => {
                let mut option = self.short(rest)?;
                option.name.insert(0, char::from(*first));
                Some(option)
            }
            _ => Some(Flag { name, value: None, takes: Takes::Nothing }),
        }
    }
}
