//! The records of a pax extended header: `LENGTH KEY=VALUE` and a line feed.

use super::header::Fields;
use super::number::decimal;
use crate::error::Failure;
use sifcache_squashfs::tree::Xattrs;
use std::collections::BTreeMap;

/// The prefix of records with extended attributes.
const XATTR: &[u8] = b"SCHILY.xattr.";

/// The records of one extended header. A second header replaces all of the first.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// Records without `SCHILY.xattr.`; the last one of a key counts.
    texts: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Extended attributes. Go drops those with an empty value.
    pub(super) xattrs: Xattrs,
    /// The offsets and lengths of sparse format 0.0, where keys are repeated.
    pub(super) pairs: Vec<i64>,
}

impl Records {
    pub(super) fn parse(mut bytes: &[u8]) -> Result<Self, Failure> {
        let mut records = Self::default();
        while !bytes.is_empty() {
            let (key, value, rest) = record(bytes)
                .ok_or_else(|| Failure::damaged("a record of a pax header is not valid"))?;
            records.add(key, value)?;
            bytes = rest;
        }
        Ok(records)
    }

    fn add(&mut self, key: &[u8], value: &[u8]) -> Result<(), Failure> {
        let odd = self.pairs.len() % 2 == 1;
        match key {
            b"GNU.sparse.offset" | b"GNU.sparse.numbytes" => {
                let number = decimal(value).filter(|_| odd == key.ends_with(b"numbytes"));
                let what = "a sparse map in a pax header is not valid";
                self.pairs.push(number.ok_or_else(|| Failure::damaged(what))?);
            }
            _ => match key.strip_prefix(XATTR) {
                Some(name) if value.is_empty() => drop(self.xattrs.remove(name)),
                Some(name) => drop(self.xattrs.insert(name.into(), value.into())),
                None => drop(self.texts.insert(key.into(), value.into())),
            },
        }
        Ok(())
    }

    /// The value of a record; `None` if there is none or it is empty.
    pub(super) fn get(&self, key: &str) -> Option<&[u8]> {
        self.texts.get(key.as_bytes()).map(Vec::as_slice).filter(|value| !value.is_empty())
    }

    /// Replaces the fields of a header. An empty value keeps the field.
    pub(super) fn apply(&mut self, fields: &mut Fields) -> Result<(), Failure> {
        let wrong = |key: &str| {
            Failure::damaged(format_args!("the pax record {key} is not a valid number"))
        };
        let number = |key: &str, field: i64| match self.get(key) {
            None => Ok(field),
            Some(value) => decimal(value).ok_or_else(|| wrong(key)),
        };
        fields.uid = number("uid", fields.uid)?;
        fields.gid = number("gid", fields.gid)?;
        fields.size = number("size", fields.size)?;
        for key in ["mtime", "atime", "ctime"] {
            if let Some(value) = self.get(key) {
                let time = seconds(value).ok_or_else(|| wrong(key))?;
                if key == "mtime" {
                    fields.mtime = time;
                }
            }
        }
        if let Some(name) = self.get("path") {
            fields.name = name.to_vec();
        }
        if let Some(link) = self.get("linkpath") {
            fields.link = link.to_vec();
        }
        Ok(())
    }
}

/// The first record, and the bytes behind it.
fn record(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = bytes.iter().position(|byte| *byte == b' ')?;
    let length = usize::try_from(decimal(bytes.get(..space)?)?).ok().filter(|n| *n >= 5)?;
    let (record, rest) = bytes.split_at_checked(length)?;
    let record = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|byte| *byte == b'=')?;
    let (key, value) = (record.get(..equals)?, record.get(equals + 1..)?);
    let is_text = matches!(key, b"path" | b"linkpath" | b"uname" | b"gname");
    let checked = if is_text { value } else { key };
    (!checked.contains(&0)).then_some((key, value, rest))
}

/// The whole seconds of a time such as `-1.5`, rounded down.
fn seconds(text: &[u8]) -> Option<i64> {
    let mut parts = text.splitn(2, |byte| *byte == b'.');
    let whole = parts.next()?;
    let fraction = parts.next().unwrap_or_default();
    let seconds = decimal(whole)?;
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // Go keeps nine digits, and the kernel stores seconds and nanoseconds, the latter positive.
    let below = whole.starts_with(b"-") && fraction.iter().take(9).any(|digit| *digit != b'0');
    seconds.checked_sub(i64::from(below))
}
