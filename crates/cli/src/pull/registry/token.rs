//! The authorization that a registry requires: none, a user name and a password, or a token from
//! another server.

use super::delay;
use super::fault::Fault;
use crate::pull::credentials::RegistryAuth;
use http_auth::ChallengeRef;
use reqwest::{Client, RequestBuilder, StatusCode, Url};
use serde::Deserialize;
use sifcache_core::reference::Reference;
use std::sync::{Mutex, PoisonError};

/// The `Authorization` header of a request.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Authorization {
    Nothing,
    Basic(String, String),
    Bearer(String),
}

impl Authorization {
    /// Adds the header to a request.
    pub(super) fn put_on(&self, request: RequestBuilder) -> RequestBuilder {
        match self {
            Self::Nothing => request,
            Self::Basic(username, password) => request.basic_auth(username, Some(password)),
            Self::Bearer(token) => request.bearer_auth(token),
        }
    }
}

impl From<&RegistryAuth> for Authorization {
    fn from(auth: &RegistryAuth) -> Self {
        match auth {
            RegistryAuth::Anonymous => Self::Nothing,
            RegistryAuth::Basic(username, password) => {
                Self::Basic(username.clone(), password.clone())
            }
        }
    }
}

/// The authorizations that were obtained so far: host, repository, credentials, header.
#[derive(Default)]
pub(super) struct Cache(Mutex<Vec<(String, String, RegistryAuth, Authorization)>>);

impl Cache {
    /// The authorization for requests to this host for the repository of the image.
    pub(super) fn get(
        &self,
        host: &str,
        image: &Reference,
        auth: &RegistryAuth,
    ) -> Option<Authorization> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found =
            kept.iter().find(|(h, r, a, _)| h == host && r == image.repository() && a == auth);
        found.map(|(_, _, _, authorization)| authorization.clone())
    }

    /// Replaces the authorization for the same host, repository and credentials.
    pub(super) fn put(
        &self,
        host: &str,
        image: &Reference,
        auth: &RegistryAuth,
        new: Authorization,
    ) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let repository = image.repository();
        kept.retain(|(h, r, a, _)| h != host || r != repository || a != auth);
        kept.push((host.to_owned(), repository.to_owned(), auth.clone(), new));
    }
}

#[derive(Deserialize)]
struct Given {
    token: Option<String>,
    access_token: Option<String>,
}

/// The authorization that these challenges require.
pub(super) async fn answer(
    client: &Client,
    challenges: &[&str],
    repository: &str,
    auth: &RegistryAuth,
) -> Result<Authorization, Fault> {
    let all: Vec<ChallengeRef<'_>> = challenges
        .iter()
        .filter_map(|text| http_auth::parse_challenges(text).ok())
        .flatten()
        .collect();
    let bearer = all.iter().find(|one| one.scheme.eq_ignore_ascii_case("bearer"));
    match bearer {
        Some(bearer) => fetch(client, bearer, repository, auth).await.map(Authorization::Bearer),
        None => Ok(auth.into()),
    }
}

async fn fetch(
    client: &Client,
    challenge: &ChallengeRef<'_>,
    repository: &str,
    auth: &RegistryAuth,
) -> Result<String, Fault> {
    let parameter = |name: &str| {
        let found = challenge.params.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.to_unescaped())
    };
    let realm = parameter("realm").unwrap_or_default();
    let mut url = Url::parse(&realm).map_err(|_| {
        Fault::InvalidAnswer(format!(
            "the address of its token server, {realm:?}, is not a valid URL"
        ))
    })?;
    url.query_pairs_mut().append_pair("scope", &format!("repository:{repository}:pull"));
    if let Some(service) = parameter("service") {
        url.query_pairs_mut().append_pair("service", &service);
    }
    let host = url.host_str().unwrap_or_default().to_owned();
    let failed = |error| Fault::TokenServer(host.clone(), error);
    let request = Authorization::from(auth).put_on(client.get(url));
    let response = request.send().await.map_err(failed)?;
    let status = response.status();
    let delay = delay::wanted(response.headers());
    let text = response.text().await.map_err(failed)?;
    if status != StatusCode::OK {
        return Err(match (status.as_u16(), delay) {
            // Some token servers answer wrong credentials with status 400.
            (400, _) => Fault::Status(401),
            (status @ (429 | 503), Some(delay)) => Fault::Busy(status, delay),
            (status, _) => Fault::Status(status),
        });
    }
    let given: Option<Given> = serde_json::from_str(&text).ok();
    let token = given.and_then(|given| given.token.or(given.access_token));
    token.ok_or_else(|| Fault::InvalidAnswer(format!("{host} returned no token")))
}
