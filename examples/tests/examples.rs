//! Each example, run as a reader would run it: it ends by itself, well, and says what it is there to show.

use std::process::Command;

#[test]
fn unary_shows_a_reply_a_report_and_a_failure() {
    let text = run(env!("CARGO_BIN_EXE_unary"));
    assert_says(
        &text,
        &[
            "alpha says: Hello, Ada!",
            "Hello, Grace!",
            "answered by 127.0.0.1:",
            "Unavailable: http://127.0.0.1:",
            "sent: ",
        ],
    );
}

#[test]
fn streaming_shows_every_shape() {
    let text = run(env!("CARGO_BIN_EXE_streaming"));
    assert_eq!(text.matches("watch: Hello, Ada!").count(), 3);
    assert_says(
        &text,
        &["watch: enough", "record: 3 people: Ada, Grace, Edsger", "chat: Hello, Grace!", "chat: over"],
    );
}

// behaviour 106
#[test]
fn tls_shows_who_is_let_in_and_who_is_not() {
    let text = run(env!("CARGO_BIN_EXE_tls"));
    assert_says(
        &text,
        &["Hello, Ada! over TLS, both sides known", "without a certificate: ", "TLS", "permanent"],
    );
}

#[test]
fn custom_resolver_finds_a_server_that_is_added_later() {
    let text = run(env!("CARGO_BIN_EXE_custom_resolver"));
    assert_says(&text, &["alpha says: Hello, Ada!", "beta is in the file", "beta says: Hello, Ada!"]);
}

#[test]
fn custom_balancer_sends_calls_where_their_header_says() {
    let text = run(env!("CARGO_BIN_EXE_custom_balancer"));
    for name in ["alpha", "beta", "gamma"] {
        assert_says(&text, &[&format!("was asked for: {name} answers")]);
    }
    assert_says(&text, &["nobody was asked for: "]);
}

#[test]
fn custom_connector_needs_no_port() {
    assert_says(&run(env!("CARGO_BIN_EXE_custom_connector")), &["alpha says: Hello, Ada!"]);
}

#[test]
fn layers_add_a_token_measure_and_refuse() {
    let text = run(env!("CARGO_BIN_EXE_layers"));
    let parts = [
        "/greeter.v1.Greeter/SayHello, with a token: true, took ",
        "alpha says: Hello, Ada!",
        "Unauthenticated, sent: Some(No)",
    ];
    assert_says(&text, &parts);
}

#[test]
fn from_tonic_runs_the_client_that_tonic_generates() {
    let text = run(env!("CARGO_BIN_EXE_from_tonic"));
    assert_says(&text, &["alpha says: Hello, Ada!", "http://127.0.0.1:", "refused", "sent: Some("]);
}

#[test]
fn observing_state_sees_a_server_come_go_and_come_back() {
    let text = run(env!("CARGO_BIN_EXE_observing_state"));
    let states = [
        "at first: IDLE",
        "there: READY",
        "gone: TRANSIENT_FAILURE",
        "not ready: ",
        "back: READY",
        "closed: SHUTDOWN",
    ];
    assert_says(&text, &states);
}

/// What a program prints that ends well.
fn run(program: &str) -> String {
    let output = Command::new(program).output().expect("the program was built with this test");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{program}: {text}\n{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// That the parts are there, in this order.
fn assert_says(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => panic!("{part:?} is missing, or in another place, in\n{text}"),
        }
    }
}
