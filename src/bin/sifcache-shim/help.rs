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
            eprint("the shim is called in place of a runtime; see sifcache-shim --help");
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
sifcache-shim: starts a container runtime with the site's SIF file of an image

Called as apptainer or singularity, it looks up the image by the same rules as the sifcache
plugin of Slurm. If the cache has the image, the path of the SIF file replaces the URI in the
command line. The shim then executes the next program of that name in PATH. For a pull of such
an image it copies the SIF file, or links to it with pull=link, and executes nothing. The names
apptainer and singularity have no additional options.

  DIRECTORY/bin/apptainer exec docker://ubuntu:24.04 true

With nested=path or nested=preload in plugstack.conf, launches, pulls and builds in job scripts
reach the shim automatically. On login nodes, they do in login shells if the file
/etc/sifcache/login-node exists, or after `module load sifcache`. To use the shim elsewhere, put
DIRECTORY/bin in front of PATH, or DIRECTORY/bin-apptainer or DIRECTORY/bin-singularity if only
that runtime is installed.
The settings come from the plugin's line in plugstack.conf. The environment variable
SIF_CACHE=auto|off|wait|require sets the cache mode.
`sifcache explain -- apptainer exec docker://...` shows the decision and its reason.

Exit status: that of the runtime; 66 if the image is missing and on_miss=fail or
SIF_CACHE=require forbids a pull; 126 if the runtime cannot be executed; 127 if there is no
runtime.
";
