//! Asks for the addresses of one name: the hosts file, then every name that it may stand for, both families
//! at once.

use std::future::{Future, poll_fn};
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::proto::rr::{Name, RecordType};

use super::families::{Answers, FamilyAnswer, Origin};
use super::servers::{LookLimit, NameServer, NameServers, SILENCE};
use super::system::{System, candidates};
use crate::ResolveError;

/// What is asked at every look.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) name: Name,
    pub(super) servers: Servers,
    pub(super) timeout: Option<Duration>,
    /// How long one look may take.
    pub(super) limit: Duration,
}

/// Who is asked.
#[derive(Clone, Debug)]
pub(super) enum Servers {
    /// The hosts file, then the name servers of the system, with its search list.
    OfTheSystem,
    /// These name servers, for exactly this name.
    These(Vec<SocketAddr>),
}

impl Question {
    /// One look.
    pub(super) async fn ask(&self) -> Result<Answers, ResolveError> {
        let limit = LookLimit::new(self.limit);
        match &self.servers {
            Servers::These(servers) => {
                let mut name = self.name.clone();
                name.set_fqdn(true);
                let config =
                    ResolverConfig::from_parts(None, vec![], servers.iter().map(name_server).collect());
                self.ask_for(vec![name], config, ResolverOpts::default(), limit).await
            }
            Servers::OfTheSystem => {
                let reading = tokio::task::spawn_blocking(System::read);
                let unread = format!("{}: the system's DNS settings were not read", self.name);
                let read = limit.keep(&unread, reading).await?;
                let system = read.map_err(|error| unreadable(&error.to_string()).caused_by(error))?;
                let (v4, v6) = system.hosts(&self.name);
                if !(v4.is_empty() && v6.is_empty()) {
                    let (v4, v6) = (FamilyAnswer::of_hosts(v4), FamilyAnswer::of_hosts(v6));
                    return Ok(Answers { origin: Origin::HostsFile, v4, v6 });
                }
                let servers = system.servers;
                let (config, options) =
                    servers.map_err(|error| unreadable(&error.to_string()).caused_by(error))?;
                let names = candidates(&self.name, &config, &options);
                self.ask_for(names, config, options, limit).await
            }
        }
    }

    /// Asks for `names` in turn.
    async fn ask_for(
        &self,
        names: Vec<Name>,
        config: ResolverConfig,
        mut options: ResolverOpts,
        limit: LookLimit,
    ) -> Result<Answers, ResolveError> {
        options.timeout = self.timeout.unwrap_or(options.timeout);
        let servers = NameServers::new(&config, options, limit)
            .map_err(|error| unreadable(&error.to_string()).caused_by(error))?;
        let answers = first_with_addresses(names, &servers).await;
        Ok(answers.expect("a name stands at least for itself"))
    }
}

/// The first of `names` that has addresses. Both families are asked for the same name, so that an address
/// of one name is never mixed with those of another.
///
/// A name that may well exist, but could not be asked for, ends the search, as in every libc: the next name
/// may be a wildcard of another domain, and another service. Name servers that fail (SERVFAIL) do not end it:
/// some say so for every name of a domain that they do not serve.
async fn first_with_addresses<S: NameServer>(names: Vec<Name>, servers: &NameServers<S>) -> Option<Answers> {
    let mut misses = Vec::new();
    for name in names {
        let (v4, v6) = both(servers.ask(&name, RecordType::A), servers.ask(&name, RecordType::AAAA)).await;
        let is_last = v4.is_found() || v6.is_found() || may_exist_unheard(&v4, &v6);
        let answers = Answers { origin: Origin::Name(name), v4, v6 };
        if is_last {
            return Some(answers);
        }
        misses.push(answers);
    }
    most_telling(misses)
}

/// Whether no name server has answered for one family, and what was said of the other leaves open whether
/// there is such a name.
fn may_exist_unheard(v4: &FamilyAnswer, v6: &FamilyAnswer) -> bool {
    let is_silent = |answer: &FamilyAnswer| matches!(answer, FamilyAnswer::Silent(_));
    let no_such_name = |answer: &FamilyAnswer| matches!(answer, FamilyAnswer::Absent { no_such_name: true });
    (is_silent(v4) || is_silent(v6)) && !no_such_name(v4) && !no_such_name(v6)
}

/// Of the answers of names without addresses, that which says most. A name that could not be asked for may
/// well exist, so its failure says more than the next name's absence.
fn most_telling(misses: Vec<Answers>) -> Option<Answers> {
    let is_failed = |answers: &Answers| answers.v4.is_failed() || answers.v6.is_failed();
    misses.into_iter().reduce(|first, next| if is_failed(&next) && !is_failed(&first) { next } else { first })
}

impl FamilyAnswer {
    fn of_hosts(addresses: Vec<IpAddr>) -> Self {
        match addresses.is_empty() {
            true => Self::Absent { no_such_name: false },
            // A file says nothing of how long it is right: it is read again after the interval.
            false => Self::Found { addresses, ttl: None },
        }
    }

    fn is_found(&self) -> bool {
        matches!(self, Self::Found { .. })
    }

    fn is_failed(&self) -> bool {
        self.failure().is_some()
    }
}

/// Both answers. Once one family has addresses, the other gets [`PATIENCE`]: name servers exist that never
/// answer for AAAA, and nobody should wait for them. So it is where there is no such name, which holds for both; but
/// servers exist, too, that say so of one family alone (RFC 4074 4.2).
async fn both(
    v4: impl Future<Output = FamilyAnswer>,
    v6: impl Future<Output = FamilyAnswer>,
) -> (FamilyAnswer, FamilyAnswer) {
    let (mut v4, mut v6) = (pin!(v4), pin!(v6));
    let first = poll_fn(|cx| match v4.as_mut().poll(cx) {
        Poll::Ready(answer) => Poll::Ready(First::V4(answer)),
        Poll::Pending => v6.as_mut().poll(cx).map(First::V6),
    });
    match first.await {
        First::V4(v4) => {
            let v6 = other(&v4, v6).await;
            (v4, v6)
        }
        First::V6(v6) => {
            let v4 = other(&v6, v4).await;
            (v4, v6)
        }
    }
}

enum First {
    V4(FamilyAnswer),
    V6(FamilyAnswer),
}

async fn other(first: &FamilyAnswer, second: impl Future<Output = FamilyAnswer>) -> FamilyAnswer {
    let is_missing = matches!(first, FamilyAnswer::Absent { no_such_name: true });
    if !first.is_found() && !is_missing {
        return second.await;
    }
    match tokio::time::timeout(PATIENCE, second).await {
        Ok(answer) => answer,
        Err(_) if is_missing => first.clone(),
        Err(late) => FamilyAnswer::Silent(ResolveError::new(SILENCE).caused_by(late)),
    }
}

fn name_server(address: &SocketAddr) -> NameServerConfig {
    // TCP as well: answers that do not fit into a datagram come truncated (RFC 7766).
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = address.port();
        connection
    });
    NameServerConfig::new(address.ip(), true, connections.into())
}

fn unreadable(what: &str) -> ResolveError {
    ResolveError::new(format!("the system's DNS settings cannot be used: {what}"))
}

/// Longer than name servers take for a name that they have to ask others for, shorter than what a person
/// notices at start.
const PATIENCE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::super::servers::tests::{Script, absent, failed, found as address, no_limit, silent};
    use super::*;

    fn found() -> FamilyAnswer {
        FamilyAnswer::of_hosts(vec![[127, 0, 0, 1].into()])
    }

    /// What a search list of three domains gives, the last of which answers for every name.
    async fn search(server: &Script) -> Answers {
        let server = server.clone().say("web.c.", None, address("10.0.0.66"));
        let names = ["web.a.", "web.b.", "web.c."].map(|name| Name::from_ascii(name).unwrap());
        first_with_addresses(names.into(), &NameServers::of(vec![server], 1, no_limit())).await.unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_search_ends_at_the_first_name_that_no_server_answered_for() {
        let server = Script::new().say("web.b.", None, silent());
        let Answers { v4, v6, .. } = search(&server).await;
        assert!(matches!((v4, v6), (FamilyAnswer::Silent(_), FamilyAnswer::Silent(_))));
        assert_eq!(server.asked(), ["web.a. A", "web.a. AAAA", "web.b. A", "web.b. AAAA"]);

        // There is such a name, and it may have addresses of the family that nobody answered for.
        for (heard, unheard) in [(RecordType::A, RecordType::AAAA), (RecordType::AAAA, RecordType::A)] {
            let server = Script::new().say("web.a.", heard, absent()).say("web.a.", unheard, silent());
            let Answers { v4, v6, .. } = search(&server).await;
            assert!(!v4.is_found() && !v6.is_found() && (v4.is_failed() || v6.is_failed()));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_search_goes_on_after_a_name_that_is_absent_or_that_servers_fail_for() {
        let Answers { v4, v6, .. } =
            search(&Script::new().say("web.a.", None, absent()).say("web.b.", None, failed())).await;
        assert!(v4.is_found() && v6.is_found());
        // No such name: of neither family, also if the server never answers for one, which nobody waits for for long.
        let start = tokio::time::Instant::now();
        let Answers { v4, v6, .. } = search(&Script::new().say("web.a.", RecordType::AAAA, silent())).await;
        assert!(v4.is_found() && v6.is_found());
        assert_eq!(start.elapsed(), PATIENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_family_that_never_answers_is_waited_for_only_while_the_other_has_nothing() {
        let start = tokio::time::Instant::now();
        let (v4, v6) = both(ready(found()), pending()).await;
        assert!(v4.is_found() && v6.is_failed());
        let (v4, v6) = both(pending(), ready(found())).await;
        assert!(v4.is_failed() && v6.is_found());
        assert_eq!(start.elapsed(), 2 * PATIENCE);

        let slow = async {
            tokio::time::sleep(10 * PATIENCE).await;
            found()
        };
        let (v4, v6) = both(ready(FamilyAnswer::Absent { no_such_name: false }), slow).await;
        assert!(!v4.is_found() && v6.is_found());
    }

    #[test]
    fn a_name_that_could_not_be_asked_for_is_not_reported_as_missing() {
        let of = |v4: &FamilyAnswer, v6: &FamilyAnswer| Answers {
            origin: Origin::HostsFile,
            v4: v4.clone(),
            v6: v6.clone(),
        };
        let missing = FamilyAnswer::Absent { no_such_name: true };
        let (gone, half) = (of(&missing, &missing), of(&missing, &failed()));
        let answers = most_telling(vec![gone.clone(), half, gone.clone()]).unwrap();
        assert!(!answers.v4.is_failed() && answers.v6.is_failed());
        let answers = most_telling(vec![of(&absent(), &absent()), gone]).unwrap();
        assert!(matches!(answers.v4, FamilyAnswer::Absent { no_such_name: false }));
    }
}
