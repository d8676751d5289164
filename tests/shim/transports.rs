//! Launches and pulls of images that are not from docker.

use crate::kit::Site;
use sif_fixture::{Object, Sif, file_system};
use std::fs;

const HEX: &str = "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f";

/// URIs, each with the name of its image below the root and the default name of a pull.
fn images() -> [(String, String, String); 6] {
    let own = |all: [&str; 3]| all.map(str::to_owned).into();
    [
        own(["oras://h.io/o/i:1", "_oras/h.io/o/i:1.sif", "i_1.sif"]),
        (
            format!("oras://h.io/i@sha256:{HEX}"),
            format!("_oras/h.io/i@sha256:{HEX}"),
            format!("i@sha256_{HEX}.sif"),
        ),
        own(["library://h.io/e/c/i", "_library/h.io/e/c/i:latest", "i_latest.sif"]),
        own(["library://E/c/i:1", "_library/E/c/i:1.sif", "i_1.sif"]),
        own(["https://H.io:443/d/i:1--0", "_https/h.io/d/i:1--0", "i:1--0"]),
        own(["http://h.io/i.sif?download=1", "_http/h.io/i.sif", "i.sif?download=1"]),
    ]
}

/// A site with these images, and docker images of the same names.
fn site() -> Site {
    let site = Site::new();
    let store = |name: &str, id: u8| {
        let path = site.path("roots").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        Sif::image().id(id).write(path).unwrap();
    };
    for (number, (_, name, _)) in (2..).zip(images()) {
        store(&name, number);
        store(name.split_once('/').unwrap().1, 99);
    }
    fs::create_dir(site.path("work")).unwrap();
    site
}

#[test]
fn launches_start_the_image() {
    let site = site();
    for (uri, name, _) in images() {
        for subcommand in ["exec", "run", "shell", "test"] {
            let outcome = site.call(&["apptainer", subcommand, &uri, "true"]).run();
            let image = site.text(&format!("roots/{name}"));
            assert_eq!(outcome.reported("argv")[2], image, "{uri}: {outcome:#?}");
        }
        let instance = site.call(&["apptainer", "instance", "start", &uri, "i"]).run();
        assert_eq!(instance.reported("argv")[3], site.text(&format!("roots/{name}")), "{uri}");
    }
}

#[test]
fn other_uris_are_left_to_the_runtime() {
    let site = site();
    for uri in [
        "oras://o/i:1",
        "oras:h.io/o/i:1",
        "library://E/c/i:1,2",
        "library://E/c/i:2",
        "library:E/c/i:1",
        "https://h.io/d/../d/i:1--0",
        "https://h.io/d/i%3A1--0",
        "https://u:s3cret@h.io/d/i:1--0",
        "https://h.io/d/i:1--0?token=s3cret",
        "http://h.io/d/i:1--0",
        "https://h.io/i.sif",
        "http://h.io/i",
    ] {
        let outcome = site.call(&["apptainer", "exec", uri, "true"]).is_bare();
        assert_eq!(outcome.stderr, "", "{uri}");
        let required = site.call(&["apptainer", "exec", uri, "true"]).variable("SIF_CACHE=require");
        let message = required.run().stderr;
        assert!(message.starts_with("sifcache: ") && !message.contains("s3cret"), "{message}");
    }
}

#[test]
fn pulls_copy_the_image() {
    let site = site();
    for (uri, name, default) in images() {
        let call = site.call(&["apptainer", "pull", &uri]);
        let outcome = call.set_up("directory", &site.text("work")).run();
        assert!(outcome.report.is_none() && outcome.status == Some(0), "{uri}: {outcome:#?}");
        let messages = match uri.split_once(':').unwrap().0 {
            "oras" => "INFO:    Using cached SIF image\n",
            "library" => {
                "INFO:    Using cached image\nWARNING: integrity: no groups found\n\
                          WARNING: Skipping container verification\n"
            }
            _ => "",
        };
        assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("", messages), "{uri}");
        let pulled = site.path("work").join(default);
        let image = site.path("roots").join(name);
        assert_eq!(fs::read(&pulled).unwrap(), fs::read(image).unwrap(), "{uri}");
        fs::remove_file(pulled).unwrap();
    }
}

#[test]
fn failed_copies_are_reported_as_by_the_runtime() {
    let site = site();
    for (uri, info, work) in [
        (
            "oras://h.io/o/i:1",
            "INFO:    Using cached SIF image\n",
            "While pulling image from oci registry",
        ),
        ("library://E/c/i:1", "INFO:    Using cached image\n", "While pulling library image"),
        ("https://H.io:443/d/i:1--0", "", "While pulling from image from http(s)"),
    ] {
        let failed = format!("FATAL:   {work}: error copying image out of cache: could not open");
        for (program, options, start) in [
            ("apptainer", ["-s", "pull"], failed.clone()),
            ("apptainer", ["--nocolor", "pull"], format!("{info}{failed}")),
            ("singularity", ["-q", "pull"], failed.clone()),
        ] {
            let words = [&[program], &options[..], &["nowhere/x", uri]].concat();
            let call = site.call(&words).variable("RUNTIME_VERSION=singularity-ce version 4.5.1");
            let call = call.program(&format!("shims/{program}"));
            let outcome = call.set_up("directory", &site.text("work")).run();
            assert!(outcome.stderr.starts_with(&start), "{outcome:#?}");
            assert_eq!(
                (outcome.status, outcome.stderr.lines().count()),
                (Some(255), start.lines().count())
            );
        }
    }
}

/// SingularityCE 4 names both files if it cannot copy an image of docker.
#[test]
fn failed_copies_of_singularity() {
    let site = site();
    let image = site.text("roots/o/i:1");
    for (program, version, files) in [
        (
            "singularity",
            "singularity-ce version 4.5.1",
            format!(" (from \"{image}\" to \"nowhere/x\")"),
        ),
        ("singularity", "singularity-ce version 3.11.4", String::new()),
        ("singularity", "apptainer version 1.4.5", String::new()),
        ("apptainer", "singularity-ce version 4.5.1", String::new()),
    ] {
        let call = site.call(&[program, "pull", "nowhere/x", "docker://o/i:1"]);
        let call = call.variable(format!("RUNTIME_VERSION={version}"));
        let call = call.program(&format!("shims/{program}"));
        let outcome = call.set_up("directory", &site.text("work")).run();
        let start = format!(
            "INFO:    Using cached SIF image\nFATAL:   While making image from oci registry: \
             error copying image out of cache{files}: could not open temporary file for copy: "
        );
        assert!(outcome.stderr.starts_with(&start), "{version}: {outcome:#?}");
        assert!(outcome.report.is_none() && outcome.status == Some(255), "{outcome:#?}");
    }
}

/// Singularity reads none of these variables.
#[test]
fn variables_that_only_apptainer_reads() {
    let site = site();
    for (program, version, stderr) in [
        ("singularity", "singularity-ce version 4.5.1", "INFO:    Using cached SIF image\n"),
        ("singularity", "apptainer version 1.4.5", ""),
        ("apptainer", "", ""),
    ] {
        for variable in ["QUIET=1", "SILENT=1"] {
            let call = site.call(&[program, "pull", "-F", "x", "docker://o/i:1"]);
            let call = call.variable(format!("RUNTIME_VERSION={version}"));
            let call = call.variable(format!("SINGULARITY_{variable}"));
            let call = call.variable(format!("APPTAINER_{variable}"));
            let call = call.program(&format!("shims/{program}"));
            let outcome = call.set_up("directory", &site.text("work")).run();
            assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), stderr), "{program}");
        }
    }
}

/// Apptainer is also installed as `singularity`, and names each variable that it prefers with its
/// own prefix.
#[test]
fn messages_about_variables() {
    let site = site();
    let about = "INFO:    Environment variable SINGULARITY_PULLFOLDER is set, but \
                 APPTAINER_PULLFOLDER is preferred\n";
    for (program, version, options, messages) in [
        ("singularity", "singularity-ce version 4.5.1", "pull", ""),
        ("singularity", "apptainer version 1.4.5", "pull", about),
        ("apptainer", "", "pull", about),
        ("singularity", "apptainer version 1.4.5", "-q pull", ""),
    ] {
        let words: Vec<&str> = [program]
            .into_iter()
            .chain(options.split(' '))
            .chain(["-F", "x", "docker://o/i:1"])
            .collect();
        let call = site.call(&words).variable(format!("RUNTIME_VERSION={version}"));
        let call = call.variable("SINGULARITY_PULLFOLDER=".to_owned());
        let call = call.program(&format!("shims/{program}"));
        let outcome = call.set_up("directory", &site.text("work")).run();
        let cached = if options == "pull" { "INFO:    Using cached SIF image\n" } else { "" };
        let expected = format!("{messages}{cached}");
        assert_eq!((outcome.status, outcome.stderr), (Some(0), expected), "{program} {version}");
    }
}

/// Apptainer prints several messages about some variables. They are not reproduced, so Apptainer
/// handles the pull, whatever its name is.
#[test]
fn messages_that_only_the_runtime_prints() {
    let site = site();
    for (version, options, is_answered) in [
        ("singularity-ce version 4.5.1", "pull", true),
        ("apptainer version 1.4.5", "pull", false),
        ("apptainer version 1.4.5", "-q pull", false),
        ("singularity-ce version 4.5.1", "-q pull", true),
    ] {
        for variable in ["SINGULARITY_CONFIGDIR=/c", "SINGULARITY_SYPGPDIR=/c"] {
            let words: Vec<&str> = ["singularity"]
                .into_iter()
                .chain(options.split(' '))
                .chain(["-F", "x", "docker://o/i:1"])
                .collect();
            let call = site.call(&words).variable(format!("RUNTIME_VERSION={version}"));
            let call = call.variable(variable.to_owned()).program("shims/singularity");
            if is_answered {
                let outcome = call.set_up("directory", &site.text("work")).run();
                let cached =
                    if options == "pull" { "INFO:    Using cached SIF image\n" } else { "" };
                assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), cached));
            } else {
                call.is_bare();
            }
        }
    }
}

/// The runtime names the first group without a signature. It does so before it reads a key.
#[test]
fn library_images_without_a_signature() {
    let site = site();
    let group =
        |number| Sif::empty().with(Object::root_file_system(file_system::EXT3, [0]).group(number));
    let signature = Object::signature().linked_to_group(2);
    for (image, problem) in [
        (group(1), "WARNING: integrity: signature not found for object group 1\n"),
        (group(2), "WARNING: integrity: signature not found for object group 2\n"),
        (group(2).with(signature), ""),
    ] {
        image.write(site.path("roots/_library/E/c/i:1.sif")).unwrap();
        let call = site.call(&["apptainer", "pull", "-F", "x", "library://E/c/i:1"]);
        let outcome = call.set_up("directory", &site.text("work")).run();
        let expected = format!(
            "INFO:    Using cached image\n{problem}WARNING: Skipping container verification\n"
        );
        assert_eq!((outcome.status, outcome.stderr), (Some(0), expected));
    }
}

/// Another server may have another image of the same name.
#[test]
fn pulls_from_another_library() {
    let site = site();
    let library = ["apptainer", "pull", "--library", "https://l.io", "x", "library://E/c/i:1"];
    site.call(&library).is_bare();
    let pull = ["apptainer", "pull", "/nowhere/x", "library://E/c/i:1"];
    site.call(&pull).variable("SINGULARITY_LIBRARY=https://l.io").is_bare();
    // The option is for libraries only.
    let other =
        ["apptainer", "pull", "--library", "https://l.io", "/nowhere/x", "oras://h.io/o/i:1"];
    site.call(&other).run().ended(255, "While pulling image from oci registry");
}
