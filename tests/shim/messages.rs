//! The output of the shim when it is called by its own name.

use crate::call::Outcome;
use crate::kit::Site;

fn call_shim(arguments: &[&str]) -> Outcome {
    let site = Site::new();
    let words = [&["sifcache-shim"], arguments].concat();
    site.call(&words).program("sifcache-shim").run()
}

#[test]
fn help_and_version() {
    for flag in ["--help", "-h"] {
        let outcome = call_shim(&[flag]);
        assert!(outcome.stdout.starts_with("sifcache-shim: "), "{outcome:#?}");
        assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
    }
    for flag in ["--version", "-V"] {
        let outcome = call_shim(&[flag]);
        let version = concat!("sifcache-shim ", env!("CARGO_PKG_VERSION"), "\n");
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), version));
    }
}

#[test]
fn an_invalid_command_line() {
    for arguments in
        [&[] as &[&str], &["exec"], &["--multi-prog"], &["--multi-prog", "a", "b"][..2]]
    {
        call_shim(arguments).ended(64, "--help");
    }
}
