//! The call path over connections in memory: what a call does with snapshots, streams and time, without a
//! driver and without bytes.

mod cancelling;
mod failing;
mod in_time;
mod layers;
mod responses;
mod runtimes;
mod sending_again;
mod streaming;

use std::sync::Arc;

use http::{HeaderMap, HeaderValue};
use indexmap::IndexMap;
use trunkline_balancer::{CallInfo, Failure, FixedPicker, LiveCalls, Pick, PickResult, Picker};
use trunkline_proto::framing;
use trunkline_proto::{Address, ConnectError, ConnectivityState, Phase};

use crate::control::{Destination, Entry, MethodTable, Snapshot};
use crate::stub::{MethodDescriptor, UnaryCall};
use crate::transport::{Connection, MemoryRequest};
use crate::{Channel, ChannelBuilder};

static METHOD: MethodDescriptor = MethodDescriptor::new("test.Echo", "Say", "/test.Echo/Say");

/// A channel whose snapshots are made by the test.
struct Rig {
    channel: Channel,
    live: Arc<LiveCalls>,
}

impl Rig {
    fn new() -> Self {
        Self::with(|builder| builder)
    }

    fn with(settings: impl FnOnce(ChannelBuilder) -> ChannelBuilder) -> Self {
        let builder = Channel::builder("static:127.0.0.1:1").plaintext();
        let channel = settings(builder).connect_lazy().unwrap();
        // Nobody else is to publish.
        channel.core().seat().finish();
        Self { channel, live: Arc::default() }
    }

    /// A rig whose calls go to `connection`.
    fn connected(connection: &Connection) -> Self {
        let rig = Self::new();
        rig.publish_ready("a", connection);
        rig
    }

    fn publish(&self, picker: Arc<dyn Picker>, connections: &[(&str, &Connection)]) {
        let entries = connections.iter().map(|(name, connection)| {
            let address = Address::other(*name);
            let destination = Destination { address: address.clone(), live: Arc::clone(&self.live) };
            (address, Entry::new(Some(Connection::clone(connection)), Arc::new(destination)))
        });
        self.publish_snapshot(picker, entries.collect(), Arc::from([]));
    }

    fn publish_ready(&self, name: &str, connection: &Connection) {
        self.publish(FixedPicker::Ready(Address::other(name)).shared(), &[(name, connection)]);
    }

    fn publish_queue(&self, trouble: impl IntoIterator<Item = ConnectError>) {
        self.publish_snapshot(FixedPicker::Queue.shared(), IndexMap::new(), trouble.into_iter().collect());
    }

    fn publish_failure(&self, failure: Failure) {
        self.publish(FixedPicker::Fail(failure).shared(), &[]);
    }

    fn publish_snapshot(
        &self,
        picker: Arc<dyn Picker>,
        entries: IndexMap<Address, Entry<Connection>>,
        trouble: Arc<[ConnectError]>,
    ) {
        let core = self.channel.core();
        core.publish(Arc::new(Snapshot {
            version: core.snapshot().version + 1,
            connectivity: ConnectivityState::Connecting,
            is_asleep: false,
            picker,
            entries,
            methods: Arc::new(MethodTable::default()),
            trouble,
            next_attempt: None,
        }));
    }

    fn say(&self, text: &str) -> UnaryCall<String> {
        UnaryCall::new::<String>(&self.channel, &METHOD, text.to_owned())
    }

    fn in_flight(&self) -> u64 {
        self.channel.core().calls().sample().in_flight
    }
}

/// Picks the given addresses in turn, so that a test sees which picks a call made.
#[derive(Debug, Default)]
struct InTurn {
    addresses: Vec<Address>,
    picks: std::sync::atomic::AtomicUsize,
}

impl InTurn {
    fn of(names: &[&str]) -> Arc<Self> {
        let addresses = names.iter().map(|name| Address::other(*name)).collect();
        Arc::new(Self { addresses, picks: Default::default() })
    }
}

impl Picker for InTurn {
    fn pick(&self, _: &CallInfo<'_>) -> PickResult<'_> {
        let turn = self.picks.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        PickResult::Ready(Pick::to(&self.addresses[turn % self.addresses.len()]))
    }
}

/// What a server says.
trait Answer {
    fn headers(&self);
    fn say(&self, text: &str);
    fn ok(&self);
    fn status(&self, code: &'static str, message: &'static str);
    /// A whole reply.
    fn reply(&self, text: &str) {
        self.headers();
        self.say(text);
        self.ok();
    }
}

impl Answer for MemoryRequest {
    fn headers(&self) {
        self.send_head(grpc_headers());
    }

    fn say(&self, text: &str) {
        self.send_data(framing::encode(&text.to_owned(), usize::MAX).unwrap().into_bytes());
    }

    fn ok(&self) {
        self.status("0", "");
    }

    fn status(&self, code: &'static str, message: &'static str) {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static(code));
        trailers.insert("grpc-message", HeaderValue::from_static(message));
        self.send_trailers(trailers);
    }
}

fn grpc_headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/grpc"));
    headers
}

fn framed(text: &str) -> Vec<u8> {
    framing::encode(&text.to_owned(), usize::MAX).unwrap().to_vec()
}

fn refused() -> ConnectError {
    ConnectError::new(Phase::Connect, "connection refused").at(&Address::other("a"))
}

fn untrusted() -> ConnectError {
    ConnectError::new(Phase::Tls, "certificate signed by unknown issuer").at(&Address::other("b")).permanent()
}

fn lost() -> ConnectError {
    ConnectError::new(Phase::Http2, "connection closed by the server").at(&Address::other("a"))
}
