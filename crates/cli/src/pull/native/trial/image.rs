//! Writes the image: a SIF file with only a root file system.
//!
//! Sources: <https://github.com/apptainer/sif>, `pkg/sif/sif.go` and `descriptor.go`; see also
//! `sifcache_core::sif`.

use super::{Error, PROGRAM};
use sifcache_core::sif::{HEADER, host_architecture};
use sifcache_squashfs::compression::Compression;
use sifcache_squashfs::tree::{Inode, Kind, Metadata, Names, Tree};
use sifcache_squashfs::writer::{BLOCK_SIZE, Options, Writer};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

/// The root file system begins at the first page after the header and the descriptor.
const OFFSET: u64 = 4096;
/// The directories and files that runtimes mount over.
const DIRECTORIES: [&str; 8] = ["dev", "etc", "home", "proc", "root", "sys", "tmp", "var"];
const EMPTY_FILES: [&str; 4] = ["group", "hosts", "passwd", "resolv.conf"];

pub(super) fn write(path: &Path, program: &[u8], compression: Compression) -> Result<(), Error> {
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o755).open(path)?;
    let size = squashfs(file.try_clone()?, program, compression)?;
    let mut head = header(size);
    head.extend(descriptor(size));
    file.write_all_at(&head, 0)?;
    Ok(())
}

/// Writes the root file system, and returns its size in bytes.
fn squashfs(file: File, program: &[u8], compression: Compression) -> Result<u64, Error> {
    let failed = |error: &dyn std::fmt::Display| Error::Write(error.to_string());
    let block_size = BLOCK_SIZE;
    let options = Options { offset: OFFSET, compression, workers: 1, block_size, time: 0 };
    let mut writer = Writer::new(file, options).map_err(|error| failed(&error))?;
    let name = PROGRAM.trim_start_matches('/');
    let size = program.len() as u64;
    let content = writer.store(name.as_bytes(), size, &mut &*program);
    let content = content.map_err(|error| failed(&error))?;
    let tree = tree(name, Kind::File { size, content }).ok_or(Error::Write("no tree".into()))?;
    Ok(writer.finish(&tree).map_err(|error| failed(&error))?.size)
}

fn tree(name: &str, program: Kind) -> Option<Tree> {
    let metadata = |mode| Metadata { mode, ..Metadata::default() };
    let mut tree = Tree::new(metadata(0o755));
    let mut add = |directory, name: &str, mode, kind| {
        let id = tree.add(Inode { metadata: metadata(mode), kind })?;
        tree.names_mut(directory)?.insert(name.as_bytes().into(), id);
        Some(id)
    };
    add(Tree::ROOT, name, 0o755, program)?;
    for name in DIRECTORIES {
        let id = add(Tree::ROOT, name, 0o755, Kind::Directory(Names::new()))?;
        match name {
            "etc" => {
                for name in EMPTY_FILES {
                    add(id, name, 0o644, Kind::File { size: 0, content: None })?;
                }
            }
            "var" => _ = add(id, "tmp", 0o1777, Kind::Directory(Names::new()))?,
            _ => {}
        }
    }
    Some(tree)
}

/// The code of the host's architecture.
fn architecture() -> &'static [u8; 3] {
    match host_architecture() {
        "arm64" => b"04\0",
        "riscv64" => b"12\0",
        _ => b"02\0",
    }
}

fn header(size: u64) -> Vec<u8> {
    let mut header = b"#!/usr/bin/env run-singularity\n\0SIF_MAGIC\x0001\0".to_vec();
    header.extend(architecture());
    // The ID and both times are zeros.
    header.resize(64 + 16, 0);
    let descriptor = sifcache_core::sif::descriptors::DESCRIPTOR as u64;
    // No free descriptor of one; the place of the table and of the data.
    for number in [0, 1, HEADER as u64, descriptor, OFFSET, size] {
        header.extend(number.to_le_bytes());
    }
    header
}

/// The descriptor of the primary system partition.
fn descriptor(size: u64) -> Vec<u8> {
    const PARTITION: u32 = 0x4004;
    const GROUP: u32 = 0xf000_0001;
    const SQUASHFS: u32 = 1;
    const PRIMARY_SYSTEM: u32 = 2;
    let mut descriptor = PARTITION.to_le_bytes().to_vec();
    descriptor.push(1);
    for number in [1, GROUP, 0] {
        descriptor.extend(number.to_le_bytes());
    }
    for number in [OFFSET, size, size] {
        descriptor.extend(number.to_le_bytes());
    }
    descriptor.resize(201, 0);
    for number in [SQUASHFS, PRIMARY_SYSTEM] {
        descriptor.extend(number.to_le_bytes());
    }
    descriptor.extend(architecture());
    descriptor.resize(sifcache_core::sif::descriptors::DESCRIPTOR, 0);
    descriptor
}
