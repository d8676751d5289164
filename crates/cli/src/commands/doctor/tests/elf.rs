//! A minimal shared library that exports `plugin_version`.

/// A library for this host with this version.
pub(super) fn plugin(version: u32) -> Vec<u8> {
    let machine: u16 = if cfg!(target_arch = "aarch64") { 183 } else { 62 };
    library(machine, version)
}

/// The library has one segment, from the start of the file, and a dynamic symbol table with one
/// symbol.
pub(super) fn library(machine: u16, version: u32) -> Vec<u8> {
    const NAMES: &[u8] = b"\0plugin_version\0";
    let (version_at, names_at, symbols_at, sections_at) = (120_u64, 124_u64, 144_u64, 192_u64);
    let size = sections_at + 3 * 64;
    let mut file = Vec::new();
    file.extend(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    words(&mut file, &[3, u64::from(machine)], 2);
    words(&mut file, &[1], 4);
    words(&mut file, &[0, 64, sections_at], 8);
    words(&mut file, &[0], 4);
    words(&mut file, &[64, 56, 1, 64, 3, 1], 2);
    // PT_LOAD, readable.
    words(&mut file, &[1, 4], 4);
    words(&mut file, &[0, 0, 0, size, size, 4096], 8);
    file.extend(version.to_le_bytes());
    file.extend(NAMES);
    file.resize(usize::try_from(symbols_at).unwrap(), 0);
    file.resize(usize::try_from(symbols_at).unwrap() + 24, 0);
    // A global object in section 1.
    words(&mut file, &[1], 4);
    file.extend([0x11, 0]);
    words(&mut file, &[1], 2);
    words(&mut file, &[version_at, 4], 8);
    section(&mut file, [0; 10]);
    // SHT_STRTAB, then SHT_DYNSYM, which refers to it.
    section(&mut file, [0, 3, 2, names_at, names_at, 16, 0, 0, 1, 0]);
    section(&mut file, [0, 11, 2, symbols_at, symbols_at, 48, 1, 1, 8, 24]);
    file
}

/// The fields are: name, type; flags, address, offset, size; link, info; alignment, entry size.
fn section(file: &mut Vec<u8>, values: [u64; 10]) {
    words(file, &values[0..2], 4);
    words(file, &values[2..6], 8);
    words(file, &values[6..8], 4);
    words(file, &values[8..10], 8);
}

fn words(file: &mut Vec<u8>, values: &[u64], width: usize) {
    for value in values {
        file.extend(&value.to_le_bytes()[..width]);
    }
}
