//! A port that a server can leave and come back to. Apart from the server because it is there before it and
//! after it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpSocket;

/// A port of loopback that nobody else is given while this lives, also while nobody listens there.
///
/// On Linux the system sees to that. Elsewhere the port is free now, and with some luck it is free later.
#[derive(Debug)]
pub struct ReservedPort {
    address: SocketAddr,
    _keeper: Option<TcpSocket>,
}

impl ReservedPort {
    /// Takes a free one.
    ///
    /// # Errors
    /// If there is none.
    pub fn take() -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        // Linux lets a listener share its port with a socket that never listens, if both agree; listeners of
        // the standard library do.
        socket.set_reuseaddr(true)?;
        socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let address = socket.local_addr()?;
        Ok(Self { address, _keeper: cfg!(target_os = "linux").then_some(socket) })
    }

    /// Where a server may listen.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}
