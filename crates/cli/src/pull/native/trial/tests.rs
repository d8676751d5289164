use super::{Error, program, prove, write};
use sifcache_core::image;
use sifcache_squashfs::compression::Compression;
use sifcache_squashfs::reader::Reader;
use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Command;

#[test]
fn the_image_is_a_valid_sif() {
    let directory = tempfile::tempdir().unwrap();
    for compression in [Compression::GZIP, Compression::ZSTD] {
        let path = directory.path().join(compression.to_string());
        write(&path, compression).unwrap();
        let file = File::open(&path).unwrap();
        let table = image::descriptor_table(&file).unwrap();
        let root = sifcache_core::sif::descriptors::root_file_system(&table).unwrap();
        let mut header = [0; sifcache_core::sif::HEADER];
        file.read_exact_at(&mut header, 0).unwrap();
        let header = sifcache_core::sif::parse(&header).unwrap();
        let host = sifcache_core::sif::host_architecture();
        assert_eq!((header.architecture, root.architecture), (host, host));
        assert_eq!(root.end(), file.metadata().unwrap().len());
        let reader = Reader::open(file, root.offset, root.size).unwrap();
        reader.check_all(&mut |_| Ok(())).unwrap();
    }
}

/// Only on the architectures that have a program.
#[test]
fn the_program_ends_without_an_error() {
    let Some(bytes) = program::of(sifcache_core::sif::host_architecture()) else { return };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("trial");
    fs::write(&path, bytes).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    let status = Command::new(&path).status().unwrap();
    assert!(status.success(), "{status}");
}

fn proof(starts: &dyn Fn(&str) -> bool) -> Result<(), Error> {
    let directory = tempfile::tempdir().unwrap();
    let run = |arguments: &[&OsStr]| {
        let arguments: Vec<&str> = arguments.iter().map(|text| text.to_str().unwrap()).collect();
        let [.., image, "/trial"] = arguments[..] else { panic!("{arguments:?}") };
        assert!(Path::new(image).exists());
        if starts(image) { Ok(()) } else { Err("squashfs: \u{1b}unknown".to_owned()) }
    };
    prove(directory.path(), Compression::ZSTD, &run)
}

#[test]
fn an_image_with_gzip_shows_whether_the_compression_is_the_reason() {
    assert_eq!(proof(&|_| true), Ok(()));
    let gzip = |image: &str| image.ends_with("trial-1.sif");
    let reason = "squashfs: \\u{1b}unknown".to_owned();
    assert_eq!(proof(&gzip), Err(Error::Refused(reason.clone())));
    assert_eq!(proof(&|_| false), Err(Error::NothingStarts(reason)));
}

#[test]
#[ignore = "it needs a runtime"]
fn a_runtime_starts_images_with_both() {
    let directory = tempfile::tempdir().unwrap();
    let run = |arguments: &[&OsStr]| {
        let output = Command::new("apptainer").args(arguments).output().unwrap();
        if output.status.success() { Ok(()) } else { Err(format!("{output:?}")) }
    };
    for compression in [Compression::GZIP, Compression::ZSTD] {
        assert_eq!(prove(directory.path(), compression, &run), Ok(()));
    }
}
