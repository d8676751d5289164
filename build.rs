//! The Slurm release that the plugin is built for, and its linker options.
//!
//! Slurm loads a SPANK plugin only if the major and minor number in its `plugin_version` are those
//! of Slurm. Nothing else differs between releases, so the build needs no headers. The release is
//! set with `SLURM_VERSION=MAJOR.MINOR`; otherwise it is read from the installed
//! `slurm/slurm_version.h`.
// Cargo shows the messages of a failed build script.
#![allow(clippy::print_stderr)]

use std::path::{Path, PathBuf};
use std::{env, fs, process};

/// The directories where distributions and administrators install Slurm's headers.
const INCLUDES: [&str; 5] = [
    "/usr/include",
    "/usr/local/include",
    "/opt/slurm/include",
    "/usr/lib/slurm/include",
    "/opt/slurm/current/include",
];

/// The existing Slurm releases with the SPANK interface that the plugin uses.
const RELEASES: [(u32, u32); 10] =
    [(20, 11), (21, 8), (22, 5), (23, 2), (23, 11), (24, 5), (24, 11), (25, 5), (25, 11), (26, 5)];

fn main() {
    println!("cargo:rerun-if-env-changed=SLURM_VERSION");
    println!("cargo:rerun-if-changed=build.rs");
    let release = match release() {
        Ok(release) => release,
        Err(why) => {
            eprintln!("error: cannot build the plugin: {why}");
            eprintln!("help: set SLURM_VERSION=MAJOR.MINOR, for example SLURM_VERSION=24.11;");
            eprintln!("help: `srun --version` on the cluster prints the release");
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
    println!("cargo:rerun-if-changed=plugin.ld");
    let root = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    println!("cargo:rustc-cdylib-link-arg=-Wl,-T,{root}/plugin.ld");
    println!("cargo:rerun-if-changed=shim.ld");
    println!("cargo:rustc-link-arg-bin=sifcache-shim=-Wl,-T,{root}/shim.ld");
    // Each segment of a file starts with a page of its own. LLD saves the space, but the loader writes
    // to each page that a segment shares with its neighbor, and has to copy it first. GNU ld ignores
    // the option.
    for kind in ["cdylib-link-arg", "link-arg-bin=sifcache-shim"] {
        println!("cargo:rustc-{kind}=-Wl,-z,separate-loadable-segments");
    }
    // Links the unwinder statically. Otherwise srun and every slurmstepd would search for
    // libgcc_s.so.1 and load it with the plugin, which would take longer than everything else that
    // the plugin does in these processes.
    println!("cargo:rustc-link-lib=static:-bundle=gcc_eh");
}

fn release() -> Result<(u32, u32), String> {
    let release = match env::var("SLURM_VERSION") {
        Ok(text) if !text.is_empty() => {
            parse(&text).ok_or_else(|| format!("SLURM_VERSION={text} is not MAJOR.MINOR"))?
        }
        _ => installed()?,
    };
    check(release)?;
    Ok(release)
}

/// Rejects a release that the plugin does not support. A release that is newer than all known
/// releases is accepted with a warning.
fn check(release: (u32, u32)) -> Result<(), String> {
    let text = |(major, minor): (u32, u32)| format!("{major}.{minor:02}");
    let [oldest, .., newest] = RELEASES;
    if release < oldest {
        return Err(format!(
            "Slurm {} is older than {}, the oldest supported release",
            text(release),
            text(oldest)
        ));
    }
    if release > newest {
        println!(
            "cargo:warning=Slurm {} is newer than {}, the newest release that sifcache was tested with",
            text(release),
            text(newest)
        );
    } else if !RELEASES.contains(&release) {
        let known = RELEASES.map(text).join(", ");
        return Err(format!("there is no Slurm {}; supported releases: {known}", text(release)));
    }
    Ok(())
}

/// Parses `MAJOR.MINOR`. Anything after a second dot is ignored.
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
    from_header(&text)
        .ok_or_else(|| format!("{} does not define SLURM_VERSION_NUMBER", path.display()))
}

/// Parses the line `#define SLURM_VERSION_NUMBER 0x180b05`, with one byte each for the major, minor
/// and micro number.
fn from_header(text: &str) -> Option<(u32, u32)> {
    let line = text.lines().find(|line| line.contains("define SLURM_VERSION_NUMBER"))?;
    let number = line.split_whitespace().last()?.strip_prefix("0x")?;
    let number = u32::from_str_radix(number, 16).ok()?;
    Some((number >> 16, number >> 8 & 0xff))
}
