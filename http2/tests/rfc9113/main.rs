//! RFC 9113 as a client meets it, rule by rule: a server made of bytes does something, right or wrong, and the
//! engine must make the right thing of it at once. One file per group of sections; each test names its section.

#![allow(clippy::unwrap_used, reason = "a story that unwraps says where it failed")]

#[path = "../support/mod.rs"]
mod support;

mod section_3_starting;
mod section_4_frames;
mod section_4_headers;
mod section_5_concurrency;
mod section_5_errors;
mod section_5_streams;
mod section_6_10_continuation;
mod section_6_1_data;
mod section_6_2_headers;
mod section_6_3_priority;
mod section_6_4_rst_stream;
mod section_6_5_settings;
mod section_6_6_push_promise;
mod section_6_7_ping;
mod section_6_8_goaway;
mod section_6_9_receiving;
mod section_6_9_sending;
mod section_8_fields;
mod section_8_messages;
mod story_itself;
