//! File systems that were made to harm the reader.

use crate::support::{Source, pack, read};
use sifcache_squashfs::reader::{Damage, Limits, Stopped};
use std::fs;

/// A file system whose tables are not compressed, so that they can be edited.
struct Editable {
    bytes: Vec<u8>,
}

impl Editable {
    fn new(source: &Source) -> Self {
        let packed = pack(source, &["-noI", "-noX", "-noId", "-b", "4096", "-nopad"]);
        Self { bytes: fs::read(&packed.path).unwrap() }
    }

    /// The start of a table in bytes, from a field of the superblock.
    fn table(&self, field: usize) -> usize {
        u64::from_le_bytes(self.bytes[field..field + 8].try_into().unwrap()) as usize
    }

    /// The place of the only occurrence of these bytes after the start of the inode table.
    fn find(&self, bytes: &[u8]) -> usize {
        let tables = self.table(64);
        let mut found =
            (tables..self.bytes.len()).filter(|at| self.bytes[*at..].starts_with(bytes));
        let at = found.next().expect("these bytes");
        assert_eq!(found.next(), None, "only one such place");
        at
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// What is wrong, according to the check and to the tree.
    fn problems(&self) -> [String; 2] {
        let reader = read(&self.bytes).unwrap();
        let text = |result: Result<(), Damage>| {
            result.err().map_or_else(|| "nothing".to_owned(), |damage| damage.to_string())
        };
        [text(reader.check_all(&mut |_| Ok(()))), text(reader.tree().map(drop))]
    }

    #[track_caller]
    fn has(&self, problem: &str) {
        for found in self.problems() {
            assert!(found.ends_with(problem), "{found}");
        }
    }
}

#[test]
fn a_loop_of_directories() {
    let mut image = Editable::new(&Source::small());
    image.has("nothing");
    // The file `text` becomes the root directory.
    let root = image.table(32) as u16;
    let entry = image.find(b"text") - 8;
    image.put(entry, &root.to_le_bytes());
    image.has("a directory with two names");
}

#[test]
fn a_name_that_leads_to_another_inode() {
    let mut image = Editable::new(&Source::small());
    // The name `text` gets the offset of the inode of `blocks`.
    let other = image.find(b"blocks") - 8;
    let other = [image.bytes[other], image.bytes[other + 1]];
    let entry = image.find(b"text") - 8;
    image.put(entry, &other);
    image.has("the name \"text\" leads to another inode");
}

#[test]
fn names_that_no_file_may_have() {
    for (name, problem) in [
        (b"../x".as_slice(), "the name \"../x\", which no file may have"),
        (b"li\0k", "the name \"li\\x00k\", which no file may have"),
        (b"aink", "the name \"aink\" in the wrong place"),
    ] {
        let mut image = Editable::new(&Source::small());
        let at = image.find(b"link");
        image.put(at, name);
        image.has(problem);
    }
}

/// A fragment block that decompresses, but is shorter than a file requires.
#[test]
fn the_end_of_a_file_outside_its_fragment_block() {
    let mut image = Editable::new(&Source::small());
    // The size of `text` in its inode, 24 bytes before its offset in the fragment block.
    let size = image.find(&500_u32.to_le_bytes());
    for (offset, problem) in [
        (400_u32, "instead of at least 900"),
        (4000, "a fragment after the end of its block"),
        (u32::MAX, "a fragment after the end of its block"),
    ] {
        image.put(size + 24, &offset.to_le_bytes());
        let [check, tree] = image.problems();
        assert!(check.ends_with(problem), "{check}");
        assert_eq!(tree, "nothing");
    }
}

#[test]
fn invalid_extended_attributes() {
    let mut image = Editable::new(&Source::small());
    let name = image.find(b"name");
    // The type and the length of the name precede it, the length of the value follows.
    image.put(name - 4, &[7]);
    image.has("an extended attribute of an unknown type");
    image.put(name - 4, &[0]);
    image.put(name + 4, &65537_u32.to_le_bytes());
    image.has("an extended attribute that is too long");
    image.put(name + 4, &5_u32.to_le_bytes());
    image.has("nothing");
}

/// A sparse file can claim any size, but needs a number for each of its blocks.
#[test]
fn a_file_of_an_impossible_size() {
    let mut image = Editable::new(&Source::small());
    let size = image.find(&500_u32.to_le_bytes());
    image.put(size, &u64::MAX.to_le_bytes());
    image.has("a table ends too early");
}

#[test]
fn limits_of_memory() {
    let image = Editable::new(&Source::many());
    let within = |memory| {
        let reader = read(&image.bytes).unwrap().with_limits(Limits { memory });
        let check = reader.check_all(&mut |_| Ok(()));
        [reader.tree().map(drop), check].map(|result| result.err().map(|why| why.to_string()))
    };
    let [tree, check] = within(300_000);
    for problem in [tree, check] {
        let problem = problem.unwrap();
        assert!(problem.ends_with(": its metadata needs more than 300000 bytes"), "{problem}");
    }
    assert_eq!(within(3_000_000), [None, None]);
}

#[test]
fn a_callback_can_stop_the_check() {
    let packed = pack(&Source::everything(), &["-b", "4096"]);
    let reader = crate::support::open(&packed.path);
    let mut calls = 0;
    let all = reader.check_all(&mut |_| {
        calls += 1;
        Ok(())
    });
    assert!(all.is_ok());
    for last in [0, 1, calls - 1] {
        let mut left = last;
        let stopped = reader.check_all(&mut |_| {
            left -= 1;
            if left < 0 { Err(Stopped) } else { Ok(()) }
        });
        assert!(matches!(stopped, Err(Damage::Stopped)), "{last} of {calls}");
    }
}
