//! Against a registry of a few canned answers.

use super::Registry;
use crate::credentials::Credentials;
use sifcache_core::reference::Reference;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Answers each request with the next of `answers`; `GET /v2/` always with 200. Returns
/// where it is, and the first lines of the requests.
fn registry(answers: Vec<String>) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (requests, seen) = channel();
    thread::spawn(move || {
        let mut answers = answers.into_iter();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let first = lines.next().unwrap().unwrap();
            let headers: Vec<String> =
                lines.map(|line| line.unwrap()).take_while(|line| !line.is_empty()).collect();
            let is_version = first.starts_with("GET /v2/ ");
            let authorized =
                headers.iter().any(|h| h.to_lowercase().starts_with("authorization: basic"));
            let answer = match is_version {
                true if authorized => answer("200 OK", "", ""),
                true => answer("401 Unauthorized", "WWW-Authenticate: Basic realm=\"r\"\r\n", ""),
                false => answers.next().unwrap(),
            };
            requests.send(format!("{first} authorized={authorized}")).ok();
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    (address, seen)
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

fn ask(answers: Vec<String>) -> (Result<String, String>, Vec<String>) {
    let (address, seen) = registry(answers);
    let reference = Reference::parse(format!("{address}/o/i:1").as_bytes()).unwrap();
    let credentials = Credentials::basic("alice", "secret");
    let registry = Registry::new(true, credentials).unwrap();
    let digest = registry.digest(&reference).map_err(|e| e.to_string().replace(&address, "HERE"));
    (digest, seen.try_iter().collect())
}

#[test]
fn one_head_request_says_the_digest() {
    let header = format!("Docker-Content-Digest: {DIGEST}\r\n");
    let (digest, seen) = ask(vec![answer("200 OK", &header, "")]);
    assert_eq!(digest.as_deref(), Ok(DIGEST));
    let seen: Vec<&String> = seen.iter().filter(|line| !line.contains("/v2/ ")).collect();
    assert_eq!(seen, ["HEAD /v2/o/i/manifests/1 HTTP/1.1 authorized=true"]);
}

#[test]
fn a_busy_registry_is_asked_once_more() {
    let header = format!("Docker-Content-Digest: {DIGEST}\r\n");
    let busy = || answer("503 Service Unavailable", "", "");
    let (digest, _) = ask(vec![busy(), busy(), answer("200 OK", &header, "")]);
    assert_eq!(digest.as_deref(), Ok(DIGEST));
    let (digest, _) = ask(vec![busy(), busy(), busy(), busy()]);
    assert_eq!(digest, Err("HERE answers with 503".to_owned()));
}

#[test]
fn refusals_say_what_to_do() {
    let unknown = r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"unknown"}]}"#;
    let missing = || answer("404 Not Found", "", unknown);
    let (digest, _) = ask(vec![missing(), missing()]);
    assert_eq!(digest, Err("HERE has no such image".to_owned()));
    let no = || answer("401 Unauthorized", "", "");
    let said = ask(vec![no(), no()]).0.unwrap_err();
    assert!(said.starts_with("HERE wants to know who asks") && !said.contains("secret"), "{said}");
    let reference = Reference::parse(b"127.0.0.1:1/o/i:1").unwrap();
    let registry = Registry::new(true, Credentials::none()).unwrap();
    let said = registry.digest(&reference).unwrap_err().to_string();
    assert_eq!(said, "127.0.0.1:1: it cannot be reached: Connection refused (os error 111)");
}
