use super::{Limit, run};
use crate::pull::native::layers::tests::{gzip, tar};
use crate::pull::native::layers::{LayerError, pipe};
use crate::pull::registry::test_double::noise;
use std::io::Read as _;
use std::thread;

/// Decompresses a blob that arrives in parts of `part` bytes.
fn decompress(blob: &[u8], part: usize) -> Result<Vec<u8>, LayerError> {
    let (sender, data) = pipe::new(1000);
    let (output, mut receiver) = pipe::new(1 << 20);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut parts = blob.chunks(part);
            let sent = parts.try_for_each(|part| sender.send(part.to_vec()));
            if sent.is_ok() {
                sender.end(Ok(()));
            }
        });
        scope.spawn(|| run(data, &output, &Limit::new(u64::MAX)));
        let mut all = Vec::new();
        receiver.read_to_end(&mut all)?;
        Ok(all)
    })
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

/// A skippable frame of zstd.
fn skippable() -> Vec<u8> {
    [&[0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0][..], b"skip"].concat()
}

#[test]
fn all_formats_of_layers() {
    let tar = tar(&noise(20_000, 1));
    let (first, rest) = tar.split_at(1234);
    let table = [
        ("plain", tar.clone()),
        ("gzip", gzip(&tar)),
        ("gzip with several members", [gzip(first), gzip(b""), gzip(rest)].concat()),
        ("zstd", zstd(&tar)),
        ("zstd with several frames", [zstd(first), skippable(), zstd(rest)].concat()),
        ("zstd with a skippable frame at the end", [zstd(&tar), skippable()].concat()),
    ];
    for (name, blob) in table {
        for part in [7, 5_000] {
            assert!(decompress(&blob, part).unwrap() == tar, "{name} {part}");
        }
    }
    let empty = vec![0; 1024];
    assert!(decompress(&empty, 100).unwrap() == empty);
}

#[test]
fn damaged_layers_are_errors() {
    let tar = tar(&noise(100_000, 1));
    let (gzip, zstd) = (gzip(&tar), zstd(&tar));
    let cut = |blob: &[u8], less: usize| blob[..blob.len() - less].to_vec();
    let mut flipped = gzip.clone();
    flipped[50_000] ^= 1;
    let table = [
        ("gzip, cut in its trailer", cut(&gzip, 4)),
        ("gzip, cut in its data", cut(&gzip, 40_000)),
        ("gzip, cut in its header", gzip[..5].to_vec()),
        ("gzip, a flipped bit", flipped),
        ("gzip, the second member is cut", [&gzip[..], &gzip[..20]].concat()),
        ("zstd, cut in its data", cut(&zstd, 40_000)),
        ("zstd, cut at its end", cut(&zstd, 1)),
        ("zstd, followed by something else", [&zstd[..], b"garbage"].concat()),
        ("gzip, followed by something else", [&gzip[..], b"garbage"].concat()),
        ("gzip, followed by zeros", [&gzip[..], &[0; 1000]].concat()),
    ];
    for (name, blob) in table {
        let error = decompress(&blob, 1000).unwrap_err();
        assert!(matches!(error, LayerError::Damaged(_)), "{name}: {error:?}");
        assert!(error.to_string().starts_with("the compressed data are damaged: "), "{error}");
    }
    for (name, blob) in [
        ("a skippable frame first", [skippable(), zstd].concat()),
        ("nothing", Vec::new()),
        ("text", b"text".repeat(200)),
        ("xz", [&b"\xfd7zXZ\0"[..], &[0; 600]].concat()),
    ] {
        let error = decompress(&blob, 1000).unwrap_err();
        assert!(matches!(error, LayerError::Format), "{name}: {error:?}");
    }
    // A tar archive that is cut is left to its reader.
    assert!(decompress(&cut(&tar, 1000), 1000).unwrap() == cut(&tar, 1000));
}
