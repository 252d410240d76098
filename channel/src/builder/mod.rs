//! From settings to a channel. Everything that can be wrong with them is found here, before any call.

mod error;
mod security;

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use http::uri::Authority;
use tokio::runtime::Handle;
use tower_layer::Layer;
use tower_service::Service;
use trunkline_balancer::{BalancerConfig, PickFirst};
use trunkline_resolver::{ResolverBuilder, ResolverOptions, ResolverRegistry, Target};

pub use self::error::BuildError;
use self::security::Wish;
use crate::FailFast;
use crate::call::FOREVER;
use crate::channel::{CallSettings, Channel, Core};
use crate::connect::Connector;
use crate::control::{Backoff, ControlOptions};
use crate::driver::{DialSettings, Engine, Names};
use crate::transport::{Keepalive, Origin, Transport, TransportOptions};
use crate::vocabulary::{Body, LayeredService};

/// The largest message that is accepted by default, in bytes: gRPC's 4 MiB.
const MAX_RECEIVE_MESSAGE_SIZE: usize = 4 << 20;
/// Without a call for so long a channel goes Idle: gRPC's 30 min (gRFC A62).
const IDLE_TIMEOUT: Duration = Duration::from_secs(30 * 60);
/// The shortest interval of keepalive PINGs. A server that polices them would hang up on less.
const MIN_KEEPALIVE: Duration = Duration::from_secs(1);
/// Below this interval servers may object (gRFC A8: clients should not go below 10 s), which is logged once.
const POLITE_KEEPALIVE: Duration = Duration::from_secs(10);

/// The settings of a channel to be. Setters take and return it; [`connect_lazy`](Self::connect_lazy) or
/// [`connect`](Self::connect) makes the channel.
#[must_use = "a builder does nothing until it is asked to connect"]
pub struct ChannelBuilder {
    target: String,
    resolvers: ResolverRegistry,
    balancer: BalancerConfig,
    connector: Option<Arc<dyn Connector>>,
    security: Wish,
    authority: Option<String>,
    user_agent: Option<String>,
    connect_timeout: Option<Duration>,
    backoff: Backoff,
    transport: Transport,
    keepalive: Option<Keepalive>,
    keepalive_while_idle: bool,
    idle_timeout: Duration,
    timeout: Option<Duration>,
    fail_fast: FailFast,
    max_receive_message_size: usize,
    max_send_message_size: usize,
    layers: Vec<PutOnTop>,
    runtime: Option<Handle>,
    seed: Option<u64>,
}

/// Puts one layer on top of those that are there.
type PutOnTop = Box<dyn FnOnce(LayeredService) -> LayeredService + Send>;

impl ChannelBuilder {
    pub(crate) fn new(target: String) -> Self {
        Self {
            target,
            resolvers: ResolverRegistry::default(),
            balancer: PickFirst::new().into(),
            connector: None,
            security: Wish::default(),
            authority: None,
            user_agent: None,
            connect_timeout: None,
            backoff: Backoff::default(),
            transport: Transport::default(),
            keepalive: None,
            keepalive_while_idle: false,
            idle_timeout: IDLE_TIMEOUT,
            timeout: None,
            fail_fast: FailFast::default(),
            max_receive_message_size: MAX_RECEIVE_MESSAGE_SIZE,
            max_send_message_size: usize::MAX,
            layers: Vec::new(),
            runtime: None,
            seed: None,
        }
    }

    /// Adds a resolver builder, in place of an older one for its scheme. The built-in ones are there already.
    pub fn resolver(mut self, resolver: impl ResolverBuilder) -> Self {
        self.resolvers = self.resolvers.with(resolver);
        self
    }

    /// The load-balancing policy. The default is `pick_first`.
    pub fn balancer(mut self, balancer: impl Into<BalancerConfig>) -> Self {
        self.balancer = balancer.into();
        self
    }

    /// Opens byte streams in place of the built-in TCP and unix sockets. TLS, if there is any, goes on top of
    /// it.
    pub fn connector(mut self, connector: impl Connector) -> Self {
        self.connector = Some(Arc::new(connector));
        self
    }

    /// TLS with these settings. A contradiction to the target (`http://`) is a build error.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: crate::connect::Tls) -> Self {
        self.security.tls(tls);
        self
    }

    /// No TLS, for a target that does not say. A contradiction to the target (`https://`) is a build error.
    pub fn plaintext(mut self) -> Self {
        self.security.plaintext();
        self
    }

    /// The `:authority` of every call, and the name that TLS checks unless its settings or the address have another.
    /// The default is the target's host and port.
    pub fn authority(mut self, authority: impl Into<String>) -> Self {
        self.authority = Some(authority.into());
        self
    }

    /// Goes before Trunkline's own name in the `user-agent` of every call, without white space around it.
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.user_agent = Some(user_agent.into());
        self
    }

    /// How long one attempt to connect may take, from its start to the server's SETTINGS, TLS included. The
    /// default is the longer of 20 s and the attempt's backoff.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = Some(timeout);
        self
    }

    /// How long to wait between attempts to connect to one address. The default is gRPC's.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// While there are calls, sends a PING when nothing came from the server for `every`, and gives the
    /// connection up when nothing comes for `timeout` after that. Off by default. `every` is at least 1 s;
    /// servers may object to less than 10 s, and when one does (`too_many_pings`), the interval is doubled
    /// (gRFC A8).
    pub fn keepalive(mut self, every: Duration, timeout: Duration) -> Self {
        self.keepalive = Some(Keepalive { every, timeout, while_idle: false });
        self
    }

    /// Whether [`keepalive`](Self::keepalive) also sends PINGs while there are no calls. The default is no,
    /// since servers may object (gRFC A8).
    pub fn keepalive_while_idle(mut self, while_idle: bool) -> Self {
        self.keepalive_while_idle = while_idle;
        self
    }

    /// Without a call for so long the channel closes its connections and goes Idle; the next call brings it
    /// back. The default is 30 min; zero is never.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// The timeout of calls that set none. Without it such calls have no deadline.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// When calls that do not say fail for want of a connection. The default is [`FailFast::Always`].
    pub fn fail_fast(mut self, fail_fast: FailFast) -> Self {
        self.fail_fast = fail_fast;
        self
    }

    /// The largest message that is accepted, in bytes. A larger one ends its call with RESOURCE_EXHAUSTED.
    /// The default is 4 MiB.
    ///
    /// It counts under stubs of tonic's, too: their own `max_decoding_message_size` can lower it and not raise it.
    pub fn max_receive_message_size(mut self, bytes: usize) -> Self {
        self.max_receive_message_size = bytes;
        self
    }

    /// The largest message that is sent, in bytes. A call with a larger one ends with RESOURCE_EXHAUSTED,
    /// without being sent. There is no limit by default.
    pub fn max_send_message_size(mut self, bytes: usize) -> Self {
        self.max_send_message_size = bytes;
        self
    }

    /// Puts a tower layer between the channel's calls and the call path, for calls on both roads. The first
    /// one added sees a call first. It costs each call a few allocations. Layers keep no channel alive.
    pub fn layer<L, B>(mut self, layer: L) -> Self
    where
        L: Layer<LayeredService> + Send + 'static,
        L::Service:
            Service<http::Request<Body>, Response = http::Response<B>> + Clone + Send + Sync + 'static,
        <L::Service as Service<http::Request<Body>>>::Error: Into<Box<dyn Error + Send + Sync>>,
        <L::Service as Service<http::Request<Body>>>::Future: Send,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        self.layers.push(Box::new(move |below| below.with(&layer)));
        self
    }

    /// The HTTP/2 engine below the connections. The default is [`Transport::H2`].
    pub fn transport(mut self, transport: Transport) -> Self {
        self.transport = transport;
        self
    }

    /// The runtime on which the channel's tasks run. Without it, they run where the first call or
    /// [`Channel::ready`] comes from, and move when that runtime ends.
    pub fn runtime(mut self, runtime: Handle) -> Self {
        self.runtime = Some(runtime);
        self
    }

    /// The seed of all chance in the channel (jitter, shuffles, where round_robin starts): the same seed and
    /// the same events give the same behaviour. The default is random.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Makes the channel, without any network I/O; no runtime is needed. It connects when the first call
    /// comes.
    ///
    /// # Errors
    /// Whatever is wrong with the settings; a channel that was built produces errors only from calls.
    pub fn connect_lazy(self) -> Result<Channel, BuildError> {
        let target = self.resolvers.parse(&self.target)?;
        let seed = self.seed.unwrap_or_else(rand::random);
        let options = ResolverOptions::new().with_seed(seed);
        // Built once now and thrown away, so that a target that makes no sense to its scheme is found here.
        drop(self.resolvers.build(&target, &options)?);
        let (authority, authority_is_chosen) = self.read_authority(&target)?;
        let user_agent = read_user_agent(self.user_agent.as_deref())?;
        let keepalive = self.read_keepalive()?;
        check_backoff(&self.backoff)?;
        // The clock holds no times further away; whoever asks for one means never.
        let backoff = Backoff {
            initial: self.backoff.initial.min(FOREVER),
            max: self.backoff.max.min(FOREVER),
            ..self.backoff
        };
        if self.connect_timeout.is_some_and(|timeout| timeout.is_zero()) {
            return Err(BuildError::invalid("connect_timeout", "must be longer than zero"));
        }
        let secured =
            self.security.secure(&target, self.connector, authority_is_chosen, keepalive.as_ref())?;
        let control = ControlOptions {
            balancer: self.balancer,
            seed,
            backoff,
            connect_timeout: self.connect_timeout.map(|timeout| timeout.min(FOREVER)),
            idle_timeout: self.idle_timeout.min(FOREVER),
        };
        let dial = DialSettings {
            connector: secured.connector,
            transport: TransportOptions { engine: self.transport, keepalive, ..TransportOptions::default() },
            authority: authority.as_str().into(),
            origin: Origin { scheme: secured.scheme, authority: authority.clone(), user_agent },
            authority_is_chosen,
        };
        let settings = CallSettings {
            target: target.to_string().into(),
            authority,
            timeout: self.timeout,
            fail_fast: self.fail_fast,
            max_receive_message_size: self.max_receive_message_size,
            max_send_message_size: self.max_send_message_size,
        };
        let engine = Engine::new(control, dial, Names { registry: self.resolvers, target, options });
        let (layers, runtime) = (self.layers, self.runtime);
        let core = Arc::new_cyclic(|core| {
            let put = |below, put: PutOnTop| put(below);
            let bottom = || LayeredService::bottom(core.clone());
            let layers = (!layers.is_empty()).then(|| layers.into_iter().rev().fold(bottom(), put));
            Core::new(settings, engine, runtime, layers)
        });
        Ok(Channel::from_core(core))
    }

    /// Makes the channel and waits until it is Ready.
    ///
    /// # Errors
    /// As [`connect_lazy`](Self::connect_lazy), and [`BuildError::NotReady`] with the last causes if it is
    /// not Ready within `limit`.
    pub async fn connect(self, limit: Duration) -> Result<Channel, BuildError> {
        let channel = self.connect_lazy()?;
        channel.ready(limit).await?;
        Ok(channel)
    }

    fn read_authority(&self, target: &Target) -> Result<(Authority, bool), BuildError> {
        let (text, chosen) = match &self.authority {
            Some(authority) => (authority.clone(), true),
            None => (self.resolvers.authority(target)?, false),
        };
        let invalid = |reason: String| {
            let way_out =
                if chosen { "" } else { "; call `.authority(\"the-name\")` to say how the server is called" };
            BuildError::invalid("authority", format!("{text:?}: {reason}{way_out}"))
        };
        let authority = Authority::try_from(text.as_str()).map_err(|error| invalid(error.to_string()))?;
        if authority.as_str().contains('@') {
            return Err(invalid("an authority of gRPC has no user".to_owned()));
        }
        Ok((authority, chosen))
    }

    fn read_keepalive(&self) -> Result<Option<Keepalive>, BuildError> {
        let Some(keepalive) = self.keepalive else { return Ok(None) };
        let keepalive = Keepalive {
            every: keepalive.every.min(FOREVER),
            timeout: keepalive.timeout.min(FOREVER),
            while_idle: self.keepalive_while_idle,
        };
        if keepalive.every < MIN_KEEPALIVE {
            return Err(BuildError::invalid("keepalive", "the interval must be at least 1 s"));
        }
        if keepalive.timeout.is_zero() {
            return Err(BuildError::invalid("keepalive", "the timeout must be longer than zero"));
        }
        if keepalive.every < POLITE_KEEPALIVE {
            tracing::warn!(target = %self.target, every = ?keepalive.every, "servers may object to keepalive PINGs more often than every 10 s");
        }
        Ok(Some(keepalive))
    }
}

fn read_user_agent(prefix: Option<&str>) -> Result<HeaderValue, BuildError> {
    const OWN: &str = concat!("grpc-rust-trunkline/", env!("CARGO_PKG_VERSION"));
    match prefix.map(str::trim) {
        None | Some("") => Ok(HeaderValue::from_static(OWN)),
        Some(prefix) => HeaderValue::try_from(format!("{prefix} {OWN}"))
            .map_err(|_| BuildError::invalid("user_agent", format!("{prefix:?} is no header value"))),
    }
}

fn check_backoff(backoff: &Backoff) -> Result<(), BuildError> {
    let problem = if backoff.initial.is_zero() {
        "the first wait must be longer than zero"
    } else if backoff.max < backoff.initial {
        "the longest wait must not be shorter than the first"
    } else if !(backoff.multiplier >= 1.0 && backoff.multiplier.is_finite()) {
        "the multiplier must be at least 1"
    } else if !(0.0..1.0).contains(&backoff.jitter) {
        "the jitter must be at least 0 and below 1"
    } else {
        return Ok(());
    };
    Err(BuildError::invalid("backoff", problem))
}

impl fmt::Debug for ChannelBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelBuilder")
            .field("target", &self.target)
            .field("balancer", &self.balancer)
            .field("fail_fast", &self.fail_fast)
            .finish_non_exhaustive()
    }
}
