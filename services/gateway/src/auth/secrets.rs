//! Who sees the secrets of a monitor: its editors, and nobody else.

use model::{MonitorSpec, ProbeSpec, Role};

/// Whether a reader sees what of a monitor may be a secret ([`model::monitor::MASK`]). Part of the key of every answer that
/// readers share, so that an editor's never reaches a viewer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) enum Secrets {
    Shown,
    #[default]
    Masked,
}

impl Secrets {
    /// Those who may change a monitor see all of it.
    pub(crate) fn of(role: Role) -> Self {
        if role.allows(Role::Editor) { Self::Shown } else { Self::Masked }
    }

    /// The settings as this reader sees them.
    pub(crate) fn spec(self, spec: &MonitorSpec) -> MonitorSpec {
        match self {
            Self::Shown => spec.clone(),
            Self::Masked => spec.masked(),
        }
    }

    /// The target as this reader sees it.
    pub(crate) fn target(self, probe: &ProbeSpec) -> String {
        match self {
            Self::Shown => probe.target(),
            Self::Masked => probe.masked_target(),
        }
    }
}
