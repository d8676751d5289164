//! The output of the shim when it is called by its own name.

use crate::message::eprint;
use sifcache_core::nested::DIRECTORY;
use std::ffi::CString;
use std::io::{self, Write as _};

/// The exit status for an invalid command line: `EX_USAGE` of sysexits(3).
const USAGE: i32 = 64;

/// Handles `--help` and `--version`, and rejects everything else. Returns the exit status.
pub(crate) fn respond(arguments: &[CString]) -> i32 {
    let version = env!("CARGO_PKG_VERSION");
    match arguments.get(1).map(|argument| argument.as_bytes()) {
        Some(b"--version" | b"-V") => print(&format!("sifcache-shim {version}")),
        Some(b"--help" | b"-h") => print(HELP.replace("DIRECTORY", DIRECTORY).trim()),
        _ => {
            eprint("the shim is called in place of a runtime; sifcache-shim --help says how");
            return USAGE;
        }
    }
    0
}

/// Prints a line. A write to a closed stdout is ignored.
fn print(text: &str) {
    let _ = writeln!(io::stdout(), "{text}");
}

const HELP: &str = "
sifcache-shim: starts a container runtime on the site's own SIF file of a docker:// image

Called as apptainer or singularity, it looks for the image as the sifcache plugin of Slurm
does, puts the path of the SIF file into the command line if there is one, and becomes the
next program of that name in PATH. It takes no options of its own.

  DIRECTORY/bin/apptainer exec docker://ubuntu:24.04 true

Jobs come to it by themselves, as plugstack.conf says with nested=path or nested=preload.
Elsewhere, put DIRECTORY/bin in front of PATH, or DIRECTORY/bin-apptainer or bin-singularity
where only that runtime is installed. Settings are those of the plugin's line
in plugstack.conf; SIF_CACHE=auto|off|require in the environment is the mode that the user requests.
`sifcache explain -- apptainer exec docker://...` says what would happen, and why.

Exit status: the runtime's; 66 if the image is missing and the site or the user wants no
pull; 127 if there is no runtime.
";
