//! The errors of the command. Each variant has a fixed exit status (see [`Failure::exit`]).

mod status;
mod text;

use crate::ui::format;
use jiff::Timestamp;
use sifcache_core::layout::Layout;
use sifcache_core::settings::{self, Settings};
use sifcache_plugstack as plugstack;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use text::{
    absent_roots, list, listen_advice, long_name, not_found_by_jobs, output_advice,
    plugstack_error, show, text, write_advice,
};

/// Why a subcommand failed. The message states what is wrong, where, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    // The command line.
    /// The value of `--root` is not a valid `image_root`.
    #[error("--root: {0}")]
    Root(settings::Error),
    /// A reference with a transport whose images have no names in the cache.
    #[error("{text}: images of {scheme}:// have no name in the cache")]
    Transport { text: String, scheme: String },
    /// An argument is not a valid reference.
    #[error("'{}' is not a valid image reference: {error}", .text.escape_debug())]
    Reference { text: String, error: sifcache_core::reference::Error },
    /// The name of an image is too long for a file. `bytes` is the length of the component.
    #[error("{}", long_name(.name, *.bytes))]
    LongName { name: String, bytes: usize },
    /// An absolute path that is not in any image root.
    #[error("{} is not in an image root", show(.0))]
    OutsideRoots(PathBuf),
    /// A path in an image root that is not that of an image. `what` says what it is.
    #[error("{} is {what}: name each image by its reference or its path", show(.path))]
    NotAnImage { path: PathBuf, what: &'static str },
    /// The directory is not one of the image roots. `option` is empty if the directory was given as
    /// an argument.
    #[error(
        "{option}{}: not an image root; the image roots are {}", show(.path), list(.roots)
    )]
    NotAnImageRoot { option: &'static str, path: PathBuf, roots: Vec<PathBuf> },
    /// The path is in an image root that is nested in the one to change.
    #[error(
        "{} belongs to the image root {}, not to {}", show(.path), show(.other),
        show(.root)
    )]
    OtherRoot { path: PathBuf, root: PathBuf, other: PathBuf },
    /// The path is in an image root that another tool fills.
    #[error(
        "{option}{}: image_root={layout}={} is filled by another tool, so sifcache only reads it",
        show(.path), show(.root)
    )]
    ForeignRoot { option: &'static str, path: PathBuf, root: PathBuf, layout: Layout },
    /// All image roots are filled by other tools.
    #[error(
        "other tools fill all image roots, so sifcache only reads them: add a directory to \
         image_root, as in image_root=/local/sif:{0}"
    )]
    NoOwnRoot(String),
    /// No time is between `--since` and `--until`.
    #[error(
        "--since ({}) is not before --until ({}), so the period is empty; an age such as 30d means \
         that long ago, and --until is exclusive",
        format::minute(*.since), format::minute(*.until)
    )]
    EmptyPeriod { since: Timestamp, until: Timestamp },
    /// Two outputs cannot both go to standard output.
    #[error("--html - and --json both print to standard output: give --html a file")]
    TwoOutputs,
    /// A confirmation is needed, but standard input is not a terminal.
    #[error(
        "cannot ask for confirmation, because standard input is not a terminal: use --yes to go \
         ahead, or --dry-run to see what would be done"
    )]
    NoConfirmation,
    /// `--arch` contradicts the architecture that the root declares in `file`.
    #[error("--arch {given}: {} declares this image root for {declared}", show(.file))]
    Architecture { given: &'static str, file: PathBuf, declared: &'static str },
    /// The image called `name` is for another architecture.
    #[error("{name} is for {actual}: refresh it with --arch {actual}")]
    OtherArchitecture { name: String, actual: &'static str },
    /// The value of `--keep` is not a duration.
    #[error("--keep: {0}")]
    Retention(String),
    /// There is no image root to copy images from.
    #[error(
        "{} is the only image root: put a node-local one before it, as in \
         image_root=/local/sif:{}", show(.0), settings::escape_root(&show(.0))
    )]
    OnlyRoot(PathBuf),
    /// `--nodes` or `--partition` does not select nodes.
    #[error("{0}")]
    Nodes(String),
    /// The file does not record which reference it was pulled from.
    #[error("{} does not record its reference: give REF as well", show(.0))]
    NoRecordedReference(PathBuf),
    /// `--digest` with a reference of a transport without digests.
    #[error("{}: images of this transport have no digest: omit --digest", text(.0))]
    NoDigests(String),
    /// An option of a program such as srun for which it is unknown whether it takes a value.
    #[error(
        "{}: whether this option takes a value is unknown; write it as OPTION=VALUE, or omit \
         {} and its options", text(&format!("{program} {option}")), text(.program)
    )]
    UnknownOption { program: String, option: String },

    /// There is no user of this name.
    #[error("--user {}: there is no such user on this host", text(.0))]
    NoUser(String),
    /// No view with this directory is registered.
    #[error("{}: not a view; --for ENGINE creates one, and `sifcache view` lists them", show(.0))]
    NoView(PathBuf),
    /// The view is in an image root, or contains one.
    #[error(
        "{}: a view and an image root must not contain each other, and {} is an image root: use \
         another directory", show(.view), show(.root)
    )]
    ViewInRoot { view: PathBuf, root: PathBuf },

    // The site's settings.
    /// plugstack.conf was not found, cannot be read, or has no sifcache line.
    #[error("{}", plugstack_error(.0))]
    Plugstack(plugstack::Error),
    /// The settings on the sifcache line of `file` are invalid.
    #[error("{}: {error}", show(.file))]
    Settings { file: PathBuf, error: settings::Error },
    /// The policy for images that jobs ask for is missing or invalid.
    #[error("{}: {problem}", show(.file))]
    Policy { file: PathBuf, problem: String },
    /// The image root cannot be used.
    #[error("image root {}: {problem}", show(.path))]
    ImageRoot { path: PathBuf, problem: String },
    /// Image roots do not exist. There is one message for each of them.
    #[error("{}", absent_roots(.0))]
    AbsentRoots(Vec<(PathBuf, String)>),
    /// The declared architecture of an image root is invalid.
    #[error("{0}")]
    Declaration(String),
    /// Another user could redirect this change to other files.
    #[error("nothing is changed there: {0}")]
    UntrustedPath(String),
    /// Jobs would not use an image at this path.
    #[error("jobs would not use {}: {problem}", show(.path))]
    Unusable { path: PathBuf, problem: String },
    /// Only the calling user can access a directory on the path to the image root.
    #[error(
        "image root {}: users may not read {}, so no job would find a copy: run chmod a+rx; if \
         Slurm gives each job a directory of its own there, stage into another image root",
        show(.root), show(.directory)
    )]
    Private { root: PathBuf, directory: PathBuf },
    /// Two nodes write to the same image root.
    #[error("another node is writing to {}: check that it is local to each node", show(.0))]
    SharedRoot(PathBuf),

    // Input.
    /// A line of standard input is not a JSON array of strings. The values are the line number and
    /// the error.
    #[error("line {0} of standard input is not a JSON array of strings: {1}")]
    Input(usize, serde_json::Error),
    /// Lines of reference lists are invalid. There is one message for each line.
    #[error("{}", .0.join("\nsifcache: "))]
    Lists(Vec<String>),
    /// None of the files is a log. There is one message for each file.
    #[error("{}", .0.join("\n"))]
    NotALog(Vec<String>),
    /// The file that was pulled or copied is not a valid image.
    #[error("this is not a valid image: {0}")]
    InvalidImage(String),
    /// The layers of an image are damaged or hostile.
    #[error("the layers of the image are invalid: {0}")]
    InvalidLayers(String),
    /// With `--engine native`, an image that only the runtime can convert.
    #[error("only the runtime can convert it: {0}; use --engine auto")]
    NotNative(String),
    /// A file to import is not a valid image. `advice` is empty or begins with a semicolon.
    #[error("{} is not a valid image: {problem}{advice}", show(.path))]
    InvalidFile { path: PathBuf, problem: String, advice: String },
    /// An image of the cache is damaged.
    #[error("{} is damaged: {problem}; {advice}", show(.path))]
    Damaged { path: PathBuf, problem: String, advice: String },
    /// The bytes that a node received differ from those that were sent. The values are the size in
    /// bytes and the start of the SHA-256.
    #[error(
        "the received data differ from the sent data: {} bytes with SHA-256 {}, not {} with {}; \
         they were discarded, stage the image again", .received.0, .received.1, .sent.0, .sent.1
    )]
    Transfer { received: (u64, String), sent: (u64, String) },
    /// The record of the views is damaged.
    #[error(
        "{} is damaged ({error}): remove it, and create the views again with `sifcache view DIR \
         --for ENGINE`", show(.path)
    )]
    Views { path: PathBuf, error: serde_json::Error },
    /// The file given with `--authfile` is not JSON.
    #[error("--authfile: {} is not JSON: {error}", show(.path))]
    AuthFile { path: PathBuf, error: serde_json::Error },

    // The image is not there.
    /// No image has this name.
    #[error("{word} is not in {}{advice}", show(.root))]
    NotInRoot { word: String, root: PathBuf, advice: &'static str },
    /// The image is in place, but a job would not use it. `found` is the image that a job would use
    /// instead.
    #[error("{}", not_found_by_jobs(.path, .found.as_deref()))]
    NotFoundByJobs { path: PathBuf, found: Option<PathBuf> },
    /// The image to copy is not in any of the other image roots.
    #[error("it is not in {}: `sifcache add {name}` pulls it", list(.roots))]
    NotInCache { name: String, roots: Vec<PathBuf> },

    // Something required is unavailable.
    /// The program given with `--runtime` cannot be executed.
    #[error("--runtime {}: it is not an executable file", show(.0))]
    NotAProgram(PathBuf),
    /// No runtime is in `PATH`.
    #[error("no {} in PATH: load its module, or name it with --runtime FILE", .0.join(" or "))]
    NoRuntime(Vec<String>),
    /// The runtime could not pull the image.
    #[error("{} cannot pull it: {problem}", show(.runtime))]
    Pull { runtime: PathBuf, problem: String },
    /// The registry does not have the image, or cannot be queried.
    #[error("{0}")]
    Registry(String),
    /// The registry asks the client to retry after this delay; zero if it states no delay.
    #[error("{message}")]
    Busy { message: String, delay: Duration },
    /// Another command has locked this name.
    #[error("another command is working on {0}")]
    NameInUse(String),
    /// The pull takes too long, for this reason.
    #[error("{0}")]
    TimedOut(String),
    /// The policy of `sifcache fill` does not allow the image, for this reason.
    #[error("{0}")]
    NotAllowed(String),
    /// `sifcache fill` cannot make room for the image, for this reason.
    #[error("{0}")]
    NoRoom(String),
    /// Another process fills this image root. The value names it.
    #[error(
        "{}: {holder} fills this image root already; stop it first, or leave the requests to it",
        show(.root)
    )]
    SecondFiller { root: PathBuf, holder: String },
    /// The network client cannot be created.
    #[error("cannot use the network: {0}")]
    Network(io::Error),
    /// The prompt of `--docker-login` was not answered.
    #[error("--docker-login: {0}")]
    NoLogin(io::Error),
    /// There is no terminal for `--docker-login`.
    #[error(
        "--docker-login: there is no terminal ({0}); set APPTAINER_DOCKER_USERNAME and \
         APPTAINER_DOCKER_PASSWORD, or use --authfile"
    )]
    NoTerminal(io::Error),
    /// This host has no log that the caller may read.
    #[error(
        "no journal and no /var/log/syslog or /var/log/messages that you can read: name the log \
         with --log FILE, or run this as root"
    )]
    NoLog,
    /// A Slurm command could not be run, or it failed.
    #[error("{0}")]
    Slurm(String),
    /// Slurm rejected the job. `advice` is a possible remedy.
    #[error("Slurm rejects the job: {reason}; {advice}")]
    NoJob { reason: String, advice: &'static str },
    /// The logs do not show which images were used.
    #[error("{0}")]
    NoEvidence(String),

    /// munge does not work on this host. `option` is the one that needs it.
    #[error("{option}: {error}")]
    Munge { option: &'static str, error: sifcache_munge::Error },
    /// The address of `--listen` cannot be used.
    #[error("--listen {address}: {error}; {}", listen_advice(error))]
    Listen { address: String, error: io::Error },
    /// The listener of the filler cannot be reached, or gives no valid answer.
    #[error("the filler at {address}: {problem}; check that `sifcache fill --listen` runs there")]
    Filler { address: String, problem: String },
    /// No request can be sent to syslog.
    #[error("the request cannot be sent to syslog: {0}")]
    Syslog(String),

    // A file cannot be created.
    /// There is too little space. `need` and `free` are formatted sizes.
    #[error(
        "not enough space: about {need} are needed in {}, and {free} are free; `sifcache gc` can \
         make space in an image root", show(.path)
    )]
    Space { path: PathBuf, need: String, free: String },
    /// A directory has the name of an image.
    #[error("{} is a directory", show(.0))]
    IsDirectory(PathBuf),
    /// A file has the name of a directory.
    #[error("{} is not a directory, and {name} needs one", show(.path))]
    NotDirectory { path: PathBuf, name: String },
    /// An image for hosts like this one has this name.
    #[error(
        "{} is an image for {host}: keep those for {wanted} in an image root of their own, or \
         replace it with --force", show(.path)
    )]
    OwnImage { path: PathBuf, host: &'static str, wanted: &'static str },
    /// An image with this name exists. `state` is empty or describes its damage.
    #[error("{} already exists{state}; --force replaces it", show(.path))]
    Exists { path: PathBuf, state: String },
    /// The directory for temporary files belongs to another user.
    #[error(
        "{} is not a directory that only you can access: remove it, or set APPTAINER_TMPDIR",
        show(.0)
    )]
    TemporaryDirectory(PathBuf),
    /// The state file of `metrics` cannot be written.
    #[error(
        "--state: cannot write {}: {error}; name another file with --state FILE, or leave out the \
         counters with --no-counters", show(.path)
    )]
    MetricsState { path: PathBuf, error: io::Error },
    /// A file or directory outside of the image roots cannot be written.
    #[error("cannot write {}: {error}{}", show(.path), output_advice(.path, .error))]
    Output { path: PathBuf, error: io::Error },
    /// A file or directory of the cache cannot be written.
    #[error("cannot write {}: {error}{}", show(.path), write_advice(.error))]
    Store { path: PathBuf, error: io::Error },

    // Permission denied.
    /// Jobs do not trust images that belong to the calling user.
    #[error(
        "jobs would not use an image that belongs to an ordinary user: run this as root or as a \
         system account, or set untrusted=accept"
    )]
    UntrustedOwner,
    /// Jobs do not trust copies that belong to the calling user.
    #[error(
        "the copies would belong to an ordinary user, and jobs would not use them: run this as \
         the owner of the image root, root or a system account"
    )]
    UntrustedCopies,

    // Input and output.
    /// A file or directory cannot be read. `prefix` is empty or names the option.
    #[error("{prefix}cannot read {name}: {error}")]
    Read { prefix: &'static str, name: String, error: io::Error },
    /// An image of the cache cannot be read.
    #[error("{} cannot be read: {problem}; check the disk, or pull it again with --force", show(.path))]
    Unreadable { path: PathBuf, problem: String },
    /// A file cannot be written.
    #[error("cannot write {}: {error}", show(.path))]
    Write { path: PathBuf, error: io::Error },
    /// A thread ended before its work was complete.
    #[error("a thread ended before its work was complete")]
    Thread,
    /// Standard input or output failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A signal asked the command to stop. The value is the number of the signal.
    #[error("interrupted")]
    Stopped(u8),
    /// One failure that concerns several images.
    #[error(transparent)]
    Shared(Arc<Failure>),
}

impl Failure {
    /// A file or directory that cannot be read.
    pub(crate) fn read(path: &Path, error: io::Error) -> Self {
        Self::Read { prefix: "", name: show(path), error }
    }

    /// A file or directory outside of the image roots that cannot be written.
    pub(crate) fn output(path: &Path, error: io::Error) -> Self {
        Self::Output { path: path.to_owned(), error }
    }

    /// A path that is not in an image root that sifcache may change. `option` is empty, or the
    /// option with which the path was given and a blank.
    pub(crate) fn not_in_own_root(
        option: &'static str,
        path: PathBuf,
        settings: &Settings,
    ) -> Self {
        let roots = settings.image_roots.clone();
        match settings.foreign_roots.iter().find(|root| path.starts_with(&root.path)) {
            Some(foreign) => {
                let (root, layout) = (foreign.path.clone(), foreign.layout);
                Self::ForeignRoot { option, path, root, layout }
            }
            None => Self::NotAnImageRoot { option, path, roots },
        }
    }
}
