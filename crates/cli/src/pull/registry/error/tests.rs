use super::{Circumstances, Error, image};
use crate::pull::credentials::RegistryAuth;
use crate::pull::registry::fault::Fault;
use sifcache_core::reference::Reference;

fn reference() -> Reference {
    Reference::parse(b"q.io/o/i:1").unwrap()
}

#[test]
fn each_answer_has_its_kind_and_no_secret() {
    // The kinds are: not found, unauthorized, unreachable.
    let table = [
        (404, "q.io has no o/i:1", [true, false, false]),
        (401, "--docker-login", [false, true, false]),
        (403, "--authfile", [false, true, false]),
        (429, "too many requests", [false, false, true]),
        (502, "fails with status 502", [false, false, true]),
        (418, "refuses o/i:1 with status 418", [false, false, false]),
    ];
    for (status, words, kinds) in table {
        for auth in [RegistryAuth::Anonymous, RegistryAuth::Basic("u".into(), "p4ss".into())] {
            let circumstances = Circumstances {
                name: "q.io",
                image: &reference(),
                auth: &auth,
                proxy: None,
                certificates: "",
                beside: None,
            };
            let error = Error::new(&circumstances, &Fault::Status(status));
            let text = error.to_string();
            assert!(text.starts_with("q.io ") && text.contains(words), "{text}");
            assert!(!text.contains("p4ss") && !format!("{auth:?}").contains("p4ss"), "{text}");
            let own = [error.not_found(), error.unauthorized(), error.is_unreachable()];
            assert_eq!(own, kinds, "{text}");
            assert!(!error.no_platform());
        }
    }
}

#[test]
fn the_registry_is_omitted_from_the_image_name() {
    let text = |text: &str| image(&Reference::parse(text.as_bytes()).unwrap());
    assert_eq!(text("ubuntu"), "library/ubuntu:latest");
    assert_eq!(text("q.io:5000/o/i:1"), "o/i:1");
}
