//! Contents of all sizes: each once, zeros not at all, small files sorted.

use crate::content::Content;
use crate::image::{Image, Written, metadata, options};
use crate::readers::{extract, mounts};
use crate::walk::assert_same;
use sifcache_squashfs::checksums::{STORED, checksum};
use sifcache_squashfs::compression::Compression;
use sifcache_squashfs::tree::{Kind, Tree};
use sifcache_squashfs::writer::Options;
use std::io::{self, Read};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};

fn image_of(files: &[(&str, Vec<u8>)]) -> Written {
    let mut image = Image::new(options(Compression::GZIP));
    for (name, bytes) in files {
        image.file(Tree::ROOT, name.as_bytes(), metadata(0o644), bytes);
    }
    image.finish().unwrap()
}

/// Faster than `io::repeat` without optimization.
struct Zeros;

impl Read for Zeros {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        buffer.fill(0);
        Ok(buffer.len())
    }
}

#[test]
fn a_file_of_zeros_larger_than_4_gib_needs_no_space() {
    let mut image = Image::new(options(Compression::ZSTD));
    let (zeros, end) = ((4_u64 << 30) + 5, Content::Text(1, 200_000).bytes());
    let size = zeros + end.len() as u64;
    let mut data = Zeros.take(zeros).chain(&end[..]);
    let content = image.writer.store(b"large", size, &mut data).unwrap();
    image.add(Tree::ROOT, b"large", metadata(0o644), Kind::File { size, content });
    assert_eq!(image.writer.bytes_in(), size);
    let image = image.finish().unwrap();
    assert!(image.size() < 400_000, "{}", image.size());
    for mount in mounts(&image.path(), 0, "zstd") {
        let file = std::fs::File::open(mount.path().join("large")).unwrap();
        let status = file.metadata().unwrap();
        assert_eq!(status.len(), size);
        assert!(mount.is_fuse() || status.blocks() < 1000, "{}", status.blocks());
        let mut bytes = vec![1; end.len() + 5];
        file.read_exact_at(&mut bytes, zeros - 5).unwrap();
        assert_eq!((&bytes[..5], &bytes[5..]), (&[0; 5][..], &end[..]));
    }
}

#[test]
fn equal_contents_are_stored_once() {
    for length in [1000, 500_000, 9_000_000] {
        let content = Content::Random(1, length).bytes();
        let one = image_of(&[("a", content.clone())]);
        let three = image_of(&[("a", content.clone()), ("b", content.clone()), ("c", content)]);
        assert_eq!(one.size().div_ceil(4096), three.size().div_ceil(4096), "{length}");
        let equal = u64::try_from(2 * length).unwrap();
        assert_eq!(three.finished.counts.bytes_equal, equal);
        let (_directory, files) = extract(&three.path());
        assert_same(&files, &three.files);
    }
}

#[test]
fn the_order_of_small_files_does_not_matter() {
    let content = |number: u64| Content::Text(number, 3000).bytes();
    let names: Vec<String> = (0..300_u64).map(|number| format!("{number:03}")).collect();
    let sorted: Vec<_> =
        names.iter().zip(0..).map(|(name, n)| (name.as_str(), content(n))).collect();
    let scattered: Vec<_> = (0..300).map(|n| sorted[n * 7 % 300].clone()).collect();
    let (sorted, scattered) = (image_of(&sorted), image_of(&scattered));
    let data = |image: &Written| {
        let checksums = &image.finished.checksums.blocks;
        checksums.iter().map(|block| (block.offset, block.size, block.checksum)).collect::<Vec<_>>()
    };
    assert_eq!(data(&sorted), data(&scattered));
}

#[test]
fn the_number_of_threads_does_not_change_the_image() {
    let bytes = |workers: usize| {
        let options = Options { workers, block_size: 4096, ..options(Compression::GZIP) };
        let mut image = Image::new(options);
        for seed in 0..20 {
            let content = Content::Mixed(seed, 100_000).bytes();
            image.file(Tree::ROOT, seed.to_string().as_bytes(), metadata(0o644), &content);
        }
        std::fs::read(image.finish().unwrap().path()).unwrap()
    };
    let one = bytes(1);
    for workers in [0, 2, 8, 1000] {
        assert!(bytes(workers) == one, "{workers} threads");
    }
}

#[test]
fn the_checksums_are_those_of_the_input() {
    for compression in [Compression::GZIP, Compression::ZSTD] {
        let mut image = Image::new(Options { offset: 4096, ..options(compression) });
        for seed in 0..9 {
            let content = Content::Mixed(seed, 300_000).bytes();
            image.file(Tree::ROOT, format!("{seed}").as_bytes(), metadata(0o644), &content);
        }
        image.file(Tree::ROOT, b"small", metadata(0o644), &Content::Text(1, 9000).bytes());
        let random = Content::Random(1, 140_000).bytes();
        image.file(Tree::ROOT, b"random", metadata(0o644), &random);
        let image = image.finish().unwrap();
        let file = std::fs::File::open(image.path()).unwrap();
        let checksums = &image.finished.checksums;
        let mut end = 96 + if compression == Compression::GZIP { 10 } else { 6 };
        for block in &checksums.blocks {
            assert_eq!(block.offset, end);
            let mut bytes = vec![0; (block.size & !STORED) as usize];
            file.read_exact_at(&mut bytes, 4096 + block.offset).unwrap();
            end += bytes.len() as u64;
            let bytes = match compression {
                _ if block.size & STORED != 0 => bytes,
                Compression::Zstd(_) => zstd::bulk::decompress(&bytes, 1 << 17).unwrap(),
                Compression::Gzip(_) => {
                    let mut all = Vec::new();
                    flate2::read::ZlibDecoder::new(&bytes[..]).read_to_end(&mut all).unwrap();
                    all
                }
            };
            assert_eq!(checksum(&bytes), block.checksum);
        }
        assert_eq!(checksums.blocks.len(), 9 * 3 + 2 + 1);
        assert_eq!(checksums.tables.offset, end);
        let mut tables = vec![0; usize::try_from(checksums.tables.size).unwrap()];
        file.read_exact_at(&mut tables, 4096 + end).unwrap();
        assert_eq!(checksum(&tables), checksums.tables.checksum);
    }
}

#[test]
fn the_head_of_an_elf_file_is_kept() {
    let mut image = Image::new(options(Compression::GZIP));
    for length in [20, 30, 500_000, 9_000_000] {
        let mut bytes = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0".to_vec();
        bytes.resize(length, 7);
        let id = image.file(Tree::ROOT, length.to_string().as_bytes(), metadata(0o755), &bytes);
        let Kind::File { content: Some(content), .. } = image.tree.get(id).unwrap().kind else {
            panic!("no content");
        };
        assert_eq!(image.writer.head(content), Some(&bytes[..length.min(64)]));
    }
    let id = image.file(Tree::ROOT, b"text", metadata(0o755), &[b'x'; 100]);
    let Kind::File { content: Some(content), .. } = image.tree.get(id).unwrap().kind else {
        panic!("no content");
    };
    assert_eq!(image.writer.head(content), None);
}
