//! Records of pax headers, and files with holes.

use super::header::{LARGE, NAME, SMALL};
use super::{Entry, Format, Kind, Sparse, SparseVersion};

/// A keyword and its value.
type Record = (String, Vec<u8>);

/// The records that an entry needs.
pub(super) fn records(entry: &Entry) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    if entry.format != Format::Gnu {
        records.extend(names(entry));
        records.extend(numbers(entry));
    } else if entry.nanoseconds != 0 {
        records.extend(time(entry));
    }
    let xattrs = entry.xattrs.iter();
    records.extend(xattrs.map(|(name, value)| (format!("SCHILY.xattr.{name}"), value.clone())));
    records
}

fn names(entry: &Entry) -> impl Iterator<Item = Record> {
    let always = entry.format == Format::PaxAlways;
    let mut path = entry.path.clone();
    if entry.kind == Kind::Directory && !path.ends_with(b"/") {
        path.push(b'/');
    }
    let long = move |name: &[u8]| (always && !name.is_empty()) || name.len() > NAME;
    let path = long(&path).then_some(("path".to_owned(), path));
    let target = entry.target();
    let target = long(target).then(|| ("linkpath".to_owned(), target.to_vec()));
    path.into_iter().chain(target)
}

fn numbers(entry: &Entry) -> impl Iterator<Item = Record> {
    let always = entry.format == Format::PaxAlways;
    let owner = [("uid", entry.uid), ("gid", entry.gid)].into_iter();
    let owner = owner.filter(move |(_, id)| always || u64::from(*id) > SMALL);
    let owner = owner.map(|(name, id)| (name.to_owned(), id.to_string().into_bytes()));
    let fits = u64::try_from(entry.mtime).is_ok_and(|time| time <= LARGE);
    let time = (always || !fits || entry.nanoseconds != 0).then(|| time(entry)).flatten();
    owner.chain(time)
}

/// The record of the time, with a fraction if there is one.
fn time(entry: &Entry) -> Option<Record> {
    let text = if entry.nanoseconds == 0 {
        entry.mtime.to_string()
    } else {
        format!("{}.{:09}", entry.mtime, entry.nanoseconds)
    };
    Some(("mtime".to_owned(), text.into_bytes()))
}

/// Adds the records of a file with holes, and returns the data of its entry.
pub(super) fn sparse(sparse: &Sparse, path: &[u8], records: &mut Vec<Record>) -> Vec<u8> {
    let mut add = |name: &str, value: Vec<u8>| records.push((format!("GNU.sparse.{name}"), value));
    let segments = sparse.segments.iter();
    let data: Vec<u8> = segments.clone().flat_map(|(_, data)| data.clone()).collect();
    // As GNU tar does, a last segment without data marks the end.
    let pairs = segments.map(|(offset, data)| (*offset, data.len()));
    let pairs = pairs.chain([(sparse.size, 0)]);
    let count = sparse.segments.len() + 1;
    match sparse.version {
        SparseVersion::V0_1 => {
            add("size", sparse.size.to_string().into_bytes());
            add("numblocks", count.to_string().into_bytes());
            add("name", path.to_vec());
            let map: Vec<String> = pairs.map(|(at, length)| format!("{at},{length}")).collect();
            add("map", map.join(",").into_bytes());
            data
        }
        SparseVersion::V1_0 => {
            add("major", b"1".to_vec());
            add("minor", b"0".to_vec());
            add("name", path.to_vec());
            add("realsize", sparse.size.to_string().into_bytes());
            let lines: String = pairs.map(|(at, length)| format!("{at}\n{length}\n")).collect();
            let mut all = format!("{count}\n{lines}").into_bytes();
            all.resize(all.len().next_multiple_of(512), 0);
            [all, data].concat()
        }
    }
}

/// The records as the data of a pax header: `LENGTH KEYWORD=VALUE\n`, where LENGTH is decimal and
/// includes itself.
pub(super) fn encode(records: &[Record]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in records {
        let rest = name.len() + value.len() + 3;
        let mut length = rest;
        while length != rest + length.to_string().len() {
            length = rest + length.to_string().len();
        }
        bytes.extend_from_slice(format!("{length} {name}=").as_bytes());
        bytes.extend_from_slice(value);
        bytes.push(b'\n');
    }
    bytes
}
