//! How a channel and a script meet: a connector whose connections are pipes in memory.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{DuplexStream, duplex};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use trunkline::connect::{BoxFuture, ConnectRequest, Connected, Connector};
use trunkline::{Address, ConnectError};

use super::Peer;
use super::peer::within_patience;

/// What a pipe holds before its writer waits: enough for whatever a script says without listening.
const PIPE: usize = 16 << 20;

/// A connector, and the place where its connections come out.
pub fn pipes() -> (PipeConnector, Pipes) {
    let (opened, accepted) = unbounded_channel();
    let refusal = Arc::new(Mutex::new(None));
    (PipeConnector { opened, refusal: refusal.clone() }, Pipes { accepted, refusal })
}

/// Opens pipes. Clones open into the same [`Pipes`].
#[derive(Clone, Debug)]
pub struct PipeConnector {
    opened: UnboundedSender<(Address, DuplexStream)>,
    refusal: Arc<Mutex<Option<ConnectError>>>,
}

impl Connector for PipeConnector {
    fn connect(&self, request: ConnectRequest) -> BoxFuture<'static, Result<Connected, ConnectError>> {
        let (opened, refusal) = (self.opened.clone(), self.refusal.clone());
        Box::pin(async move {
            if let Some(error) = &*refusal.lock().unwrap_or_else(PoisonError::into_inner) {
                return Err(error.clone());
            }
            let (ours, theirs) = duplex(PIPE);
            // A test that has ended accepts nothing; then this is a server that closes at once.
            let _nobody = opened.send((request.address, theirs));
            Ok(Connected::new(ours))
        })
    }
}

/// Where the connections of a [`PipeConnector`] come out.
#[derive(Debug)]
pub struct Pipes {
    accepted: UnboundedReceiver<(Address, DuplexStream)>,
    refusal: Arc<Mutex<Option<ConnectError>>>,
}

impl Pipes {
    /// The server's end of the next connection that the channel opens.
    pub async fn accept(&mut self) -> Peer<DuplexStream> {
        self.accept_at().await.1
    }

    /// As [`accept`](Self::accept), with the address that was dialled.
    pub async fn accept_at(&mut self) -> (Address, Peer<DuplexStream>) {
        let accepted = within_patience("a dial", self.accepted.recv()).await;
        let (address, io) = accepted.expect("every connector is gone, so nobody dials");
        (address, Peer::new(io))
    }

    /// How many connections have been opened and not accepted.
    pub fn waiting(&self) -> usize {
        self.accepted.len()
    }

    /// Makes dials fail from now on, or succeed again.
    pub fn refuse(&self, error: impl Into<Option<ConnectError>>) {
        *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = error.into();
    }
}
