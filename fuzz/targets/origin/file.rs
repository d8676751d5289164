//! The file that each run writes and reads.

use crate::sif_metadata::{Origin, origin};
use std::fs::{self, File};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::LazyLock;

/// A file without a name, so that nothing is left behind after a run.
static FILE: LazyLock<File> = LazyLock::new(|| {
    let fast = Path::new("/dev/shm");
    let directory = if fast.is_dir() { fast.to_owned() } else { std::env::temp_dir() };
    let path = directory.join(format!("sifcache-fuzz-origin-{}", std::process::id()));
    let file = File::create_new(&path).expect("a file to read");
    fs::remove_file(&path).expect("its name can go");
    file
});

/// The origin of a file with these bytes.
pub(crate) fn of(bytes: &[u8]) -> Option<Origin> {
    FILE.set_len(0).expect("it can be emptied");
    FILE.write_all_at(bytes, 0).expect("it can be written");
    origin(&Path::new("/proc/self/fd").join(FILE.as_raw_fd().to_string()))
}
