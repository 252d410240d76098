//! What servers do on the wire, right and wrong, and what a whole channel makes of it: each story against
//! bare frames, most of them on both roads into the channel.

#![allow(clippy::unwrap_used, reason = "in a test, what must not fail may panic")]

// How the stories are told.
mod load;
mod road;
mod stage;

// One response.
mod cardinality;
mod framing;
mod metadata;
mod request_head;
mod sizes;
mod status;

// What the rules of HTTP/2 and of TLS ask, and what they let pass.
mod flow_control;
mod garbage;
mod ignored;
mod strangers;
mod stream_limit;

// One connection after another, and many calls on one.
mod storms;
mod turnover;
mod waking;
