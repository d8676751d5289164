//! The exit status of each failure.

use super::Failure;
use crate::exit::Exit;
use sifcache_plugstack as plugstack;
use std::io;

impl Failure {
    /// The exit status for this failure.
    #[expect(clippy::too_many_lines, reason = "a table with a row for each variant")]
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Root(_)
            | Self::Transport { .. }
            | Self::Reference { .. }
            | Self::LongName { .. }
            | Self::OutsideRoots(_)
            | Self::NotAnImage { .. }
            | Self::NotAnImageRoot { .. }
            | Self::ForeignRoot { .. }
            | Self::OtherRoot { .. }
            | Self::NoOwnRoot(_)
            | Self::NoConfirmation
            | Self::EmptyPeriod { .. }
            | Self::TwoOutputs
            | Self::Architecture { .. }
            | Self::OtherArchitecture { .. }
            | Self::Retention(_)
            | Self::OnlyRoot(_)
            | Self::Nodes(_)
            | Self::NoRecordedReference(_)
            | Self::NoDigests(_)
            | Self::NoUser(_)
            | Self::NoView(_)
            | Self::ViewInRoot { .. }
            | Self::UnknownOption { .. } => Exit::USAGE,
            Self::Plugstack(plugstack::Error::Read(..)) => Exit::IO,
            Self::Plugstack(_)
            | Self::Settings { .. }
            | Self::Policy { .. }
            | Self::ImageRoot { .. }
            | Self::AbsentRoots(_)
            | Self::Declaration(_)
            | Self::UntrustedPath(_)
            | Self::Unusable { .. }
            | Self::Private { .. }
            | Self::SharedRoot(_) => Exit::CONFIG,
            Self::Input(..)
            | Self::Lists(_)
            | Self::NotALog(_)
            | Self::InvalidImage(_)
            | Self::InvalidLayers(_)
            | Self::NotNative(_)
            | Self::InvalidFile { .. }
            | Self::Damaged { .. }
            | Self::Transfer { .. }
            | Self::Views { .. }
            | Self::AuthFile { .. } => Exit::DATA,
            Self::NameInUse(_) => Exit::TRY_AGAIN,
            Self::NotInRoot { .. } | Self::NotFoundByJobs { .. } | Self::NotAllowed(_) => {
                Exit::PROBLEMS
            }
            Self::NotInCache { .. }
            | Self::NotAProgram(_)
            | Self::NoRuntime(_)
            | Self::Pull { .. }
            | Self::Registry(_)
            | Self::Busy { .. }
            | Self::TimedOut(_)
            | Self::SecondFiller { .. }
            | Self::Network(_)
            | Self::NoLogin(_)
            | Self::NoTerminal(_)
            | Self::NoLog
            | Self::Slurm(_)
            | Self::NoJob { .. }
            | Self::NoEvidence(_)
            | Self::Munge { .. }
            | Self::Listen { .. }
            | Self::Filler { .. }
            | Self::Syslog(_) => Exit::UNAVAILABLE,
            Self::Space { .. }
            | Self::NoRoom(_)
            | Self::IsDirectory(_)
            | Self::NotDirectory { .. }
            | Self::OwnImage { .. }
            | Self::Exists { .. }
            | Self::TemporaryDirectory(_) => Exit::CANT_CREATE,
            Self::Store { error, .. }
            | Self::Output { error, .. }
            | Self::MetricsState { error, .. } => match error.kind() {
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    Exit::NO_PERMISSION
                }
                _ => Exit::CANT_CREATE,
            },
            Self::UntrustedOwner | Self::UntrustedCopies => Exit::NO_PERMISSION,
            Self::Read { .. }
            | Self::Unreadable { .. }
            | Self::Write { .. }
            | Self::Thread
            | Self::Io(_) => Exit::IO,
            Self::Stopped(signal) => Exit::signal(*signal),
            Self::Shared(failure) => failure.exit(),
        }
    }
}
