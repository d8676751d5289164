//! Inspects a shared object as the loader would see it. The file is read, never loaded.

use object::read::elf::{ElfFile32, ElfFile64};
use object::{Architecture, Endianness, Object, ObjectKind, ObjectSegment as _, ObjectSymbol as _};
use std::fs;
use std::io;
use std::path::Path;

/// Directories of Slurm's plugins to try if Slurm does not report its own.
pub(crate) const DIRECTORIES: [&str; 6] = [
    "/usr/lib/x86_64-linux-gnu/slurm-wlm",
    "/usr/lib/aarch64-linux-gnu/slurm-wlm",
    "/usr/lib64/slurm",
    "/usr/lib/slurm",
    "/usr/local/lib/slurm",
    "/opt/slurm/lib/slurm",
];

/// The symbol of a plugin whose value Slurm compares with its own version.
pub(crate) const VERSION: &str = "plugin_version";

/// Why a file cannot be loaded on this host.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Read(io::Error),
    /// It is not a shared object.
    #[error("is not a shared library")]
    NotShared,
    /// It was built for another architecture.
    #[error("is for {0}, this host is {host}", host = std::env::consts::ARCH)]
    Architecture(String),
}

/// Checks that a file is a shared object for this host, and returns the value of the exported
/// 32-bit variable `symbol`, if it exists.
///
/// # Errors
/// The file cannot be read, is not a shared object, or is for another architecture.
pub(crate) fn number(path: &Path, symbol: &str) -> Result<Option<u32>, Error> {
    let bytes = fs::read(path).map_err(Error::Read)?;
    let bytes = bytes.as_slice();
    // A 32-bit object is for another architecture, but is still recognized as a shared object.
    if let Ok(file) = ElfFile64::<Endianness>::parse(bytes) {
        return look(&file, symbol);
    }
    let file = ElfFile32::<Endianness>::parse(bytes).map_err(|_| Error::NotShared)?;
    look(&file, symbol)
}

fn look<'data>(file: &impl Object<'data>, symbol: &str) -> Result<Option<u32>, Error> {
    if file.kind() != ObjectKind::Dynamic {
        return Err(Error::NotShared);
    }
    if ours().is_some_and(|ours| file.architecture() != ours) {
        return Err(Error::Architecture(format!("{:?}", file.architecture())));
    }
    let address = file.dynamic_symbols().find(|s| s.is_definition() && s.name() == Ok(symbol));
    Ok(address.and_then(|symbol| value(file, symbol.address())))
}

/// The four bytes that would be loaded at that address, as a number.
fn value<'data>(file: &impl Object<'data>, address: u64) -> Option<u32> {
    let bytes = file.segments().find_map(|s| s.data_range(address, 4).ok().flatten())?;
    let bytes: [u8; 4] = bytes.try_into().ok()?;
    Some(if file.is_little_endian() {
        u32::from_le_bytes(bytes)
    } else {
        u32::from_be_bytes(bytes)
    })
}

/// This host's architecture, if Slurm is built for it.
fn ours() -> Option<Architecture> {
    match std::env::consts::ARCH {
        "x86_64" => Some(Architecture::X86_64),
        "aarch64" => Some(Architecture::Aarch64),
        "powerpc64" => Some(Architecture::PowerPc64),
        "riscv64" => Some(Architecture::Riscv64),
        "s390x" => Some(Architecture::S390x),
        _ => None,
    }
}
