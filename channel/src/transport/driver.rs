//! The dial's side of the seam: how a connection begins, and what its owner does with it, whichever engine is
//! below.

use std::task::{Context, Poll};

use trunkline_proto::{Address, ConnectError};

use super::h2::{self, H2Driver};
use super::trunkline::{self, TrunklineDriver};
use super::{Connection, Origin, Transport, TransportOptions};
use crate::connect::Connected;
use crate::control::Usage;

/// Begins HTTP/2 on `connected`. The preface and our SETTINGS go out when the driver is first polled.
///
/// An error is the transport's: the bytes could not be written.
pub(crate) async fn start(
    connected: Connected,
    address: &Address,
    origin: Origin,
    options: &TransportOptions,
) -> Result<Driver, ConnectError> {
    match options.engine {
        Transport::H2 => {
            h2::start(connected, address, origin, options).await.map(|driver| Driver::H2(Box::new(driver)))
        }
        Transport::Trunkline => {
            Ok(Driver::Trunkline(Box::new(trunkline::start(connected, address, origin, options))))
        }
    }
}

/// Owned by the dial's task: its polls are what moves the connection. Dropping it closes the connection at
/// once: streams on it end with [`StreamError::Lost`](super::StreamError::Lost), or as never sent, with the
/// cause that [`abort`](Self::abort) was given.
///
/// In boxes, since futures hold it across their waits, and each would be as large as several of them.
#[derive(Debug)]
pub(crate) enum Driver {
    H2(Box<H2Driver>),
    Trunkline(Box<TrunklineDriver>),
}

/// How a connection lives.
#[derive(Debug)]
pub(crate) enum DriverNews {
    /// The server's SETTINGS are in: calls may use the connection.
    Ready(Connection),
    /// No more streams are started; those that run go on. Not said of a [`drain`](Driver::drain) that we
    /// asked for.
    Draining(ConnectError),
    /// The end. If nothing came before it, the connection could not be made.
    Lost(ConnectError),
}

impl Driver {
    /// Moves the connection. News come in order: Ready, Draining, Lost, the first two at most once and not
    /// always; Lost is last, and after it this is pending for ever. To be polled until it is pending, and
    /// again when woken.
    pub(crate) fn poll_news(&mut self, cx: &mut Context<'_>) -> Poll<DriverNews> {
        match self {
            Self::H2(driver) => driver.poll_news(cx),
            Self::Trunkline(driver) => driver.poll_news(cx),
        }
    }

    /// Starts no more streams. When the last one has ended, the connection is closed and ends with Lost.
    pub(crate) fn drain(&mut self) {
        match self {
            Self::H2(driver) => driver.drain(),
            Self::Trunkline(driver) => driver.drain(),
        }
    }

    /// Says why the connection is about to be dropped, for the streams on it.
    pub(crate) fn abort(&mut self, cause: ConnectError) {
        match self {
            Self::H2(driver) => driver.abort(cause),
            Self::Trunkline(driver) => driver.abort(cause),
        }
    }

    /// What the connection was good for so far.
    pub(crate) fn usage(&self) -> Usage {
        match self {
            Self::H2(driver) => driver.usage(),
            Self::Trunkline(driver) => driver.usage(),
        }
    }
}
