//! Which Slurm release the plugin is for, and how it is linked.
//!
//! Slurm loads a SPANK plugin only if its `plugin_version` has the same major and
//! minor number. Nothing else differs between releases, so no headers are needed:
//! the release is given as `SLURM_VERSION=MAJOR.MINOR`, else it is read from the
//! installed `slurm/slurm_version.h`.

use std::path::{Path, PathBuf};
use std::{env, fs, process};

/// Where distributions and people install Slurm's headers.
const INCLUDES: [&str; 5] = [
    "/usr/include",
    "/usr/local/include",
    "/opt/slurm/include",
    "/usr/lib/slurm/include",
    "/opt/slurm/current/include",
];

/// The first release whose SPANK interface is the one we speak.
const OLDEST: (u32, u32) = (20, 11);

fn main() {
    println!("cargo:rerun-if-env-changed=SLURM_VERSION");
    println!("cargo:rerun-if-changed=build.rs");
    let release = match release() {
        Ok(release) => release,
        Err(why) => {
            eprintln!("error: cannot tell for which Slurm release to build: {why}");
            eprintln!("help: say SLURM_VERSION=MAJOR.MINOR, for example SLURM_VERSION=24.11;");
            eprintln!("help: `srun --version` on the cluster prints it");
            process::exit(1);
        }
    };
    let number = release.0 << 16 | release.1 << 8;
    let source = format!(
        "/// `SLURM_VERSION_NUM({}, {}, 0)`\npub(crate) const PLUGIN_VERSION: u32 = {number:#x};\n",
        release.0, release.1
    );
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    if let Err(error) = fs::write(out.join("slurm_version.rs"), source) {
        eprintln!("error: cannot write slurm_version.rs: {error}");
        process::exit(1);
    }
    // slurm-spank defines a symbol of its own; only Slurm's may leave the library.
    println!("cargo:rustc-cdylib-link-arg=-Wl,--exclude-libs,ALL");
    // The unwinder goes in: without this, srun and every slurmstepd search for and load
    // libgcc_s.so.1 together with us, which takes longer than all else that we do there.
    println!("cargo:rustc-link-lib=static:-bundle=gcc_eh");
}

fn release() -> Result<(u32, u32), String> {
    let release = match env::var("SLURM_VERSION") {
        Ok(text) if !text.is_empty() => {
            parse(&text).ok_or_else(|| format!("SLURM_VERSION={text} is not MAJOR.MINOR"))?
        }
        _ => installed()?,
    };
    if release < OLDEST {
        let ((major, minor), (first, second)) = (release, OLDEST);
        return Err(format!(
            "{major}.{minor:02} is older than {first}.{second}, the oldest we serve"
        ));
    }
    Ok(release)
}

/// `MAJOR.MINOR`, and whatever follows a further dot.
fn parse(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.trim().split('.');
    let two_digits = |text: &str| text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
    let (major, minor) = (numbers.next()?, numbers.next()?);
    (two_digits(major) && two_digits(minor))
        .then(|| Some((major.parse().ok()?, minor.parse().ok()?)))?
}

fn installed() -> Result<(u32, u32), String> {
    let header = |directory: &&str| Path::new(directory).join("slurm/slurm_version.h");
    let found = INCLUDES.iter().map(header).find(|path| path.is_file());
    let path = found.ok_or_else(|| {
        format!("SLURM_VERSION is not set, and no slurm/slurm_version.h in {}", INCLUDES.join(", "))
    })?;
    println!("cargo:rerun-if-changed={}", path.display());
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    from_header(&text).ok_or_else(|| format!("{} defines no SLURM_VERSION_NUMBER", path.display()))
}

/// The line `#define SLURM_VERSION_NUMBER 0x180b05`: a byte each for major, minor, micro.
fn from_header(text: &str) -> Option<(u32, u32)> {
    let line = text.lines().find(|line| line.contains("define SLURM_VERSION_NUMBER"))?;
    let number = line.split_whitespace().last()?.strip_prefix("0x")?;
    let number = u32::from_str_radix(number, 16).ok()?;
    Some((number >> 16, number >> 8 & 0xff))
}
