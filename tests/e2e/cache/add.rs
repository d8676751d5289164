//! `sifcache add`.

use super::{done, objects, sifcache, started};
use crate::kit::registry::{self, ALICE, PRIVATE};
use crate::kit::{IMAGE, OTHER, SCRATCH, SHARED, Site, hub, tree, with_hub};
use serde_json::json;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

#[test]
#[ignore = "needs a testbed: make test"]
fn jobs_find_it_by_tag_and_by_digest() {
    let site = Site::new("");
    let cache = site.at("ctl", "/root/.apptainer/cache");
    let cached = || tree::files(&cache).len();
    let before = cached();
    let (output, digest) = with_hub(|| {
        let first = done(&site, &["add", IMAGE, "docker://docker.io/library/alpine:3.20"]);
        (first, registry::digest(IMAGE))
    });
    let repository = IMAGE.split(':').next().unwrap();
    for message in [
        format!("added       {IMAGE}  {SHARED}/{IMAGE}  1."),
        format!("            found as docker://{IMAGE}\n"),
        format!("            found as docker://{repository}@{digest}\n"),
        "            found as docker://alpine:3.20\n".to_owned(),
    ] {
        assert!(output.stdout.contains(&message), "{message}: {output:#?}");
    }
    // The hub is stopped, so only the cache can serve these images.
    started(&site, IMAGE).ran(IMAGE);
    started(&site, &format!("{repository}@{digest}")).ran(IMAGE);
    started(&site, "library/alpine:3.20").ran("library/alpine:3.20");
    let root = site.at("ctl", SHARED);
    assert_eq!(tree::check(&root).len(), 4);
    tree::is_clean(&root);
    let tag = fs::metadata(root.join(IMAGE)).unwrap();
    let pinned = fs::metadata(root.join(format!("{repository}@{digest}"))).unwrap();
    assert_eq!(tag.ino(), pinned.ino());
    // Nothing was left in root's home, nor in the directory where the runtime unpacked the layers.
    assert_eq!(cached(), before);
    let left = tree::files(&site.at("ctl", SCRATCH));
    assert!(left.is_empty(), "{left:?}");
}

#[test]
#[ignore = "needs a testbed: make test"]
fn existing_images_stay_unchanged() {
    let site = Site::new("");
    // Two images copied by hand: one under another name for the same reference, and one in another
    // root.
    site.store(OTHER, "docker.io/library/busybox:latest.sif");
    site.store_at("ctl", "/local/sif", OTHER, "library/alpine");
    let before = fs::metadata(site.at("ctl", SHARED).join("docker.io/library/busybox:latest.sif"));
    let output = done(&site, &["add", "busybox", "--json"]);
    let [object] = objects(&output).try_into().unwrap();
    assert_eq!(object["status"], "present");
    assert_eq!(object["path"], format!("{SHARED}/docker.io/library/busybox:latest.sif"));
    let output = done(&site, &["add", "library/alpine"]);
    assert_eq!(output.stdout, "present     alpine:latest  /local/sif/library/alpine\n");
    let after = fs::metadata(site.at("ctl", SHARED).join("docker.io/library/busybox:latest.sif"));
    assert_eq!(before.unwrap().mtime_nsec(), after.unwrap().mtime_nsec());
}

#[test]
#[ignore = "needs a testbed: make test"]
fn a_list_adds_what_is_missing() {
    let site = Site::new("");
    site.store(OTHER, OTHER);
    let list = format!("# ours\n{IMAGE}   # gpu\n\ndocker://{OTHER}\nlibrary/nothing:1\n");
    fs::write(site.at("ctl", "/home/list.txt"), list).unwrap();
    let dry = done(&site, &["add", "--from", "/home/list.txt", "--dry-run"]);
    assert_eq!(dry.stdout.matches("would pull").count(), 2, "{dry:#?}");
    let output = with_hub(|| sifcache(&site, &["add", "--json", "--from", "/home/list.txt"]));
    assert_eq!(output.status, 1, "{output:#?}");
    let mut statuses: Vec<(String, String)> = objects(&output)
        .iter()
        .map(|one| (one["reference"].to_string(), one["status"].to_string()))
        .collect();
    statuses.sort();
    let quoted = |text: &str| format!("\"{text}\"");
    assert_eq!(
        statuses,
        [
            (quoted(IMAGE), quoted("added")),
            (quoted(OTHER), quoted("present")),
            (quoted("nothing:1"), quoted("failed")),
        ]
    );
    // If one line is invalid, nothing is changed.
    let output = site.exec(&[], &["sifcache", "add", "--from", "-"], "alpine\nNot/Good\nbusybox\n");
    assert_eq!((output.status, output.stdout.as_str()), (65, ""), "{output:#?}");
    assert!(
        output.stderr.contains("-, line 2: 'Not/Good' is not a valid image reference"),
        "{output:#?}"
    );
}

#[test]
#[ignore = "needs a testbed: make test"]
fn the_object_is_as_documented() {
    let site = Site::new("");
    let (output, digest) = with_hub(|| {
        (done(&site, &["add", "--json", "alpine:3.20"]), registry::digest("library/alpine:3.20"))
    });
    let [mut object] = objects(&output).try_into().unwrap();
    assert!(
        object["seconds"].as_f64().unwrap() > 0.0 && object["size"].as_u64().unwrap() > 1 << 20
    );
    let stages = ["layers", "tables", "verification", "sync"];
    let seconds = stages.map(|stage| object["stages"][stage].as_f64().unwrap());
    assert!(seconds.iter().all(|seconds| *seconds > 0.0), "{object}");
    assert!(seconds.iter().sum::<f64>() < object["seconds"].as_f64().unwrap(), "{object}");
    object["seconds"] = json!(0);
    object["size"] = json!(0);
    object["stages"] = json!({});
    let expected = json!({
        "reference": "alpine:3.20", "status": "added", "path": "/shared/sif/alpine:3.20",
        "size": 0, "seconds": 0, "digests": [digest],
        "found_as": ["alpine:3.20", format!("alpine@{digest}")], "kept": null,
        "engine": "native", "fallback": null, "stages": {}, "error": null,
    });
    assert_eq!(object, expected);
}

/// A reference with a digest, and a tag whose content is already stored under its digest.
#[test]
#[ignore = "needs a testbed: make test"]
fn the_same_content_is_pulled_once() {
    let site = Site::new("");
    let digest = with_hub(|| {
        registry::move_tag("library/alpine:3.20", "library/alpine:same");
        registry::digest("library/alpine:3.20")
    });
    let proxy = registry::misbehaving("none");
    done(&site, &["add", &format!("alpine@{digest}")]);
    let blobs = |proxy: &registry::Misbehaving| {
        proxy
            .requests()
            .iter()
            .filter(|line| line.starts_with("GET") && line.contains("/blobs/"))
            .count()
    };
    let pulled = blobs(&proxy);
    assert!(pulled > 0);
    let output = done(&site, &["add", "alpine:3.20", "alpine:same"]);
    assert_eq!(output.stdout.matches("(the same content was there").count(), 2, "{output:#?}");
    assert_eq!(blobs(&proxy), pulled);
    drop(proxy);
    started(&site, "alpine:same").ran("library/alpine:3.20");
    let root = site.at("ctl", SHARED);
    assert_eq!(tree::check(&root).len(), 3);
    assert_eq!(fs::metadata(root.join("alpine:same")).unwrap().nlink(), 3);
}

#[test]
#[ignore = "needs a testbed: make test"]
fn private_images_with_credentials() {
    let site = Site::new("");
    let _ = fs::remove_dir_all(site.at("ctl", "/root/.docker"));
    let _server = registry::private();
    let image = format!("{PRIVATE}/library/alpine:3.20");
    let output = sifcache(&site, &["add", &image]);
    assert_eq!(output.status, 69, "{output:#?}");
    assert!(output.stderr.contains("or it is not public"), "{output:#?}");
    assert!(tree::check(&site.at("ctl", SHARED)).is_empty());
    let (user, password) = ALICE;
    let remove = |site: &Site| done(site, &["remove", "--yes", "--keep", "0d", &image]);
    // Credentials from environment variables.
    let user_is = format!("APPTAINER_DOCKER_USERNAME={user}");
    let password_is = format!("APPTAINER_DOCKER_PASSWORD={password}");
    let output = site.exec(&[], &["env", &user_is, &password_is, "sifcache", "add", &image], "");
    assert_eq!(output.status, 0, "{output:#?}");
    let refreshed = site.exec(
        &[],
        &["env", &user_is, &password_is, "sifcache", "refresh", "--all", "--check"],
        "",
    );
    assert!(refreshed.stdout.starts_with("unchanged"), "{refreshed:#?}");
    remove(&site);
    // Credentials from the runtime's own login.
    let login = ["apptainer", "registry", "login", "--username", user, "--password-stdin"];
    let private = format!("docker://{PRIVATE}");
    let login = [&login[..], &[private.as_str()]].concat();
    assert_eq!(site.exec(&[], &login, password).status, 0);
    done(&site, &["add", &image]);
    remove(&site);
    let moved = "mv /root/.docker/config.json /root/auth.json";
    assert_eq!(site.exec(&[], &["sh", "-c", moved], "").status, 0);
    assert_ne!(sifcache(&site, &["add", &image]).status, 0);
    done(&site, &["add", "--authfile", "/root/auth.json", &image]);
    remove(&site);
    // Credentials typed at the prompt on a terminal.
    let script = format!(
        "(sleep 1.5; echo {user}; sleep 1.5; echo '{password}') | \
         script --quiet --return -c 'sifcache add --docker-login {image}' /dev/null"
    );
    let output = site.exec(&[], &["bash", "-c", &script], "");
    assert_eq!(output.status, 0, "{output:#?}");
    assert!(!output.stdout.contains(password), "{output:#?}");
    let image = format!("docker://{image}");
    site.launch(&[], &image).ran("library/alpine:3.20");
    // The records and all other files of the command must not contain the password.
    for path in tree::files(&site.at("ctl", SHARED).join(".sifcache")) {
        let text = fs::read(&path).unwrap();
        assert!(!String::from_utf8_lossy(&text).contains(password), "{}", path.display());
    }
}

#[test]
#[ignore = "needs a testbed: make test"]
fn a_registry_without_tls() {
    let site = Site::new("");
    let _server = registry::plain_http();
    let output = sifcache(&site, &["add", "hub:5000/library/alpine:3.20"]);
    assert_ne!(output.status, 0, "{output:#?}");
    done(&site, &["add", "--no-https", "hub:5000/library/alpine:3.20"]);
    started(&site, "hub:5000/library/alpine:3.20").ran("library/alpine:3.20");
}

#[test]
#[ignore = "needs a testbed: make test"]
fn obstacles_are_reported_before_any_pull() {
    let site = Site::new("");
    site.store(IMAGE, "library");
    fs::create_dir(site.at("ctl", SHARED).join("alpine:3.20")).unwrap();
    hub("stop");
    for (image, message) in [
        ("alpine:3.20", "/shared/sif/alpine:3.20 is a directory"),
        ("quay.io/o/i:1", "no singularity or apptainer in PATH"),
    ] {
        let words = ["env", "PATH=/usr/local/bin", "sifcache", "add", image];
        let output = site.exec(&[], &words, "");
        assert_ne!(output.status, 0, "{output:#?}");
        assert!(output.stderr.contains(message), "{message}: {output:#?}");
    }
    let output = sifcache(&site, &["add", "library/o/i:1"]);
    let message = "/shared/sif/library is not a directory, and library/o/i:1 needs one";
    assert!(output.stderr.contains(message), "{output:#?}");
    fs::set_permissions(site.at("ctl", SHARED), fs::Permissions::from_mode(0o777)).unwrap();
    let output = sifcache(&site, &["add", "alpine"]);
    assert_eq!(output.status, 78, "{output:#?}");
    assert!(output.stderr.contains("/shared/sif can be written by everybody"), "{output:#?}");
}

/// Go's names for this machine's architecture and for a different one.
const HERE: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
const ELSEWHERE: &str = "s390x";

/// Users pin the digest of the index, or that of the manifest.
#[test]
#[ignore = "needs a testbed: make test"]
fn an_image_for_several_architectures() {
    let site = Site::new("");
    let digests = with_hub(|| {
        let images = [(ELSEWHERE, OTHER), (HERE, IMAGE)];
        let digests = registry::index("library/multi", "1", &images);
        done(&site, &["add", "multi:1"]);
        let output = done(&site, &["refresh", "--all", "--check"]);
        assert!(output.stdout.starts_with("unchanged   multi:1"), "{output:#?}");
        digests
    });
    let [index, elsewhere, here] = digests.try_into().unwrap();
    started(&site, "multi:1").ran(IMAGE);
    started(&site, &format!("multi@{index}")).ran(IMAGE);
    started(&site, &format!("multi@{here}")).ran(IMAGE);
    started(&site, &format!("multi@{elsewhere}")).tried_the_registry();
    assert_eq!(tree::check(&site.at("ctl", SHARED)).len(), 3);
}

#[test]
#[ignore = "needs a testbed: make test"]
fn an_image_only_for_other_architectures() {
    let site = Site::new("");
    with_hub(|| registry::index("library/foreign", "1", &[(ELSEWHERE, IMAGE)]));
    let registry = registry::misbehaving("none");
    let output = sifcache(&site, &["add", "foreign:1"]);
    assert_eq!(output.status, 69, "{output:#?}");
    assert!(output.stderr.contains(&format!("only for {ELSEWHERE}")), "{output:#?}");
    assert!(!registry.requests().iter().any(|request| request.contains("/blobs/")));
}
