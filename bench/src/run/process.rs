//! Processes of the bench's own.

use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::machine::usage;
use crate::sample::{Order, Sample};
use crate::server::ServerKind;

/// Why a process gave nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProcessError {
    #[error("{program} could not be run: {source}")]
    Spawn { program: String, source: io::Error },
    #[error("{program} failed: {text}")]
    Failed { program: String, text: String },
    #[error("what {program} said makes no sense: {text}")]
    Output { program: String, text: String },
}

/// A server on a core of its own, until it is dropped.
pub(super) struct ServerProcess {
    child: Child,
    address: SocketAddr,
    /// Held, since the server may still write.
    _stdout: BufReader<ChildStdout>,
}

impl ServerProcess {
    pub(super) fn start(kind: ServerKind, core: Option<usize>) -> Result<Self, ProcessError> {
        let program = || format!("the server {}", kind.name());
        let spawn = |source| ProcessError::Spawn { program: program(), source };
        let core = core.map_or_else(|| "any".to_owned(), |core| core.to_string());
        let mut child = Command::new(this()?)
            .args(["server", kind.name(), &core])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(spawn)?;
        let stdout = child.stdout.take().ok_or_else(|| spawn(io::ErrorKind::BrokenPipe.into()))?;
        let (mut stdout, mut line) = (BufReader::new(stdout), String::new());
        stdout.read_line(&mut line).map_err(spawn)?;
        match line.trim().parse() {
            Ok(address) => Ok(Self { child, address, _stdout: stdout }),
            Err(_) => {
                let error = ProcessError::Output { program: program(), text: line };
                end(child);
                Err(error)
            }
        }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// User and system time so far.
    pub(super) fn cpu_seconds(&self) -> Option<f64> {
        usage::cpu_seconds_of(self.child.id())
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is to be waited for.
        let _gone = self.child.kill();
        let _status = self.child.wait();
    }
}

fn end(mut child: Child) {
    let _gone = child.kill();
    let _status = child.wait();
}

/// A client that does what is ordered.
pub(super) fn client(order: &Order) -> Result<Sample, ProcessError> {
    client_under::<&str>(&[], &this()?, order)
}

/// The same in the program `binary`, run by another one that looks at it.
pub(super) fn client_under<A: AsRef<OsStr>>(
    before: &[A],
    binary: &Path,
    order: &Order,
) -> Result<Sample, ProcessError> {
    let order = serde_json::to_string(order)
        .map_err(|error| ProcessError::Output { program: "the bench".into(), text: error.to_string() })?;
    let mut words = before.iter().map(AsRef::as_ref).chain([binary.as_os_str()]);
    let program = words.next().unwrap_or(binary.as_os_str());
    let mut command = Command::new(program);
    command.args(words).args(["client", &order]).stdin(Stdio::null()).stderr(Stdio::inherit());
    let text = said(&mut command)?;
    let line = text.lines().last().unwrap_or_default();
    serde_json::from_str(line)
        .map_err(|_| ProcessError::Output { program: program.to_string_lossy().into_owned(), text })
}

/// What a program says on stdout, if it succeeds.
pub(super) fn said(command: &mut Command) -> Result<String, ProcessError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output =
        command.output().map_err(|source| ProcessError::Spawn { program: program.clone(), source })?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        Ok(text)
    } else {
        let text = text + &String::from_utf8_lossy(&output.stderr);
        Err(ProcessError::Failed { program, text: format!("{}: {}", output.status, text.trim()) })
    }
}

/// Whether a program is installed.
pub(super) fn is_installed(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

/// This binary.
pub(super) fn this() -> Result<PathBuf, ProcessError> {
    std::env::current_exe().map_err(|source| ProcessError::Spawn { program: "the bench".into(), source })
}
