use super::{CAPACITY, LONGEST, Lines};
use memchr::memmem::Finder;
use proptest::prelude::*;
use std::collections::VecDeque;
use std::io::{self, Read};

/// Returns one chunk for each read.
struct Chunks(VecDeque<Vec<u8>>);

impl Read for Chunks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(chunk) = self.0.pop_front() else { return Ok(0) };
        let length = chunk.len().min(buffer.len());
        buffer[..length].copy_from_slice(&chunk[..length]);
        if length < chunk.len() {
            self.0.push_front(chunk[length..].to_vec());
        }
        Ok(length)
    }
}

/// The lines with an `x`, the incomplete line at the end, the offset before it, and the number of
/// lines.
fn split(bytes: &[u8], chunk: usize) -> (Vec<String>, String, u64, u64) {
    let name = Finder::new("x");
    let mut chunks = Chunks(bytes.chunks(chunk).map(<[u8]>::to_vec).collect());
    let (mut lines, mut all) = (Lines::default(), Vec::new());
    let text = |line: &[u8]| String::from_utf8_lossy(line).into_owned();
    loop {
        while let Some(line) = lines.next(&name) {
            all.push(text(line));
        }
        if lines.fill(&mut chunks).unwrap().is_empty() {
            break;
        }
    }
    let (offset, count) = (lines.offset(), lines.take_count());
    assert_eq!(lines.position(), u64::try_from(bytes.len()).unwrap());
    (all, text(&lines.rest()), offset, count)
}

#[test]
fn lines_with_our_name_are_returned() {
    for chunk in 1..12 {
        let (all, rest, offset, count) = split(b"ax\n\nb\nxc\r\nx\n\nd\nex", chunk);
        assert_eq!((all.join("|"), rest.as_str()), ("ax|xc\r|x".to_owned(), "ex"));
        assert_eq!((offset, count), (15, 7));
    }
}

#[test]
fn an_endless_line_is_dropped_and_a_long_one_is_cut() {
    let endless = [&vec![b'x'; 2 * CAPACITY + 7][..], b"\nnext x\n"].concat();
    for chunk in [100_000, CAPACITY, 10 * CAPACITY] {
        assert_eq!(split(&endless, chunk).0, ["next x"]);
        let long = [&vec![b'x'; LONGEST + 7][..], b"\nnext x\n"].concat();
        assert_eq!(split(&long, chunk).0, ["x".repeat(LONGEST), "next x".to_owned()]);
    }
    let (all, rest, ..) = split(&vec![b'x'; 2 * CAPACITY + 7], CAPACITY);
    assert_eq!((all.len(), rest.as_str()), (0, ""));
}

#[test]
fn a_hole_before_a_line_is_ignored() {
    assert_eq!(split(b"a x\n\0\0\0\0b x\n\0\0c\nd x\n", 5).0, ["a x", "b x", "d x"]);
}

#[test]
fn an_idle_log_holds_no_memory() {
    let mut lines = Lines::default();
    let mut chunks = Chunks([b"x\n".to_vec(), Vec::new(), b"x".to_vec()].into());
    lines.fill(&mut chunks).unwrap();
    assert_eq!(lines.next(&Finder::new("x")), Some(&b"x"[..]));
    lines.fill(&mut chunks).unwrap();
    assert_eq!(lines.buffer.capacity(), 0);
    assert_eq!(lines.fill(&mut chunks).unwrap(), b"x");
}

proptest! {
    /// The buffer never changes what is read.
    #[test]
    fn chunks_do_not_matter(lines in prop::collection::vec("[ax\\x00]{0,9}", 0..20), chunk in 1_usize..40) {
        let text = lines.join("\n");
        let whole = split(text.as_bytes(), text.len().max(1));
        prop_assert_eq!(split(text.as_bytes(), chunk), whole.clone());
        let complete = lines.split_last().map_or(&[][..], |(_, before)| before);
        let expected: Vec<&str> = complete
            .iter()
            .filter(|line| line.contains('x'))
            .map(|line| line.trim_start_matches('\0'))
            .collect();
        prop_assert_eq!(whole.0, expected);
    }
}
