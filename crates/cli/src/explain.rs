//! `sifcache explain`: what would happen to a command line, and why.

mod json;
mod text;

use crate::args::Explain;
use crate::failure::{Exit, Failure};
use crate::site;
use sifcache_core::choice::{Choice, ENVIRONMENT};
use sifcache_core::decision::{self, Decision, Verdict};
use sifcache_core::settings::Settings;
use std::env;
use std::ffi::OsStr;
use std::io::{self, BufRead as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;

/// Runs the subcommand.
pub(crate) fn run(args: &Explain) -> Result<Exit, Failure> {
    let settings = site::settings(args)?;
    if args.stdin {
        return each_line(&settings);
    }
    let argv: Vec<&[u8]> = args.command.iter().map(|word| word.as_bytes()).collect();
    let decision = decide(&argv, &settings);
    let output = match args.json {
        true => json::line(&decision, &argv)?,
        false => text::page(&decision, &argv, &settings, choice()),
    };
    anstream::stdout().write_all(output.as_bytes())?;
    Ok(exit(&decision))
}

/// One JSON array in, one JSON object out, at once, so that a script can use one
/// process as a partner.
fn each_line(settings: &Settings) -> Result<Exit, Failure> {
    for (index, line) in io::stdin().lock().split(b'\n').enumerate() {
        let argv: Vec<String> =
            serde_json::from_slice(&line?).map_err(|error| Failure::Input(index + 1, error))?;
        let output = json::line(&decide(&argv, settings), &argv)?;
        io::stdout().write_all(output.as_bytes())?;
    }
    Ok(Exit::OK)
}

fn decide<A: AsRef<[u8]>>(argv: &[A], settings: &Settings) -> Decision {
    decision::decide(argv, settings, choice(), &|name: &str| {
        env::var_os(name).map(|value| value.as_bytes().to_vec())
    })
}

/// What `SIF_CACHE` asks for; a wrong value counts as none, as in a job.
fn choice() -> Choice {
    let value = env::var_os(ENVIRONMENT);
    value.as_deref().map(OsStr::as_bytes).and_then(Choice::parse).unwrap_or_default()
}

fn exit(decision: &Decision) -> Exit {
    match decision.verdict {
        Verdict::Hit => Exit::OK,
        Verdict::Miss => Exit::MISS,
        Verdict::Pass(_) => Exit::PASS,
    }
}

/// The command line that would run.
fn resulting(decision: &Decision, argv: &[impl AsRef<[u8]>]) -> Vec<Vec<u8>> {
    let mut result: Vec<Vec<u8>> = argv.iter().map(|word| word.as_ref().to_vec()).collect();
    if let (Some(path), Some(launch)) = (decision.hit(), decision.launch)
        && let Some(image) = result.get_mut(launch.image_index)
    {
        *image = path.as_os_str().as_bytes().to_vec();
    }
    result
}
