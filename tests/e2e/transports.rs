//! Images of `oras://`, `https://` and `library://`: added while the registry runs, used without
//! it.

use crate::kit::registry::{files, files_without_tls};
use crate::kit::tree::sha256;
use crate::kit::{IMAGE, OTHER, Output, SHARED, Site, hub, inside, sif, tree, with_hub};
use std::fs;

const ORAS: &str = "oras://registry.example.org/lab/tool:1";
const LIBRARY: &str = "library://lab/default/tool:1";
const HTTPS: &str = "https://registry.example.org:8443/depot/tool:1--0";
const PORT: u16 = 8443;

/// The names of the images under the image root.
const NAMES: [&str; 3] = [
    "_https/registry.example.org:8443/depot/tool:1--0",
    "_library/lab/default/tool:1",
    "_oras/registry.example.org/lab/tool:1",
];

const SHIM: &str = "/usr/libexec/sifcache/bin/apptainer";
const RUNTIME: &str = "/usr/bin/apptainer";

#[track_caller]
fn done(site: &Site, words: &[&str]) -> Output {
    let output = site.exec(&[], &[&["sifcache"], words].concat(), "");
    assert_eq!(output.status, 0, "{words:?}: {output:#?}");
    output
}

/// Runs a command as alice in an empty directory of her home.
fn pull(site: &Site, program: &str, options: &str, uri: &str) -> String {
    let script = format!(
        "cd && rm -rf there && mkdir there && cd there && {program} pull {options} '{uri}'; \
         echo status $?; find . -type f -printf '%p %m %u\n' -exec sha256sum {{}} +"
    );
    let output = site.alice(&["bash", "-c", &script]);
    // Without the transfer itself, its rate and the digest, which only the registry has.
    let is_message = |line: &&str| !line.is_empty() && !line.contains("Digest: ");
    let lines: Vec<&str> = output.stderr.lines().filter(is_message).collect();
    format!("{}\n{}", lines.join("\n"), output.stdout)
}

/// Publishes an image on the hub under both URIs. The hub must be up.
fn publish(site: &Site) {
    let push = ["apptainer", "push", &inside(IMAGE), ORAS];
    let output = site.exec(&[], &push, "");
    assert_eq!(output.status, 0, "{output:#?}");
    let depot = site.at("hub", "/srv/files/depot");
    fs::create_dir_all(&depot).unwrap();
    fs::copy(sif(IMAGE), depot.join("tool:1--0")).unwrap();
}

#[test]
#[ignore = "needs a testbed: make test"]
fn jobs_find_what_the_command_adds() {
    let site = Site::new("");
    // A docker image with the same name must never be used in their place.
    site.store(OTHER, "lab/tool:1");
    site.store(OTHER, "registry.example.org/lab/tool:1");
    let (added, expected) = with_hub(|| {
        let _files = files(PORT);
        publish(&site);
        let added = done(&site, &["add", ORAS, HTTPS]);
        let refreshed = done(&site, &["refresh", "--check", ORAS]);
        assert!(refreshed.stdout.starts_with("unchanged "), "{refreshed:#?}");
        // The second pull takes the image from the runtime's own cache.
        let expected = [ORAS, HTTPS].map(|uri| {
            pull(&site, RUNTIME, "", uri);
            pull(&site, RUNTIME, "", uri)
        });
        (added, expected)
    });
    let [oras, https] = &expected;
    let cached = "INFO:    Using cached SIF image\nstatus 0\n./tool_1.sif 755 alice\n";
    assert!(oras.starts_with(cached), "{oras}");
    assert!(https.starts_with("\nstatus 0\n./tool:1--0 755 alice\n"), "{https}");
    for uri in [ORAS, HTTPS] {
        assert!(added.stdout.contains(&format!("found as {uri}\n")), "{added:#?}");
    }
    let imported = done(&site, &["import", &inside(IMAGE), LIBRARY]);
    assert!(imported.stdout.contains(&format!("found as {LIBRARY}\n")), "{imported:#?}");
    let root = site.at("ctl", SHARED);
    for name in NAMES {
        assert_eq!(sha256(&root.join(name)), sha256(&sif(IMAGE)), "{name}");
    }
    tree::is_clean(&root);

    // The hub is stopped, so only the cache can serve these images.
    for uri in [ORAS, LIBRARY, HTTPS] {
        site.launch(&[], uri).ran(IMAGE);
        site.logged("n1", &format!("uid=1001 reference={uri} image=/shared/sif/_"));
    }
    site.launch(&[], "docker://registry.example.org/lab/tool:1").ran(OTHER);
    let script = format!("apptainer exec {ORAS} cat /etc/image-name; apptainer run {HTTPS} true");
    let output = site.sbatch(&[], &script);
    assert_eq!((output.status, output.stdout.trim()), (0, IMAGE), "{output:#?}");
    for (uri, expected) in [ORAS, HTTPS].iter().zip(&expected) {
        assert_eq!(&pull(&site, SHIM, "", uri), expected, "{uri}");
    }
    let library = pull(&site, SHIM, "", LIBRARY);
    let start = "INFO:    Using cached image\n\
                 WARNING: integrity: signature not found for object group 1\n\
                 WARNING: Skipping container verification\nstatus 0\n./tool_1.sif 755 alice\n";
    assert!(library.starts_with(start), "{library}");
    assert_eq!(done(&site, &["list", "--refs"]).stdout.matches("://").count(), 3);
    done(&site, &["verify"]);
}

#[test]
#[ignore = "needs a testbed: make test"]
fn misses_are_logged_with_their_transport() {
    let site = Site::new("on_miss=warn");
    hub("stop");
    for uri in [ORAS, LIBRARY, HTTPS] {
        let output = site.launch(&[], uri);
        assert_eq!(output.status, 255, "{output:#?}");
        let line = format!("sifcache: {uri} is not in the image cache of this cluster\n");
        assert!(output.stderr.contains(&line), "{output:#?}");
        site.logged("n1", &format!("uid=1001 reference={uri}\n"));
        let required = site.launch(&["--sif-cache=require"], uri);
        assert_eq!(required.status, 66, "{required:#?}");
    }
    let log = "/var/log/syslog";
    let misses = site.exec(&["--on", "n1"], &["sifcache", "misses", "--refs", "--log", log], "");
    for uri in [ORAS, LIBRARY, HTTPS] {
        assert!(misses.stdout.lines().any(|line| line == uri), "{misses:#?}");
    }
    // The runtime itself prints its argument; sifcache must not.
    let secret = "https://alice:s3cret@registry.example.org:8443/depot/tool:1--0";
    let token = "https://registry.example.org:8443/depot/tool:1--0?token=s3cret";
    for uri in [secret, token] {
        let output = site.launch(&["--sif-cache=require"], uri);
        let own: Vec<&str> =
            output.stderr.lines().filter(|line| line.starts_with("sifcache: ")).collect();
        assert!(own.len() == 1 && own[0].contains("has no effect"), "{output:#?}");
        assert!(!own[0].contains("s3cret"), "{output:#?}");
    }
    assert!(!site.log("n1").contains("s3cret"));
}

/// Without TLS, and with `pull=link`.
#[test]
#[ignore = "needs a testbed: make test"]
fn plain_http_and_links() {
    const HTTP: &str = "http://registry.example.org:8081/depot/tool:1--0";
    let site = Site::new("pull=link");
    let expected = with_hub(|| {
        let _files = files_without_tls(8081);
        publish(&site);
        done(&site, &["add", HTTP, ORAS]);
        // The server has no digest to compare with.
        let refreshed = done(&site, &["refresh", HTTP]);
        assert!(refreshed.stdout.starts_with("refreshed "), "{refreshed:#?}");
        pull(&site, RUNTIME, "", HTTP);
        pull(&site, RUNTIME, "", HTTP)
    });
    assert!(expected.starts_with("\nstatus 0\n./tool:1--0 755 alice\n"), "{expected}");
    site.launch(&[], HTTP).ran(IMAGE);
    let image = "/shared/sif/_http/registry.example.org:8081/depot/tool:1--0";
    site.logged("n1", &format!("uid=1001 reference={HTTP} image={image}\n"));
    let script = format!("apptainer exec {HTTP} cat /etc/image-name");
    site.sbatch(&[], &script).ran(IMAGE);
    // A URL has no digest, so this is a copy. Only the image of the registry is linked.
    assert_eq!(pull(&site, SHIM, "", HTTP), expected);
    site.logged("ctl", &format!("reference={HTTP} image={image} copied=no-digest-name\n"));
    let script = format!("cd && rm -f x && {SHIM} -q pull x {ORAS} && readlink x");
    let linked = site.alice(&["bash", "-c", &script]);
    let start = "/shared/sif/_oras/registry.example.org/lab/tool@sha256:";
    assert!(linked.status == 0 && linked.stdout.starts_with(start), "{linked:#?}");
    site.launch(&[], "/home/alice/x").ran(IMAGE);
}

/// `sifcache explain` gives the reason, and the runtime builds from the registry.
#[test]
#[ignore = "needs a testbed: make test"]
fn builds_are_left_to_the_runtime() {
    let site = Site::new("");
    for uri in [ORAS, LIBRARY] {
        done(&site, &["import", &inside(IMAGE), uri]);
        let words = ["sifcache", "explain", "apptainer", "build", "x", uri];
        let explained = site.alice(&words);
        let reason = "pass: only builds from docker images use the cache\n";
        assert!(explained.stdout.contains(reason), "{explained:#?}");
        let required =
            site.srun(&["--sif-cache=require", "-w", "n1", "apptainer", "build", "x", uri]);
        assert_ne!(required.status, 0, "{required:#?}");
        assert!(required.stderr.contains("only builds from docker images"), "{required:#?}");
    }
    let build = format!("{SHIM} build -F x {ORAS}");
    let built = with_hub(|| {
        publish(&site);
        site.alice(&[
            "bash",
            "-c",
            &format!("cd && {build} >&2 && apptainer exec x cat /etc/image-name"),
        ])
    });
    built.ran(IMAGE);
    assert!(!site.log("ctl").contains("via=build"));
}
