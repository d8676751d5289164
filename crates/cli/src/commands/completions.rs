//! Shell completions and man pages, generated from the definition of the command line.

use crate::cli::Cli;
use crate::error::Failure;
use crate::exit::Exit;
use clap::{Command, CommandFactory as _};
use clap_complete::Shell;
use std::io;
use std::path::Path;

/// Parts of scripts that complete references, by calling `sifcache complete-references`.
const BASH: &str = include_str!("completions/references.bash");
const FISH: &str = include_str!("completions/references.fish");
const ZSH: &str = include_str!("completions/references.zsh");

/// `sifcache completions SHELL`
pub(crate) fn completions(shell: Shell) -> Result<Exit, Failure> {
    // Generated in memory first, because clap panics if it cannot write its output.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "sifcache", &mut script);
    let script = with_references(shell, &String::from_utf8_lossy(&script));
    io::Write::write_all(&mut io::stdout(), script.as_bytes())?;
    Ok(Exit::OK)
}

/// The script, which also completes references. clap's own engine for this is marked as unstable.
fn with_references(shell: Shell, script: &str) -> String {
    match shell {
        Shell::Bash => script.replace("complete -F _sifcache ", "complete -F _sifcache_references ") + BASH,
        Shell::Fish => script.to_owned() + FISH,
        // `_arguments` changes `words` before it calls a function.
        Shell::Zsh => escape_value_names(script)
            .replace(":_urls'", ":_sifcache_references'")
            .replacen(
                "_sifcache() {\n",
                "_sifcache() {\n    local -a sifcache_words=(\"${(@)words[2,CURRENT-1]}\" \"$PREFIX\")\n",
                1,
            )
            .replacen("\nif [ \"$funcstack", &format!("\n{ZSH}\nif [ \"$funcstack"), 1),
        _ => script.to_owned(),
    }
}

/// Escapes the colons in the names of values, which clap does not: zsh would take the text after a
/// colon for the command that completes the value.
fn escape_value_names(script: &str) -> String {
    let mut script = script.to_owned();
    let cli = Cli::command();
    for name in cli.get_subcommands().flat_map(Command::get_arguments).flat_map(value_names) {
        if name.contains(':') {
            let escaped = name.replace(':', "\\:");
            script = script.replace(&format!("]:{name}:"), &format!("]:{escaped}:"));
        }
    }
    script
}

fn value_names(argument: &clap::Arg) -> Vec<String> {
    argument.get_value_names().into_iter().flatten().map(ToString::to_string).collect()
}

/// `sifcache manpages DIRECTORY`
pub(crate) fn manpages(directory: &Path) -> Result<Exit, Failure> {
    clap_mangen::generate_to(Cli::command(), directory)
        .map_err(|error| Failure::Write { path: directory.to_owned(), error })?;
    Ok(Exit::OK)
}

#[cfg(test)]
mod tests {
    use super::with_references;
    use crate::cli::Cli;
    use clap::CommandFactory as _;
    use clap_complete::Shell;

    /// A new release of clap may generate other text, which the replacements would then not find.
    #[test]
    fn the_scripts_call_the_parts_that_complete_references() {
        for (shell, texts) in [
            (
                Shell::Bash,
                &["complete -F _sifcache_references -o nosort", "_sifcache_references() {"][..],
            ),
            (Shell::Fish, &["-a '(__sifcache_references)'"]),
            (
                Shell::Zsh,
                &[
                    "remove:_sifcache_references'",
                    "words[2,CURRENT-1]",
                    "\n_sifcache_references() {",
                    "]:DIR[\\:DIR...]:",
                ],
            ),
        ] {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "sifcache", &mut script);
            let script = with_references(shell, &String::from_utf8(script).unwrap());
            for text in texts {
                let text = text.replace("remove:", ":");
                assert!(script.contains(&text), "{shell}: {text}");
            }
            assert!(!script.contains("_urls") && !script.contains("complete -F _sifcache "));
        }
    }
}
