//! `srun --multi-prog`: each task has its own command, which plugins cannot see.
//!
//! SPANK shows the configuration file instead: its name, its text, and the arguments that follow it
//! for all tasks (`_load_multi` in Slurm's `srun/launch.c`). The plugin prepends the shim to the
//! task's command, and the shim decides on it. Slurm before 23.11 has no function that prepends to
//! a command.

use crate::NAME;
use crate::decide::requested_mode::RequestedMode;
use crate::spank::Spank;
use crate::spank::installed::Component;
use sifcache_core::cache_mode::CacheMode;
use sifcache_core::nested;

/// The shim's first argument in this case, and before a pull. It is followed by the plugin's
/// arguments in one argv entry, the cache mode that the user requested, and the command.
pub const FLAG: &str = "--multi-prog";

/// Whether the command of a step is a configuration file of `--multi-prog`.
///
/// SPANK does not report this. If the first argument of an ordinary program looks like such a file,
/// the shim is prepended to that program, without any effect.
pub(crate) fn is_configuration(command: &[&[u8]]) -> bool {
    let Some(text) = command.get(1) else { return false };
    let mut lines = 0;
    let mut continued = false;
    for line in text.split(|byte| *byte == b'\n') {
        let is_continuation = continued;
        continued = line.ends_with(b"\\");
        let line = line.trim_ascii();
        if is_continuation || line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        if !is_assignment(line) {
            return false;
        }
        lines += 1;
    }
    lines > 0
}

/// Whether a line has the form `RANKS PROGRAM …`, for example `0,2-4 ./a.out`.
fn is_assignment(line: &[u8]) -> bool {
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let is_rank = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b',' | b'-' | b'*');
    words.next().is_some_and(|ranks| ranks.iter().all(is_rank)) && words.next().is_some()
}

/// Prepends the shim to the task's command.
#[cold]
pub(crate) fn run(spank: &dyn Spank, requested: &RequestedMode) {
    let done = match spank.missing(Component::Shim) {
        Some(why) => Err(why),
        None => prepend(spank, requested),
    };
    let Err(why) = done else { return };
    if !spank.step().is_first_of_node() {
        return;
    }
    log::warn!("the commands of --multi-prog are not covered: {why}");
    if requested.mode == CacheMode::Require {
        spank.write_stderr(&format!(
            "{NAME}: --sif-cache=require has no effect on the commands of --multi-prog: {why}\n"
        ));
    }
}

/// Prepends the shim with its own arguments, which make it decide on the command that follows.
pub(crate) fn prepend(spank: &dyn Spank, requested: &RequestedMode) -> Result<(), String> {
    let shim = nested::installed(nested::SHIM);
    let settings = spank.arguments().join(&b' ');
    let mode = requested.mode.as_str();
    let words = [shim.as_bytes(), FLAG.as_bytes(), &settings, mode.as_bytes()];
    spank.prepend(&words).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::is_configuration;

    #[test]
    fn recognizes_the_configurations_that_srun_accepts() {
        for text in [
            "0 hostname",
            "* hostname\n",
            "# comment\n\n 4-6  echo 'a b' \\\nand more\n1,7\techo %t\n0,2-3 echo\n",
        ] {
            assert!(is_configuration(&[b"file", text.as_bytes()]), "{text:?}");
            assert!(is_configuration(&[b"file", text.as_bytes(), b"more"]), "{text:?}");
        }
        for text in ["", "\n# 0 a", "0", "0 \n", "hostname", "-c", "0 a\nb c", "a 0", "docker://x"]
        {
            assert!(!is_configuration(&[b"file", text.as_bytes()]), "{text:?}");
        }
        assert!(!is_configuration(&[b"0 hostname"]));
        assert!(!is_configuration(&[]));
    }
}
