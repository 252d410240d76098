//! What is counted instead of timed: allocations, system calls and instructions per call. Each is taken in
//! processes of its own, since counting takes time. All but one are a matter of the code and not of the machine's
//! mood: how much a read finds depends on who was quicker, so system calls are counted as often as there are
//! rounds.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::thread;

use crate::contender::Contender;
use crate::engine;
use crate::report::{Counted, Head, Key, PerCall};
use crate::responder::{self, HeadSize};
use crate::sample::Extent;
use crate::server::ServerKind;
use crate::workload::Workload;

use super::callgrind;
use super::plan;
use super::process::{self, ProcessError, ServerProcess};
use super::rounds::Bench;
use super::system_calls::Tracer;

/// The workload whose allocations and instructions are counted.
const BUSY: Workload = Workload::Hundred;

/// Calls over which allocations are counted, after those that fill pools and tables.
const ALLOCATING: (u64, u64) = (4_000, 20_000);

/// The same where a call is a hundred thousand messages.
const ALLOCATING_FLOODS: (u64, u64) = (2, 10);

/// Calls after which a head is what it will always be.
const REPEATED: u64 = 500;

/// Workloads whose system calls are counted, and over how many calls. Those that goals are about come first, if
/// time is short.
const CALLING: [(Workload, u64); 4] = [
    (Workload::Alone, 2_000),
    (Workload::Large, 100),
    (Workload::Hundred, 20_000),
    (Workload::LargeEight, 200),
];

impl Bench<'_> {
    /// Counts all that can be counted here.
    pub(super) fn count(&mut self) -> Result<(), ProcessError> {
        self.report.frame_nanos = self.cores.on_client(engine::frame_nanos).ok();
        self.measure_heads()?;
        self.count_allocations()?;
        self.count_system_calls()?;
        self.count_instructions()
    }

    fn count_allocations(&mut self) -> Result<(), ProcessError> {
        let wanted = [
            BUSY,
            Workload::FloodPacked,
            Workload::FloodFramed,
            Workload::IdleStreams,
            Workload::IdleConnections,
        ];
        let keys = self.keys(&wanted);
        if keys.is_empty() {
            return Ok(());
        }
        let binary = counting_binary()?;
        for key in keys {
            let Some(server) = self.begin("allocations", key)? else { return Ok(()) };
            let (warm_up, measured) = match key.workload {
                Workload::FloodPacked | Workload::FloodFramed => ALLOCATING_FLOODS,
                _ => ALLOCATING,
            };
            let (warm_up, measured) = (Extent::Calls(warm_up), Extent::Calls(measured));
            let order = plan::order(key, server.address(), self.cores, warm_up, measured);
            let sample = match process::client_under::<&str>(&[], &binary, &order) {
                Ok(sample) if sample.failures == 0 => sample,
                _ => continue,
            };
            let counted = &mut self.report.cell(key).counted;
            if let Some(allocations) = sample.allocations {
                let calls = sample.calls as f64;
                counted.allocations = Some(allocations.count as f64 / calls);
                counted.bytes = Some(allocations.bytes as f64 / calls);
            }
            counted.heap = sample.memory.and_then(|memory| memory.heap);
        }
        Ok(())
    }

    /// How small the head of a request becomes that comes again and again. The server is a thread here, since it
    /// is the one that knows.
    fn measure_heads(&mut self) -> Result<(), ProcessError> {
        let failed = |source| ProcessError::Spawn { program: "a server".into(), source };
        for key in self.keys(&[BUSY]) {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
            let address = listener.local_addr().map_err(failed)?;
            let order =
                plan::order(key, address, self.cores, Extent::Calls(REPEATED), Extent::Calls(REPEATED));
            let size = thread::scope(|scope| {
                let server = scope.spawn(|| responder::serve_one(&listener));
                let ended = process::client(&order);
                // If the client never came, somebody has to.
                drop(TcpStream::connect(address));
                ended.map(|_| server.join())
            });
            if let Ok(Ok(Ok(HeadSize { coded, plain }))) = size {
                let head = (plain > 0).then_some(Head { coded, plain });
                self.report.cell(key).counted.head = head;
            }
        }
        Ok(())
    }

    fn count_system_calls(&mut self) -> Result<(), ProcessError> {
        let Some(tracer) = Tracer::installed() else { return Ok(()) };
        self.report.tracer = Some(tracer.name().to_owned());
        for (workload, calls) in CALLING {
            for key in self.keys(&[workload]) {
                let Some(server) = self.begin("system calls", key)? else { return Ok(()) };
                let order = |calls| {
                    let (warm_up, measured) = (Extent::Calls(calls / 2), Extent::Calls(calls));
                    plan::order(key, server.address(), self.cores, warm_up, measured)
                };
                let count = || {
                    let once = tracer.count(&order(calls))?;
                    // The warm-up doubles too.
                    Ok(tracer.count(&order(2 * calls))?.minus(once).per_call(1.5 * calls as f64))
                };
                let counted: Result<Vec<_>, _> = (0..self.settings.rounds).map(|_| count()).collect();
                keep(
                    counted,
                    |counts, counted| counted.system_calls = PerCall::median(&counts),
                    self.report.cell(key),
                );
            }
        }
        Ok(())
    }

    fn count_instructions(&mut self) -> Result<(), ProcessError> {
        if !process::is_installed("valgrind") {
            return Ok(());
        }
        for key in self.keys(&[BUSY]) {
            let Some(server) = self.begin("instructions", key)? else { return Ok(()) };
            let counted = callgrind::instructions(|calls| {
                let (warm_up, measured) = (Extent::Calls(callgrind::WARM_UP), Extent::Calls(calls));
                let mut order = plan::order(key, server.address(), self.cores, warm_up, measured);
                callgrind::be_patient(&mut order);
                order
            });
            keep(counted, |count, counted| counted.instructions = Some(count), self.report.cell(key));
        }
        Ok(())
    }

    /// The cells of these workloads beside the responder, which are clients of ours.
    fn keys(&self, workloads: &[Workload]) -> Vec<Key> {
        let mut keys = plan::cells(self.settings);
        keys.retain(|key| {
            workloads.contains(&key.workload)
                && key.server == ServerKind::Responder
                && key.contender != Contender::H2load
        });
        keys
    }

    /// A server for the next count; `None` if there is no time for it.
    fn begin(&self, what: &str, key: Key) -> Result<Option<ServerProcess>, ProcessError> {
        if self.is_over() {
            return Ok(None);
        }
        eprint!("\r{what}: {:60}", key.to_string());
        ServerProcess::start(key.server, self.cores.server()).map(Some)
    }
}

/// What could not be counted is missing in the report, and said.
fn keep<T>(
    counted: Result<T, ProcessError>,
    put: impl FnOnce(T, &mut Counted),
    cell: &mut crate::report::Cell,
) {
    match counted {
        Ok(counted) => put(counted, &mut cell.counted),
        Err(error) => eprintln!("\n{error}"),
    }
}

/// The binary that counts stands beside this one. It is made when it is needed, since `cargo run` makes only
/// what it runs; that takes a moment if it is there already.
fn counting_binary() -> Result<PathBuf, ProcessError> {
    let this = process::this()?;
    let name = format!("bench-counting{}", std::env::consts::EXE_SUFFIX);
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--package", "bench", "--bin", "bench-counting"]);
    build.current_dir(env!("CARGO_MANIFEST_DIR"));
    if !cfg!(debug_assertions) {
        build.arg("--release");
    }
    // The folder of this binary is one of its target folder.
    if let Some(target) = this.parent().and_then(|folder| folder.parent()) {
        build.arg("--target-dir").arg(target);
    }
    process::said(&mut build)?;
    Ok(this.with_file_name(name))
}
