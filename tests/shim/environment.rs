//! The environment is byte for byte what it would be without sifcache.

use crate::kit::{HIT, IMAGE, MISS, Site};

/// The directory where the shims of this build are installed.
const SHIMS: &str = "/usr/libexec/sifcache/bin";
const INTERPOSER: &str = "/usr/libexec/sifcache/libsifcache_preload.so";

/// Whether the build has another installation directory. The paths in these tests then have no
/// meaning for the shim.
fn installed_elsewhere() -> bool {
    option_env!("SIFCACHE_LIBEXECDIR").is_some_and(|directory| !SHIMS.starts_with(directory))
}

#[test]
fn unusual_variables_keep_value_and_position() {
    let site = Site::new();
    let unusual: [&[u8]; 14] = [
        b"no equals sign",
        b"B=1",
        b"A=1",
        b"B=2",
        b"",
        b"=",
        b"=x",
        b"A==",
        b"\xff\xfe=\x80",
        b"PATHS=/usr/libexec/sifcache/bin",
        b"SINGULARITY_SIFCACHES=x",
        b"SINGULARITY_SIFCACHE",
        b"LD_PRELOAD=",
        b"LINES=a\nb=c\n",
    ];
    for command in [&HIT[..], &["apptainer", "exec", "docker://o/i:1"]] {
        let mut call = site.call(command);
        for variable in unusual {
            call = call.variable(variable);
        }
        match command.len() {
            4 => call.is_bare_with_image(IMAGE),
            _ => call.is_bare(),
        };
    }
}

#[test]
fn the_users_cache_mode_is_kept() {
    let site = Site::new();
    for mode in ["auto", "require"] {
        site.call(&HIT).variable(format!("SIF_CACHE={mode}")).is_bare_with_image(IMAGE);
    }
    site.call(&HIT).variable("SIF_CACHE=off").is_bare();
}

/// In `_`, shells store the path of the program that they execute. Here they execute the shim.
#[test]
fn the_variable_in_which_shells_store_the_program() {
    let site = Site::new();
    for (program, kept) in [("shims/apptainer", false), ("real/apptainer", true), ("shims/x", true)]
    {
        let program = site.text(program);
        let outcome = site.call(&HIT).variable(format!("_={program}")).run();
        let expected = if kept { program } else { site.text("real/apptainer") };
        assert!(outcome.reported("environ").contains(&&*format!("_={expected}")), "{outcome:#?}");
    }
}

#[test]
fn duplicate_variables_are_kept_except_our_own() {
    let site = Site::new();
    let path = format!("PATH={}", site.search("shims real"));
    let variables = ["X=1".to_owned(), path, "PATH=/second".into(), "X=2".into()];
    let call = site.call(&HIT).variables(variables);
    // The first value of a variable counts, as in getenv(3).
    call.ours("SINGULARITY_SIFCACHE=nonsense").is_bare_with_image(IMAGE);
}

#[test]
fn all_variables_of_sifcache_are_removed() {
    if installed_elsewhere() {
        eprintln!("skipped: SIFCACHE_LIBEXECDIR is another directory");
        return;
    }
    let site = Site::new();
    let real = site.text("real");
    for (before, after) in [
        (format!("{SHIMS}:{real}"), real.clone()),
        (format!("{SHIMS}/:{real}:/bin"), format!("{real}:/bin")),
        (format!("/a:{SHIMS}:{real}::{SHIMS}//"), format!("/a:{real}:")),
        (format!("{SHIMS}2:{real}"), format!("{SHIMS}2:{real}")),
    ] {
        for preload in [None, Some(INTERPOSER)] {
            let mut call = site.call(&HIT).variable(format!("PATH={before}"));
            if let Some(preload) = preload {
                // ld.so reports a missing library before the shim starts.
                call = call.ours(format!("LD_PRELOAD={preload}"));
            }
            let variable = format!("SINGULARITY_SIFCACHE_RUNTIME={real}/apptainer");
            let through = call.ours(variable).run();
            let bare = site.call(&HIT).variable(format!("PATH={after}")).bare().run();
            assert_eq!(
                through.reported("environ"),
                bare.reported("environ"),
                "{before} {preload:?}"
            );
        }
    }
}

#[test]
fn a_large_environment() {
    let site = Site::new();
    let many = (0..3000).map(|i| format!("VARIABLE_{i}={}", "x".repeat(90)));
    let path = format!("PATH={}", site.search("shims real"));
    let variables: Vec<String> =
        many.chain([path, format!("LONG={}", "y".repeat(120_000))]).collect();
    site.call(&HIT).variables(variables.clone()).is_bare_with_image(IMAGE);
    site.call(&MISS).variables(variables).is_bare();
}
