//! The program that README begins with, run as a reader would run it.

use std::process::Command;

#[test]
fn the_quickstart_ends_well_and_says_what_happened() {
    let output = Command::new(env!("CARGO_BIN_EXE_quickstart"))
        .output()
        .expect("the program was built with this test");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    for part in ["alpha", "beta is stopped", "beta is back", " 0 failed.", "unknown issuer", "permanent"] {
        assert!(text.contains(part), "{part:?} is missing in\n{text}");
    }
}
