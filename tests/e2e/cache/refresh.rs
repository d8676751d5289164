//! `sifcache refresh`: tags that move.

use super::{done, objects, sifcache, started};
use crate::kit::registry::{self, misbehaving, move_tag};
use crate::kit::{IMAGE, OTHER, SHARED, Site, hub, tree, with_hub};
use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

const MOVING: &str = "library/moving:1";

/// Fills the cache with the first image of a tag, and then moves the tag to the second image.
/// Returns both digests.
fn moved(site: &Site) -> (String, String) {
    with_hub(|| {
        move_tag(IMAGE, MOVING);
        let first = registry::digest(MOVING);
        done(site, &["add", MOVING]);
        move_tag(OTHER, MOVING);
        (first, registry::digest(MOVING))
    })
}

fn kept(site: &Site) -> Vec<PathBuf> {
    let root = site.at("ctl", SHARED);
    tree::files(&root.join(".sifcache/kept"))
}

#[test]
#[ignore = "needs a testbed: make test"]
fn moved_tags_are_replaced_and_the_old_file_is_kept() {
    let site = Site::new("");
    let (first, second) = moved(&site);
    started(&site, MOVING).ran(IMAGE);
    let registry = misbehaving("none");
    let output = sifcache(&site, &["refresh", "--all", "--check"]);
    assert_eq!(output.status, 1, "{output:#?}");
    assert_eq!(output.stdout, "moved       moving:1  /shared/sif/moving:1\n");
    // A check only queries the digest, and changes nothing.
    let requests = registry.requests();
    assert!(
        !requests.is_empty() && requests.iter().all(|r| r.starts_with("HEAD ")),
        "{requests:?}"
    );
    started(&site, MOVING).ran(IMAGE);
    let output = done(&site, &["refresh", "--all"]);
    assert!(output.stdout.starts_with("refreshed   moving:1"), "{output:#?}");
    drop(registry);
    started(&site, MOVING).ran(OTHER);
    started(&site, &format!("moving@{second}")).ran(OTHER);
    let root = site.at("ctl", SHARED);
    assert_eq!(tree::check(&root), ["moving:1".to_owned(), format!("moving@{second}")]);
    assert!(!root.join(format!("moving@{first}")).exists());
    assert_eq!(kept(&site).len(), 1);
    let output = with_hub(|| done(&site, &["refresh", MOVING]));
    assert!(output.stdout.starts_with("unchanged"), "{output:#?}");
}

/// Some registries, and proxies in front of them, omit the digest in the response to HEAD.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_registry_that_omits_the_digest() {
    let site = Site::new("");
    let (_, second) = moved(&site);
    let registry = misbehaving("undigested");
    let output = sifcache(&site, &["refresh", "--all", "--check"]);
    assert_eq!(output.status, 1, "{output:#?}");
    assert_eq!(output.stdout, "moved       moving:1  /shared/sif/moving:1\n");
    assert!(!registry.requests().iter().any(|request| request.contains("/blobs/")));
    done(&site, &["refresh", "--all"]);
    let output = done(&site, &["refresh", "--all", "--check"]);
    assert!(output.stdout.starts_with("unchanged"), "{output:#?}");
    assert_eq!(tree::pinned(&site, SHARED, &[(second, OTHER)]), 1);
}

#[test]
#[ignore = "needs a testbed: make test"]
fn a_job_goes_on_with_the_old_file() {
    let site = Site::new("");
    moved(&site);
    thread::scope(|scope| {
        let job = scope.spawn(|| {
            let image = format!("docker://{MOVING}");
            let script = "cat /etc/image-name; touch /home/alice/started; \
                          while [ ! -e /home/alice/go-on ]; do sleep 0.1; done; \
                          cat /bin/busybox >/dev/null && cat /etc/image-name";
            let _ = fs::remove_file(site.at("ctl", "/home/alice/go-on"));
            let _ = fs::remove_file(site.at("ctl", "/home/alice/started"));
            site.srun(&["-wn1", "apptainer", "exec", "--bind", "/home", &image, "sh", "-c", script])
        });
        while !site.at("ctl", "/home/alice/started").exists() && !job.is_finished() {
            thread::sleep(Duration::from_millis(20));
        }
        with_hub(|| done(&site, &["refresh", MOVING]));
        started(&site, MOVING).ran(OTHER);
        fs::write(site.at("ctl", "/home/alice/go-on"), "").unwrap();
        let output = job.join().unwrap();
        assert_eq!(output.stdout, format!("{IMAGE}\n{IMAGE}\n"), "{output:#?}");
    });
    assert_eq!(kept(&site).len(), 1);
}

/// Continuous launches while the image is replaced again and again.
#[test]
#[ignore = "needs a testbed: make test"]
fn no_launch_fails_during_a_refresh() {
    let site = Site::new("");
    hub("start");
    move_tag(IMAGE, MOVING);
    done(&site, &["add", MOVING]);
    let script = format!(
        "n=0; while [ ! -e /home/alice/enough ]; do \
         apptainer exec docker://{MOVING} cat /etc/image-name || exit 9; n=$((n+1)); done; \
         echo launches $n >&2"
    );
    let _ = fs::remove_file(site.at("ctl", "/home/alice/enough"));
    thread::scope(|scope| {
        let (site, script) = (&site, &script);
        let jobs: Vec<_> = ["-wn1", "-wn2"]
            .map(|node| scope.spawn(move || site.srun(&[node, "bash", "-c", script])))
            .into();
        for round in 0..8 {
            move_tag(if round % 2 == 0 { OTHER } else { IMAGE }, MOVING);
            let output = done(site, &["refresh", MOVING]);
            assert!(output.stdout.starts_with("refreshed"), "{output:#?}");
        }
        fs::write(site.at("ctl", "/home/alice/enough"), "").unwrap();
        for job in jobs {
            let output = job.join().unwrap();
            assert_eq!(output.status, 0, "{output:#?}");
            let names: Vec<&str> = output.stdout.lines().collect();
            assert!(names.contains(&IMAGE) && names.contains(&OTHER), "{output:#?}");
            assert!(!output.stderr.contains("FATAL"), "{output:#?}");
            let misses = site.log("n1").matches("event=miss").count();
            assert_eq!(misses, 0);
        }
    });
    hub("stop");
    assert_eq!(kept(&site).len(), 8);
}

/// The file was copied by hand, so its digest is unknown.
#[test]
#[ignore = "needs a testbed: make test"]
fn files_put_there_by_hand() {
    let site = Site::new("");
    site.store(OTHER, "library/alpine:3.20.sif");
    let (all, unknown) = with_hub(|| {
        let all = done(&site, &["refresh", "--all"]);
        started(&site, "library/alpine:3.20").ran(OTHER);
        (all, done(&site, &["refresh", "--all", "--unknown", "--json"]))
    });
    assert_eq!(all.stdout, "unknown     alpine:3.20  /shared/sif/library/alpine:3.20.sif\n");
    let [object] = objects(&unknown).try_into().unwrap();
    // The new file has the original name.
    assert_eq!(object["path"], "/shared/sif/library/alpine:3.20.sif");
    assert_eq!(object["status"], "refreshed");
    started(&site, "library/alpine:3.20").ran("library/alpine:3.20");
    assert_eq!(kept(&site).len(), 1);
}

#[test]
#[ignore = "needs a testbed: make test"]
fn separately_pinned_images_stay() {
    let site = Site::new("");
    let (first, second) = with_hub(|| {
        move_tag(IMAGE, MOVING);
        let first = registry::digest(MOVING);
        done(&site, &["add", &format!("library/moving@{first}"), "--jobs", "1", MOVING]);
        move_tag(OTHER, MOVING);
        done(&site, &["refresh", "--all"]);
        (first, registry::digest(MOVING))
    });
    started(&site, &format!("moving@{first}")).ran(IMAGE);
    started(&site, &format!("moving@{second}")).ran(OTHER);
    started(&site, MOVING).ran(OTHER);
}

#[test]
#[ignore = "needs a testbed: make test"]
fn tags_that_the_registry_no_longer_has() {
    let site = Site::new("");
    site.store(IMAGE, "library/nothing:1");
    let output = with_hub(|| sifcache(&site, &["refresh", "library/nothing:1"]));
    assert!(output.stdout.starts_with("gone        nothing:1"), "{output:#?}");
    let output = sifcache(&site, &["refresh", "library/nothing:1"]);
    assert_eq!(output.status, 69, "{output:#?}");
    assert!(output.stderr.contains("connection refused"), "{output:#?}");
    started(&site, "library/nothing:1").ran(IMAGE);
    let output = sifcache(&site, &["refresh", "alpine"]);
    assert!(output.stderr.contains("`sifcache add` pulls it"), "{output:#?}");
}
