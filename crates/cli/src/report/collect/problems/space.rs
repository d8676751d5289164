//! File systems that are almost full.

use super::problem;
use crate::cache::fill_level::Percent;
use crate::report::collect::Facts;
use crate::report::collect::cache::fullness;
use crate::report::data::cache::{Cache, FileSystem, Root};
use crate::report::data::problem::Problem;
use crate::report::data::source::SourceId;
use std::ffi::OsStr;

/// The part of a file system in percent above which it counts as almost full.
const HIGH: u8 = 90;
/// The suggested part after making room.
const LOW: u8 = 80;

/// The problems with file systems.
pub(super) fn problems(facts: &Facts<'_>, cache: &Cache) -> Vec<Problem> {
    let of_root = |root: &Root| {
        let level = root.file_system.filter(is_full)?;
        let problem = problem("file-system-full", SourceId::FileSystems, &root.path, what(&level));
        Some(match &root.layout {
            None => problem.command(command(facts, &root.path)),
            Some(_) => problem.advice("another tool fills this directory: remove files with it"),
        })
    };
    cache.roots.iter().filter_map(of_root).collect()
}

fn is_full(level: &FileSystem) -> bool {
    is_above(level.used_bytes, level.total_bytes) || is_above(level.used_inodes, level.total_inodes)
}

fn is_above(used: u64, total: u64) -> bool {
    used > Percent::new(HIGH).of(total)
}

fn what(level: &FileSystem) -> String {
    match is_above(level.used_bytes, level.total_bytes) {
        true => format!("its file system is {}", fullness(level.used_bytes, level.total_bytes)),
        false => {
            format!("its file system uses {} of {} inodes", level.used_inodes, level.total_inodes)
        }
    }
}

fn command(facts: &Facts<'_>, root: &str) -> String {
    let marks = format!("{HIGH}%:{LOW}%");
    let words = ["--into", root, "--fill-level", &marks, "--dry-run"].map(OsStr::new);
    facts.lines.with_logs("gc", &words)
}

#[cfg(test)]
mod tests {
    use super::{FileSystem, is_full, what};

    #[test]
    fn space_and_inodes_can_be_short() {
        let level = |used_bytes, used_inodes, total_inodes| FileSystem {
            used_bytes,
            total_bytes: 1000,
            used_inodes,
            total_inodes,
        };
        assert!(!is_full(&level(900, 90, 100)));
        assert!(!is_full(&level(900, 0, 0)));
        let (space, inodes) = (level(901, 0, 0), level(0, 91, 100));
        assert!(is_full(&space) && is_full(&inodes));
        assert_eq!(what(&space), "its file system is 90 % full: 901 B of 1000 B");
        assert_eq!(what(&inodes), "its file system uses 91 of 100 inodes");
    }
}
