//! What runs in a server process, until its stdin closes: so no server outlives the bench, however that ends.

mod tonic;

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::thread;

use serde::{Deserialize, Serialize};

use crate::machine::affinity;
use crate::responder;

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum ServerKind {
    /// The cheap responder: the client is what is measured.
    Responder,
    /// tonic's server. It costs more than most clients, so CPU per call is what counts beside it.
    Tonic,
}

impl ServerKind {
    pub(crate) const ALL: [Self; 2] = [Self::Responder, Self::Tonic];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Responder => "responder",
            Self::Tonic => "tonic-server",
        }
    }
}

/// Says on stdout where it listens, and serves.
pub(crate) fn run(kind: ServerKind, core: Option<usize>) -> io::Result<()> {
    affinity::pin(core);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mut stdout = io::stdout();
    writeln!(stdout, "{}", listener.local_addr()?)?;
    stdout.flush()?;
    thread::Builder::new().spawn(|| {
        // It ends when nobody holds the other end, with an error or without.
        let _ended = io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    })?;
    match kind {
        ServerKind::Responder => responder::serve(&listener),
        ServerKind::Tonic => tonic::serve(listener),
    }
}
