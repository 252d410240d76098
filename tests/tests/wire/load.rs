//! Many callers, and servers that do not stay: what turnovers are told with.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;
use trunkline::{Channel, Request, Status};
use trunkline_tests::script::{Code, Kind, Pipes, flags};

use crate::road::{Road, Shape};
use crate::stage::{Server, reply};

/// How a server says that a connection is over.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Farewell {
    /// A GOAWAY that excludes nothing; when its PING has come back, one that names the last stream; then it
    /// serves what it has. This is how gRPC's servers turn connections over.
    Twice,
    /// One GOAWAY; what came after the last stream that it names is not looked at.
    Once,
    /// The same, and the connection is closed at once, with whatever is on its way to the server.
    OnceAndGone,
}

/// Serves so many calls on each connection, then says farewell; on the connection after it again, for ever.
/// Adds up the calls it has processed.
pub(crate) async fn serve_in_turns(mut pipes: Pipes, farewell: Farewell, calls: usize, processed: Counter) {
    loop {
        let mut server = pipes.accept().await;
        server.greet(&[]).await;
        // Old connections finish while new ones are served.
        tokio::spawn(turn(server, farewell, calls, processed.clone()));
    }
}

/// How many calls the servers of a test have processed.
pub(crate) type Counter = std::sync::Arc<std::sync::atomic::AtomicUsize>;

async fn turn(mut server: Server, farewell: Farewell, calls: usize, processed: Counter) {
    let mut open = VecDeque::new();
    let mut last = 0;
    for _ in 0..calls {
        last = hear(&mut server, &mut open, &processed).await;
    }
    match farewell {
        Farewell::Twice => {
            server.go_away_gently().await;
            server.ping(*b"goodbye.").await;
            server.next_where("its PING", |frame| frame.kind == Kind::PING && frame.has(flags::ACK)).await;
            while server.has_sent(Kind::HEADERS).await {
                last = hear(&mut server, &mut open, &processed).await;
            }
            server.go_away(last, Code::NoError, "max_age").await;
        }
        Farewell::Once => server.go_away(last, Code::NoError, "max_age").await,
        Farewell::OnceAndGone => {
            answer(&mut server, &mut open).await;
            server.go_away(last, Code::NoError, "max_age").await;
            return;
        }
    }
    tokio::time::sleep(Duration::from_millis(3)).await;
    answer(&mut server, &mut open).await;
    // Clients hang up when their last call on it has ended.
    server.closed().await;
}

/// Takes the next request, and answers those before it if it is long in coming.
async fn hear(server: &mut Server, open: &mut VecDeque<u32>, processed: &Counter) -> u32 {
    loop {
        match timeout(Duration::from_millis(1), server.request()).await {
            Ok(request) => {
                processed.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                open.push_back(request.stream);
                return request.stream;
            }
            Err(_nothing_new) => answer(server, open).await,
        }
    }
}

async fn answer(server: &mut Server, open: &mut VecDeque<u32>) {
    for stream in open.drain(..) {
        server.respond(stream, &reply("hello"), "0").await;
    }
}

/// So many callers on both roads and in all shapes, each of which makes so many calls one after another:
/// every failure.
pub(crate) async fn call_all(channel: &Channel, callers: usize, calls: usize) -> Vec<Status> {
    let mut running = JoinSet::new();
    for (road, shape) in Road::every().collect::<Vec<(Road, Shape)>>().into_iter().cycle().take(callers) {
        let channel = channel.clone();
        running.spawn(async move {
            let mut failures = Vec::new();
            for _ in 0..calls {
                let name = Request::new("you".to_owned());
                failures.extend(road.call(channel.clone(), shape, name).await.err());
            }
            failures
        });
    }
    running.join_all().await.into_iter().flatten().collect()
}
