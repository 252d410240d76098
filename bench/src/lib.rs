//! Measures Trunkline beside its peers: `cargo run --release -p bench`, and README.md for how to read what it
//! says. One process plans and reports; each measurement has a fresh server and a fresh client process, on a
//! core each.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it is a program: figures go to stdout, progress to stderr"
)]

// What is measured, and with whom.
mod contender;
mod workload;

// The service.
#[allow(missing_docs, missing_debug_implementations, unreachable_pub, reason = "tonic wrote the server")]
mod echo {
    trunkline::include_proto!("bench.v1");
}
#[allow(
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    unused_qualifications,
    clippy::allow_attributes_without_reason,
    reason = "tonic wrote this module"
)]
mod tonic_echo {
    include!(concat!(env!("OUT_DIR"), "/tonic/bench.v1.rs"));
}

// The processes: the servers, the clients, and the one that runs both.
mod clients;
mod engine;
mod responder;
mod run;
mod server;

// What they say, and what is made of it.
mod counts;
mod report;
mod sample;
mod statistics;

// Where they run, and how they are told.
mod arguments;
mod machine;

use std::process::ExitCode;
use std::time::Duration;
use std::{env, io, thread};

use self::arguments::{Arguments, Role};
pub use self::counts::{CountAllocations, Counts};
use self::sample::Order;

/// Does what the command line says. With `count`, in a binary whose allocator counts, client processes say
/// what they allocated.
pub fn main(count: Option<CountAllocations>) -> ExitCode {
    let done = match Arguments::parse(env::args().skip(1)) {
        Ok(Arguments::Help) => {
            println!("{}", arguments::HELP);
            Ok(())
        }
        Ok(Arguments::Play(Role::Client(order))) => play_client(&order, count),
        Ok(Arguments::Play(Role::Server(kind, core))) => server::run(kind, core).map_err(Into::into),
        Ok(Arguments::Measure(settings)) => run::measure(&settings),
        Err(wrong) => Err(wrong.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

type AnyError = Box<dyn std::error::Error>;

fn play_client(order: &Order, count: Option<CountAllocations>) -> Result<(), AnyError> {
    end_after(order.patience)?;
    println!("{}", serde_json::to_string(&clients::run(order, count))?);
    Ok(())
}

/// Ends a process that hangs.
fn end_after(patience: Duration) -> io::Result<()> {
    thread::Builder::new()
        .spawn(move || {
            thread::park_timeout(patience);
            eprintln!("nothing came of it in {patience:?}");
            std::process::exit(2);
        })
        .map(drop)
}
