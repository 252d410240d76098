//! A network in memory. Addresses are names that reach whatever a test puts there, and the test decides what
//! goes wrong on the way. It keeps to tokio's clock, so that under a paused one every time is exact.

mod link;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::DuplexStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep};
use tokio_stream::Stream;
use trunkline::connect::{BoxFuture, ConnectRequest, Connected, Connector};
use trunkline::resolver::Resolution;
use trunkline::{Address, Channel, ChannelBuilder, ConnectError, Phase, Transport};
use trunkline_resolver::testing::ManualResolver;

use self::link::{ClientEnd, Link};

/// Bytes under way in one direction of a connection: as much as a socket's buffer.
const BUFFER: usize = 64 << 10;

/// A network in memory, and a [`Connector`] to it. Clones are one network.
///
/// An address is looked up by its text: `Address::other("a")` is `"a"`, a TCP address is `"10.0.0.1:80"`.
/// Where nothing was said of a name, connections are refused.
#[derive(Clone)]
pub struct Network {
    shared: Arc<Mutex<Shared>>,
    resolver: ManualResolver,
    engine: Transport,
}

struct Shared {
    began: Instant,
    places: HashMap<String, Place>,
    dials: Vec<(String, Duration)>,
}

/// One name.
#[derive(Default)]
struct Place {
    road: Road,
    delay: Duration,
    links: Vec<Weak<Link>>,
}

/// What becomes of those who dial.
#[derive(Clone, Default)]
enum Road {
    #[default]
    Refused,
    Fails(ConnectError),
    BlackHole,
    AcceptedAndDropped,
    AcceptedInSilence,
    Served(UnboundedSender<io::Result<DuplexStream>>),
}

impl Network {
    /// An empty network, whose channels have this HTTP/2 engine: everything is refused. Its clock starts now,
    /// so it is made within a runtime whose clock is paused, if it is to be.
    pub fn new(engine: Transport) -> Self {
        let shared = Shared { began: Instant::now(), places: HashMap::new(), dials: Vec::new() };
        Self { shared: Arc::new(Mutex::new(shared)), resolver: ManualResolver::new("memory"), engine }
    }

    /// A plaintext channel to `names` over this network, to be configured further.
    pub fn channel(&self, names: &[&str]) -> ChannelBuilder {
        self.builder(names).plaintext()
    }

    /// The same, with nothing said of how it is protected.
    pub fn builder(&self, names: &[&str]) -> ChannelBuilder {
        self.resolve(names);
        self.builder_for("memory:///greeter")
    }

    /// A channel to any target over this network, of which only [`resolver`](Self::resolver) says where it is.
    pub fn builder_for(&self, target: &str) -> ChannelBuilder {
        Channel::builder(target)
            .transport(self.engine)
            .resolver(self.resolver.clone())
            .connector(self.clone())
    }

    /// Tells the channels of this network of new addresses, in place of the old ones.
    pub fn resolve(&self, names: &[&str]) {
        let addresses = names.iter().map(|name| Address::other(*name));
        self.resolver.push(Resolution::from_addresses(addresses));
    }

    /// The resolver of the channels of this network, for answers that are not just names.
    pub fn resolver(&self) -> &ManualResolver {
        &self.resolver
    }

    /// Serves at `name`: whoever dials it comes out of what this returns. Dropping that refuses them again.
    pub fn listen(&self, name: &str) -> Incoming {
        let (sender, receiver) = unbounded_channel();
        self.at(name).road = Road::Served(sender);
        Incoming(receiver)
    }

    /// Dialling `name` is refused, which it was unless something else was said.
    pub fn refuse(&self, name: &str) {
        self.at(name).road = Road::Refused;
    }

    /// Dialling `name` fails like this.
    pub fn fail(&self, name: &str, error: ConnectError) {
        self.at(name).road = Road::Fails(error);
    }

    /// Dialling `name` never ends.
    pub fn black_hole(&self, name: &str) {
        self.at(name).road = Road::BlackHole;
    }

    /// At `name`, connections are accepted and closed at once.
    pub fn accept_and_drop(&self, name: &str) {
        self.at(name).road = Road::AcceptedAndDropped;
    }

    /// At `name`, connections are accepted, and not a byte ever comes from them.
    pub fn accept_in_silence(&self, name: &str) {
        self.at(name).road = Road::AcceptedInSilence;
    }

    /// Whatever dialling `name` comes to takes so long.
    pub fn delay(&self, name: &str, delay: Duration) {
        self.at(name).delay = delay;
    }

    /// The host at `name` vanishes without a word: nothing more comes over the connections that are there,
    /// what is sent on them gets lost, and dialling it never ends until somebody serves there again.
    pub fn freeze(&self, name: &str) {
        let mut place = self.at(name);
        place.road = Road::BlackHole;
        place.each_link(Link::freeze);
    }

    /// Resets the connections that are there to `name`. Who dials anew finds what was there before.
    pub fn reset(&self, name: &str) {
        self.at(name).each_link(Link::reset);
    }

    /// The number of connections that are open to `name`, as the client sees it.
    pub fn open_connections(&self, name: &str) -> usize {
        self.at(name).links.iter().filter(|link| link.strong_count() > 0).count()
    }

    /// When `name` was dialled, since the network was made.
    pub fn dials(&self, name: &str) -> Vec<Duration> {
        self.lock().dials.iter().filter(|(dialled, _)| dialled == name).map(|(_, at)| *at).collect()
    }

    /// The names that were dialled, in order.
    pub fn dialled(&self) -> Vec<String> {
        self.lock().dials.iter().map(|(name, _)| name.clone()).collect()
    }

    /// How long ago the network was made.
    pub fn elapsed(&self) -> Duration {
        self.lock().began.elapsed()
    }

    async fn open(&self, name: &str) -> Result<Connected, ConnectError> {
        let (road, delay) = {
            let place = self.at(name);
            (place.road.clone(), place.delay)
        };
        if !delay.is_zero() {
            sleep(delay).await;
        }
        let (here, there) = tokio::io::duplex(BUFFER);
        match road {
            Road::Refused => return Err(refused()),
            Road::Fails(error) => return Err(error),
            Road::BlackHole => std::future::pending().await,
            Road::AcceptedAndDropped => drop(there),
            Road::AcceptedInSilence => {
                let link = self.at(name).link(there.into());
                return Ok(Connected::new(ClientEnd::new(here, link)));
            }
            Road::Served(incoming) => incoming.send(Ok(there)).map_err(|_| refused())?,
        }
        let link = self.at(name).link(None);
        Ok(Connected::new(ClientEnd::new(here, link)))
    }

    fn at(&self, name: &str) -> PlaceGuard<'_> {
        let mut shared = self.lock();
        shared.places.entry(name.to_owned()).or_default();
        PlaceGuard { shared, name: name.to_owned() }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refused() -> ConnectError {
    ConnectError::new(Phase::Connect, "connection refused")
        .caused_by(io::Error::from(io::ErrorKind::ConnectionRefused))
}

impl Connector for Network {
    fn connect(&self, request: ConnectRequest) -> BoxFuture<'static, Result<Connected, ConnectError>> {
        let name = request.address.to_string();
        {
            let mut shared = self.lock();
            let at = shared.began.elapsed();
            shared.dials.push((name.clone(), at));
        }
        let network = self.clone();
        Box::pin(async move { network.open(&name).await.map_err(|error| error.at(&request.address)) })
    }
}

impl Place {
    fn link(&mut self, held: Option<DuplexStream>) -> Arc<Link> {
        let link = Arc::new(Link::new(held));
        self.links.retain(|link| link.strong_count() > 0);
        self.links.push(Arc::downgrade(&link));
        link
    }

    fn each_link(&self, act: impl Fn(&Link)) {
        self.links.iter().filter_map(Weak::upgrade).for_each(|link| act(&link));
    }
}

/// A place, while the network is locked.
struct PlaceGuard<'a> {
    shared: MutexGuard<'a, Shared>,
    name: String,
}

impl std::ops::Deref for PlaceGuard<'_> {
    type Target = Place;

    fn deref(&self) -> &Place {
        &self.shared.places[&self.name]
    }
}

impl std::ops::DerefMut for PlaceGuard<'_> {
    fn deref_mut(&mut self) -> &mut Place {
        self.shared.places.get_mut(&self.name).expect("it was made when the guard was")
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network").field("dials", &self.lock().dials).finish_non_exhaustive()
    }
}

/// The connections that come in at one name: what tonic's `serve_with_incoming` takes, or a test by hand.
#[derive(Debug)]
pub struct Incoming(UnboundedReceiver<io::Result<DuplexStream>>);

impl Incoming {
    /// The next connection.
    ///
    /// # Panics
    /// If somebody else serves at this name now.
    pub async fn accept(&mut self) -> DuplexStream {
        self.0.recv().await.and_then(Result::ok).expect("nobody else was to serve at this name")
    }
}

impl Stream for Incoming {
    type Item = io::Result<DuplexStream>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx)
    }
}
