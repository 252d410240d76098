//! How an HTTP/2 connection begins: the engine's limits, and what must be true before it is Ready.

use std::sync::Arc;

use trunkline_proto::{Address, ConnectError};

use super::batched_io::batched;
use super::connection::Shared;
use super::driver::H2Driver;
use super::error;
use super::io::{IoRecord, RecordedIo};
use crate::connect::Connected;
use crate::transport::options::{
    CONNECTION_WINDOW, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE, REMEMBER_RESETS_FOR, REMEMBERED_RESETS,
    SEND_BUFFER, SMALL_FRAME_BUDGET, STREAM_WINDOW,
};
use crate::transport::{Origin, TransportOptions};

/// What the engine believes of MAX_CONCURRENT_STREAMS before the server's SETTINGS. The engine has no event
/// for them, but this number changes when they come, to the server's own number (which is smaller) or to
/// `usize::MAX`. Zero would not do, since a server may say that.
pub(super) const NO_SETTINGS_YET: usize = usize::MAX - 1;

pub(in crate::transport) async fn start(
    connected: Connected,
    address: &Address,
    origin: Origin,
    options: &TransportOptions,
) -> Result<H2Driver, ConnectError> {
    let Connected { io, security, .. } = connected;
    let record = Arc::new(IoRecord::new(address.clone()));
    let (io, flusher) = batched(RecordedIo::new(io, security, record.clone()));
    let (requests, connection) = builder()
        .handshake(io)
        .await
        .map_err(|broken| record.failure().unwrap_or_else(|| error::connection(&broken, address)))?;
    let shared = Shared::new(requests, record, address.clone(), origin);
    Ok(H2Driver::new(connection, flusher, shared, options))
}

fn builder() -> h2::client::Builder {
    let mut builder = h2::client::Builder::new();
    builder
        .initial_max_send_streams(NO_SETTINGS_YET)
        // gRPC does not use push.
        .enable_push(false)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(MAX_FRAME_SIZE)
        .max_header_list_size(MAX_HEADER_LIST_SIZE)
        .max_send_buffer_size(SEND_BUFFER)
        .max_concurrent_reset_streams(REMEMBERED_RESETS)
        .reset_stream_duration(REMEMBER_RESETS_FOR)
        // The engine counts resets over the life of a connection and then gives it up. Late frames for calls
        // that were cancelled count too, so a number that is finite only sets the day on which a busy client
        // kills its own connection.
        .max_local_error_reset_streams(None)
        .data_frame_budget(SMALL_FRAME_BUDGET);
    builder
}
