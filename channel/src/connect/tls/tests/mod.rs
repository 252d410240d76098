//! Real handshakes, in memory, with certificates made for the test: what each kind of failure says, and
//! whether it is permanent. And what is found wrong before any handshake.

mod fixture;
mod handshakes;
mod settings;
