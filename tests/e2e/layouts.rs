//! Image roots that other tools fill. The files are those that the real runtime writes for the
//! command lines of these tools.

use crate::kit::registry::digest;
use crate::kit::{IMAGE, SHARED, Site, WHICH, with_hub};
use crate::trace::added_by;
use std::collections::BTreeMap;
use std::fs;

/// An image of the depot. It has the content of [`IMAGE`].
pub(crate) const BIOCONTAINER: &str = "quay.io/biocontainers/mulled-v2-0a1b2c3d:4e5f6a7b-0";

/// For each tool, the directory and a script that fills it, run in the directory.
const TREES: [(&str, &str); 4] = [
    // singularity-build-bot. The registry of the testbed has no image of quay.io.
    ("galaxy", "apptainer build mulled-v2-0a1b2c3d:4e5f6a7b-0 docker://$image"),
    // Nextflow pulls under a temporary name.
    (
        "nextflow",
        "name=$(tr /: - <<<$image).img; apptainer pull  --name $name.pulling.17 docker://$image && \
         mv $name.pulling.17 $name",
    ),
    ("pulls", "apptainer pull docker://$image"),
    // shpc pulls by digest.
    (
        "shpc",
        "repository=${image%:*} tag=${image#*:}; mkdir -p $repository/$tag && cd $repository/$tag && \
         apptainer pull --name $(tr / - <<<$repository)-$tag-$digest.sif docker://$repository@$digest",
    ),
];

/// Fills one directory for each tool, and returns the digest of the image.
pub(crate) fn fill(site: &Site) -> String {
    with_hub(|| {
        let digest = digest(IMAGE);
        for (tool, script) in TREES {
            let script = format!(
                "umask 022; rm -rf /shared/{tool}; mkdir /shared/{tool} && cd /shared/{tool} && \
                 image={IMAGE} digest={digest} && {script}"
            );
            let made = site.exec(&[], &["bash", "-c", &script], "");
            assert_eq!(made.status, 0, "{tool}: {made:#?}");
        }
        digest
    })
}

fn line(roots: &str) -> String {
    format!("optional spank_sifcache.so image_root={roots}\n")
}

#[test]
#[ignore = "needs a testbed: make test"]
fn each_layout_starts_its_images() {
    let site = Site::new("");
    let digest = fill(&site);
    let (repository, tag) = IMAGE.split_once(':').unwrap();
    let flat = repository.replace('/', "-");
    let docker = format!("docker://{IMAGE}");
    for (tool, uri, file) in [
        ("galaxy", format!("docker://{BIOCONTAINER}"), "mulled-v2-0a1b2c3d:4e5f6a7b-0".to_owned()),
        ("nextflow", docker.clone(), format!("{flat}-{tag}.img")),
        ("pulls", docker.clone(), format!("environments_{tag}.sif")),
        ("shpc", docker.clone(), format!("{repository}/{tag}/{flat}-{tag}-{digest}.sif")),
    ] {
        site.plugstack(&line(&format!("{tool}=/shared/{tool}")));
        site.launch(&[], &uri).ran(IMAGE);
        let path = format!("/shared/{tool}/{file}");
        site.logged("n1", &format!("image={path}"));
        let script = format!("apptainer exec {uri} {}", WHICH.join(" "));
        site.sbatch(&["-w", "n1"], &script).ran(IMAGE);
        let explained = site.alice(&["sifcache", "explain", "--", "apptainer", "run", &uri]);
        assert!(explained.stdout.contains(&path), "{explained:#?}");
    }
    // In that tree, the runtime has copied the image from its cache, with the record of the tag.
    let directory = format!("/shared/shpc/{repository}/{tag}");
    let again = format!(
        "umask 022; cd {directory} && apptainer pull --disable-cache --force --name *.sif \
         docker://{repository}@{digest} && apptainer inspect --deffile *.sif"
    );
    let again = with_hub(|| site.exec(&[], &["bash", "-c", &again], ""));
    assert!(again.stdout.contains(&format!("from: {repository}@{digest}")), "{again:#?}");
    site.launch(&[], &docker).ran(IMAGE);
    // All of them in one setting, behind an image root of sifcache's own layout.
    let all = TREES.map(|(tool, _)| format!("{tool}=/shared/{tool}")).join(":");
    site.plugstack(&line(&format!("{SHARED}:{all}")));
    site.launch(&[], &docker).ran(IMAGE);
    site.launch(&[], &format!("docker://{BIOCONTAINER}")).ran(IMAGE);
    let list = site.exec(&[], &["sifcache", "list"], "");
    assert!(list.stdout.contains("galaxy=/shared/galaxy is filled by another tool"), "{list:#?}");
    let into = ["sifcache", "add", "--into", "/shared/pulls", "o/i:1"];
    let refused = site.exec(&[], &into, "");
    assert_eq!(refused.status, 64, "{refused:#?}");
    assert!(refused.stderr.contains("pulls=/shared/pulls is filled by another"), "{refused:#?}");
}

/// Another image with the same file name is not started, nor is a modified one.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_shared_name_never_starts_another_image() {
    let site = Site::new("");
    fill(&site);
    let tag = IMAGE.split_once(':').unwrap().1;
    for (tool, other) in [
        ("nextflow", format!("determinedai-environments:{tag}")),
        ("pulls", format!("other/environments:{tag}")),
        ("pulls", format!("environments:{tag}")),
        ("shpc", format!("other/environments:{tag}")),
        ("galaxy", "biocontainers/mulled-v2-0a1b2c3d:4e5f6a7b-0".to_owned()),
    ] {
        site.plugstack(&line(&format!("{tool}=/shared/{tool}")));
        site.launch(&[], &format!("docker://{other}")).tried_the_registry();
    }
    // An image that was built on the other one has the same name in its definition.
    let build = format!(
        "cd /shared/pulls && printf 'bootstrap: docker\nfrom: {IMAGE}\n%%labels\n x y\n' >def && \
         rm *.sif && apptainer build environments_{tag}.sif def"
    );
    let built = with_hub(|| site.exec(&[], &["bash", "-c", &build], ""));
    assert_eq!(built.status, 0, "{built:#?}");
    site.plugstack(&line("pulls=/shared/pulls"));
    site.launch(&[], &format!("docker://{IMAGE}")).tried_the_registry();
    site.logged("n1", "why=no-origin");
    // A tree that ordinary users can write is not trusted.
    site.plugstack(&line("nextflow=/shared/nextflow"));
    site.launch(&[], &format!("docker://{IMAGE}")).ran(IMAGE);
    let tree = site.at("ctl", "/shared/nextflow");
    fs::set_permissions(tree, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    site.launch(&[], &format!("docker://{IMAGE}")).tried_the_registry();
    site.logged("n1", "why=untrusted");
}

/// The number of system calls of a lookup does not depend on the size of the tree.
#[test]
#[ignore = "needs a testbed: make test"]
fn added_system_calls() {
    let site = Site::new("");
    fill(&site);
    let calls = |tool: &str, image: &str| -> BTreeMap<String, i64> {
        let settings = format!("image_root={tool}=/shared/{tool} lookup_timeout=off syslog=off");
        let rest = format!("exec docker://{image} true");
        let mut calls = added_by(&site, &settings, "/usr/bin/apptainer", &rest);
        let of_files = ["close", "getdents64", "openat", "pread64", "read", "statx"];
        calls.retain(|name, _| of_files.contains(&name.as_str()));
        calls
    };
    let map = |calls: &[(&str, i64)]| -> BTreeMap<String, i64> {
        calls.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    };
    let file = [("close", 2), ("openat", 2), ("read", 1), ("statx", 4)];
    assert_eq!(calls("galaxy", BIOCONTAINER), map(&file));
    let recorded = map(&[&file[..], &[("pread64", 1)]].concat());
    assert_eq!(calls("nextflow", IMAGE), recorded);
    assert_eq!(calls("pulls", IMAGE), recorded);
    let listed = [("close", 6), ("getdents64", 2), ("openat", 6), ("pread64", 1), ("read", 1)];
    assert_eq!(calls("shpc", IMAGE), map(&[&listed[..], &[("statx", 7)]].concat()));
    // The root is opened, `/`, `/shared` and the root are checked, then one name is opened.
    let none = [("close", 1), ("openat", 2), ("statx", 3)];
    for (tool, image, expected) in [
        ("galaxy", "quay.io/biocontainers/none:1", &none[..]),
        ("nextflow", "o/none:1", &none),
        ("pulls", "o/none:1", &none),
        ("shpc", "o/none:1", &[("close", 1), ("openat", 2), ("statx", 2)]),
    ] {
        assert_eq!(calls(tool, image), map(expected), "{tool}");
    }
    // No file system call for an image that the depot cannot have.
    assert_eq!(calls("galaxy", IMAGE), map(&[]));
}
