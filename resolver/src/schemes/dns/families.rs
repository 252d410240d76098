//! Adds up what IPv4 and IPv6 answered. Pure, and apart from asking, because this is where a half-failed look
//! is kept from losing good addresses.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::proto::rr::Name;

use crate::polling::Finding;
use crate::{Resolution, ResolveError};

/// What one look found.
#[derive(Clone, Debug)]
pub(super) struct Answers {
    pub(super) origin: Origin,
    pub(super) v4: FamilyAnswer,
    pub(super) v6: FamilyAnswer,
}

/// Where answers come from.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Origin {
    HostsFile,
    /// Name servers, asked for this full name.
    Name(Name),
}

/// What one family answered to one look.
#[derive(Clone, Debug)]
pub(super) enum FamilyAnswer {
    /// At least one address, and how long to believe it, if anybody said so.
    Found { addresses: Vec<IpAddr>, ttl: Option<Duration> },
    /// The name service says that there is none: no such name (NXDOMAIN), or none of this family.
    Absent { no_such_name: bool },
    /// A name server has answered, but not the question (SERVFAIL, REFUSED).
    Failed(ResolveError),
    /// No name server has answered.
    Silent(ResolveError),
}

impl FamilyAnswer {
    /// Why there is no usable answer.
    pub(super) fn failure(&self) -> Option<&ResolveError> {
        match self {
            Self::Failed(error) | Self::Silent(error) => Some(error),
            Self::Found { .. } | Self::Absent { .. } => None,
        }
    }
}

/// The last good addresses of each family, all of one origin: a search list may lead to another name than the
/// last time, and what two names stand for are two services.
#[derive(Debug)]
pub(super) struct Families {
    host: String,
    port: u16,
    // `None` before the first answer.
    origin: Option<Origin>,
    // `None` while a family has never been known; a family that is known to have none is empty.
    v4: Option<Vec<IpAddr>>,
    v6: Option<Vec<IpAddr>>,
}

impl Families {
    pub(super) fn new(host: &str, port: u16) -> Self {
        Self { host: host.to_owned(), port, origin: None, v4: None, v6: None }
    }

    /// The answer of one look; a part of one while a family fails that was never known. An error changes nothing
    /// here, as it changes nothing in the channel.
    pub(super) fn add_up(&mut self, answers: Answers) -> Result<Finding, ResolveError> {
        let Answers { origin, v4, v6 } = answers;
        if v4.failure().is_some() && v6.failure().is_some() {
            return Err(self.error(&v4, &v6));
        }
        let kept = self.origin.as_ref() == Some(&origin);
        let new_v4 = newest(&v4, self.v4.as_deref().filter(|_| kept));
        let new_v6 = newest(&v6, self.v6.as_deref().filter(|_| kept));
        let addresses: Vec<_> = [&new_v4, &new_v6].into_iter().flatten().flatten().copied().collect();
        if addresses.is_empty() {
            return Err(self.error(&v4, &v6));
        }
        let is_whole = new_v4.is_some() && new_v6.is_some();
        (self.origin, self.v4, self.v6) = (Some(origin), new_v4, new_v6);
        let addresses = addresses.into_iter().map(|address| SocketAddr::new(address, self.port));
        let mut resolution = Resolution::from_addresses(addresses);
        resolution.ttl = [&v4, &v6].into_iter().filter_map(ttl).min();
        Ok(if is_whole { Finding::Whole(resolution) } else { Finding::Part(resolution) })
    }

    fn error(&self, v4: &FamilyAnswer, v6: &FamilyAnswer) -> ResolveError {
        let host = &self.host;
        let no_such_name =
            |answer: &FamilyAnswer| matches!(answer, FamilyAnswer::Absent { no_such_name: true });
        let (text, cause) = match (v4.failure(), v6.failure()) {
            (Some(v4), Some(v6)) if v4.message() == v6.message() => (format!("{host}: {v4}"), Some(v4)),
            (Some(v4), Some(v6)) => (format!("{host}: {v4} for IPv4; {v6} for IPv6"), Some(v4)),
            (Some(error), None) => (format!("{host}: {error} for IPv4; no IPv6 address"), Some(error)),
            (None, Some(error)) => (format!("{host}: {error} for IPv6; no IPv4 address"), Some(error)),
            (None, None) if no_such_name(v4) || no_such_name(v6) => (format!("{host}: no such name"), None),
            (None, None) => (format!("{host}: the name exists, but has no addresses"), None),
        };
        match cause {
            Some(cause) => ResolveError::new(text).caused_by(cause.clone()),
            None => ResolveError::new(text),
        }
    }
}

/// The addresses of a family after `answer`, if they are known.
fn newest(answer: &FamilyAnswer, last: Option<&[IpAddr]>) -> Option<Vec<IpAddr>> {
    match answer {
        FamilyAnswer::Absent { .. } => Some(Vec::new()),
        FamilyAnswer::Failed(_) | FamilyAnswer::Silent(_) => last.map(<[_]>::to_vec),
        FamilyAnswer::Found { addresses, .. } => {
            let new: HashSet<_> = addresses.iter().collect();
            // Name servers turn the order from answer to answer. The first order spreads clients over
            // servers; a new order of the same servers would only look like news.
            if let Some(last) = last
                && new == last.iter().collect()
            {
                return Some(last.to_vec());
            }
            let mut seen = HashSet::new();
            Some(addresses.iter().filter(|address| seen.insert(**address)).copied().collect())
        }
    }
}

fn ttl(answer: &FamilyAnswer) -> Option<Duration> {
    match answer {
        FamilyAnswer::Found { ttl, .. } => *ttl,
        FamilyAnswer::Absent { .. } | FamilyAnswer::Failed(_) | FamilyAnswer::Silent(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(addresses: &[&str], ttl: u64) -> FamilyAnswer {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        FamilyAnswer::Found { addresses, ttl: Some(Duration::from_secs(ttl)) }
    }

    fn failed(text: &str) -> FamilyAnswer {
        FamilyAnswer::Failed(ResolveError::new(text))
    }

    const NONE: FamilyAnswer = FamilyAnswer::Absent { no_such_name: false };
    const NO_NAME: FamilyAnswer = FamilyAnswer::Absent { no_such_name: true };

    fn resolution(found: &Finding) -> &Resolution {
        match found {
            Finding::Whole(resolution) | Finding::Part(resolution) => resolution,
        }
    }

    fn addresses(found: &Finding) -> Vec<String> {
        resolution(found).endpoints.iter().map(|endpoint| endpoint.addresses()[0].to_string()).collect()
    }

    fn of(name: &str, v4: FamilyAnswer, v6: FamilyAnswer) -> Answers {
        Answers { origin: Origin::Name(Name::from_ascii(name).unwrap()), v4, v6 }
    }

    fn look(v4: FamilyAnswer, v6: FamilyAnswer) -> Answers {
        of("greeter.prod.", v4, v6)
    }

    fn families() -> Families {
        Families::new("greeter.prod", 80)
    }

    #[test]
    fn every_address_is_one_endpoint_and_the_sooner_ttl_counts() {
        let answer =
            families().add_up(look(found(&["10.0.0.1", "10.0.0.2"], 9), found(&["::1"], 7))).unwrap();
        assert_eq!(addresses(&answer), ["10.0.0.1:80", "10.0.0.2:80", "[::1]:80"]);
        assert_eq!(resolution(&answer).ttl, Some(Duration::from_secs(7)));
    }

    #[test]
    fn a_family_that_fails_keeps_its_last_good_addresses() {
        // behaviour 24
        let mut families = families();
        families.add_up(look(found(&["10.0.0.1"], 9), found(&["::1"], 7))).unwrap();
        let answer = families.add_up(look(found(&["10.0.0.2"], 9), failed("SERVFAIL"))).unwrap();
        assert_eq!(addresses(&answer), ["10.0.0.2:80", "[::1]:80"]);
        let answer = families.add_up(look(failed("SERVFAIL"), found(&["::2"], 9))).unwrap();
        assert_eq!(addresses(&answer), ["10.0.0.2:80", "[::2]:80"]);
        let answer = families.add_up(look(NONE, failed("SERVFAIL"))).unwrap();
        assert_eq!(addresses(&answer), ["[::2]:80"], "what is said to be absent is not kept");
    }

    #[test]
    fn an_answer_is_a_part_while_a_family_fails_that_was_never_known() {
        let is_part = |found: Result<Finding, ResolveError>| matches!(found.unwrap(), Finding::Part(_));
        let mut families = families();
        assert!(is_part(families.add_up(look(found(&["10.0.0.1"], 9), failed("SERVFAIL")))));
        assert!(is_part(families.add_up(look(found(&["10.0.0.2"], 9), failed("SERVFAIL")))));
        assert!(!is_part(families.add_up(look(found(&["10.0.0.1"], 9), NONE))));
        // From now on it is known, be it that there is none.
        assert!(!is_part(families.add_up(look(found(&["10.0.0.1"], 9), failed("SERVFAIL")))));
        assert!(!is_part(families.add_up(look(failed("SERVFAIL"), found(&["::1"], 9)))));
        // Of another name, nothing is.
        assert!(is_part(families.add_up(of("other.", failed("SERVFAIL"), found(&["::1"], 9)))));
    }

    #[test]
    fn an_error_changes_nothing() {
        let mut families = families();
        families.add_up(look(found(&["10.0.0.1"], 9), found(&["::1"], 9))).unwrap();
        assert!(families.add_up(look(failed("a"), failed("b"))).is_err());
        assert!(families.add_up(look(NO_NAME, NO_NAME)).is_err());
        let answer = families.add_up(look(found(&["10.0.0.1"], 9), failed("c"))).unwrap();
        assert_eq!(addresses(&answer), ["10.0.0.1:80", "[::1]:80"]);
    }

    #[test]
    fn addresses_of_two_names_of_a_search_list_are_never_mixed() {
        let mut families = families();
        families.add_up(of("greeter.prod.a.", found(&["10.0.0.1"], 9), found(&["::1"], 9))).unwrap();
        // Another name without addresses says nothing of this one.
        assert!(families.add_up(of("greeter.prod.", NONE, failed("SERVFAIL"))).is_err());
        let answer = families.add_up(of("greeter.prod.a.", failed("SERVFAIL"), found(&["::2"], 9))).unwrap();
        assert_eq!(addresses(&answer), ["10.0.0.1:80", "[::2]:80"]);

        let answer =
            families.add_up(of("greeter.prod.b.", found(&["10.0.0.2"], 9), failed("SERVFAIL"))).unwrap();
        assert_eq!(addresses(&answer), ["10.0.0.2:80"]);
        let hosts = Answers { origin: Origin::HostsFile, v4: NONE, v6: found(&["::3"], 9) };
        assert_eq!(addresses(&families.add_up(hosts).unwrap()), ["[::3]:80"]);
        let answer =
            families.add_up(of("greeter.prod.b.", found(&["10.0.0.2"], 9), failed("SERVFAIL"))).unwrap();
        assert_eq!(addresses(&answer), ["10.0.0.2:80"]);
    }

    #[test]
    fn the_same_addresses_in_another_order_are_no_news_and_duplicates_are_dropped() {
        let mut families = families();
        families.add_up(look(found(&["10.0.0.1", "10.0.0.2", "10.0.0.1"], 9), NONE)).unwrap();
        let answer = families.add_up(look(found(&["10.0.0.2", "10.0.0.1"], 9), NONE)).unwrap();
        assert_eq!(addresses(&answer), ["10.0.0.1:80", "10.0.0.2:80"]);
        let answer = families.add_up(look(found(&["10.0.0.3", "10.0.0.2", "10.0.0.1"], 9), NONE)).unwrap();
        assert_eq!(addresses(&answer), ["10.0.0.3:80", "10.0.0.2:80", "10.0.0.1:80"]);
    }

    #[test]
    fn errors_say_the_name_and_what_each_family_said() {
        let error = |v4, v6| families().add_up(look(v4, v6)).unwrap_err().to_string();
        assert_eq!(error(failed("x"), failed("x")), "greeter.prod: x");
        assert_eq!(error(failed("x"), failed("y")), "greeter.prod: x for IPv4; y for IPv6");
        assert_eq!(error(failed("x"), NONE), "greeter.prod: x for IPv4; no IPv6 address");
        assert_eq!(error(NONE, failed("x")), "greeter.prod: x for IPv6; no IPv4 address");
        assert_eq!(error(NO_NAME, NO_NAME), "greeter.prod: no such name");
        assert_eq!(error(NONE, NONE), "greeter.prod: the name exists, but has no addresses");
    }
}
