//! The decision on a command line: hit, miss or pass, with the data needed to apply, log and
//! explain it.

use crate::build::{self, Build};
use crate::cache_mode::CacheMode;
use crate::command_line::NotServed;
use crate::image::State;
use crate::image_uri::{self, ImageUri, Transport};
use crate::launch::{self, Launch, NotLaunch};
use crate::lookup::{self, Candidate, Prober};
use crate::pull::plan::{self, OnlyRuntime};
use crate::pull::{self, Pull};
use crate::reference::Reference;
use crate::settings::{self, OnMiss, Settings};
use std::fmt;
use std::path::Path;
use std::time::Duration;

/// The decision on one command line, and the data that led to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The parsed launch, with the position of IMAGE; `None` if the command is not a launch.
    pub launch: Option<Launch>,
    /// The parsed pull; `None` if the command is not a pull.
    pub pull: Option<Pull>,
    /// The parsed build; `None` if the command is not a build.
    pub build: Option<Build>,
    /// IMAGE as typed; `None` if the command is neither a launch, nor a pull, nor a build.
    pub image: Option<Vec<u8>>,
    /// IMAGE, parsed; `None` if it cannot be looked up.
    pub uri: Option<ImageUri>,
    /// The probed files; empty if there was no lookup.
    pub candidates: Vec<Candidate>,
    /// The outcome.
    pub verdict: Verdict,
}

/// The kinds of commands whose images are looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// A container is started.
    #[default]
    Launch,
    /// The image is written to a file.
    Pull,
    /// A file or a directory tree is made from the image.
    Build,
}

/// How to apply a hit to the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action<'a> {
    /// Replace an entry of argv with the path of the image.
    ReplaceArgument {
        /// The entry's index.
        index: usize,
        /// The path of the image.
        path: &'a Path,
    },
    /// Do the work of a pull, so that the command need not run.
    AnswerPull {
        /// The path of the image.
        path: &'a Path,
    },
}

/// The three outcomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// An image was found: [`Decision::hit`] has its path.
    Hit,
    /// No image root contains the image.
    Miss,
    /// The command is left unchanged.
    Pass(Pass),
}

/// Why a command is left unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// It is neither a launch, nor a pull, nor a build.
    NotLaunch(NotLaunch),
    /// It is a pull or a build that only the runtime can handle.
    OnlyRuntime(OnlyRuntime),
    /// IMAGE cannot be looked up.
    Image(image_uri::Error),
    /// OCI mode, which treats a SIF differently from the OCI image that a pull would make.
    OciMode,
    /// The user has turned the cache off.
    Off,
}

/// Environment variables that turn OCI mode on.
const OCI_VARIABLES: [&str; 2] = ["SINGULARITY_OCI", "APPTAINER_OCI"];

/// Decides on the command line `argv`, run by the calling user.
///
/// `environment` returns the value of a variable of the job. `prober` runs the probes of the image
/// roots. File systems are accessed only if IMAGE can be looked up.
pub fn decide<A: AsRef<[u8]>>(
    argv: &[A],
    settings: &Settings,
    mode: CacheMode,
    environment: &dyn Fn(&str) -> Option<Vec<u8>>,
    prober: &dyn Prober,
) -> Decision {
    let mut decision = Decision {
        launch: None,
        pull: None,
        build: None,
        image: None,
        uri: None,
        candidates: Vec::new(),
        verdict: Verdict::Miss,
    };
    match decision.prepare(argv, settings, mode, environment) {
        Err(pass) => decision.verdict = Verdict::Pass(pass),
        Ok(()) => {
            if let Some(uri) = &decision.uri {
                let roots = lookup::roots(settings, uri);
                decision.candidates = lookup::search(&roots, settings.untrusted, prober);
            }
            if decision.hit().is_some() {
                decision.verdict = Verdict::Hit;
            }
        }
    }
    decision
}

impl Decision {
    /// Finds and parses IMAGE. The error is the reason to skip the lookup of its URI.
    fn prepare<A: AsRef<[u8]>>(
        &mut self,
        argv: &[A],
        settings: &Settings,
        mode: CacheMode,
        environment: &dyn Fn(&str) -> Option<Vec<u8>>,
    ) -> Result<(), Pass> {
        match launch::find(argv, &settings.runtimes) {
            Ok(launch) => self.launch = Some(launch),
            Err(NotLaunch::OtherSubcommand) => self.find_transfer(argv, settings, environment)?,
            Err(why) => return Err(Pass::NotLaunch(why)),
        }
        let image = self.image_index().and_then(|index| argv.get(index));
        let image = image.map(AsRef::as_ref).unwrap_or_default();
        self.image = Some(image.to_owned());
        let uri = ImageUri::parse(image).map_err(Pass::Image)?;
        if self.build.is_some() && uri.transport() != Transport::Docker {
            return Err(Pass::OnlyRuntime(OnlyRuntime::BuildTransport));
        }
        let uri = &*self.uri.insert(uri);
        if mode == CacheMode::Off {
            return Err(Pass::Off);
        }
        if let Some(pull) = &self.pull {
            let program = argv.first().map(AsRef::as_ref).unwrap_or_default();
            plan::plan(pull, uri, program, environment).map_err(Pass::OnlyRuntime)?;
        }
        if self.launch.is_some_and(|launch| oci_mode(launch, environment)) {
            return Err(Pass::OciMode);
        }
        Ok(())
    }

    /// Finds a pull or a build.
    fn find_transfer<A: AsRef<[u8]>>(
        &mut self,
        argv: &[A],
        settings: &Settings,
        environment: &dyn Fn(&str) -> Option<Vec<u8>>,
    ) -> Result<(), Pass> {
        let (mut pull, mut build) = (None, None);
        match pull::find(argv, &settings.runtimes, environment) {
            Ok(found) => pull = Some(found),
            Err(NotServed::OtherSubcommand) => {
                let found = build::find(argv, &settings.runtimes, environment);
                build = Some(found.map_err(Pass::NotLaunch)?);
            }
            Err(why) => return Err(Pass::NotLaunch(why)),
        }
        if settings.pull == settings::Pull::Off {
            return Err(Pass::OnlyRuntime(OnlyRuntime::Off));
        }
        (self.pull, self.build) = (pull, build);
        Ok(())
    }

    /// The kind of the command.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match (&self.pull, &self.build) {
            (Some(_), _) => Kind::Pull,
            (_, Some(_)) => Kind::Build,
            (None, None) => Kind::Launch,
        }
    }

    /// The index of IMAGE in argv; `None` if the command has no IMAGE.
    #[must_use]
    pub fn image_index(&self) -> Option<usize> {
        let of_pull = || self.pull.as_ref().map(|pull| pull.image_index);
        self.index_to_replace().or_else(of_pull)
    }

    /// The index of IMAGE in a launch or a build, where the path of the image replaces it.
    fn index_to_replace(&self) -> Option<usize> {
        let of_build = || self.build.map(|build| build.image_index);
        self.launch.map(|launch| launch.image_index).or_else(of_build)
    }

    /// The reference that IMAGE names, if it can be looked up.
    #[must_use]
    pub fn reference(&self) -> Option<&Reference> {
        self.uri.as_ref().map(ImageUri::reference)
    }

    /// The path of the image, on a hit.
    #[must_use]
    pub fn hit(&self) -> Option<&Path> {
        self.candidates.iter().find(|c| c.state == State::Image).map(|c| c.path.as_path())
    }

    /// How to change the command; `None` leaves it unchanged.
    #[must_use]
    pub fn action(&self) -> Option<Action<'_>> {
        let path = self.hit()?;
        Some(match self.index_to_replace() {
            Some(index) => Action::ReplaceArgument { index, path },
            None => Action::AnswerPull { path },
        })
    }

    /// The candidates that exist but are not valid images, or that could not be checked.
    pub fn refused(&self) -> impl Iterator<Item = &Candidate> {
        self.candidates.iter().filter(|candidate| candidate.state.is_refusal())
    }

    /// The probed image roots that do not exist or did not answer.
    pub fn unusable_roots(&self) -> impl Iterator<Item = &Candidate> {
        self.candidates.iter().filter(|candidate| candidate.state.is_root_state())
    }

    /// A stable word for the outcome, for scripts: `hit`, `miss` or `pass`.
    #[must_use]
    pub fn token(&self) -> &'static str {
        match self.verdict {
            Verdict::Hit => "hit",
            Verdict::Miss => "miss",
            Verdict::Pass(_) => "pass",
        }
    }

    /// A stable word for the reason, for scripts.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self.verdict {
            Verdict::Hit => "image-found",
            Verdict::Miss => "no-image",
            Verdict::Pass(pass) => pass.token(),
        }
    }
}

/// How to handle a miss. The user's `require` takes precedence over the site's `on_miss`.
#[must_use]
pub fn on_miss(mode: CacheMode, settings: &Settings) -> OnMiss {
    match mode {
        CacheMode::Require => OnMiss::Fail,
        CacheMode::Auto | CacheMode::Wait | CacheMode::Off => settings.on_miss,
    }
}

/// How long to wait on a miss for the image to be added, before the miss is handled as
/// [`on_miss`] says. `None` if the command does not wait.
#[must_use]
pub fn wait(mode: CacheMode, settings: &Settings) -> Option<Duration> {
    match mode {
        CacheMode::Off => None,
        CacheMode::Auto | CacheMode::Require => settings.wait,
        CacheMode::Wait => settings.wait.or(Some(settings::DEFAULT_WAIT)),
    }
}

/// Whether the launch uses OCI mode.
///
/// The command line takes precedence over the environment. The runtime rejects a value that is not
/// a boolean. Such a value counts as OCI mode here, so that the command passes and the runtime
/// reports the error.
fn oci_mode(launch: Launch, environment: &dyn Fn(&str) -> Option<Vec<u8>>) -> bool {
    let turns_on = |name: &&str| match environment(name) {
        Some(value) => {
            !matches!(value.trim_ascii(), b"" | b"0" | b"f" | b"F" | b"false" | b"FALSE" | b"False")
        }
        None => false,
    };
    launch.oci.unwrap_or_else(|| OCI_VARIABLES.iter().any(turns_on))
}

impl Kind {
    /// The kind as a noun, for messages and scripts.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Launch => "launch",
            Self::Pull => "pull",
            Self::Build => "build",
        }
    }
}

impl Pass {
    /// A stable word for scripts.
    #[must_use]
    pub fn token(self) -> &'static str {
        match self {
            Self::NotLaunch(why) => why.token(),
            Self::OnlyRuntime(why) => why.token(),
            Self::Image(image_uri::Error::OtherTransport) => "not-docker",
            Self::Image(image_uri::Error::Reference(..)) => "bad-reference",
            Self::Image(image_uri::Error::NoSlashes(transport)) => match transport {
                Transport::Docker => "docker-without-slashes",
                Transport::Oras => "oras-without-slashes",
                Transport::Library => "library-without-slashes",
                Transport::Https => "https-without-slashes",
                Transport::Http => "http-without-slashes",
            },
            Self::OciMode => "oci-mode",
            Self::Off => "switched-off",
        }
    }
}

impl fmt::Display for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLaunch(why) => why.fmt(f),
            Self::OnlyRuntime(why) => why.fmt(f),
            Self::Image(error) => error.fmt(f),
            Self::OciMode => {
                f.write_str("OCI mode, which runs a SIF file differently from a pulled image")
            }
            Self::Off => f.write_str("the cache is turned off by --sif-cache=off or SIF_CACHE=off"),
        }
    }
}

#[cfg(test)]
mod tests;
