//! One connection, from its connect to its loss: a task of its own, which tells the control plane what
//! becomes of it.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use http::uri::Authority;
use tokio::sync::watch;
use tokio::time::timeout_at;
use trunkline_proto::{Address, ConnectError, Phase};

use super::EventSender;
use crate::connect::{ConnectRequest, Connected, Connector};
use crate::control::{DialId, DialNews, Event, Usage};
use crate::panic::panic_text;
use crate::transport::{self, Connection, DriverNews, Origin, TransportOptions};

/// What all dials of a channel share.
pub(crate) struct DialSettings {
    pub(crate) connector: Arc<dyn Connector>,
    pub(crate) transport: TransportOptions,
    pub(crate) authority: Arc<str>,
    /// What requests say of where they go.
    pub(crate) origin: Origin,
    /// The application chose the authority: an address's own name does not replace it.
    pub(crate) authority_is_chosen: bool,
}

impl DialSettings {
    /// The origin of requests to `address`: one of its own name is called by it, unless the application chose
    /// the authority.
    fn origin_at(&self, address: &Address) -> Result<Origin, ConnectError> {
        let Some(name) = address.server_name().filter(|_| !self.authority_is_chosen) else {
            return Ok(self.origin.clone());
        };
        let authority = Authority::try_from(name).map_err(|error| {
            let text = format!("the address's server name {name:?} is no authority: {error}");
            // The address is what it is: another attempt finds the same.
            ConnectError::new(Phase::Http2, text).permanent()
        })?;
        Ok(Origin { authority, ..self.origin.clone() })
    }
}

/// A dial to be started.
pub(super) struct Dial {
    pub(super) id: DialId,
    pub(super) address: Address,
    pub(super) deadline: Instant,
    pub(super) settings: Arc<DialSettings>,
    pub(super) news: EventSender,
}

/// What a dial was told, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Order {
    Go,
    HangUp,
    Abort,
}

/// Gives a dial its orders. Dropped, it hangs up.
pub(super) struct DialHandle(watch::Sender<Order>);

impl DialHandle {
    /// Aborts the attempt; a connection that is made finishes its streams and starts none.
    pub(super) fn hang_up(&self) {
        self.order(Order::HangUp);
    }

    /// Closes it now.
    pub(super) fn abort(&self) {
        self.order(Order::Abort);
    }

    fn order(&self, order: Order) {
        self.0.send_if_modified(|present| {
            let stronger = order > *present;
            *present = order.max(*present);
            stronger
        });
    }
}

impl Dial {
    /// Starts it on the present runtime.
    pub(super) fn spawn(self) -> DialHandle {
        let (orders, received) = watch::channel(Order::Go);
        let reporter =
            Reporter { id: self.id, address: self.address, news: self.news, usage: None, done: false };
        tokio::spawn(run(reporter, self.deadline, self.settings, received));
        DialHandle(orders)
    }
}

async fn run(
    mut reporter: Reporter,
    deadline: Instant,
    settings: Arc<DialSettings>,
    mut orders: watch::Receiver<Order>,
) {
    let request = ConnectRequest::new(reporter.address.clone(), Arc::clone(&settings.authority));
    let phase = request.phase().clone();
    let attempt = open(request, &settings);
    // In a box, so that the task is no larger than a connection needs that may live for days.
    let limited = Box::pin(timeout_at(deadline.into(), attempt));
    let opened = tokio::select! {
        opened = limited => opened,
        _ = orders.wait_for(|order| *order > Order::Go) => {
            return reporter.failed(ConnectError::new(phase.get(), "hung up"));
        }
    };
    let (mut driver, connection) = match opened {
        Ok(Ok(opened)) => opened,
        Ok(Err(error)) => return reporter.failed(error),
        Err(_) => return reporter.failed(out_of_time(phase.get())),
    };
    reporter.connected(connection);
    let mut order = Order::Go;
    loop {
        let news = tokio::select! {
            biased;
            news = poll_fn(|cx| driver.poll_news(cx)) => news,
            changed = orders.wait_for(|next| *next > order), if order < Order::Abort => {
                // A handle that was dropped hangs up, and nothing stronger can come from it.
                let (next, gone) = changed.map_or((Order::HangUp, true), |next| (*next, false));
                order = next;
                if order == Order::Abort {
                    let cause = ConnectError::new(Phase::Http2, "the channel was closed");
                    reporter.usage = Some(driver.usage());
                    driver.abort(cause.clone());
                    return reporter.lost(cause);
                }
                driver.drain();
                if gone {
                    order = Order::Abort;
                }
                continue;
            }
        };
        reporter.usage = Some(driver.usage());
        match news {
            DriverNews::Ready(_) => {}
            DriverNews::Draining(cause) => reporter.draining(cause),
            DriverNews::Lost(cause) => return reporter.lost(cause),
        }
    }
}

/// TCP, TLS, and HTTP/2 up to the server's SETTINGS.
async fn open(
    request: ConnectRequest,
    settings: &DialSettings,
) -> Result<(transport::Driver, Connection), ConnectError> {
    let address = request.address.clone();
    let phase = request.phase().clone();
    let origin = settings.origin_at(&address)?;
    let connected = connect(&*settings.connector, request).await?;
    phase.set(Phase::Http2);
    let mut driver = transport::start(connected, &address, origin, &settings.transport).await?;
    loop {
        match poll_fn(|cx| driver.poll_news(cx)).await {
            DriverNews::Ready(connection) => return Ok((driver, connection)),
            DriverNews::Draining(_) => {}
            DriverNews::Lost(cause) => return Err(cause),
        }
    }
}

/// Runs the connector, whose panic is an error of this attempt.
async fn connect(connector: &dyn Connector, request: ConnectRequest) -> Result<Connected, ConnectError> {
    let phase = request.phase().clone();
    let mut connecting = pin!(async { connector.connect(request).await });
    poll_fn(|cx| {
        // What a panic leaves behind is not polled again.
        catch_unwind(AssertUnwindSafe(|| connecting.as_mut().poll(cx))).unwrap_or_else(|panic| {
            let text = format!("the connector panicked: {}", panic_text(&*panic));
            Poll::Ready(Err(ConnectError::new(phase.get(), text)))
        })
    })
    .await
}

/// Any timeout is retryable: a slow peer may be quicker next time.
fn out_of_time(phase: Phase) -> ConnectError {
    let doing = match phase {
        Phase::Tls => "the TLS handshake did not end in time",
        Phase::Http2 => "the server's SETTINGS did not come in time",
        _ => "no connection in time",
    };
    ConnectError::new(phase, doing)
}

/// Tells the control plane, and makes sure that the last word is said, also when a connector panics.
struct Reporter {
    id: DialId,
    address: Address,
    news: EventSender,
    /// `None` until it was connected.
    usage: Option<Usage>,
    done: bool,
}

impl Reporter {
    fn connected(&mut self, connection: Connection) {
        self.usage = Some(Usage::default());
        self.tell(DialNews::Connected(connection));
    }

    fn draining(&mut self, cause: ConnectError) {
        let cause = cause.at(&self.address);
        self.tell(DialNews::Draining { cause, usage: self.usage.unwrap_or_default() });
    }

    fn failed(mut self, error: ConnectError) {
        self.last_word(error);
    }

    fn lost(mut self, cause: ConnectError) {
        self.last_word(cause);
    }

    fn last_word(&mut self, cause: ConnectError) {
        self.done = true;
        let cause = cause.at(&self.address);
        self.tell(match self.usage {
            None => DialNews::Failed(cause),
            Some(usage) => DialNews::Lost { cause, usage },
        });
    }

    fn tell(&self, news: DialNews<Connection>) {
        self.news.send(Event::Dial(self.id, news));
    }
}

impl Drop for Reporter {
    /// A connection whose byte stream panicked has failed. A dial whose runtime goes away says nothing: that
    /// says nothing of the address, and whoever runs the control plane next tells it that all dials are gone
    /// ([`Event::RuntimeLost`]).
    fn drop(&mut self) {
        if !self.done && std::thread::panicking() {
            // Nobody can say any more whether calls ran on it.
            self.usage = self.usage.map(|usage| Usage { last_used: Some(Instant::now()), ..usage });
            self.last_word(ConnectError::new(Phase::Connect, "the connector's byte stream panicked"));
        }
    }
}
