//! Asks name servers for one name and one family: in their order, and the next only if one has nothing to say.
//! Apart from the question, because the engine below would race them.

use std::future::Future;
use std::sync::OnceLock;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RecordType};
use tokio::time::{Instant, timeout};

use super::families::FamilyAnswer;
use crate::ResolveError;

/// One name server.
pub(super) trait NameServer: Send + Sync {
    /// What it says. Ends by itself: a server that does not answer is [`FamilyAnswer::Silent`].
    fn ask(&self, name: &Name, family: RecordType) -> impl Future<Output = FamilyAnswer> + Send;
}

/// The name servers of one look, asked as glibc does (resolv.conf(5)): the first that says something of
/// the name is believed, also that there is no such name. The next is asked only if one is silent, or says
/// that it cannot tell (SERVFAIL, REFUSED, NOTIMP). Once all have been asked in vain, the next round begins.
/// Nobody is asked or waited for beyond the limit of the look.
pub(super) struct NameServers<S> {
    servers: Vec<Member<S>>,
    rounds: usize,
    limit: LookLimit,
}

struct Member<S> {
    server: S,
    // Whether the first query that this look asked it was answered. One that is down is waited for once
    // instead of for every name of a search list; one that never answers for AAAA does answer for A.
    was_silent: OnceLock<bool>,
}

/// How long a look may take, from its start. Kept in here and not around the look, so that what was heard
/// until then is not lost, and the error says what was looked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct LookLimit {
    start: Instant,
    limit: Duration,
}

impl LookLimit {
    /// From now on.
    pub(super) fn new(limit: Duration) -> Self {
        Self { start: Instant::now(), limit }
    }

    /// What comes of `future` within the limit.
    ///
    /// # Errors
    /// That `nobody` has answered until then.
    pub(super) async fn keep<F: Future>(&self, nobody: &str, future: F) -> Result<F::Output, ResolveError> {
        let left = self.limit.saturating_sub(self.start.elapsed());
        let late = |late| ResolveError::new(format!("{nobody} within {:?}", self.limit)).caused_by(late);
        timeout(left, future).await.map_err(late)
    }
}

impl NameServers<TokioResolver> {
    /// Those of `config`, each asked by an engine of its own: one for all would race the first two, and share
    /// one timeout among them.
    pub(super) fn new(
        config: &ResolverConfig,
        mut options: ResolverOpts,
        limit: LookLimit,
    ) -> Result<Self, NetError> {
        let rounds = options.attempts;
        options.attempts = 0;
        // The channel keeps the answer, and the schedule says how long: a cache could only make it older.
        options.cache_size = 0;
        options.use_hosts_file = ResolveHosts::Never;
        let engine = |server: &NameServerConfig| {
            let config = ResolverConfig::from_parts(None, vec![], vec![server.clone()]);
            let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
            *builder.options_mut() = options.clone();
            builder.build()
        };
        let servers: Result<Vec<_>, _> = config.name_servers().iter().map(engine).collect();
        Ok(Self::of(servers?, rounds, limit))
    }
}

impl<S: NameServer> NameServers<S> {
    /// These, each asked up to `rounds` times, but at least once.
    pub(super) fn of(servers: Vec<S>, rounds: usize, limit: LookLimit) -> Self {
        let servers = servers.into_iter().map(|server| Member { server, was_silent: OnceLock::new() });
        Self { servers: servers.collect(), rounds: rounds.max(1), limit }
    }

    /// The first answer that says something of `name`, else the most telling failure.
    pub(super) async fn ask(&self, name: &Name, family: RecordType) -> FamilyAnswer {
        let mut failure = None;
        for _ in 0..self.rounds {
            for member in self.in_order() {
                let answer = match self.limit.keep(SILENCE, member.server.ask(name, family)).await {
                    Ok(answer) => answer,
                    Err(late) => return failure.unwrap_or(FamilyAnswer::Silent(late)),
                };
                member.was_silent.get_or_init(|| matches!(answer, FamilyAnswer::Silent(_)));
                failure = match (failure, answer) {
                    (_, known @ (FamilyAnswer::Found { .. } | FamilyAnswer::Absent { .. })) => return known,
                    (None | Some(FamilyAnswer::Silent(_)), said @ FamilyAnswer::Failed(_)) => Some(said),
                    (None, silent) => Some(silent),
                    (first, _) => first,
                };
            }
        }
        failure.unwrap_or_else(|| FamilyAnswer::Silent(ResolveError::new("there is no name server")))
    }

    /// Those that have been silent in this look come after the others.
    fn in_order(&self) -> impl Iterator<Item = &Member<S>> {
        let silent = |member: &&Member<S>| member.was_silent.get() == Some(&true);
        let (last, first): (Vec<_>, Vec<_>) = self.servers.iter().partition(silent);
        first.into_iter().chain(last)
    }
}

impl NameServer for TokioResolver {
    async fn ask(&self, name: &Name, family: RecordType) -> FamilyAnswer {
        FamilyAnswer::of_lookup(self.lookup(name.clone(), family).await)
    }
}

impl FamilyAnswer {
    fn of_lookup(lookup: Result<Lookup, NetError>) -> Self {
        match lookup {
            Ok(lookup) => {
                let records = lookup.answers();
                let addresses: Vec<_> = records.iter().filter_map(|record| record.data.ip_addr()).collect();
                // Aliases count too: an address is only as good as the alias that leads to it.
                let ttl = records.iter().map(|record| record.ttl).min().unwrap_or(0);
                match addresses.is_empty() {
                    true => Self::Absent { no_such_name: false },
                    false => Self::Found { addresses, ttl: Some(Duration::from_secs(ttl.into())) },
                }
            }
            Err(NetError::Dns(DnsError::NoRecordsFound(none))) => match none.response_code {
                ResponseCode::NXDomain => Self::Absent { no_such_name: true },
                ResponseCode::NoError => Self::Absent { no_such_name: false },
                code => Self::failed_by(code, NetError::Dns(DnsError::NoRecordsFound(none))),
            },
            Err(NetError::Dns(DnsError::ResponseCode(code))) => {
                Self::failed_by(code, NetError::Dns(DnsError::ResponseCode(code)))
            }
            Err(NetError::Timeout) => Self::Silent(ResolveError::new(SILENCE).caused_by(NetError::Timeout)),
            Err(error) => {
                let text = format!("the name servers cannot be asked: {error}");
                Self::Silent(ResolveError::new(text).caused_by(error))
            }
        }
    }

    fn failed_by(code: ResponseCode, error: NetError) -> Self {
        let text = match code {
            ResponseCode::ServFail => "the name server failed (SERVFAIL)".to_owned(),
            ResponseCode::Refused => "the name server refused (REFUSED)".to_owned(),
            code => format!("the name server answered `{code}`"),
        };
        Self::Failed(ResolveError::new(text).caused_by(error))
    }
}

/// What is said where nobody answers.
pub(super) const SILENCE: &str = "no name server has answered";

#[cfg(test)]
pub(super) mod tests {
    use std::sync::{Arc, Mutex};

    use tokio::time::sleep;

    use super::*;

    /// How long a silent server is waited for.
    pub(in super::super) const TIMEOUT: Duration = Duration::from_secs(5);

    /// A name server in memory. Names that nothing is said of do not exist.
    #[derive(Clone)]
    pub(in super::super) struct Script {
        said: Vec<(&'static str, Option<RecordType>, FamilyAnswer)>,
        // As `name A` or `name AAAA`.
        asked: Arc<Mutex<Vec<String>>>,
    }

    impl Script {
        pub(in super::super) fn new() -> Self {
            Self { said: Vec::new(), asked: Arc::default() }
        }

        /// Says this of both families of every name.
        pub(in super::super) fn always(answer: FamilyAnswer) -> Self {
            Self::new().say("*", None, answer)
        }

        /// Says this of `name`, and of one family if one is given. What is said first counts.
        pub(in super::super) fn say(
            mut self,
            name: &'static str,
            family: impl Into<Option<RecordType>>,
            answer: FamilyAnswer,
        ) -> Self {
            self.said.push((name, family.into(), answer));
            self
        }

        pub(in super::super) fn asked(&self) -> Vec<String> {
            self.asked.lock().unwrap().clone()
        }
    }

    impl NameServer for Script {
        async fn ask(&self, name: &Name, family: RecordType) -> FamilyAnswer {
            self.asked.lock().unwrap().push(format!("{name} {family}"));
            let fits = |said: &&(&str, Option<RecordType>, FamilyAnswer)| {
                (said.0 == "*" || said.0 == name.to_string()) && said.1.is_none_or(|only| only == family)
            };
            let said = self.said.iter().find(fits).map(|said| said.2.clone());
            if let Some(FamilyAnswer::Silent(_)) = said {
                sleep(TIMEOUT).await;
            }
            said.unwrap_or(FamilyAnswer::Absent { no_such_name: true })
        }
    }

    pub(in super::super) fn found(address: &str) -> FamilyAnswer {
        FamilyAnswer::Found { addresses: vec![address.parse().unwrap()], ttl: None }
    }

    pub(in super::super) fn absent() -> FamilyAnswer {
        FamilyAnswer::Absent { no_such_name: false }
    }

    pub(in super::super) fn failed() -> FamilyAnswer {
        FamilyAnswer::of_lookup(Err(NetError::Dns(DnsError::ResponseCode(ResponseCode::ServFail))))
    }

    pub(in super::super) fn silent() -> FamilyAnswer {
        FamilyAnswer::of_lookup(Err(NetError::Timeout))
    }

    fn name(text: &str) -> Name {
        Name::from_ascii(text).unwrap()
    }

    /// Longer than any of these stories.
    pub(in super::super) fn no_limit() -> LookLimit {
        LookLimit::new(Duration::MAX)
    }

    async fn ask(servers: &[&Script], rounds: usize) -> FamilyAnswer {
        let servers = servers.iter().copied().cloned().collect();
        NameServers::of(servers, rounds, no_limit()).ask(&name("a."), RecordType::A).await
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_server_that_says_something_of_the_name_is_believed_and_no_other_is_asked() {
        let good = Script::always(found("10.0.0.1"));
        for said in [found("10.0.0.9"), absent(), FamilyAnswer::Absent { no_such_name: true }] {
            let first = Script::always(said.clone());
            let answer = ask(&[&first, &good], 2).await;
            assert_eq!(format!("{answer:?}"), format!("{said:?}"));
            assert_eq!(first.asked(), ["a. A"]);
        }
        assert_eq!(good.asked(), Vec::<String>::new());
    }

    #[tokio::test(start_paused = true)]
    async fn servers_that_are_silent_or_cannot_tell_are_passed_over_however_many_there_are() {
        let start = Instant::now();
        let good = Script::always(found("10.0.0.1"));
        let (dead, failing) = (Script::always(silent()), Script::always(failed()));
        let answer = ask(&[&dead, &failing, &dead, &good], 1).await;
        assert!(matches!(answer, FamilyAnswer::Found { .. }), "{answer:?}");
        assert_eq!(start.elapsed(), 2 * TIMEOUT);
    }

    #[tokio::test(start_paused = true)]
    async fn all_are_asked_again_in_every_round_and_what_one_has_said_tells_more_than_silence() {
        let (dead, failing) = (Script::always(silent()), Script::always(failed()));
        let answer = ask(&[&dead, &failing], 2).await;
        assert!(matches!(answer, FamilyAnswer::Failed(_)), "{answer:?}");
        assert_eq!((dead.asked().len(), failing.asked().len()), (2, 2));
        assert!(matches!(ask(&[&dead, &dead], 0).await, FamilyAnswer::Silent(_)));
        assert_eq!(dead.asked().len(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_was_silent_is_asked_last_for_the_other_names_of_a_look() {
        let (dead, good) = (Script::always(silent()), Script::new().say("b.", None, failed()));
        let servers = NameServers::of(vec![dead.clone(), good.clone()], 1, no_limit());
        let start = Instant::now();
        for next in ["a.", "c.", "d."] {
            let answer = servers.ask(&name(next), RecordType::A).await;
            assert!(matches!(answer, FamilyAnswer::Absent { no_such_name: true }));
        }
        assert_eq!(start.elapsed(), TIMEOUT);
        assert_eq!(dead.asked(), ["a. A"]);
        servers.ask(&name("b."), RecordType::A).await;
        assert_eq!(dead.asked(), ["a. A", "b. A"], "last is not never");
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_never_answers_for_one_family_keeps_its_place() {
        let first = Script::new().say("a.", RecordType::AAAA, silent()).say("a.", None, found("10.0.0.1"));
        let second = Script::always(found("10.0.0.2"));
        let servers = NameServers::of(vec![first.clone(), second], 1, no_limit());
        servers.ask(&name("a."), RecordType::A).await;
        servers.ask(&name("a."), RecordType::AAAA).await;
        servers.ask(&name("a."), RecordType::A).await;
        assert_eq!(first.asked(), ["a. A", "a. AAAA", "a. A"]);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_waited_for_beyond_the_limit_of_the_look() {
        let start = Instant::now();
        let (dead, failing) = (Script::always(silent()), Script::always(failed()));
        let limit = LookLimit::new(3 * TIMEOUT / 2);
        let answer = NameServers::of(vec![dead.clone(); 2], 9, limit).ask(&name("a."), RecordType::A).await;
        assert!(matches!(answer, FamilyAnswer::Silent(_)), "{answer:?}");
        assert_eq!(start.elapsed(), 3 * TIMEOUT / 2);
        // What one has said is not lost.
        let limit = LookLimit::new(TIMEOUT / 2);
        let answer = NameServers::of(vec![failing, dead], 9, limit).ask(&name("a."), RecordType::A).await;
        assert!(matches!(answer, FamilyAnswer::Failed(_)), "{answer:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_limit_of_a_look_is_said() {
        let limit = LookLimit::new(TIMEOUT / 2);
        let dead = NameServers::of(vec![Script::always(silent())], 2, limit);
        let answer = dead.ask(&name("a."), RecordType::A).await;
        assert_eq!(answer.failure().unwrap().message(), "no name server has answered within 2.5s");
    }
}
