//! Ears for the log.

use std::fmt;
use std::io;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use tracing::subscriber::{DefaultGuard, NoSubscriber};
use tracing::{Dispatch, Level};
use tracing_subscriber::fmt::MakeWriter;

/// Hears all that is logged on this thread while it lives. In a test on a current-thread runtime, that is all
/// that the channel logs.
pub struct LogCapture {
    text: Text,
    _guard: DefaultGuard,
}

/// A subscriber that hears nothing and is always there. While there is just one, tracing asks that of the
/// *present thread* whether a place in the code that logs for the first time is worth hearing; so another test
/// without ears would make it silent for the one that listens.
static ANOTHER: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(NoSubscriber::new()));

#[derive(Clone, Default)]
struct Text(Arc<Mutex<Vec<u8>>>);

impl LogCapture {
    /// Listens from now on, to records of `level` and graver ones.
    pub fn start(level: Level) -> Self {
        LazyLock::force(&ANOTHER);
        let text = Text::default();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(level)
            .with_ansi(false)
            .without_time()
            .with_writer(text.clone())
            .finish();
        Self { text, _guard: tracing::subscriber::set_default(subscriber) }
    }

    /// All that was heard so far.
    pub fn text(&self) -> String {
        let text = self.text.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&text).into_owned()
    }

    /// The records of Trunkline's own crates so far, a line each.
    pub fn records(&self) -> Vec<String> {
        self.text().lines().filter(|line| line.contains(" trunkline")).map(str::to_owned).collect()
    }
}

impl fmt::Debug for LogCapture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogCapture").field("text", &self.text()).finish_non_exhaustive()
    }
}

impl io::Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Text {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}
