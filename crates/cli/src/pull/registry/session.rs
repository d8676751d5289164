//! Requests to one registry for one repository.

use super::client::{Clients, Transport};
use super::fault::Fault;
use super::manifest::{self, ACCEPTED, Document};
use super::token::{self, Authorization};
use crate::pull::credentials::RegistryAuth;
use reqwest::header::{ACCEPT, HeaderMap, WWW_AUTHENTICATE};
use reqwest::{Method, Response, StatusCode};
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

    async fn manifests(&self, method: Method, name: &str) -> Answer<Response> {
        let path = format!("{}/manifests/{name}", self.image.repository());
        let known = self.tokens.get(self.host, self.image, self.auth);
        let first = known.is_none();
        let authorization = match known {
            Some(authorization) => authorization,
            None => self.greet().await?,
        };
        let response = self.send(&method, &path, &authorization).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return check(response).await;
        }
        // The token has expired, or the registry sends its challenge only in this answer.
        let again = self.authorize(response.headers()).await?;
        if first && again == authorization {
            return check(response).await;
        }
        check(self.send(&method, &path, &again).await?).await
    }

    async fn send(
        &self,
        method: &Method,
        path: &str,
        authorization: &Authorization,
    ) -> Answer<Response> {
        let url = format!("{}://{}/v2/{path}", self.transport.scheme(), self.host);
        let client = self.clients.get(self.transport)?;
        let request = client.request(method.clone(), url).header(ACCEPT, ACCEPTED.join(", "));
        Ok(authorization.put_on(request).send().await?)
    }

    /// Asks the registry which authorization it requires.
    async fn greet(&self) -> Answer<Authorization> {
        let response = self.send(&Method::GET, "", &Authorization::Nothing).await?;
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
    let body = read(&mut response).await.unwrap_or_default();
    Err(Fault::of(status, &body))
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
