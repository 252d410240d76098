//! `dns:[//server/]host[:port]`, and the URLs and bare names that mean it: what is asked, and how often.
//! What is asked is [`question`], who is asked is [`servers`], adding up the answers of the two families is
//! [`families`].

mod families;
mod question;
mod servers;
mod system;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hickory_resolver::proto::rr::Name;

use self::families::{Answers, Families};
use self::question::{Question, Servers};
use super::ip_list::literal;
use super::loopback::loopback;
use crate::polling::polling_parts;
use crate::{
    Host, HostPort, PollingOptions, Resolution, ResolveError, Resolver, ResolverBuilder, ResolverOptions,
    Target, TargetError, ZeroInterval, fixed,
};

/// Resolves `dns` targets, URLs, and each name in a `static` list. A registry has one with the defaults; put
/// another in its place to change them:
///
/// ```
/// # use std::time::Duration;
/// use trunkline_resolver::{Dns, ResolverRegistry};
/// let registry = ResolverRegistry::default().with(Dns::new().poll_interval(Duration::from_secs(10)));
/// ```
///
/// A and AAAA are asked separately and at once. Every address is one endpoint, IPv4 first, each family in the
/// order of the answer that first named this set. The port is 443 where none is written, 80 for `http://`.
///
/// - It looks again when the TTL ends, when the channel doubts the answer, and after errors: [`PollingOptions`].
/// - A family that fails (SERVFAIL, no answer) while the other does not keeps its last good addresses, unless a search list
///   now leads to another name.
/// - A family that fails and was never known is looked for again as after an error, first in about 1 s, while the addresses
///   of the other are used.
/// - That there is no such name (NXDOMAIN), or that it has no addresses, is an error and so leaves the last answer standing:
///   a name service that is being reconfigured says so for a moment.
/// - Literal addresses are not looked up, and `localhost` is this machine, whatever a name server says.
/// - Name servers are asked in their order, as glibc asks them: the first that answers is believed, also that there is no such
///   name. The next is asked only if one is silent for [`query_timeout`](Self::query_timeout), or says that it cannot tell
///   (SERVFAIL, REFUSED). One that is down thus delays every look by one such time, or two.
/// - The system's settings (`/etc/hosts`, `/etc/resolv.conf` with its search list) are read again at every look. The search
///   ends at the first name that no name server answers for: what another domain says might be another service. A name
///   server in the target (`dns://10.0.0.2/greeter.prod`) is asked instead of them, on port 53 if it names none, and
///   for exactly that name.
///
/// It is polled on a tokio runtime with I/O and time enabled.
#[derive(Clone, Debug, Default)]
pub struct Dns {
    poll_interval: Option<Duration>,
    min_interval: Option<Duration>,
    doubt_interval: Option<Duration>,
    lookup_limit: Option<Duration>,
    query_timeout: Option<Duration>,
    servers: Vec<SocketAddr>,
}

impl Dns {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// As [`PollingOptions::interval`]: 30 s. Zero is an error when a channel is built, as are the other
    /// times.
    #[must_use]
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.poll_interval = Some(interval);
        self
    }

    /// As [`PollingOptions::min_interval`]: 5 s.
    #[must_use]
    pub fn min_interval(mut self, interval: Duration) -> Self {
        self.min_interval = Some(interval);
        self
    }

    /// As [`PollingOptions::doubt_interval`]: 30 s.
    #[must_use]
    pub fn doubt_interval(mut self, interval: Duration) -> Self {
        self.doubt_interval = Some(interval);
        self
    }

    /// As [`PollingOptions::lookup_limit`]: 30 s over all queries of one look, however many name servers there
    /// are and names in the search list. What one family has found until then is the answer.
    #[must_use]
    pub fn lookup_limit(mut self, limit: Duration) -> Self {
        self.lookup_limit = Some(limit);
        self
    }

    /// How long to wait for the answer of one name server before the next is asked; within this time a
    /// datagram is sent several times. Once all have been asked in vain they are asked again, as often as the
    /// system's settings say (`attempts`), else twice in all. Default: the system's setting, else 5 s.
    #[must_use]
    pub fn query_timeout(mut self, timeout: Duration) -> Self {
        self.query_timeout = Some(timeout);
        self
    }

    /// Asks these name servers instead of the system's, in this order, where the target names none: each only
    /// if those before it are silent or cannot tell. Names are then asked for exactly as they are written,
    /// without hosts file and search list.
    #[must_use]
    pub fn servers(mut self, servers: impl IntoIterator<Item = SocketAddr>) -> Self {
        self.servers = servers.into_iter().collect();
        self
    }

    fn polling_options(&self, options: &ResolverOptions) -> Result<PollingOptions, ZeroInterval> {
        let mut polling = PollingOptions::new(options);
        if let Some(interval) = self.poll_interval {
            polling = polling.interval(interval)?;
        }
        if let Some(interval) = self.min_interval {
            polling = polling.min_interval(interval)?;
        }
        if let Some(interval) = self.doubt_interval {
            polling = polling.doubt_interval(interval)?;
        }
        if let Some(limit) = self.lookup_limit {
            polling = polling.lookup_limit(limit)?;
        }
        Ok(polling)
    }

    fn servers_of(&self, target: &Target) -> Result<Servers, TargetError> {
        if !target.authority().is_empty() {
            let server = HostPort::parse(target.authority()).map(|server| server.socket_addr(DNS_PORT));
            return match server {
                Ok(Ok(Some(server))) => Ok(Servers::These(vec![server])),
                Ok(Err(problem)) | Err(problem) => Err(TargetError::host(&target.to_string(), problem)),
                Ok(Ok(None)) => {
                    let reason = format!("the name server `{}` must be an IP address", target.authority());
                    Err(TargetError::rejected(target, reason))
                }
            };
        }
        if self.servers.is_empty() {
            return Ok(Servers::OfTheSystem);
        }
        Ok(Servers::These(self.servers.clone()))
    }
}

impl ResolverBuilder for Dns {
    fn scheme(&self) -> &str {
        "dns"
    }

    fn build(&self, target: &Target, options: &ResolverOptions) -> Result<Box<dyn Resolver>, TargetError> {
        let options = self.polling_options(options).map_err(|error| error.at(target))?;
        let (options, limit) = options.without_lookup_limit();
        if self.query_timeout.is_some_and(|timeout| timeout.is_zero()) {
            return Err(TargetError::rejected(target, "`query_timeout` must be longer than zero"));
        }
        let servers = self.servers_of(target)?;
        let endpoint = target.host_port()?;
        let port = endpoint.port.unwrap_or(target.default_port());
        if endpoint.host.is_localhost() {
            return Ok(fixed(Resolution::new([loopback(port)])));
        }
        let Host::Name(host) = endpoint.host else {
            return Ok(fixed(Resolution::new([literal(target, &endpoint)?])));
        };
        let name =
            Name::from_ascii(&host).map_err(|error| TargetError::rejected(target, error.to_string()))?;
        let families = Families::new(&host, port);
        let question = Arc::new(Question { name, servers, timeout: self.query_timeout, limit });
        Ok(watch(options, families, move || {
            let question = Arc::clone(&question);
            async move { question.ask().await }
        }))
    }

    fn authority(&self, target: &Target) -> String {
        target.host_port().map_or_else(|_| target.encoded_endpoint(), |host| host.to_authority())
    }
}

/// Asks at every look, and adds up what was answered.
fn watch<F>(
    options: PollingOptions,
    families: Families,
    mut ask: impl FnMut() -> F + Send + 'static,
) -> Box<dyn Resolver>
where
    F: Future<Output = Result<Answers, ResolveError>> + Send + 'static,
{
    let families = Arc::new(Mutex::new(families));
    polling_parts(options, move || {
        let (asked, families) = (ask(), Arc::clone(&families));
        async move {
            let answers = asked.await?;
            tracing::trace!(?answers, "looked up");
            // Never held across a wait, and look-ups do not overlap: the lock only makes the future `Send`.
            families.lock().unwrap_or_else(PoisonError::into_inner).add_up(answers)
        }
    })
}

/// RFC 1035, section 4.2.
const DNS_PORT: u16 = 53;

#[cfg(test)]
mod tests {
    use std::future::{poll_fn, ready};

    use tokio::time::Instant;

    use super::families::Origin;
    use super::servers::tests::{absent, failed, found};
    use super::*;

    fn build(dns: Dns, text: &str) -> Result<Box<dyn Resolver>, String> {
        let target = Target::parse(text, &["dns"]).unwrap();
        dns.build(&target, &ResolverOptions::new()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_authority_is_the_host_and_port_as_written() {
        // behaviour 15
        let rows = [
            ("dns:///greeter.prod:443", "greeter.prod:443"),
            ("dns://8.8.8.8/greeter.prod", "greeter.prod"),
            ("http://Greeter.prod", "Greeter.prod"),
            (":50051", "localhost:50051"),
            ("::1", "[::1]"),
            ("dns:///[fe80::1%25eth0]:80", "[fe80::1]:80"),
        ];
        for (text, authority) in rows {
            assert_eq!(Dns::new().authority(&Target::parse(text, &["dns"]).unwrap()), authority, "{text}");
        }
    }

    #[test]
    fn a_time_of_zero_is_an_error_when_it_is_built() {
        let zero = Duration::ZERO;
        let settings = [
            Dns::new().poll_interval(zero),
            Dns::new().min_interval(zero),
            Dns::new().doubt_interval(zero),
            Dns::new().lookup_limit(zero),
            Dns::new().query_timeout(zero),
        ];
        for dns in settings {
            // For literals too: whether settings make sense does not depend on the target.
            for target in ["greeter.prod", "127.0.0.1"] {
                let error = build(dns.clone(), target).err().unwrap();
                assert!(error.contains("longer than zero"), "{error}");
            }
        }
    }

    #[test]
    fn a_name_server_is_an_ip_address_with_or_without_a_port() {
        for good in ["dns://8.8.8.8/a", "dns://127.0.0.1:5353/a", "dns://[::1]:5353/a", "dns://[::1]/a"] {
            assert!(build(Dns::new(), good).is_ok(), "{good}");
        }
        for bad in ["dns://ns.example/a", "dns://8.8.8.8:0/a", "dns://localhost/a", "dns://8.8.8/a"] {
            assert!(build(Dns::new(), bad).is_err(), "{bad}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_addresses_of_a_family_that_failed_at_the_first_look_come_soon() {
        let mut looks = [failed(), failed(), found("::1")].into_iter();
        let mut resolver = watch(PollingOptions::default(), Families::new("greeter.prod", 80), move || {
            let origin = Origin::HostsFile;
            ready(Ok(Answers { origin, v4: found("10.0.0.1"), v6: looks.next().unwrap_or_else(absent) }))
        });
        let mut next = async || poll_fn(|cx| resolver.poll_next(cx)).await.unwrap().endpoints.len();
        let start = Instant::now();
        assert_eq!(next().await, 1);
        assert_eq!(start.elapsed(), Duration::ZERO);
        assert_eq!((next().await, next().await), (1, 2));
        assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
        next().await;
        assert!(start.elapsed() > Duration::from_secs(25), "{:?}", start.elapsed());
    }

    #[test]
    fn it_is_built_without_a_runtime() {
        assert!(build(Dns::new(), "greeter.prod").is_ok());
    }
}
