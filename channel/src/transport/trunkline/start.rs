//! How a connection begins: the engine's settings.

use trunkline_http2::Config;
use trunkline_proto::Address;

use super::driver::TrunklineDriver;
use crate::connect::Connected;
use crate::transport::options::{
    CONNECTION_WINDOW, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE, SEND_BUFFER, STREAM_WINDOW,
};
use crate::transport::{Origin, TransportOptions};

/// Nothing is read or written before the driver is first polled, so nothing can fail.
pub(in crate::transport) fn start(
    connected: Connected,
    address: &Address,
    origin: Origin,
    options: &TransportOptions,
) -> TrunklineDriver {
    let config = Config {
        stream_window: STREAM_WINDOW,
        connection_window: CONNECTION_WINDOW,
        max_frame_size: MAX_FRAME_SIZE,
        max_header_list_size: MAX_HEADER_LIST_SIZE,
        send_buffer: SEND_BUFFER,
        // A dial has its own deadline until the server's SETTINGS are in; after that, keepalive judges silence.
        settings_timeout: None,
        first_stream_id: options.first_stream_id,
        ..Config::default()
    };
    TrunklineDriver::new(connected, address, origin, config, options)
}
