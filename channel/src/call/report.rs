//! What happened to one call. Every status of a failed call carries it, so that a person reads one line that
//! says all, and a program need not read it.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use trunkline_proto::{Address, ConnectError};

/// Whether the server may have seen the request of a failed call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(clippy::exhaustive_enums, reason = "there is no fourth answer to this question")]
pub enum Sent {
    /// No: it never left, or the server said that it did not process it. Sending it again is safe.
    No,
    /// It left, and nothing came back.
    Maybe,
    /// The server answered it.
    Yes,
}

/// Who made a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "there is no third side to a call")]
pub enum Origin {
    /// This channel.
    Channel,
    /// The server.
    Server,
}

/// How one attempt ended that was not the last.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AttemptEnd {
    /// Where it was sent.
    pub address: Address,
    /// Why the request was sent again.
    pub reason: String,
}

/// What happened to one call. It is the [`source`](Error::source) of every status that a channel returns, unless a layer
/// or a body of the application's failed with an error of its own, which is the source then; see
/// [`StatusExt`](crate::StatusExt). Its `Display` is one line, such as `greeter.prod:443 (10.0.0.7:443): TLS:
/// certificate signed by unknown issuer [permanent; 3 of 3 addresses failed; next attempt in 57 s]`.
#[derive(Clone)]
pub struct CallReport(pub(crate) ReportParts);

#[derive(Clone)]
pub(crate) struct ReportParts {
    pub(crate) origin: Origin,
    pub(crate) target: Arc<str>,
    pub(crate) address: Option<Address>,
    pub(crate) problem: Cow<'static, str>,
    pub(crate) sent: Sent,
    pub(crate) permanent: bool,
    pub(crate) causes: Option<Arc<[ConnectError]>>,
    /// How many addresses had failed, of how many; (0, 0) where that played no part.
    pub(crate) failed_addresses: (usize, usize),
    pub(crate) next_attempt: Option<Duration>,
    pub(crate) earlier_attempts: Vec<AttemptEnd>,
    pub(crate) times: Times,
}

/// Where the time of a call went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) total: Duration,
    pub(crate) connecting: Duration,
    pub(crate) queued: Duration,
}

impl CallReport {
    /// Who made the status: this channel or the server.
    pub fn origin(&self) -> Origin {
        self.0.origin
    }

    /// The target of the channel.
    pub fn target(&self) -> &str {
        &self.0.target
    }

    /// Where the last attempt was sent, or where the last cause happened.
    pub fn address(&self) -> Option<&Address> {
        self.0.address.as_ref().or_else(|| self.cause()?.address())
    }

    /// Whether the server may have seen the request.
    pub fn sent(&self) -> Sent {
        self.0.sent
    }

    /// Whether trying again is pointless until somebody changes something: every address has failed
    /// permanently.
    pub fn is_permanent(&self) -> bool {
        self.0.permanent
    }

    /// The connection errors behind it, the newest last; empty if no connection was at fault.
    pub fn causes(&self) -> &[ConnectError] {
        self.0.causes.as_deref().unwrap_or_default()
    }

    /// The newest of [`causes`](Self::causes).
    pub fn cause(&self) -> Option<&ConnectError> {
        self.causes().last()
    }

    /// The attempts before the last: the request was sent again since the server had not processed it.
    pub fn earlier_attempts(&self) -> &[AttemptEnd] {
        &self.0.earlier_attempts
    }

    /// From the method being called to its end.
    pub fn total_time(&self) -> Duration {
        self.0.times.total
    }

    /// Of that, the time spent without a connection: resolving, connecting, waiting for either.
    pub fn connecting_time(&self) -> Duration {
        self.0.times.connecting
    }

    /// Of that, the time spent in the queue of a connection that had as many streams as the server allows.
    pub fn queued_time(&self) -> Duration {
        self.0.times.queued
    }
}

impl fmt::Display for CallReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = &self.0;
        f.write_str(&parts.target)?;
        if let Some(address) = self.address() {
            write!(f, " ({address})")?;
        }
        write!(f, ": {}", parts.problem)?;
        let mut notes = Vec::new();
        if parts.permanent {
            notes.push("permanent".to_owned());
        }
        if let (failed @ 1.., of) = parts.failed_addresses {
            notes.push(format!("{failed} of {of} addresses failed"));
        }
        if let Some(wait) = parts.next_attempt {
            notes.push(format!("next attempt in {} s", wait.as_secs_f64().ceil()));
        }
        match (parts.origin, parts.sent) {
            (Origin::Channel, Sent::Maybe) => notes.push("the request may have been processed".to_owned()),
            (Origin::Channel, Sent::No) if !parts.earlier_attempts.is_empty() => {
                notes.push(format!("tried {} times, not processed", parts.earlier_attempts.len() + 1));
            }
            _ => {}
        }
        if notes.is_empty() { Ok(()) } else { write!(f, " [{}]", notes.join("; ")) }
    }
}

impl fmt::Debug for CallReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = &self.0;
        f.debug_struct("CallReport")
            .field("origin", &parts.origin)
            .field("text", &self.to_string())
            .field("sent", &parts.sent)
            .field("permanent", &parts.permanent)
            .field("causes", &self.causes())
            .field("earlier_attempts", &parts.earlier_attempts)
            .field("times", &parts.times)
            .finish()
    }
}

impl Error for CallReport {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause().map(|cause| cause as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trunkline_proto::Phase;

    fn parts() -> ReportParts {
        ReportParts {
            origin: Origin::Channel,
            target: "greeter.prod:443".into(),
            address: None,
            problem: "TLS: certificate signed by unknown issuer".into(),
            sent: Sent::No,
            permanent: true,
            causes: None,
            failed_addresses: (3, 3),
            next_attempt: Some(Duration::from_millis(56_200)),
            earlier_attempts: Vec::new(),
            times: Times::default(),
        }
    }

    #[test]
    fn a_tired_person_reads_one_line_that_says_all() {
        let address = Address::tcp("10.0.0.7:443".parse().unwrap());
        let cause = ConnectError::new(Phase::Tls, "certificate signed by unknown issuer").at(&address);
        let report = CallReport(ReportParts { causes: Some(Arc::from([cause])), ..parts() });
        assert_eq!(
            report.to_string(),
            "greeter.prod:443 (10.0.0.7:443): TLS: certificate signed by unknown issuer \
             [permanent; 3 of 3 addresses failed; next attempt in 57 s]"
        );
    }

    #[test]
    fn it_warns_when_the_server_may_have_acted() {
        let quiet = ReportParts {
            sent: Sent::Maybe,
            permanent: false,
            failed_addresses: (0, 0),
            next_attempt: None,
            problem: "connection lost".into(),
            ..parts()
        };
        let text = CallReport(quiet).to_string();
        assert_eq!(text, "greeter.prod:443: connection lost [the request may have been processed]");
    }
}
