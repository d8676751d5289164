//! Images of `library://`: added and pulled while a library server runs, used without it.
//!
//! The server is a stand-in, `tests/e2e/registry/library.py`: no real library server is available
//! as a package. The runtime that pulls from it is a real one.

use crate::kit::generated::{assert_same, run};
use crate::kit::registry::library;
use crate::kit::signed::signed_sif;
use crate::kit::tree::sha256;
use crate::kit::{IMAGE, OTHER, Output, SHARED, Site, WHICH, sif, tree};
use crate::pulls::RUN;
use std::fs;

/// The port of HTTPS: Apptainer 1.4.5 cannot use a remote with another port.
const PORT: u16 = 443;
const RUNTIME: &str = "/usr/bin/apptainer";
const SHIM: &str = "/usr/libexec/sifcache/bin/apptainer";

const TOOL: &str = "library://lab/default/tool";
/// The server sends this image in parts.
const PARTS: &str = "library://lab/default/tool:1-parts";
const WITH_HOST: &str = "library://registry.example.org/lab/default/tool:1";
const MISSING: &str = "library://lab/default/missing:1";
/// The last lines of a pull of an image without a signature.
const UNSIGNED: &str = "WARNING: integrity: signature not found for object group 1\n\
                        WARNING: Skipping container verification\n";

/// Pulls with and without success. `IMAGE` stands for each of the images in turn.
const LINES: [&str; 22] = [
    "022 PROGRAM pull IMAGE",
    "077 PROGRAM pull --name new IMAGE",
    "022 PROGRAM -q pull IMAGE",
    "022 PROGRAM -s pull IMAGE",
    "022 PROGRAM --nocolor pull new.sif IMAGE",
    "022 PROGRAM pull --dir directory IMAGE",
    "022 PROGRAM pull file IMAGE",
    "022 PROGRAM pull -F file IMAGE",
    "022 PROGRAM -q pull -F readonly IMAGE",
    "022 PROGRAM pull -F link IMAGE",
    "022 PROGRAM pull dangling IMAGE",
    "022 PROGRAM pull --force directory IMAGE",
    "022 PROGRAM pull nowhere/new IMAGE",
    "022 PROGRAM -s pull nowhere/new IMAGE",
    "022 PROGRAM -q pull locked/new IMAGE",
    "022 PROGRAM pull file/new IMAGE",
    "022 PROGRAM pull --force file/new IMAGE",
    "022 PROGRAM pull --allow-unauthenticated IMAGE",
    "022 APPTAINER_QUIET=1 PROGRAM pull IMAGE",
    "022 APPTAINER_PULLFOLDER=directory PROGRAM pull IMAGE",
    "022 SINGULARITY_TMPDIR=/tmp PROGRAM pull IMAGE",
    "002 APPTAINER_PULL_NAME=by-variable PROGRAM pull IMAGE",
];

/// Makes the server the default for all users, as an administrator does. The default is removed
/// when this is dropped.
struct Remote<'a>(&'a Site);

impl<'a> Remote<'a> {
    fn new(site: &'a Site) -> Self {
        // The file of a login, which may be left of another test, hides the global default.
        for home in ["/root", "/home/alice"] {
            let _ = fs::remove_file(site.at("ctl", home).join(".apptainer/remote.yaml"));
        }
        let uri = "https://registry.example.org";
        for words in [
            &["remote", "add", "--global", "--no-login", "lab", uri] as &[&str],
            &["remote", "use", "--global", "lab"],
        ] {
            let output = site.exec(&[], &[&[RUNTIME], words].concat(), "");
            assert_eq!(output.status, 0, "{output:#?}");
        }
        Self(site)
    }
}

impl Drop for Remote<'_> {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.0.at("ctl", "/etc/apptainer/remote.yaml"));
    }
}

/// Publishes a SIF file on the server.
fn publish(site: &Site, image: &str, name: &str) {
    let file = site.at("hub", "/srv/library/lab/default").join(name);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::copy(sif(image), file).unwrap();
}

#[track_caller]
fn done(site: &Site, words: &[&str]) -> Output {
    let output = site.exec(&[], &[&["sifcache"], words].concat(), "");
    assert_eq!(output.status, 0, "{words:?}: {output:#?}");
    output
}

fn requests(site: &Site) -> String {
    fs::read_to_string(site.at("hub", "/var/log/library.log")).unwrap_or_default()
}

#[test]
#[ignore = "needs a testbed: make test"]
fn pulls_are_those_of_the_runtime() {
    let site = Site::new("");
    let by_hash = format!("library://lab/default/tool:sha256.{}", sha256(&sif(OTHER)));
    let images = [&format!("{TOOL}:1"), TOOL, PARTS, WITH_HOST, &by_hash];
    for (image, name) in
        [(IMAGE, "tool/1.amd64"), (IMAGE, "tool/1-parts.amd64"), (OTHER, "tool/latest.amd64")]
    {
        publish(&site, image, name);
    }
    let lines: Vec<String> = LINES
        .iter()
        .zip(images.iter().cycle())
        .collect::<Vec<_>>()
        .into_iter()
        .map(|(line, image)| line.replace("IMAGE", image))
        .chain(images.iter().map(|image| format!("022 PROGRAM pull {image}")))
        .collect();
    let expected = {
        let _server = library(PORT);
        let _remote = Remote::new(&site);
        let added = done(&site, &[&["add"], &images[..]].concat());
        for image in images {
            assert!(added.stdout.contains(&format!("found as {image}")), "{added:#?}");
        }
        let asked = requests(&site);
        for request in [
            "GET /v1/images/lab/default/tool:1?arch=amd64\n",
            "GET /files/lab/default/tool/1-parts.amd64\n",
        ] {
            assert!(asked.contains(request), "{asked}");
        }
        // The second pull takes the image from the runtime's own cache.
        let first: Vec<String> =
            images.iter().map(|image| format!("022 PROGRAM pull {image}")).collect();
        run(&site, RUN, &first, RUNTIME);
        run(&site, RUN, &lines, RUNTIME)
    };
    assert_same(&lines, &expected, &run(&site, RUN, &lines, SHIM));
    let success = format!(
        "status 0\nerr: INFO:    Using cached image\nerr: {}",
        UNSIGNED.replacen('\n', "\nerr: ", 1)
    );
    assert!(expected[0].contains(&success), "{}", expected[0]);
    site.launch(&[], images[0]).ran(IMAGE);
    site.launch(&[], TOOL).ran(OTHER);
    site.launch(&[], &by_hash).ran(OTHER);
    let script = format!("apptainer exec {WITH_HOST} {}", WHICH.join(" "));
    site.sbatch(&[], &script).ran(IMAGE);
    site.logged(
        "n1",
        &format!(
            "uid=1001 reference={TOOL}:latest image=/shared/sif/_library/lab/default/tool:latest"
        ),
    );
    let pull =
        site.srun(&["-w", "n1", "--chdir=/tmp", "apptainer", "pull", "-F", "pulled.sif", MISSING]);
    assert_eq!(pull.status, 255, "{pull:#?}");
    let misses = site.exec(
        &["--on", "n1"],
        &["sifcache", "misses", "--refs", "--log", "/var/log/syslog"],
        "",
    );
    assert!(misses.stdout.lines().any(|line| line == MISSING), "{misses:#?}");
}

/// The subcommands that change or check images.
#[test]
#[ignore = "needs a testbed: make test"]
fn images_are_kept_current() {
    let site = Site::new("");
    publish(&site, IMAGE, "tool/1.amd64");
    let image = format!("{TOOL}:1");
    let _server = library(PORT);
    let _remote = Remote::new(&site);
    done(&site, &["add", &image]);
    let file = site.at("ctl", SHARED).join("_library/lab/default/tool:1");
    assert_eq!(sha256(&file), sha256(&sif(IMAGE)));
    publish(&site, OTHER, "tool/1.amd64");
    let refreshed = done(&site, &["refresh", &image]);
    assert!(refreshed.stdout.starts_with("refreshed "), "{refreshed:#?}");
    assert_eq!(sha256(&file), sha256(&sif(OTHER)));
    site.launch(&[], &image).ran(OTHER);
    assert_eq!(done(&site, &["list", "--refs"]).stdout, format!("{image}\n"));
    done(&site, &["verify", "--deep"]);
    // The server is asked for the architecture of the root.
    fs::create_dir_all(site.at("ctl", "/shared/arm")).unwrap();
    let arm = ["sifcache", "add", "--root", "/shared/arm", "--arch", "arm64", &image];
    let arm = site.exec(&[], &arm, "");
    let reason = "image does not exist in the library: lab/default/tool:1 (arm64)";
    assert!(arm.status != 0 && arm.stderr.contains(reason), "{arm:#?}");
    fs::remove_dir_all(site.at("ctl", "/shared/arm")).unwrap();
    let absent = site.exec(&[], &["sifcache", "add", MISSING], "");
    assert_ne!(absent.status, 0, "{absent:#?}");
    let reason = "image does not exist in the library: lab/default/missing:1 (amd64)";
    assert!(absent.stderr.contains(reason), "{absent:#?}");
    tree::is_clean(&site.at("ctl", SHARED));
}

/// The shim has no keys, so it does not verify the signature.
#[test]
#[ignore = "needs a testbed: make test"]
fn signed_images() {
    let site = Site::new("");
    signed_sif(&site, "_library/lab/default/signed:1");
    let uri = "library://lab/default/signed:1";
    let script = format!("cd && {SHIM} pull -F x {uri} && {RUNTIME} exec x {}", WHICH.join(" "));
    let pulled = site.alice(&["bash", "-c", &script]);
    pulled.ran(IMAGE);
    let expected = "INFO:    Using cached image\nWARNING: Skipping container verification\n";
    assert_eq!(pulled.stderr, expected);
}
