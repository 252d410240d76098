//! What generated stubs are made of. A stub holds a [`Channel`] and a constant per method; everything else is
//! here, so that generated code stays small and an application's binary holds the call path once.

mod bidi_streaming;
mod client_streaming;
mod encode;
mod method;
mod prepared;
mod server_streaming;
mod single_reply;
mod streaming;
mod unary;

pub use bidi_streaming::{BidiStreamingCall, BidiStreamingFuture};
pub use client_streaming::{ClientStreamingCall, ClientStreamingFuture, ClientStreamingResponseFuture};
pub use method::{Idempotency, MethodDescriptor};
pub use server_streaming::{ServerStreamingCall, ServerStreamingFuture};
pub use streaming::{HeadersFuture, MessageFuture, Streaming};
pub use unary::{UnaryCall, UnaryFuture, UnaryResponseFuture};

pub use crate::channel::Channel;
pub use crate::vocabulary::{IntoRequest, IntoStreamingRequest};
