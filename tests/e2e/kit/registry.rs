//! Registries besides the hub: a private one, one that misbehaves, and others; also functions that
//! move tags.

use super::{Output, hub, testbed};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// User name and password for the private registry.
pub(crate) const ALICE: (&str, &str) = ("alice", "open sesame");
/// Address of the private registry.
pub(crate) const PRIVATE: &str = "registry.example.org:5443";

/// Runs a command as root on host hub.
fn on_hub(words: &[&str]) -> Output {
    let output = testbed("exec", &["--on", "hub"], words, "");
    assert_eq!(output.status, 0, "{output:#?}");
    output
}

/// A server on host hub, with a limited run time. It is stopped when this is dropped.
pub(crate) struct Server {
    pid: String,
    port: u16,
}

impl Server {
    fn start(command: &str, port: u16) -> Self {
        // An earlier server may not have ended yet.
        let wait = format!("while (: >/dev/tcp/127.0.0.1/{port}) 2>/dev/null; do sleep 0.02; done");
        on_hub(&["timeout", "20", "bash", "-c", &wait]);
        let start = format!(
            "setsid timeout 900 {command} </dev/null >>/var/log/server-{port}.log 2>&1 & echo $!"
        );
        let pid = on_hub(&["bash", "-c", &start]).stdout.trim().to_owned();
        let server = Self { pid, port };
        assert!(server.becomes(true), "no server answers on port {port} of the hub");
        server
    }

    /// Whether the port accepts connections. A server that has reached its limit does not.
    pub(crate) fn is_up(&self) -> bool {
        let connect = format!("(: >/dev/tcp/127.0.0.1/{}) 2>/dev/null", self.port);
        testbed("exec", &["--on", "hub"], &["bash", "-c", &connect], "").status == 0
    }

    /// Waits until the port accepts (`up`) or refuses connections. Returns false on a timeout.
    fn becomes(&self, up: bool) -> bool {
        let limit = Instant::now() + Duration::from_secs(15);
        while self.is_up() != up {
            if Instant::now() > limit {
                return false;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        true
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // timeout(1) forwards the signal. The check of the name is needed because the process ID
        // may have been reused if the server has already ended.
        let stop = format!("grep -qx timeout /proc/{0}/comm && kill {0}", self.pid);
        testbed("exec", &["--on", "hub"], &["sh", "-c", &stop], "");
        // The next server needs the port. No assertion here: the test may already be panicking.
        self.becomes(false);
    }
}

/// Writes the configuration of a docker-registry over the hub's storage, and returns the command
/// that starts it.
fn configuration(name: &str, address: &str, more: &str) -> String {
    let path = format!("/etc/docker/registry/{name}.yml");
    let text = format!(
        "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: /srv/registry\n\
         http:\n  addr: {address}\n{more}"
    );
    fs::write(super::at("hub", &path), text).unwrap();
    format!("docker-registry serve {path}")
}

/// A registry that requires authentication, with the images of the hub.
pub(crate) fn private() -> Server {
    let (user, password) = ALICE;
    // bcrypt, which docker-registry requires.
    let script = "print crypt($ARGV[0], '$2b$05$abcdefghijklmnopqrstuu')";
    let hash = on_hub(&["perl", "-e", script, password]).stdout;
    fs::write(super::at("hub", "/etc/docker/registry/htpasswd"), format!("{user}:{hash}\n"))
        .unwrap();
    let more = "  tls:\n    certificate: /etc/hub/hub.pem\n    key: /etc/hub/hub.key\n\
                auth:\n  htpasswd:\n    realm: private\n    path: /etc/docker/registry/htpasswd\n";
    Server::start(&configuration("private", ":5443", more), 5443)
}

/// The hub's images without TLS, at `hub:5000`.
pub(crate) fn plain_http() -> Server {
    Server::start(&configuration("plain", ":5000", ""), 5000)
}

/// docker.io behind a proxy that misbehaves.
pub(crate) struct Misbehaving {
    _proxy: Server,
    _registry: Server,
}

/// Stops the hub and starts `tests/e2e/registry/proxy.py` in its place. The script documents the
/// values of `fault`.
pub(crate) fn misbehaving(fault: &str) -> Misbehaving {
    hub("stop");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/registry/proxy.py");
    let text = fs::read_to_string(script).unwrap();
    super::program(&super::at("hub", "/usr/local/bin/proxy.py"), &text);
    let _ = fs::remove_file(super::at("hub", "/var/log/proxy.log"));
    let registry = Server::start(&configuration("behind", "127.0.0.1:5001", ""), 5001);
    let proxy = Server::start(&format!("/usr/local/bin/proxy.py {fault}"), 443);
    Misbehaving { _proxy: proxy, _registry: registry }
}

impl Misbehaving {
    /// The requests so far, except those that query the protocol version.
    pub(crate) fn requests(&self) -> Vec<String> {
        let all = self.log();
        all.lines().filter(|line| !line.ends_with(" /v2/")).map(str::to_owned).collect()
    }

    /// All requests so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(super::at("hub", "/var/log/proxy.log")).unwrap_or_default()
    }
}

/// Makes `tag` on the hub point to `image`. The hub must be up.
pub(crate) fn move_tag(image: &str, tag: &str) {
    let (from, to) = (format!("docker://docker.io/{image}"), format!("docker://docker.io/{tag}"));
    let words = ["skopeo", "copy", "--quiet", "--insecure-policy", &from, &to];
    let output = testbed("exec", &[], &words, "");
    assert_eq!(output.status, 0, "{output:#?}");
}

/// The digest of a reference on the hub, which must be up.
pub(crate) fn digest(image: &str) -> String {
    let name = format!("docker://docker.io/{image}");
    let words = ["skopeo", "inspect", "--format", "{{.Digest}}", &name];
    let output = testbed("exec", &[], &words, "");
    assert_eq!(output.status, 0, "{output:#?}");
    output.stdout.trim().to_owned()
}

/// A small file system on the login node, unmounted when this is dropped.
pub(crate) struct Disk(String);

/// Mounts a tmpfs of `kibibytes` KiB.
pub(crate) fn disk(path: &str, kibibytes: u32) -> Disk {
    let size = format!("size={kibibytes}k,mode=755");
    let make = format!("mkdir -p {path} && mount -t tmpfs -o {size} tmpfs {path}");
    let output = testbed("exec", &[], &["sh", "-c", &make], "");
    assert_eq!(output.status, 0, "{output:#?}");
    Disk(path.to_owned())
}

impl Drop for Disk {
    fn drop(&mut self) {
        testbed("exec", &[], &["umount", "--lazy", &self.0], "");
    }
}

/// Creates `REPOSITORY:TAG` on the hub as an index of images for these architectures. The hub must
/// be up. Returns the digest of the index, followed by those of the manifests.
pub(crate) fn index(repository: &str, tag: &str, images: &[(&str, &str)]) -> Vec<String> {
    for (architecture, image) in images {
        move_tag(image, &format!("{repository}:{architecture}"));
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/registry/index.py");
    let script = fs::read_to_string(script).unwrap();
    let architectures = images.iter().map(|(architecture, _)| *architecture);
    let words: Vec<&str> =
        ["python3", "-", repository, tag].into_iter().chain(architectures).collect();
    let output = testbed("exec", &[], &words, &script);
    assert_eq!(output.status, 0, "{output:#?}");
    output.stdout.split_whitespace().map(str::to_owned).collect()
}

/// Serves the hub's images at a port with this certificate, whose key is stored beside it. With
/// `clients`, only clients with a certificate issued by that authority are accepted.
pub(crate) fn with_certificate(port: u16, certificate: &str, clients: Option<&str>) -> Server {
    let key = certificate.replace(".pem", ".key");
    let clients = clients.map(|one| format!("    clientcas:\n      - {one}\n"));
    let more = format!(
        "  tls:\n    certificate: {certificate}\n    key: {key}\n{}",
        clients.unwrap_or_default()
    );
    Server::start(&configuration(&format!("port-{port}"), &format!(":{port}"), &more), port)
}

/// Serves the hub's images at a port without TLS.
pub(crate) fn without_tls(port: u16) -> Server {
    Server::start(&configuration(&format!("port-{port}"), &format!(":{port}"), ""), port)
}

/// Serves the files in `/srv/files` of the hub at `https://registry.example.org:PORT/`. Every
/// request is logged.
pub(crate) fn files(port: u16) -> Server {
    file_server(
        port,
        "context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\n\
         context.load_cert_chain('/etc/hub/hub.pem', '/etc/hub/hub.key')\n\
         server.socket = context.wrap_socket(server.socket, server_side=True)\n",
    )
}

/// Serves the same files at `http://registry.example.org:PORT/`.
pub(crate) fn files_without_tls(port: u16) -> Server {
    file_server(port, "")
}

/// A file server that runs these lines of Python before it accepts connections.
fn file_server(port: u16, lines: &str) -> Server {
    let script = format!(
        "#!/usr/bin/python3\n\
         import http.server, os, ssl\n\
         os.chdir('/srv/files')\n\
         server = http.server.ThreadingHTTPServer(('', {port}), http.server.SimpleHTTPRequestHandler)\n\
         {lines}\
         server.serve_forever()\n"
    );
    fs::create_dir_all(super::at("hub", "/srv/files")).unwrap();
    let program = format!("/usr/local/bin/files-{port}.py");
    super::program(&super::at("hub", &program), &script);
    Server::start(&program, port)
}

/// Serves the OCI layouts in a directory of the hub at `https://registry.example.org:PORT/`, even
/// invalid ones.
pub(crate) fn layouts(port: u16, directory: &str) -> Server {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/registry/layouts.py");
    let text = fs::read_to_string(script).unwrap();
    super::program(&super::at("hub", "/usr/local/bin/layouts.py"), &text);
    Server::start(&format!("/usr/local/bin/layouts.py {port} {directory}"), port)
}

/// An HTTP proxy on host hub.
pub(crate) fn web_proxy(port: u16) -> Server {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/trust/connect.py");
    let text = fs::read_to_string(script).unwrap();
    super::program(&super::at("hub", "/usr/local/bin/connect.py"), &text);
    Server::start(&format!("/usr/local/bin/connect.py {port}"), port)
}

/// Runs a bash script as root on host hub.
pub(crate) fn script_on_hub(text: &str) {
    let output = testbed("exec", &["--on", "hub"], &["bash", "-s"], text);
    assert_eq!(output.status, 0, "{output:#?}");
}

/// A fake library server at `https://registry.example.org:PORT`. Its images are the files
/// `/srv/library/PATH/TAG.ARCHITECTURE` of the hub.
pub(crate) fn library(port: u16) -> Server {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/registry/library.py");
    let text = fs::read_to_string(script).unwrap();
    super::program(&super::at("hub", "/usr/local/bin/library.py"), &text);
    let _ = fs::remove_file(super::at("hub", "/var/log/library.log"));
    Server::start(&format!("/usr/local/bin/library.py {port}"), port)
}
