//! The paths of a file system, as `unsquashfs -pf -` prints them.
//!
//! ```text
//! PATH D TIME MODE UID GID                        directory
//! PATH R TIME MODE UID GID SIZE OFFSET SPARSE     regular file, with the offset of its content
//! PATH S TIME MODE UID GID TARGET                 symbolic link
//! PATH C|B TIME MODE UID GID MAJOR MINOR          device
//! PATH I TIME MODE UID GID f|s                    named pipe, socket
//! PATH L TARGET                                   hard link to a path above
//! PATH x NAME=VALUE                               extended attribute; VALUE may be 0t and text with
//!                                                 octal escapes
//! #
//! # START OF DATA - DO NOT MODIFY
//! #
//! ```
//!
//! The contents follow. A backslash precedes each blank, quote and backslash of a path.
//!
//! Source: squashfs-tools, "Pseudo file definition format".

use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// The file system of an image: its paths without a leading slash; `/` is the root directory.
pub type Listing = BTreeMap<Vec<u8>, Node>;

/// What a path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The letter of the type in the list above.
    pub kind: char,
    /// The modification time in seconds since 1970.
    pub time: i64,
    /// Permissions, in octal digits.
    pub mode: String,
    /// User and group ID.
    pub owner: (u32, u32),
    /// The content, the target of the link, or the number of the device. A long content is replaced
    /// by its size and digest.
    pub content: Vec<u8>,
    /// The first path of the same inode, if it has several.
    pub group: Option<Vec<u8>>,
    /// The extended attributes.
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// Contents with more bytes are not kept, so that the list of a large image fits in memory.
const LONG: usize = 4096;

/// The line that ends the list.
const END: &[u8] = b"#\n# START OF DATA - DO NOT MODIFY\n#\n";

/// Parses the output. `None` if it is not in this format.
#[must_use]
pub fn parse(output: &[u8]) -> Option<Listing> {
    let end = output.windows(END.len()).position(|part| part == END)?;
    let (text, data) = (output.get(..end)?, output.get(end + END.len()..)?);
    let mut listing = Listing::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (path, line, after) = line(rest)?;
        rest = after;
        let kind = char::from(*line.first()?);
        let line = line.get(2..)?;
        match kind {
            'x' => {
                let equals = line.iter().position(|byte| *byte == b'=')?;
                let (name, value) = (line.get(..equals)?.to_vec(), line.get(equals + 1..)?);
                listing.get_mut(&path)?.xattrs.insert(name, value_of(value)?);
            }
            'L' => link(&mut listing, path, &unescaped(line))?,
            _ => drop(listing.insert(path, node(kind, line, data)?)),
        }
    }
    Some(listing)
}

/// The path at the start of `text`, the rest of its line, and the text after the line.
fn line(text: &[u8]) -> Option<(Vec<u8>, &[u8], &[u8])> {
    let mut escaped = false;
    let end = text.iter().position(|byte| {
        let ends = *byte == b' ' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    })?;
    let path = unescaped(text.get(..end)?);
    let rest = text.get(end + 1..)?;
    // The target of a link or an attribute may hold a line break, which has a backslash too.
    let mut escaped = false;
    let length = rest.iter().position(|byte| {
        let ends = *byte == b'\n' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    })?;
    Some((path, rest.get(..length)?, rest.get(length + 1..)?))
}

fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut escaped = false;
    let kept = text.iter().filter(|byte| {
        escaped = **byte == b'\\' && !escaped;
        !escaped
    });
    kept.copied().collect()
}

/// The value of an extended attribute.
fn value_of(text: &[u8]) -> Option<Vec<u8>> {
    let Some(text) = text.strip_prefix(b"0t") else { return Some(text.to_vec()) };
    let (mut value, mut rest) = (Vec::new(), text);
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'\\' {
            value.push(*byte);
        } else if let Some(escaped) = rest.strip_prefix(b"\\") {
            value.push(b'\\');
            rest = escaped;
        } else {
            let digits = std::str::from_utf8(rest.get(..3)?).ok()?;
            value.push(u8::from_str_radix(digits, 8).ok()?);
            rest = rest.get(3..)?;
        }
    }
    Some(value)
}

fn node(kind: char, line: &[u8], data: &[u8]) -> Option<Node> {
    let mut fields = line.splitn(5, |byte| *byte == b' ');
    let mut field = || std::str::from_utf8(fields.next()?).ok();
    let (time, mode) = (field()?.parse().ok()?, field()?.to_owned());
    let owner = (id(field()?)?, id(field()?)?);
    let rest = fields.next().unwrap_or_default();
    let mut numbers = rest.split(|byte| *byte == b' ').map_while(number);
    let content = match kind {
        'R' => {
            let (size, offset) = (numbers.next()?, numbers.next()?);
            shortened(data.get(offset..offset.checked_add(size)?)?)
        }
        'B' | 'C' => device(numbers.next()?, numbers.next()?).into_bytes(),
        _ => rest.to_vec(),
    };
    Some(Node { kind, time, mode, owner, content, group: None, xattrs: BTreeMap::new() })
}

/// The content itself if it is short.
fn shortened(content: &[u8]) -> Vec<u8> {
    if content.len() <= LONG {
        return content.to_vec();
    }
    format!("{} bytes, SHA-256 {:x}", content.len(), Sha256::digest(content)).into_bytes()
}

fn number(text: &[u8]) -> Option<usize> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// A user or group ID, which is printed as a signed number.
fn id(text: &str) -> Option<u32> {
    let id: i64 = text.parse().ok()?;
    Some(if id < 0 { u32::try_from(id + (1 << 32)).ok()? } else { u32::try_from(id).ok()? })
}

/// The number of a device. Only the lower 8 bits are printed as the minor number, and the number of
/// a squashfs has the upper bits of the minor number above those of the major number.
fn device(upper: usize, lower: usize) -> String {
    format!("{} {}", upper & 0xfff, lower | ((upper >> 12) << 8))
}

/// Adds a path of the inode that another path names.
fn link(listing: &mut Listing, path: Vec<u8>, target: &[u8]) -> Option<()> {
    let first = listing.get_mut(target)?;
    first.group = Some(target.to_vec());
    let node = first.clone();
    listing.insert(path, node);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_list_is_parsed() {
        let output =
            b"/ D 5 755 0 0\na\\ b R 6 644 1 2 3 1 0\na\\ b x user.a=0tb\\001\\\\\nc L a\\ b\n\
            d S 7 777 0 0 x y\ne B 7 644 0 -1294967296 4103 44\n#\n# START OF DATA - DO NOT MODIFY\n#\n.abc";
        let listing = parse(output).unwrap();
        assert_eq!(listing[b"/".as_slice()].mode, "755");
        let file = &listing[b"a b".as_slice()];
        assert_eq!((file.owner, file.content.as_slice()), ((1, 2), b"abc".as_slice()));
        let xattr = (b"user.a".to_vec(), b"b\x01\\".to_vec());
        assert_eq!(file.xattrs, [xattr].into());
        assert_eq!(&listing[b"c".as_slice()], file);
        assert_eq!(file.group, Some(b"a b".to_vec()));
        assert_eq!(listing[b"d".as_slice()].content, b"x y");
        let device = &listing[b"e".as_slice()];
        assert_eq!((device.owner, device.content.as_slice()), ((0, 3_000_000_000), &b"7 300"[..]));
    }

    #[test]
    fn other_output_is_refused() {
        assert_eq!(parse(b"no image"), None);
        assert_eq!(parse(b"x\n#\n# START OF DATA - DO NOT MODIFY\n#\n"), None);
    }
}
