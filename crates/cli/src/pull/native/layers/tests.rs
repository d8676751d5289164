use super::{AHEAD, LayerError, Layers, Options, with};
use crate::pull::registry::test_double::{FaultyServer, Reply, Request, client, descriptor, noise};
use crate::pull::registry::{Descriptor, Error};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::{Read as _, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};

/// A tar archive with one file.
pub(super) fn tar(content: &[u8]) -> Vec<u8> {
    let mut header = [0_u8; 512];
    header[..4].copy_from_slice(b"file");
    header[100..107].copy_from_slice(b"0000644");
    header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
    header[148..156].copy_from_slice(b"        ");
    header[156] = b'0';
    header[257..263].copy_from_slice(b"ustar\0");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    let padding = vec![0; content.len().next_multiple_of(512) - content.len() + 1024];
    [&header, content, &padding].concat()
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn options(limit: u64, on_bytes: &(dyn Fn(u64) + Sync)) -> Options<'_> {
    // Nothing cancels the downloads of a test.
    let cancel = Box::leak(Box::default());
    Options { limit, on_bytes, cancel }
}

fn read_all(layers: &mut Layers<'_, '_>) -> Result<Vec<Vec<u8>>, LayerError> {
    let mut all = Vec::new();
    while let Some(mut layer) = layers.next()? {
        let mut bytes = Vec::new();
        layer.read_to_end(&mut bytes)?;
        layer.finish()?;
        all.push(bytes);
    }
    Ok(all)
}

#[test]
fn all_layers_are_read_in_order() {
    let tars: Vec<Vec<u8>> = (0..20).map(|seed| tar(&noise(100_000, seed))).collect();
    let blobs: Vec<Vec<u8>> = tars.iter().map(|tar| gzip(tar)).collect();
    let sources: Vec<Descriptor> = blobs.iter().map(|blob| descriptor(blob)).collect();
    let server = FaultyServer::of_blobs(blobs.clone(), |request, blob| {
        let whole = Reply::part(request, blob);
        if request.count < 1 { whole.cut(50_000) } else { whole }
    });
    let (registry, reference) = (client(), server.reference());
    let arrived = AtomicU64::new(0);
    let on_bytes = |bytes| {
        arrived.fetch_add(bytes, Ordering::Relaxed);
    };
    let options = options(u64::MAX, &on_bytes);
    let read = with(&registry, &reference, &sources, options, read_all).unwrap();
    assert!(read == tars);
    let sizes = blobs.iter().map(|blob| blob.len() as u64);
    assert_eq!(arrived.into_inner(), sizes.sum::<u64>());
}

/// Reads one layer from a server that replies like this.
fn read_one(
    blob: &[u8],
    limit: u64,
    reply: impl Fn(&Request, &[u8]) -> Reply + Send + Sync + 'static,
) -> Result<Vec<Vec<u8>>, LayerError> {
    let server = FaultyServer::of_blobs(vec![blob.to_vec()], reply);
    let (registry, reference) = (client(), server.reference());
    let sources = [descriptor(blob)];
    with(&registry, &reference, &sources, options(limit, &|_| ()), read_all)
}

#[test]
fn errors_of_all_stages_arrive_at_the_reader() {
    let tar = tar(&noise(100_000, 1));
    let blob = gzip(&tar);
    let error = read_one(&blob, u64::MAX, |_, _| Reply::new(404, b"")).unwrap_err();
    assert!(matches!(&error, LayerError::Registry(Error::Registry(..))), "{error:?}");
    assert!(error.to_string().contains("has no blob"), "{error}");
    let most = tar.len() as u64;
    assert!(read_one(&blob, most, Reply::part).is_ok());
    let error = read_one(&blob, most - 1, Reply::part).unwrap_err();
    assert!(matches!(error, LayerError::TooLarge(limit) if limit == most - 1), "{error:?}");
    let error = read_one(b"text", most, Reply::part).unwrap_err();
    assert!(matches!(error, LayerError::Format), "{error:?}");
    // The digest of the compressed layer is checked even if its data seem to be complete.
    let other = [&blob[..blob.len() - 8], b"\0\0\0\0\0\0\0\0"].concat();
    let wrong = read_one(&blob, most, move |_, _| Reply::new(200, &other));
    assert!(matches!(wrong.unwrap_err(), LayerError::Registry(_) | LayerError::Damaged(_)));
}

#[test]
fn the_end_of_the_reader_ends_the_downloads() {
    let tars: Vec<Vec<u8>> = (0..20).map(|seed| tar(&noise(100_000, seed))).collect();
    let sources: Vec<Descriptor> = tars.iter().map(|tar| descriptor(tar)).collect();
    // All but the first one never end.
    let first = sources.first().unwrap().digest.clone();
    let server = FaultyServer::of_blobs(tars.clone(), move |request, blob| {
        let whole = Reply::part(request, blob);
        if request.line.ends_with(&first) { whole } else { whole.stalled(1000) }
    });
    let (registry, reference) = (client(), server.reference());
    let read = with(&registry, &reference, &sources, options(u64::MAX, &|_| ()), |layers| {
        let mut bytes = Vec::new();
        layers.next().unwrap().unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    });
    assert!(read == tars[0]);
    assert!(server.ranges().len() <= AHEAD, "no more than the limit were started");
}
