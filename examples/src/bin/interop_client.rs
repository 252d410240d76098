//! The client of the tests that implementations of gRPC do on each other, with the flags that each
//! implementation's has. Prints each case and how it ended; exits with 1 if one failed, with 2 if a flag
//! makes no sense.
//!
//! ```text
//! interop_client --server_host=localhost --server_port=10000 --test_case=large_unary
//! interop_client --server_host=127.0.0.1 --server_port=10001 --test_case=all --use_tls=true --use_test_ca=true \
//!     --ca_file=ca.pem --server_host_override=foo.test.google.fr
//! interop_client --server_host=localhost --server_port=10000 --test_case=all --stub=tonic --transport=trunkline
//! ```

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "its lines are its result")]

use std::process::ExitCode;

use trunkline::BuildError;
use trunkline_examples::interop::{Flags, OwnStub, Peer, Stub, TonicStub};

#[tokio::main]
async fn main() -> ExitCode {
    let flags = match Flags::parse(std::env::args().skip(1)) {
        Ok(flags) => flags,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let good = match flags.tonic_stub {
        false => run::<OwnStub>(&flags).await,
        true => run::<TonicStub>(&flags).await,
    };
    match good {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

/// True if every case ended well.
async fn run<S: Stub>(flags: &Flags) -> Result<bool, BuildError> {
    let peer = Peer::<S>::new(flags.connect(), flags.metadata.clone(), flags.soak)?;
    let mut good = true;
    for case in &flags.cases {
        match case.run(&peer).await {
            Ok(()) => println!("{case}: passed"),
            Err(error) => {
                good = false;
                println!("{case}: FAILED: {error}");
            }
        }
    }
    Ok(good)
}
