//! The seventeen status codes of gRPC. Plugins speak in these; applications see `tonic::Code`, which has the
//! same numbers.

use std::fmt;

/// A gRPC status code (gRPC `statuscodes.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
// Exhaustive on purpose: the wire knows these numbers, and any other is read as `Unknown`.
#[allow(clippy::exhaustive_enums, reason = "the set is fixed by gRPC's status code document")]
pub enum Code {
    /// Success.
    Ok = 0,
    /// The caller cancelled.
    Cancelled = 1,
    /// An error that nothing better is known of.
    Unknown = 2,
    /// The request makes no sense, whatever the state of the system.
    InvalidArgument = 3,
    /// The deadline passed first.
    DeadlineExceeded = 4,
    /// What was asked for is not there.
    NotFound = 5,
    /// What should be created is already there.
    AlreadyExists = 6,
    /// The caller is known, and may not.
    PermissionDenied = 7,
    /// A quota, a limit or memory is used up.
    ResourceExhausted = 8,
    /// The state of the system forbids it.
    FailedPrecondition = 9,
    /// A conflict, such as a transaction that lost.
    Aborted = 10,
    /// Past the end of what is there.
    OutOfRange = 11,
    /// The server does not have this method.
    Unimplemented = 12,
    /// An invariant is broken.
    Internal = 13,
    /// The service cannot be reached now; trying again may help.
    Unavailable = 14,
    /// Data is lost or damaged for good.
    DataLoss = 15,
    /// The caller is not known.
    Unauthenticated = 16,
}

impl Code {
    /// Every code, by number.
    pub const ALL: [Self; 17] = [
        Self::Ok,
        Self::Cancelled,
        Self::Unknown,
        Self::InvalidArgument,
        Self::DeadlineExceeded,
        Self::NotFound,
        Self::AlreadyExists,
        Self::PermissionDenied,
        Self::ResourceExhausted,
        Self::FailedPrecondition,
        Self::Aborted,
        Self::OutOfRange,
        Self::Unimplemented,
        Self::Internal,
        Self::Unavailable,
        Self::DataLoss,
        Self::Unauthenticated,
    ];

    /// The code of that number; a number that gRPC does not know is [`Code::Unknown`].
    pub fn from_number(number: u32) -> Self {
        usize::try_from(number).ok().and_then(|index| Self::ALL.get(index)).copied().unwrap_or(Self::Unknown)
    }

    /// Its number on the wire.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// Its name in gRPC's documents, such as `UNAVAILABLE`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Cancelled => "CANCELLED",
            Self::Unknown => "UNKNOWN",
            Self::InvalidArgument => "INVALID_ARGUMENT",
            Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Self::NotFound => "NOT_FOUND",
            Self::AlreadyExists => "ALREADY_EXISTS",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Self::FailedPrecondition => "FAILED_PRECONDITION",
            Self::Aborted => "ABORTED",
            Self::OutOfRange => "OUT_OF_RANGE",
            Self::Unimplemented => "UNIMPLEMENTED",
            Self::Internal => "INTERNAL",
            Self::Unavailable => "UNAVAILABLE",
            Self::DataLoss => "DATA_LOSS",
            Self::Unauthenticated => "UNAUTHENTICATED",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_round_and_unknown_numbers_are_unknown() {
        for code in Code::ALL {
            assert_eq!(Code::from_number(code.number().into()), code);
        }
        assert_eq!(Code::from_number(17), Code::Unknown);
        assert_eq!(Code::from_number(u32::MAX), Code::Unknown);
    }
}
