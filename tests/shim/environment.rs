//! The environment: to the byte what it would be without us.

use crate::kit::{HIT, IMAGE, MISS, Site};

/// Where the shims of this build are when they are installed.
const SHIMS: &str = "/usr/libexec/sifcache/bin";
const INTERPOSER: &str = "/usr/libexec/sifcache/libsifcache_preload.so";

/// For a test whose build says another directory, nothing here would be ours.
fn installed_elsewhere() -> bool {
    option_env!("SIFCACHE_LIBEXECDIR").is_some_and(|directory| !SHIMS.starts_with(directory))
}

#[test]
fn odd_variables_stay_as_and_where_they_are() {
    let site = Site::new();
    let odd: [&[u8]; 14] = [
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
        for variable in odd {
            call = call.variable(variable);
        }
        match command.len() {
            4 => call.is_bare_with_image(IMAGE),
            _ => call.is_bare(),
        };
    }
}

#[test]
fn the_users_own_wish_stays() {
    let site = Site::new();
    for wish in ["auto", "require"] {
        site.call(&HIT).variable(format!("SIF_CACHE={wish}")).is_bare_with_image(IMAGE);
    }
    site.call(&HIT).variable("SIF_CACHE=off").is_bare();
}

/// Shells name the program there that they start, which for them is the shim.
#[test]
fn the_program_that_a_shell_names() {
    let site = Site::new();
    for (said, kept) in [("shims/apptainer", false), ("real/apptainer", true), ("shims/x", true)] {
        let said = site.text(said);
        let outcome = site.call(&HIT).variable(format!("_={said}")).run();
        let expected = if kept { said } else { site.text("real/apptainer") };
        assert!(outcome.told("environ").contains(&&*format!("_={expected}")), "{outcome:#?}");
    }
}

#[test]
fn what_is_there_twice_stays_twice_but_for_ours() {
    let site = Site::new();
    let path = format!("PATH={}", site.search("shims real"));
    let variables = ["X=1".to_owned(), path, "PATH=/second".into(), "X=2".into()];
    let call = site.call(&HIT).variables(variables);
    // The first counts, for getenv(3).
    call.ours("SINGULARITY_SIFCACHE=nonsense").is_bare_with_image(IMAGE);
}

#[test]
fn every_trace_of_ours_goes() {
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
                // ld.so complains about a library that is not there, before our time.
                call = call.ours(format!("LD_PRELOAD={preload}"));
            }
            let told = format!("SINGULARITY_SIFCACHE_RUNTIME={real}/apptainer");
            let through = call.ours(told).run();
            let bare = site.call(&HIT).variable(format!("PATH={after}")).bare().run();
            assert_eq!(through.told("environ"), bare.told("environ"), "{before} {preload:?}");
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
