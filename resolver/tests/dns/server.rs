//! A name server that says what it is told, over UDP and TCP on loopback. Its packets are made by hand (RFC
//! 1035), so that it shares no mistake with the client's library.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;

/// The type of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Family {
    V4,
    V6,
}

/// What to say to a question. A name that nothing is said of does not exist.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reply {
    kind: Kind,
    addresses: Vec<IpAddr>,
    ttl: u32,
    alias: Option<(String, u32)>,
    over_tcp_only: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Kind {
    #[default]
    Answer,
    Code(u8),
    Silence,
    Garbage,
}

impl Reply {
    pub(crate) fn addresses(addresses: &[&str]) -> Self {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        Self { addresses, ttl: 3600, ..Self::default() }
    }

    /// The name exists, and has no addresses of this family.
    pub(crate) fn none() -> Self {
        Self::default()
    }

    pub(crate) fn server_failure() -> Self {
        Self { kind: Kind::Code(2), ..Self::default() }
    }

    fn no_such_name() -> Self {
        Self { kind: Kind::Code(3), ..Self::default() }
    }

    pub(crate) fn refused() -> Self {
        Self { kind: Kind::Code(5), ..Self::default() }
    }

    pub(crate) fn silence() -> Self {
        Self { kind: Kind::Silence, ..Self::default() }
    }

    /// A packet that claims records it does not hold.
    pub(crate) fn garbage() -> Self {
        Self { kind: Kind::Garbage, ..Self::default() }
    }

    pub(crate) fn ttl(self, ttl: u32) -> Self {
        Self { ttl, ..self }
    }

    pub(crate) fn alias(self, name: &str, ttl: u32) -> Self {
        Self { alias: Some((name.to_owned(), ttl)), ..self }
    }

    /// Truncated over UDP.
    pub(crate) fn over_tcp_only(self) -> Self {
        Self { over_tcp_only: true, ..self }
    }
}

/// Serves until it is dropped.
pub(crate) struct NameServer {
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
    _tasks: JoinSet<()>,
}

#[derive(Default)]
struct Shared {
    replies: HashMap<(String, Family), Reply>,
    queries: HashMap<(String, Family), usize>,
    over_tcp: usize,
}

impl NameServer {
    pub(crate) async fn start() -> Self {
        let (udp, tcp) = sockets().await;
        let address = udp.local_addr().unwrap();
        let shared = Arc::new(Mutex::new(Shared::default()));
        let mut tasks = JoinSet::new();
        tasks.spawn(serve_udp(udp, Arc::clone(&shared)));
        tasks.spawn(serve_tcp(tcp, Arc::clone(&shared)));
        Self { address, shared, _tasks: tasks }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// A target that asks this server.
    pub(crate) fn target(&self, endpoint: &str) -> String {
        format!("dns://{}/{endpoint}", self.address)
    }

    /// From now on, says this.
    pub(crate) fn say(&self, name: &str, family: Family, reply: Reply) {
        self.shared.lock().unwrap().replies.insert((name.to_owned(), family), reply);
    }

    pub(crate) fn queries(&self, name: &str, family: Family) -> usize {
        self.shared.lock().unwrap().queries.get(&(name.to_owned(), family)).copied().unwrap_or(0)
    }

    pub(crate) fn all_queries(&self) -> usize {
        self.shared.lock().unwrap().queries.values().sum()
    }

    pub(crate) fn queries_over_tcp(&self) -> usize {
        self.shared.lock().unwrap().over_tcp
    }
}

/// One port for both protocols.
async fn sockets() -> (UdpSocket, TcpListener) {
    loop {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        // Somebody else may have the same port of the other protocol: then another.
        if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()).await {
            return (udp, tcp);
        }
    }
}

async fn serve_udp(socket: UdpSocket, shared: Arc<Mutex<Shared>>) {
    let mut buffer = [0; 4096];
    loop {
        // An error here is about an earlier datagram that nobody wanted any more.
        let Ok((length, peer)) = socket.recv_from(&mut buffer).await else { continue };
        if let Some(answer) = answer(&buffer[..length], false, &shared) {
            let _ = socket.send_to(&answer, peer).await;
        }
    }
}

async fn serve_tcp(listener: TcpListener, shared: Arc<Mutex<Shared>>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let _ = serve_connection(stream, &shared).await;
        });
    }
}

async fn serve_connection(mut stream: TcpStream, shared: &Mutex<Shared>) -> std::io::Result<()> {
    loop {
        let mut query = vec![0; stream.read_u16().await?.into()];
        stream.read_exact(&mut query).await?;
        if let Some(answer) = answer(&query, true, shared) {
            stream.write_u16(answer.len().try_into().unwrap()).await?;
            stream.write_all(&answer).await?;
        }
    }
}

fn answer(query: &[u8], over_tcp: bool, shared: &Mutex<Shared>) -> Option<Vec<u8>> {
    let (name, kind, end) = question(query)?;
    let family = match kind {
        TYPE_A => Family::V4,
        TYPE_AAAA => Family::V6,
        _ => return None,
    };
    let key = (name, family);
    let reply = {
        let mut shared = shared.lock().unwrap();
        *shared.queries.entry(key.clone()).or_default() += 1;
        shared.over_tcp += usize::from(over_tcp);
        shared.replies.get(&key).cloned().unwrap_or_else(Reply::no_such_name)
    };
    let truncated = reply.over_tcp_only && !over_tcp;
    let (code, claimed) = match reply.kind {
        Kind::Silence => return None,
        Kind::Code(code) => (code, 0),
        Kind::Garbage => (0, 7),
        Kind::Answer => (0, 0),
    };
    let records = if truncated { vec![] } else { records(&reply) };
    let count = u16::try_from(records.len()).unwrap() + claimed;

    let mut packet = query[..2].to_vec();
    packet.extend([0x81 | u8::from(truncated) << 1, 0x80 | code]);
    packet.extend([0, 1]);
    packet.extend(count.to_be_bytes());
    packet.extend([0; 4]);
    packet.extend(&query[HEADER_BYTES..end]);
    packet.extend(records.concat());
    Some(packet)
}

/// The name, type and end of the only question.
fn question(query: &[u8]) -> Option<(String, u16, usize)> {
    let mut labels = Vec::new();
    let mut at = HEADER_BYTES;
    loop {
        let length = usize::from(*query.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        labels.push(String::from_utf8_lossy(query.get(at..at + length)?).to_lowercase());
        at += length;
    }
    let kind = u16::from_be_bytes(query.get(at..at + 2)?.try_into().ok()?);
    Some((labels.join("."), kind, at + 4))
}

fn records(reply: &Reply) -> Vec<Vec<u8>> {
    // A pointer to the name in the question.
    let asked = [0xc0, u8::try_from(HEADER_BYTES).unwrap()].to_vec();
    let mut records = Vec::new();
    let mut owner = asked.clone();
    if let Some((name, ttl)) = &reply.alias {
        owner = encoded(name);
        records.push(record(&asked, TYPE_CNAME, *ttl, &owner));
    }
    for address in &reply.addresses {
        records.push(match address {
            IpAddr::V4(address) => record(&owner, TYPE_A, reply.ttl, &address.octets()),
            IpAddr::V6(address) => record(&owner, TYPE_AAAA, reply.ttl, &address.octets()),
        });
    }
    records
}

fn record(owner: &[u8], kind: u16, ttl: u32, data: &[u8]) -> Vec<u8> {
    let mut record = owner.to_vec();
    record.extend(kind.to_be_bytes());
    record.extend(CLASS_IN.to_be_bytes());
    record.extend(ttl.to_be_bytes());
    record.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
    record.extend(data);
    record
}

fn encoded(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.') {
        bytes.push(label.len().try_into().unwrap());
        bytes.extend(label.bytes());
    }
    bytes.push(0);
    bytes
}

const HEADER_BYTES: usize = 12;
const TYPE_A: u16 = 1;
const TYPE_CNAME: u16 = 5;
const TYPE_AAAA: u16 = 28;
const CLASS_IN: u16 = 1;
