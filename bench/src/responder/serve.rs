//! Moves the bytes of [`Session`]s: one thread per connection, blocking reads. Writes do not block, since a
//! client may stop to read until it has written.

use std::io::{self, Read};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;
use std::thread;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, send};

use super::request_heads::HeadSize;
use super::session::Session;
use super::violation::Violation;

/// Connections at once. Above all workloads.
const MAX_CONNECTIONS: usize = 1000;

/// What is read at once: a thousand small calls, or several large frames.
const READ: usize = 256 << 10;

/// A client that lets so much wait for it does not read at all: above the windows of all clients.
const MAX_UNWRITTEN: usize = 64 << 20;

/// Sessions are on the heap.
const STACK: usize = 128 << 10;

/// Serves until the process is ended.
pub(crate) fn serve(listener: &TcpListener) -> io::Result<()> {
    let present = Arc::new(());
    loop {
        let (socket, _) = listener.accept()?;
        if Arc::strong_count(&present) > MAX_CONNECTIONS {
            continue;
        }
        socket.set_nodelay(true)?;
        let present = Arc::clone(&present);
        thread::Builder::new().stack_size(STACK).spawn(move || {
            let _present = present;
            if let Err(Ended::Violation(violation)) = converse(socket, &mut Session::new()) {
                eprintln!("responder: the client sent {violation}");
            }
        })?;
    }
}

/// Serves one connection until it ends, and says how large its newest request head was.
pub(crate) fn serve_one(listener: &TcpListener) -> io::Result<HeadSize> {
    let (socket, _) = listener.accept()?;
    socket.set_nodelay(true)?;
    let mut session = Session::new();
    match converse(socket, &mut session) {
        Err(Ended::Violation(violation)) => Err(io::Error::other(violation)),
        // However a client hangs up.
        Ok(()) | Err(Ended::Io(_)) => Ok(session.newest_head()),
    }
}

/// Why a connection is over.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error(transparent)]
    Violation(#[from] Violation),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<Errno> for Ended {
    fn from(errno: Errno) -> Self {
        Self::Io(errno.into())
    }
}

/// Until the client hangs up.
fn converse(mut socket: TcpStream, session: &mut Session) -> Result<(), Ended> {
    // On the heap, and touched only as far as it is used.
    let mut input = vec![0; READ].into_boxed_slice();
    let mut filled = 0;
    loop {
        let out = session.output();
        if out.is_empty() {
            filled = read(&mut socket, session, &mut input, filled)?;
            continue;
        }
        let unwritten = out.len();
        match send(socket.as_raw_fd(), out, MsgFlags::MSG_DONTWAIT) {
            Ok(bytes) => session.wrote(bytes),
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) if unwritten > MAX_UNWRITTEN => {
                return Err(Violation::NotReading(unwritten).into());
            }
            Err(Errno::EAGAIN) => {
                if !becomes_writable(&socket)? {
                    filled = read(&mut socket, session, &mut input, filled)?;
                }
            }
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Waits until the socket can be written or read. A client that reads is written to first.
fn becomes_writable(socket: &TcpStream) -> Result<bool, Ended> {
    let mut ready = [PollFd::new(socket.as_fd(), PollFlags::POLLIN | PollFlags::POLLOUT)];
    poll(&mut ready, PollTimeout::NONE)?;
    Ok(ready[0].revents().is_some_and(|events| events.contains(PollFlags::POLLOUT)))
}

/// Reads once, and returns how much of `input` is the beginning of a frame.
fn read(
    socket: &mut TcpStream,
    session: &mut Session,
    input: &mut [u8],
    filled: usize,
) -> Result<usize, Ended> {
    let bytes = socket.read(&mut input[filled..])?;
    if bytes == 0 {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    let filled = filled + bytes;
    let taken = session.receive(&input[..filled])?;
    input.copy_within(taken..filled, 0);
    Ok(filled - taken)
}
