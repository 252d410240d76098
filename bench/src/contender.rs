//! Who is measured.

use serde::{Deserialize, Serialize};

/// A client, or what stands for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Contender {
    /// Trunkline's own stub on Trunkline's own engine.
    Own,
    /// Trunkline's own stub on the h2 crate.
    OwnOnH2,
    /// The stub that tonic generates, on a Trunkline channel with its own engine.
    TonicStub,
    /// The same on the h2 crate.
    TonicStubOnH2,
    /// tonic's stub on tonic's channel.
    Tonic,
    /// The h2 crate alone, with a unary path by hand: what a channel on h2 cannot surpass.
    RawH2,
    /// Frames by hand on a socket: no client, but what the machine takes for the bytes of a call, whoever makes it.
    Bare,
    /// nghttp2's load generator, in C. It checks nothing, and every request is the same.
    H2load,
}

impl Contender {
    pub(crate) const ALL: [Self; 8] = [
        Self::Own,
        Self::OwnOnH2,
        Self::TonicStub,
        Self::TonicStubOnH2,
        Self::Tonic,
        Self::RawH2,
        Self::Bare,
        Self::H2load,
    ];

    /// As the command line and the JSON call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::OwnOnH2 => "own-h2",
            Self::TonicStub => "stub",
            Self::TonicStubOnH2 => "stub-h2",
            Self::Tonic => "tonic",
            Self::RawH2 => "h2",
            Self::Bare => "bare",
            Self::H2load => "h2load",
        }
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Own => "own stub, own engine",
            Self::OwnOnH2 => "own stub, h2",
            Self::TonicStub => "tonic stub, own engine",
            Self::TonicStubOnH2 => "tonic stub, h2",
            Self::Tonic => "tonic's Channel",
            Self::RawH2 => "raw h2",
            Self::Bare => "bare frames",
            Self::H2load => "h2load (C)",
        }
    }
}
