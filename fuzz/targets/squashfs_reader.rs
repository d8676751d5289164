//! A squashfs: any bytes are read without a panic and within limits, and a file system that passes
//! the check can be read completely.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sifcache_squashfs::reader::{Limits, Reader};
use sifcache_squashfs::tree::{Kind, Tree};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::LazyLock;

/// The memory for a tree in bytes.
const MEMORY: u64 = 4 << 20;
/// The maximum number of bytes that are read of all contents: a sparse file can have any size.
const LONGEST: u64 = 16 << 20;

/// A file without a name, so that nothing is left behind after a run.
static IMAGE: LazyLock<File> = LazyLock::new(|| {
    let fast = Path::new("/dev/shm");
    let directory = if fast.is_dir() { fast.to_owned() } else { std::env::temp_dir() };
    let path = directory.join(format!("sifcache-fuzz-squashfs-{}", std::process::id()));
    let mut options = File::options();
    let file = options.read(true).write(true).create_new(true).open(&path).expect("a file");
    fs::remove_file(&path).expect("its name can go");
    file
});

fuzz_target!(|bytes: &[u8]| {
    IMAGE.set_len(0).expect("it can be emptied");
    IMAGE.write_all_at(bytes, 0).expect("it can be written");
    let file = IMAGE.try_clone().expect("another descriptor");
    let Ok(reader) = Reader::open(file, 0, bytes.len() as u64) else { return };
    let reader = reader.with_limits(Limits { memory: MEMORY });
    let is_whole = reader.check_all(&mut |_| Ok(())).is_ok();
    // The check needs at least as much memory as a tree, but counts it in two parts.
    let reader = reader.with_limits(Limits { memory: 2 * MEMORY });
    match reader.tree() {
        Ok((tree, contents)) => {
            assert_eq!(names(&tree), tree.len(), "every inode has a name");
            let mut left = LONGEST;
            for (_, inode) in tree.iter() {
                let Kind::File { size, content: Some(id) } = inode.kind else { continue };
                let content = reader.content(&contents, id).expect("its own content");
                let most = left.min(size + 1);
                let length = io::copy(&mut content.take(most), &mut io::sink());
                left -= length.as_ref().map_or(0, |length| *length);
                if is_whole {
                    assert_eq!(length.expect("a whole file"), most.min(size));
                }
            }
        }
        Err(damage) => assert!(!is_whole, "{damage}"),
    }
});

/// The number of inodes that directories lead to, with the root.
fn names(tree: &Tree) -> usize {
    let (mut found, mut left) = (vec![false; tree.len()], vec![Tree::ROOT]);
    while let Some(id) = left.pop() {
        found[id.index()] = true;
        left.extend(tree.names(id).into_iter().flatten().map(|(_, id)| *id));
    }
    found.iter().filter(|found| **found).count()
}
