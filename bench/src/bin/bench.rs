//! The bench, with the system's allocator as it is.

use std::process::ExitCode;

fn main() -> ExitCode {
    bench::main(None)
}
