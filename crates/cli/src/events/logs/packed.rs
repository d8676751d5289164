//! Logs that logrotate has compressed, recognized by their first bytes, regardless of their names.

use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::MultiGzDecoder;
use lzma_rust2::XzReader;
use std::io::{self, BufRead, BufReader, Cursor, ErrorKind, Read};

/// Buffer size in bytes.
pub(super) const BUFFER: usize = 1 << 18;
/// This many bytes are enough to recognize the format of a file.
pub(crate) const MAGIC: usize = 16;

/// The first bytes of supported formats.
const GZIP: &[u8] = &[0x1f, 0x8b];
const XZ: &[u8] = b"\xfd7zXZ\0";
const BZIP2: &[u8] = b"BZh";
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// The first bytes of unsupported formats, with a description and a command that prints the
/// content.
const OTHERS: [(&[u8], &str, &str); 9] = [
    (&[0x04, 0x22, 0x4d, 0x18], "compressed with lz4", "lz4 -dc"),
    (b"LZIP", "compressed with lzip", "lzip -dc"),
    (&[0x89, b'L', b'Z', b'O'], "compressed with lzop", "lzop -dc"),
    (&[0x5d, 0, 0], "compressed with lzma", "xz -dc"),
    (&[0x1f, 0x9d], "compressed with compress", "gzip -dc"),
    (b"PK\x03\x04", "compressed with zip", "unzip -p"),
    (b"7z\xbc\xaf\x27\x1c", "compressed with 7-Zip", "7z x -so"),
    (b"Rar!", "compressed with rar", "unrar p -inul"),
    (b"LPKSHHRH", "a journal file", "journalctl --output=json --file"),
];

/// An opened log.
pub(crate) enum Opened {
    /// Text lines.
    Text(Box<dyn BufRead + Send>),
    /// An unsupported format: a description, and the command that prints the content.
    Other(&'static str, &'static str),
}

/// Opens a log, and decompresses it if necessary.
///
/// # Errors
/// Reading failed.
pub(crate) fn open(mut reader: impl Read + Send + 'static) -> io::Result<Opened> {
    let head = head(&mut reader)?;
    if let Some((_, what, command)) = OTHERS.iter().find(|(magic, ..)| head.starts_with(magic)) {
        return Ok(Opened::Other(what, command));
    }
    let [gzip, xz, zstd] = [GZIP, XZ, ZSTD].map(|magic| head.starts_with(magic));
    let bzip2 = is_bzip2(&head);
    let raw = BufReader::with_capacity(BUFFER, Cursor::new(head).chain(reader));
    // Concatenated compressed files are read as one.
    Ok(Opened::Text(match () {
        () if gzip => buffered(MultiGzDecoder::new(raw)),
        () if xz => buffered(XzReader::new(raw, true)),
        () if bzip2 => buffered(MultiBzDecoder::new(raw)),
        () if zstd => buffered(zstd::Decoder::with_buffer(raw)?),
        () => Box::new(raw),
    }))
}

/// Whether a file that begins with these bytes is compressed or in an unsupported format.
pub(crate) fn is_packed(head: &[u8]) -> bool {
    let mut magics = [GZIP, XZ, ZSTD].into_iter().chain(OTHERS.iter().map(|(magic, ..)| *magic));
    magics.any(|magic| head.starts_with(magic)) || is_bzip2(head)
}

/// Text can begin with "BZh", so the level and the first byte of a block or of the end marker are
/// also checked.
fn is_bzip2(head: &[u8]) -> bool {
    let level = head.get(BZIP2.len()).is_some_and(|level| (b'1'..=b'9').contains(level));
    let block = head.get(BZIP2.len() + 1).is_some_and(|byte| matches!(byte, 0x31 | 0x17));
    head.starts_with(BZIP2) && level && block
}

fn buffered(reader: impl Read + Send + 'static) -> Box<dyn BufRead + Send> {
    Box::new(BufReader::with_capacity(BUFFER, reader))
}

/// The first bytes; a pipe may return them one at a time.
fn head(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = vec![0; MAGIC];
    let mut length = 0;
    while let Some(rest) = head.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match reader.read(rest) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    head.truncate(length);
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::{OTHERS, Opened, open};
    use bzip2::write::BzEncoder;
    use flate2::write::GzEncoder;
    use lzma_rust2::{XzOptions, XzWriter};
    use std::io::{Cursor, Read as _, Write as _};

    const TEXT: &[u8] = b"one line\nanother\n";

    fn packed() -> Vec<(&'static str, Vec<u8>)> {
        let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(TEXT).unwrap();
        let mut bzip2 = BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        bzip2.write_all(TEXT).unwrap();
        let mut xz = XzWriter::new(Vec::new(), XzOptions::with_preset(1)).unwrap();
        xz.write_all(TEXT).unwrap();
        vec![
            ("plain", TEXT.to_vec()),
            ("gzip", gzip.finish().unwrap()),
            ("bzip2", bzip2.finish().unwrap()),
            ("xz", xz.finish().unwrap()),
            ("zstd", zstd::encode_all(TEXT, 1).unwrap()),
        ]
    }

    fn read(bytes: Vec<u8>) -> std::io::Result<Vec<u8>> {
        let Opened::Text(mut reader) = open(Cursor::new(bytes))? else { panic!("not text") };
        let mut text = Vec::new();
        reader.read_to_end(&mut text)?;
        Ok(text)
    }

    #[test]
    fn plain_compressed_and_concatenated_logs_are_read() {
        for (name, bytes) in packed() {
            assert_eq!(read(bytes.clone()).unwrap(), TEXT, "{name}");
            assert_eq!(read(bytes.repeat(2)).unwrap(), TEXT.repeat(2), "{name}");
        }
        for text in ["", "B", "BZh", "BZh9 is a host", "PK"] {
            assert_eq!(read(text.into()).unwrap(), text.as_bytes());
        }
    }

    #[test]
    fn truncated_files_are_errors() {
        for (name, bytes) in packed().into_iter().skip(1) {
            let half = bytes.get(..bytes.len() - 6).unwrap().to_vec();
            assert!(read(half).is_err(), "{name}");
        }
    }

    #[test]
    fn unsupported_formats_are_named() {
        for (magic, what, _) in OTHERS {
            let bytes = [magic, &[0; 30]].concat();
            let opened = open(Cursor::new(bytes)).unwrap();
            assert!(matches!(opened, Opened::Other(message, _) if message == what), "{what}");
        }
    }
}
