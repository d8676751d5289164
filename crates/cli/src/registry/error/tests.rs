use super::{Error, image};
use oci_client::errors::{OciDistributionError, OciEnvelope};
use oci_client::secrets::RegistryAuth;
use sifcache_core::reference::Reference;

fn reference() -> Reference {
    Reference::parse(b"q.io/o/i:1").unwrap()
}

#[test]
fn each_answer_has_its_kind_and_no_secret() {
    let server = |code: u16| OciDistributionError::ServerError {
        code,
        url: "https://q.io/?secret".to_owned(),
        message: "secret".to_owned(),
    };
    let registry = |code: &str| OciDistributionError::RegistryError {
        envelope: serde_json::from_str::<OciEnvelope>(&format!(
            r#"{{"errors": [{{"code": "{code}", "message": "secret"}}]}}"#
        ))
        .unwrap(),
        url: "https://q.io/?secret".to_owned(),
    };
    let refused = OciDistributionError::AuthenticationFailure("secret".to_owned());
    // Not found, unauthorized, unreachable.
    let table = [
        (server(404), "q.io has no o/i:1", [true, false, false]),
        (registry("MANIFEST_UNKNOWN"), "q.io has no o/i:1", [true, false, false]),
        (registry("NAME_UNKNOWN"), "q.io has no o/i:1", [true, false, false]),
        (server(403), "--authfile", [false, true, false]),
        (registry("DENIED"), "--authfile", [false, true, false]),
        (refused, "--docker-login", [false, true, false]),
        (server(429), "too many requests", [false, false, true]),
        (registry("TOOMANYREQUESTS"), "too many requests", [false, false, true]),
        (server(502), "fails with status 502", [false, false, true]),
        (server(418), "refuses o/i:1 with status 418", [false, false, false]),
        (registry("UNSUPPORTED"), "with status 400", [false, false, false]),
    ];
    for (error, words, kinds) in table {
        for auth in [RegistryAuth::Anonymous, RegistryAuth::Basic("u".into(), "p4ss".into())] {
            let error = Error::new(&reference(), &auth, &error);
            let text = error.to_string();
            assert!(text.starts_with("q.io ") && text.contains(words), "{text}");
            assert!(!text.contains("secret") && !text.contains("p4ss"), "{text}");
            let own = [error.not_found(), error.unauthorized(), error.is_unreachable()];
            assert_eq!(own, kinds, "{text}");
            assert!(!error.no_platform());
        }
    }
}

#[test]
fn an_image_without_its_registry() {
    let text = |text: &str| image(&Reference::parse(text.as_bytes()).unwrap());
    assert_eq!(text("ubuntu"), "library/ubuntu:latest");
    assert_eq!(text("q.io:5000/o/i:1"), "o/i:1");
}
