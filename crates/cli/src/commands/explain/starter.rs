//! Programs that start the command that follows them: `srun`, `mpirun`, `env`.
//!
//! `explain` explains the command that they start. An option that is missing from the tables of
//! [`grammar`] may or may not take a value. The start of the command is then unknown, which is an
//! error.

mod grammar;

use grammar::{Grammar, Takes};
use sifcache_core::cache_mode::ENVIRONMENT;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

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
    while let Some(grammar) = words.get(starters.length).and_then(|word| grammar::of(word)) {
        starters.add(grammar, words)?;
    }
    Ok(starters)
}

impl Starters {
    /// Adds a program with this grammar, and its effects.
    fn add(&mut self, grammar: &Grammar, words: &[OsString]) -> Result<(), UnknownOption> {
        let program = words.get(self.length).map(|word| word.to_string_lossy().into_owned());
        let program = program.unwrap_or_default();
        let name = program.rsplit('/').next().unwrap_or_default().to_owned();
        self.names.push(name);
        let mut index = self.length + 1;
        while let Some(word) = words.get(index).map(|word| word.as_bytes()) {
            let unknown = || UnknownOption::new(&program, word);
            match word {
                b"--" => {
                    index += 1;
                    break;
                }
                // For env, this means -i.
                b"-" if grammar.assigns => self.clear(),
                [b'-', _, ..] => {
                    let option = grammar.option(word).ok_or_else(unknown)?;
                    let next = words.get(index + 1).map(|word| word.as_bytes());
                    let value = option.value.or(next.filter(|_| option.takes != Takes::Nothing));
                    self.note(grammar, &option.name, value);
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
        if grammar.assigns {
            index += self.assign(words.get(index..).unwrap_or_default());
        }
        self.length = index.min(words.len());
        Ok(())
    }

    /// Records the assignments at the start of these words, and returns their number.
    fn assign(&mut self, words: &[OsString]) -> usize {
        let os = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
        let before = self.variables.len();
        for word in words {
            let Some(at) = word.as_bytes().iter().position(|byte| *byte == b'=') else { break };
            let (name, value) = word.as_bytes().split_at(at);
            self.variables.push((os(name), Some(os(value.get(1..).unwrap_or_default()))));
        }
        self.variables.len() - before
    }

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
