//! The size of an image that is named by a URL.

use super::Registry;
use super::client::Transport;
use reqwest::Url;
use reqwest::header::CONTENT_LENGTH;

impl Registry {
    /// The size in bytes that the server states for the file at this URL, in the answer to a HEAD
    /// request. `None` if it states none, or cannot be queried: the runtime may reach it in another
    /// way, and reports its errors.
    pub(crate) fn size_of_url(&self, url: &str) -> Option<u64> {
        let url = Url::parse(url).ok()?;
        let transport = match url.scheme() {
            "https" => Transport::Tls,
            _ => Transport::Plain,
        };
        let answer = async {
            let client = self.0.client(transport).ok()?;
            let response = client.head(url).send().await.ok()?;
            let length = response.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok();
            length.filter(|_| response.status().is_success())
        };
        self.0.once(answer)
    }
}
