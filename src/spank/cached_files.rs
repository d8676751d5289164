//! Opens and reads files of which the kernel has cached the names and content, without waiting for a
//! file server.

use rustix::fs::{AtFlags, CWD, FsWord, Mode, OFlags, ResolveFlags, Statx, StatxFlags};
use rustix::fs::{fstatfs, openat2, readlinkat_raw, statx};
use rustix::io::{ReadWriteFlags, preadv2};
use rustix::path::DecInt;
use sifcache_core::attributes::Attributes;
use std::ffi::{CStr, c_int};
use std::fs::File;
use std::io::{self, ErrorKind, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;

/// The file systems that open a cached file without waiting: those on which most nodes keep their
/// own files. NFS queries its server, and cluster file systems take a lock.
const LOCAL: [FsWord; 2] = [0xef53 /* ext2, ext3, ext4 */, 0x5846_5342 /* XFS */];

/// The major numbers of devices whose content may be on a file server: Linux,
/// `Documentation/admin-guide/devices.txt`. If the content of a file is not cached, the file system
/// may first have to read where on the device it is, and `RWF_NOWAIT` waits for that.
const REMOTE: [u32; 2] = [7 /* loop */, 43 /* nbd */];

/// The major number of partitions for which a driver has reserved no numbers, such as `loop0p1`, and
/// of NVMe disks and their partitions: `BLOCK_EXT_MAJOR`.
const SHARED: u32 = 259;
/// The start of the paths of simulated devices, as the links of `/sys/dev/block` show them.
const DEVICES: &[u8] = b"../../devices/";
const SIMULATED: &[u8] = b"virtual/block/";

/// Opens a file by its path: openat2(2). Fails with `EAGAIN` if the kernel would have to ask a file
/// system for a name, and with another error on Linux before 5.12, which cannot tell.
pub(crate) fn open_cached(path: &CStr, flags: c_int) -> io::Result<File> {
    open(CWD, path, flags, ResolveFlags::CACHED)
}

/// The same relative to a directory, and only within its file system.
pub(crate) fn open_cached_at(directory: &File, name: &CStr, flags: c_int) -> io::Result<File> {
    open(directory, name, flags, ResolveFlags::CACHED | ResolveFlags::NO_XDEV)
}

fn open(at: impl AsFd, name: &CStr, flags: c_int, resolve: ResolveFlags) -> io::Result<File> {
    let flags = OFlags::from_bits_retain(flags.cast_unsigned());
    Ok(openat2(at, name, flags, Mode::empty(), resolve)?.into())
}

/// The attributes of an open file or directory that the kernel has cached, without a query to a file
/// server: statx(2) with `AT_STATX_DONT_SYNC`.
pub(crate) fn cached_attributes(file: &File) -> io::Result<Attributes> {
    query(file).and_then(|found| attributes(&found))
}

/// The attributes of an open file or directory on a local disk. Fails if its file system may wait
/// even to open a cached file. statfs(2) would query a network file system, so it is called only if
/// there is a disk.
pub(crate) fn local_attributes(file: &File) -> io::Result<Attributes> {
    let found = query(file)?;
    match is_disk(found.stx_dev_major, found.stx_dev_minor)
        && LOCAL.contains(&fstatfs(file)?.f_type)
    {
        true => attributes(&found),
        false => Err(ErrorKind::Unsupported.into()),
    }
}

/// Whether the device of a file system is a disk. Device 0 is none, as for network file systems.
fn is_disk(major: u32, minor: u32) -> bool {
    match major {
        0 => false,
        SHARED => is_disk_in_sysfs(minor),
        _ => !REMOTE.contains(&major),
    }
}

/// The same for a device of the shared major number. Only sysfs shows which driver it belongs to; it
/// is in memory, so it never waits for a device.
#[inline(never)]
fn is_disk_in_sysfs(minor: u32) -> bool {
    let link = [b"/sys/dev/block/259:", DecInt::new(minor).as_bytes()].concat();
    let mut buffer = [MaybeUninit::uninit(); 512];
    match readlinkat_raw(CWD, link, &mut buffer) {
        // A path that fills the buffer may be incomplete.
        Ok((path, rest)) => !rest.is_empty() && is_path_of_disk(path),
        Err(_) => false,
    }
}

/// `../../devices/pci0000:00/[...]/nvme0n1/nvme0n1p1` is a disk, and
/// `../../devices/virtual/block/loop0/loop0p1` is not. Of the simulated devices, only md keeps its
/// content on other disks.
fn is_path_of_disk(path: &[u8]) -> bool {
    let device = path.strip_prefix(DEVICES);
    let is = |path: &[u8]| path.strip_prefix(SIMULATED).is_none_or(|name| name.starts_with(b"md"));
    device.is_some_and(is)
}

const WANTED: StatxFlags = StatxFlags::TYPE
    .union(StatxFlags::MODE)
    .union(StatxFlags::UID)
    .union(StatxFlags::GID)
    .union(StatxFlags::SIZE);

fn query(file: &File) -> io::Result<Statx> {
    Ok(statx(file, c"", AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC, WANTED)?)
}

/// Fails if the kernel does not know all of them.
fn attributes(found: &Statx) -> io::Result<Attributes> {
    match StatxFlags::from_bits_retain(found.stx_mask).contains(WANTED) {
        true => Ok(Attributes {
            mode: found.stx_mode.into(),
            uid: found.stx_uid,
            gid: found.stx_gid,
            size: found.stx_size,
        }),
        false => Err(ErrorKind::Unsupported.into()),
    }
}

/// Reads the start of a file: preadv2(2). Returns the number of bytes that were in the page cache, at
/// most the length of `buffer`; fails with `EAGAIN` if there were none. The kernel then starts to read
/// ahead, for which it may have to wait for the disk: see [`REMOTE`].
pub(crate) fn read_cached(file: &File, buffer: &mut [u8]) -> io::Result<usize> {
    Ok(preadv2(file, &mut [IoSliceMut::new(buffer)], 0, ReadWriteFlags::NOWAIT)?)
}

#[cfg(test)]
pub(super) mod tests {
    use super::{cached_attributes, local_attributes, open_cached, open_cached_at, read_cached};
    use rustix::fs::{Advice, fadvise};
    use std::ffi::{CString, c_int};
    use std::fs::{self, File, OpenOptions};
    use std::io::{Read as _, Seek as _};
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    use std::path::{Path, PathBuf};
    use std::process::Command;

    const DIRECTORY: c_int = libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC;
    const READ: c_int = libc::O_RDONLY | libc::O_CLOEXEC;

    /// A new directory below the build directory, and a handle of it.
    pub(crate) fn directory(name: &str) -> (PathBuf, File) {
        let program = std::env::current_exe().unwrap();
        let path = program.with_file_name(format!("cached-{name}-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        let handle = opened(&path);
        (path, handle)
    }

    fn opened(path: &Path) -> File {
        OpenOptions::new().read(true).custom_flags(DIRECTORY).open(path).unwrap()
    }

    fn c_string(path: &Path) -> CString {
        CString::new(path.as_os_str().as_bytes()).unwrap()
    }

    fn error(result: std::io::Result<File>) -> Option<i32> {
        result.err().and_then(|error| error.raw_os_error())
    }

    #[test]
    fn files_with_a_cached_name() {
        let (path, handle) = directory("names");
        fs::write(path.join("file"), "12345").unwrap();
        let byte_path = c_string(&path.join("file"));
        for file in [open_cached(&byte_path, READ), open_cached_at(&handle, c"file", READ)] {
            let file = file.unwrap();
            let attributes = cached_attributes(&file).unwrap();
            assert!(attributes.is_regular() && attributes.size == 5);
            assert_eq!(cached_attributes(&file).unwrap(), (&file.metadata().unwrap()).into());
        }
        // The kernel knows that a name is absent only after it has looked for it.
        let absent = open_cached_at(&handle, c"absent", READ);
        assert!(matches!(error(absent), Some(libc::EAGAIN | libc::ENOENT)));
        assert!(!path.join("absent").exists());
        assert_eq!(error(open_cached_at(&handle, c"absent", READ)), Some(libc::ENOENT));
        fs::remove_dir_all(&path).unwrap();
    }

    #[test]
    fn another_file_system_is_not_entered() {
        let top = opened(Path::new("/"));
        // The kernel reports that it would have to wait before it looks at the file system.
        let refused = error(open_cached_at(&top, c"proc", DIRECTORY));
        assert!(matches!(refused, Some(libc::EXDEV | libc::EAGAIN)), "{refused:?}");
        assert!(open_cached(c"/proc", DIRECTORY).is_ok());
    }

    #[test]
    fn file_systems_without_a_disk_are_not_local() {
        for other in ["/proc", "/sys", "/dev"] {
            assert!(local_attributes(&opened(Path::new(other))).is_err(), "{other}");
        }
    }

    /// What `check` says of a directory, after a script has mounted a file system on `on` in it. Only
    /// the namespace of this thread has the mount. `None` if the script fails.
    fn mounted(name: &str, script: &str, check: fn(&File) -> bool) -> Option<bool> {
        let (path, _) = directory(name);
        let made = path.clone();
        let text = format!("set -e; mount --make-rprivate /; mkdir on; {script}");
        let thread = std::thread::spawn(move || {
            // SAFETY: the call takes an integer and changes only the namespace of this thread.
            if unsafe { libc::unshare(libc::CLONE_NEWNS) } != 0 {
                return None;
            }
            let shell = Command::new("sh").args(["-c", &text]).current_dir(&made).output();
            shell.unwrap().status.success().then(|| {
                let mounted = opened(&made.join("on"));
                assert_eq!(rustix::fs::fstatfs(&mounted).unwrap().f_type, super::LOCAL[0]);
                check(&mounted)
            })
        });
        let result = thread.join().unwrap();
        fs::remove_dir_all(&path).unwrap();
        result
    }

    /// Its file may be on a file server that hangs.
    #[test]
    fn a_loop_device_is_not_local() {
        let script = "truncate -s 1M file; mkfs.ext4 -qF file; mount -o loop file on";
        match mounted("loop", script, |on| local_attributes(on).is_ok()) {
            None => eprintln!("skipped: no permission to mount a loop device"),
            Some(is_local) => assert!(!is_local),
        }
    }

    /// It has the major number of NVMe disks. Not every kernel reads partition tables, so the kernel is
    /// told where the partition is.
    #[test]
    fn a_partition_of_a_loop_device_is_not_local() {
        let script = "truncate -s 3M file
            mkfs.ext4 -qF -E offset=1048576 file 1024
            device=$(losetup --find --show --partscan file)
            trap 'losetup --detach $device' EXIT
            addpart $device 1 2048 2048
            name=${device#/dev/}
            mknod partition b $(tr : ' ' </sys/block/$name/${name}p1/dev)
            mount partition on";
        let check = |on: &File| {
            assert_eq!(super::query(on).unwrap().stx_dev_major, super::SHARED);
            local_attributes(on).is_ok()
        };
        match mounted("partition", script, check) {
            None => eprintln!("skipped: no permission to mount a partition of a loop device"),
            Some(is_local) => assert!(!is_local),
        }
    }

    #[test]
    fn devices_of_the_shared_major_number() {
        for (path, is_disk) in [
            ("../../devices/pci0000:00/0000:00:1d.0/0000:03:00.0/nvme/nvme0/nvme0n1", true),
            ("../../devices/pci0000:00/0000:03:00.0/nvme/nvme0/nvme0n1/nvme0n1p2", true),
            ("../../devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1/nvme0n1p1", true),
            ("../../devices/LNXSYSTM:00/LNXSYBUS:00/ACPI0012:00/ndbus0/btt0.0/block/pmem0s", true),
            ("../../devices/virtual/block/md127/md127p1", true),
            ("../../devices/virtual/block/loop0/loop0p1", false),
            ("../../devices/virtual/block/nbd3/nbd3p17", false),
            ("../../devices/virtual/block/ublkb0", false),
            ("../../block/nvme0n1", false),
            ("", false),
        ] {
            assert_eq!(super::is_path_of_disk(path.as_bytes()), is_disk, "{path}");
        }
        // No device has this number.
        assert!(!super::is_disk(super::SHARED, 0xf_ffff));
        for (major, is_disk) in [(0, false), (7, false), (43, false), (8, true), (253, true)] {
            assert_eq!(super::is_disk(major, 0), is_disk, "{major}");
        }
    }

    /// A file of several pages, of which the first ones or none are in memory.
    #[test]
    fn only_what_is_in_memory_is_read() {
        let (path, handle) = directory("content");
        let Ok(attributes) = local_attributes(&handle) else {
            eprintln!("skipped: the build directory is not on ext4 or XFS");
            return fs::remove_dir_all(&path).unwrap();
        };
        assert_eq!(attributes, (&handle.metadata().unwrap()).into());
        let content: Vec<u8> = (0..100_000_u32).map(|number| (number % 251) as u8).collect();
        fs::write(path.join("file"), &content).unwrap();
        let mut file = OpenOptions::new().read(true).write(true).open(path.join("file")).unwrap();
        let mut start = [0; 8_191];
        assert_eq!(read_cached(&file, &mut start).unwrap(), start.len());
        assert_eq!(start, content[..start.len()]);
        let mut more = vec![0; 200_000];
        assert_eq!(read_cached(&file, &mut more).unwrap(), content.len());
        file.sync_all().unwrap();
        // On a machine under load, the kernel may still hold the pages for a moment.
        let drop_and_read = |_| {
            std::thread::sleep(std::time::Duration::from_millis(1));
            fadvise(&file, 0, None, Advice::DontNeed).unwrap();
            read_cached(&file, &mut start).err()
        };
        let error = (0..1000).find_map(drop_and_read).unwrap();
        assert_eq!(error.raw_os_error(), Some(libc::EAGAIN));
        // A read that may wait brings the content back.
        file.rewind().unwrap();
        file.read_exact(&mut start).unwrap();
        assert_eq!(read_cached(&file, &mut start).unwrap(), start.len());
        fs::remove_dir_all(&path).unwrap();
    }
}
