//! Requests to one registry for one repository.

use super::client::{Clients, Transport};
use super::delay;
use super::fault::Fault;
use super::manifest::{self, ACCEPTED, Document};
use super::token::{self, Authorization};
use crate::pull::credentials::RegistryAuth;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, HeaderMap, HeaderValue, RANGE, WWW_AUTHENTICATE};
use reqwest::{Method, Response, StatusCode, Url};
use sha2::{Digest as _, Sha256};
use sifcache_core::reference::Reference;

/// The maximum size of a manifest in bytes; registries do not accept larger ones.
const MAX_MANIFEST_SIZE: usize = 4 << 20;
const DIGEST: &str = "docker-content-digest";

type Answer<T> = Result<T, Fault>;

/// An image in one registry, with the transport and the credentials for its requests.
pub(super) struct Session<'a> {
    pub(super) clients: &'a Clients,
    pub(super) transport: Transport,
    /// `HOST[:PORT]`
    pub(super) host: &'a str,
    pub(super) image: &'a Reference,
    pub(super) auth: &'a RegistryAuth,
    pub(super) tokens: &'a token::Cache,
}

impl Session<'_> {
    /// The digest of the image. The manifest is requested only if the answer to HEAD, which no
    /// registry counts as a pull, does not contain the digest.
    pub(super) async fn digest(&self, name: &str) -> Answer<String> {
        let response = self.manifests(Method::HEAD, name).await?;
        match stated(response.headers()) {
            Some(digest) => Ok(digest),
            None => Ok(self.fetch(name).await?.1),
        }
    }

    /// The manifest of the image with this tag or digest, and its digest.
    pub(super) async fn manifest(&self, name: &str) -> Answer<(Document, String)> {
        let (body, digest) = self.fetch(name).await?;
        Ok((manifest::parse(&body).map_err(Fault::InvalidAnswer)?, digest))
    }

    async fn fetch(&self, name: &str) -> Answer<(Vec<u8>, String)> {
        let mut response = self.manifests(Method::GET, name).await?;
        let stated = stated(response.headers());
        let body = read(&mut response).await?;
        let hash = Sha256::digest(&body);
        let own =
            "sha256:".to_owned() + &hash.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let digest = stated.unwrap_or_else(|| own.clone());
        let promised = if name.contains(':') { name } else { &digest };
        // Digests of other algorithms are left to the runtime, which checks them.
        for one in [digest.as_str(), promised] {
            if one.starts_with("sha256:") && one != own {
                return Err(Fault::InvalidAnswer(format!("its digest is {own} instead of {one}")));
            }
        }
        let promised = promised.to_owned();
        Ok((body, promised))
    }

    /// The answer to a request for the blob with this digest, from `offset` on. Its status is one
    /// of 200, 206 and 416, because a server may ignore or refuse the offset.
    pub(super) async fn blob(&self, digest: &str, offset: Option<u64>) -> Answer<Response> {
        let path = format!("{}/blobs/{digest}", self.image.repository());
        let mut headers = HeaderMap::new();
        // The digest and the offset are those of the blob itself.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let range = offset.and_then(|offset| format!("bytes={offset}-").parse().ok());
        headers.extend(range.map(|range| (RANGE, range)));
        let response = self.request(&Method::GET, &path, &headers).await?;
        match response.status() {
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => Ok(response),
            StatusCode::NOT_FOUND => Err(Fault::NoBlob(digest.to_owned())),
            _ => check(response).await,
        }
    }

    async fn manifests(&self, method: Method, name: &str) -> Answer<Response> {
        let path = format!("{}/manifests/{name}", self.image.repository());
        check(self.request(&method, &path, &accept()).await?).await
    }

    /// The answer to a request with the authorization that the registry requires.
    async fn request(&self, method: &Method, path: &str, headers: &HeaderMap) -> Answer<Response> {
        let known = self.tokens.get(self.host, self.image, self.auth);
        let first = known.is_none();
        let authorization = match known {
            Some(authorization) => authorization,
            None => self.ping().await?,
        };
        let response = self.send(method, path, headers, &authorization).await?;
        // A server that the registry redirects to must not obtain the credentials.
        if response.status() != StatusCode::UNAUTHORIZED || !self.is_own(response.url()) {
            return Ok(response);
        }
        // The token has expired, or the registry sends its challenge only in this answer.
        let again = self.authorize(response.headers()).await?;
        if first && again == authorization {
            return Ok(response);
        }
        self.send(method, path, headers, &again).await
    }

    async fn send(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        authorization: &Authorization,
    ) -> Answer<Response> {
        let url = self.url(path);
        let client = self.clients.get(self.transport)?;
        let request = client.request(method.clone(), url).headers(headers.clone());
        Ok(authorization.put_on(request).send().await?)
    }

    fn url(&self, path: &str) -> String {
        format!("{}://{}/v2/{path}", self.transport.scheme(), self.host)
    }

    /// Whether the registry itself has this URL, and not a server that it redirects to.
    fn is_own(&self, url: &Url) -> bool {
        Url::parse(&self.url("")).is_ok_and(|own| own.origin() == url.origin())
    }

    /// Determines which authorization the registry requires, with a request to its base URL `/v2/`.
    async fn ping(&self) -> Answer<Authorization> {
        let response = self.send(&Method::GET, "", &accept(), &Authorization::Nothing).await?;
        match response.status() {
            StatusCode::UNAUTHORIZED => self.authorize(response.headers()).await,
            // Other errors are reported by the request for the manifest.
            _ => Ok(self.keep(Authorization::Nothing)),
        }
    }

    async fn authorize(&self, headers: &HeaderMap) -> Answer<Authorization> {
        let challenges = headers.get_all(WWW_AUTHENTICATE).iter();
        let challenges: Vec<&str> = challenges.filter_map(|value| value.to_str().ok()).collect();
        let client = self.clients.get(self.transport)?;
        let repository = self.image.repository();
        let authorization = token::answer(&client, &challenges, repository, self.auth).await?;
        Ok(self.keep(authorization))
    }

    fn keep(&self, authorization: Authorization) -> Authorization {
        self.tokens.put(self.host, self.image, self.auth, authorization.clone());
        authorization
    }
}

/// The headers of a request for a manifest.
fn accept() -> HeaderMap {
    let types = ACCEPTED.join(", ").parse().ok();
    types.map(|types| (ACCEPT, types)).into_iter().collect()
}

/// The digest in the headers, if it is valid.
fn stated(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(DIGEST)?.to_str().ok()?;
    let reference = Reference::parse(format!("a@{text}").as_bytes()).ok()?;
    reference.digest().map(str::to_owned)
}

async fn check(mut response: Response) -> Answer<Response> {
    if response.status() == StatusCode::OK {
        return Ok(response);
    }
    let status = response.status().as_u16();
    let delay = delay::wanted(response.headers());
    let body = read(&mut response).await.unwrap_or_default();
    Err(match (Fault::of(status, &body), delay) {
        (Fault::Status(status @ (429 | 503)), Some(delay)) => Fault::Busy(status, delay),
        (fault, _) => fault,
    })
}

async fn read(response: &mut Response) -> Answer<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await? {
        if body.len() + part.len() > MAX_MANIFEST_SIZE {
            return Err(Fault::InvalidAnswer(format!(
                "it has more than {MAX_MANIFEST_SIZE} bytes"
            )));
        }
        body.extend_from_slice(&part);
    }
    Ok(body)
}
