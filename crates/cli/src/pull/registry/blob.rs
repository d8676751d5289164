//! Downloads of blobs: the layers and the config of an image.
//!
//! A blob is read part by part. Its SHA-256 is computed as the parts arrive; a wrong digest or size
//! is an error. A download whose connection breaks or stalls continues where it ended: with a
//! `Range` if the server supports that, otherwise the data that are already there are skipped.
//! Every request goes to the registry, which may redirect it to a new URL of another host.

use super::cancel::Cancel;
use super::error::Error;
use super::fault::Fault;
use super::image::Descriptor;
use super::query::QueryClient;
use super::session::Session;
use bytes::Bytes;
use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, HeaderMap};
use reqwest::{Response, StatusCode};
use sha2::{Digest as _, Sha256};
use sifcache_core::reference::Reference;
use std::time::Duration;

/// The maximum number of retries without [`PROGRESS`].
const RETRIES: u32 = 5;

/// The progress in bytes after which retries are counted from zero.
const PROGRESS: u64 = 1 << 20;

/// A download in progress. Dropping it closes the connection.
pub(crate) struct Blob<'a> {
    client: &'a QueryClient,
    reference: &'a Reference,
    descriptor: &'a Descriptor,
    cancel: Cancel,
    hash: Sha256,
    received: u64,
    connection: Option<Connection>,
    /// Whether the server may support ranges.
    ranges: bool,
    /// The number of retries, and the bytes that had been received at the first of them.
    retries: (u32, u64),
}

struct Connection {
    response: Response,
    host: String,
    /// The number of bytes at the start of the response that were received before and are skipped.
    skip: u64,
}

impl<'a> Blob<'a> {
    pub(super) fn new(
        client: &'a QueryClient,
        reference: &'a Reference,
        descriptor: &'a Descriptor,
        cancel: Cancel,
    ) -> Self {
        Self {
            client,
            reference,
            descriptor,
            cancel,
            hash: Sha256::new(),
            received: 0,
            connection: None,
            ranges: true,
            retries: (0, 0),
        }
    }

    /// The next bytes, or `None` after the last ones, which is after the digest has been checked.
    ///
    /// # Errors
    /// The blob cannot be downloaded, or has another size or digest. Do not continue after an
    /// error.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            let connection = match self.connection.take() {
                Some(connection) => connection,
                None if self.is_complete() => return self.finish().map(|()| None),
                None => match self.open() {
                    Ok(connection) => connection,
                    Err(error) => {
                        self.wait(error)?;
                        continue;
                    }
                },
            };
            match self.read(connection) {
                Ok(Some(bytes)) if !bytes.is_empty() => return Ok(Some(bytes)),
                Ok(_) => {}
                // All bytes have arrived, so it does not matter how the connection ends.
                Err(error) if self.is_complete() && error.is_unreachable() => {}
                Err(error) => self.wait(error)?,
            }
        }
    }

    /// The whole blob. The caller must know that its size is small.
    ///
    /// # Errors
    /// Like [`Self::next`].
    pub(super) fn whole(mut self) -> Result<Vec<u8>, Error> {
        let mut all = Vec::new();
        while let Some(part) = self.next()? {
            all.extend_from_slice(&part);
        }
        Ok(all)
    }

    fn is_complete(&self) -> bool {
        self.received == self.descriptor.size
    }

    /// Checks the digest.
    fn finish(&mut self) -> Result<(), Error> {
        let hash = self.hash.finalize_reset();
        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        if self.descriptor.digest == format!("sha256:{hex}") {
            return Ok(());
        }
        Err(self.wrong(self.reference.registry(), &format!("its digest is sha256:{hex}")))
    }

    fn wrong(&self, host: &str, why: &str) -> Error {
        Error::wrong_blob(host, &self.descriptor.digest, why)
    }

    /// Requests the rest of the blob.
    fn open(&mut self) -> Result<Connection, Error> {
        let (digest, size) = (self.descriptor.digest.as_str(), self.descriptor.size);
        loop {
            let offset = Some(self.received).filter(|offset| *offset > 0 && self.ranges);
            let opened = self.client.query_once(
                self.reference,
                &self.cancel,
                async |session: &Session<'_>| {
                    let response = session.blob(digest, offset).await?;
                    let start = start(&response, offset, size)
                        .map_err(|why| Fault::InvalidBlob(digest.to_owned(), why))?;
                    Ok((response, start))
                },
            );
            let (response, start) = opened?;
            let host = response.url().host_str().unwrap_or_default().to_owned();
            match start.filter(|start| *start <= self.received) {
                Some(start) => {
                    return Ok(Connection { response, host, skip: self.received - start });
                }
                // The range is not the one that was requested.
                None => self.ranges = false,
            }
        }
    }

    /// Reads the next bytes and keeps the connection for more. The bytes are empty if they have
    /// been received before, and missing if the response has ended.
    fn read(&mut self, mut connection: Connection) -> Result<Option<Bytes>, Error> {
        let stalled = self.broken(&connection, "no more data in time");
        let part = self.client.next(stalled, &self.cancel, connection.response.chunk())?;
        let part = part.map_err(|error| self.broken(&connection, &super::cause::text(&error)))?;
        let Some(part) = part else {
            if self.is_complete() {
                return Ok(None);
            }
            return Err(self.broken(&connection, "the response ended"));
        };
        let skipped = usize::try_from(connection.skip).unwrap_or(usize::MAX).min(part.len());
        connection.skip = connection.skip.saturating_sub(skipped as u64);
        let bytes = part.slice(skipped..);
        if bytes.len() as u64 > self.descriptor.size - self.received {
            let why = format!("it has more than {} bytes", self.descriptor.size);
            return Err(self.wrong(&connection.host, &why));
        }
        self.hash.update(&bytes);
        self.received += bytes.len() as u64;
        self.connection = Some(connection);
        Ok(Some(bytes))
    }

    fn broken(&self, connection: &Connection, why: &str) -> Error {
        let progress = (self.received, self.descriptor.size);
        Error::broken(&connection.host, &self.descriptor.digest, progress, why)
    }

    /// Waits before a retry.
    ///
    /// # Errors
    /// With the given error if a retry cannot help, or there have been too many.
    fn wait(&mut self, error: Error) -> Result<(), Error> {
        let limits = self.client.limits();
        let (retries, since) = self.retries;
        self.retries = match self.received - since >= PROGRESS {
            true => (1, self.received),
            false => (retries + 1, since),
        };
        let doubled = 1_u32 << (self.retries.0 - 1).min(RETRIES);
        let delay = limits.busy * doubled;
        let delay = error.delay().unwrap_or(Duration::ZERO).max(delay);
        if !error.is_unreachable() || self.retries.0 > RETRIES || delay > limits.longest {
            return Err(error);
        }
        self.client.pause(delay, &self.cancel)
    }
}

/// The position in the blob at which a response starts, or `None` if the server does not have the
/// requested range.
///
/// # Errors
/// The headers contradict the size of the blob.
fn start(response: &Response, offset: Option<u64>, size: u64) -> Result<Option<u64>, String> {
    position(response.status(), response.headers(), offset, size)
}

fn position(
    status: StatusCode,
    headers: &HeaderMap,
    offset: Option<u64>,
    size: u64,
) -> Result<Option<u64>, String> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let other = |stated: u64| Err(format!("it has {stated} bytes instead of {size}"));
    match status {
        StatusCode::OK => match text(CONTENT_LENGTH).and_then(|length| length.parse().ok()) {
            Some(length) if length != size => other(length),
            _ => Ok(Some(0)),
        },
        StatusCode::PARTIAL_CONTENT if offset.is_some() => {
            // bytes FIRST-LAST/SIZE, or an asterisk instead of the size
            let range = text(CONTENT_RANGE).and_then(|range| range.strip_prefix("bytes "));
            let Some((range, whole)) = range.and_then(|range| range.split_once('/')) else {
                return Ok(None);
            };
            match whole.parse() {
                Ok(whole) if whole != size => other(whole),
                _ => Ok(range.split_once('-').and_then(|(first, _)| first.parse().ok())),
            }
        }
        _ if offset.is_some() => Ok(None),
        status => Err(format!("the status is {} without a range", status.as_u16())),
    }
}

#[cfg(test)]
mod tests {
    use super::position;
    use reqwest::StatusCode;
    use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, HeaderMap};

    #[test]
    fn where_a_response_starts() {
        let ok = |status: u16, length: &str, range: &str, offset: Option<u64>| {
            let pairs = [(CONTENT_LENGTH, length), (CONTENT_RANGE, range)];
            let given = pairs.into_iter().filter(|(_, value)| !value.is_empty());
            let headers: HeaderMap =
                given.map(|(name, value)| (name, value.parse().unwrap())).collect();
            position(StatusCode::from_u16(status).unwrap(), &headers, offset, 100)
        };
        assert_eq!(ok(200, "100", "", None), Ok(Some(0)));
        assert_eq!(ok(200, "", "", Some(7)), Ok(Some(0)));
        assert_eq!(ok(200, "99", "", None), Err("it has 99 bytes instead of 100".to_owned()));
        assert_eq!(ok(206, "93", "bytes 7-99/100", Some(7)), Ok(Some(7)));
        assert_eq!(ok(206, "3", "bytes 7-9/*", Some(7)), Ok(Some(7)));
        assert_eq!(ok(206, "3", "bytes 5-9/100", Some(7)), Ok(Some(5)));
        assert!(ok(206, "93", "bytes 7-99/101", Some(7)).is_err());
        assert_eq!(ok(206, "93", "", Some(7)), Ok(None));
        assert_eq!(ok(206, "93", "bytes x-99/100", Some(7)), Ok(None));
        assert_eq!(ok(416, "", "bytes */100", Some(7)), Ok(None));
        assert!(ok(416, "", "", None).is_err() && ok(206, "", "", None).is_err());
    }
}
