//! Programs that start the command that follows them: `srun`, `mpirun`, `env`.
//!
//! `explain` explains the command that they start. An option that is missing from the tables below
//! may or may not take a value. The start of the command is then unknown, which is an error.

use sifcache_core::cache_mode::ENVIRONMENT;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

/// How a program parses its arguments before the command.
struct Grammar {
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
    assigns: bool,
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

/// The programs before a command, and their effects.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Starters {
    /// The programs in order.
    pub(super) names: Vec<String>,
    /// Variables that they set (`Some`) or unset (`None`), in order.
    pub(super) variables: Vec<(OsString, Option<OsString>)>,
    /// Whether `env` clears the environment.
    pub(super) empty: bool,
    /// The number of arguments before the command.
    pub(super) length: usize,
}

/// An argument before the command that cannot be parsed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct UnknownOption {
    pub(super) program: String,
    pub(super) word: String,
}

impl UnknownOption {
    fn new(program: &str, word: &[u8]) -> Self {
        Self { program: program.to_owned(), word: word.escape_ascii().to_string() }
    }
}

/// Finds the programs that precede the actual command.
pub(super) fn find(words: &[OsString]) -> Result<Starters, UnknownOption> {
    let mut starters = Starters::default();
    while let Some(grammar) = words.get(starters.length).and_then(|word| grammar(word)) {
        grammar.skip(words, &mut starters)?;
    }
    Ok(starters)
}

fn grammar(program: &OsStr) -> Option<&'static Grammar> {
    let name = program.as_bytes().rsplit(|byte| *byte == b'/').next()?;
    GRAMMARS.iter().find(|grammar| grammar.names.iter().any(|n| n.as_bytes() == name))
}

/// How many of the following arguments belong to an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    Nothing,
    Value,
    Pair,
}

/// An option: its name, its value if that is in the same argument, and the following arguments that
/// belong to it.
struct Flag<'a> {
    name: String,
    value: Option<&'a [u8]>,
    takes: Takes,
}

impl Grammar {
    fn skip(&self, words: &[OsString], starters: &mut Starters) -> Result<(), UnknownOption> {
        let program = words.get(starters.length).map(|word| word.to_string_lossy().into_owned());
        let program = program.unwrap_or_default();
        let name = program.rsplit('/').next().unwrap_or_default().to_owned();
        starters.names.push(name);
        let mut index = starters.length + 1;
        while let Some(word) = words.get(index).map(|word| word.as_bytes()) {
            let unknown = || UnknownOption::new(&program, word);
            match word {
                b"--" => {
                    index += 1;
                    break;
                }
                // For env, this means -i.
                b"-" if self.assigns => starters.clear(),
                [b'-', _, ..] => {
                    let option = self.option(word).ok_or_else(unknown)?;
                    let next = words.get(index + 1).map(|word| word.as_bytes());
                    let value = option.value.or(next.filter(|_| option.takes != Takes::Nothing));
                    starters.note(self, &option.name, value);
                    index += match option.takes {
                        Takes::Nothing => 0,
                        Takes::Value => 1,
                        Takes::Pair => 2,
                    };
                }
                _ => break,
            }
            index += 1;
        }
        while let Some(word) = words.get(index).filter(|_| self.assigns) {
            let Some(at) = word.as_bytes().iter().position(|byte| *byte == b'=') else { break };
            let (name, value) = word.as_bytes().split_at(at);
            let value = value.get(1..).unwrap_or_default();
            let os = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
            starters.variables.push((os(name), Some(os(value))));
            index += 1;
        }
        starters.length = index.min(words.len());
        Ok(())
    }

    fn option<'a>(&self, word: &'a [u8]) -> Option<Flag<'a>> {
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

impl Starters {
    /// Records the effect of an option on the decision.
    fn note(&mut self, grammar: &Grammar, option: &str, value: Option<&[u8]>) {
        let os = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
        // env allows several letters in one argument; only the last letter can take a value.
        let letters = if grammar.assigns && option.len() < 4 { option } else { "" };
        if option == "ignore-environment" || letters.contains('i') {
            self.clear();
        }
        match value {
            // For the processes of the task, Slurm turns the option into the variable.
            Some(value) if option == "sif-cache" => {
                self.variables.push((ENVIRONMENT.into(), Some(os(value))));
            }
            Some(name) if option == "unset" || letters.ends_with('u') => {
                self.variables.push((os(name), None));
            }
            _ => {}
        }
    }

    fn clear(&mut self) {
        self.empty = true;
        self.variables.clear();
    }

    /// The value of a variable for the command; `inherited` is its value in the environment of
    /// `explain`.
    pub(super) fn variable(&self, name: &str, inherited: Option<OsString>) -> Option<OsString> {
        let last = self.variables.iter().rev().find(|(other, _)| other == name);
        match last {
            Some((_, value)) => value.clone(),
            None => inherited.filter(|_| !self.empty),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Starters, UnknownOption, find};
    use std::ffi::OsString;

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    /// The command that would be started.
    fn rest(line: &str) -> String {
        let words = words(line);
        let found =
            find(&words).unwrap_or_else(|unknown_option| panic!("{line}: {unknown_option:?}"));
        let rest: Vec<_> = words[found.length..].iter().map(|w| w.to_str().unwrap()).collect();
        rest.join(" ")
    }

    #[test]
    fn other_programs_are_not_starters() {
        for line in ["", "apptainer run x", "srunx -n 1 a", "bash -c srun", "env2 a"] {
            assert_eq!(rest(line), line);
        }
    }

    #[test]
    fn options_of_srun_are_skipped() {
        for options in [
            "",
            "-n 4 -N2",
            "-vv -l",
            "-lvn 4",
            "-K0 -I30 -k",
            "--ntasks=4 --nodes 2 --label",
            "--ntas=4 --part debug",
            "--exclusive --mem 1G --gres=gpu:1",
            "--bcast --pty --mpi pmix",
            "--sif-cache require",
            "--container-image=x",
            "-u --cpu-bind cores --",
            "--ntasks-p 4",
        ] {
            assert_eq!(rest(&format!("srun {options} apptainer run -e x")), "apptainer run -e x");
            assert_eq!(rest(&format!("/usr/bin/srun {options} a srun")), "a srun");
        }
        assert_eq!(rest("srun -n"), "");
        assert_eq!(rest("srun"), "");
    }

    #[test]
    fn options_of_mpirun_are_skipped() {
        for options in [
            "-np 4",
            "--np 4 -x PATH -H a,b",
            "--mca btl tcp --bind-to core",
            "-mca btl tcp -mca pml ob1",
            "-genv A 1 -ppn 2 -hosts a,b",
            "-n 2 --oversubscribe --allow-run-as-root",
        ] {
            assert_eq!(rest(&format!("mpirun {options} apptainer exec x")), "apptainer exec x");
        }
    }

    #[test]
    fn options_and_assignments_of_env_are_parsed() {
        for options in
            ["", "-i", "-", "A=b C=", "-u A B=c", "--unset=A -C / -v", "-iu A", "--chdir / -- A=b"]
        {
            assert_eq!(rest(&format!("env {options} apptainer run x")), "apptainer run x");
        }
        let of = |line: &str| find(&words(line)).unwrap();
        let some = |text: &str| Some(OsString::from(text));
        let found = of("env -u B A=b A=c x");
        assert_eq!(found.variable("A", some("z")), some("c"));
        assert_eq!(found.variable("B", some("z")), None);
        assert_eq!(found.variable("C", some("z")), some("z"));
        for line in ["env -i x", "env - x", "env --ignore-e x", "env -vi x", "env C=a env -i x"] {
            assert_eq!(of(line).variable("C", some("z")), None, "{line}");
        }
    }

    #[test]
    fn starters_can_be_nested() {
        assert_eq!(rest("srun -n 2 env A=b mpirun -np 2 apptainer run x"), "apptainer run x");
        let found = find(&words("srun --sif-cache=off --sif-c=auto env A=b x")).unwrap();
        let expected = Starters {
            names: ["srun", "env"].map(str::to_owned).to_vec(),
            variables: [("SIF_CACHE", "off"), ("SIF_CACHE", "auto"), ("A", "b")]
                .map(|(name, value)| (name.into(), Some(value.into())))
                .to_vec(),
            empty: false,
            length: 5,
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn unknown_options_are_errors() {
        for (line, program, word) in [
            ("srun --container-image x a", "srun", "--container-image"),
            ("srun -Y a", "srun", "-Y"),
            ("srun --mem-b a --s b", "srun", "--s"),
            ("env -S apptainer", "env", "-S"),
            ("env --split-string=a", "env", "--split-string=a"),
            ("srun mpirun -unknown 2 a", "mpirun", "-unknown"),
        ] {
            let unknown_option = find(&words(line));
            let expected = UnknownOption { program: program.to_owned(), word: word.to_owned() };
            assert_eq!(unknown_option, Err(expected), "{line}");
        }
    }
}
