//! What is measured against what.

use std::net::SocketAddr;
use std::time::Duration;

use crate::arguments::Settings;
use crate::contender::Contender;
use crate::report::Key;
use crate::sample::{Extent, Order};
use crate::server::ServerKind;
use crate::workload::{Shape, Workload};

use super::cores::Cores;

/// gRPC calls have deadlines, and figures without them do not count.
const DEADLINE: Duration = Duration::from_secs(1);

/// Idle streams live longer than that, and have deadlines too.
const IDLE_DEADLINE: Duration = Duration::from_secs(120);

/// What a client process may need beyond what it was told to take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Beside tonic's server only these say something: it is the bottleneck in all.
const WITH_TONIC: [Workload; 3] = [Workload::Hundred, Workload::Thousand, Workload::LargeEight];

/// h2load does nothing but unary calls on one connection.
const BY_H2LOAD: [Workload; 3] = [Workload::Alone, Workload::Hundred, Workload::Thousand];

/// Bare frames go one call at a time.
const BARE: [Workload; 1] = [Workload::Alone];

/// All cells of a run, in order: contenders of a workload stand together, so that they are measured within
/// seconds of each other.
pub(super) fn cells(settings: &Settings) -> Vec<Key> {
    let mut cells = Vec::new();
    for server in &settings.servers {
        for workload in &settings.workloads {
            let contenders = settings.contenders.iter();
            let keys = contenders.map(|&contender| Key { workload: *workload, server: *server, contender });
            cells.extend(keys.filter(says_something));
        }
    }
    cells
}

fn says_something(key: &Key) -> bool {
    let served = key.server == ServerKind::Responder || WITH_TONIC.contains(&key.workload);
    let asked = match key.contender {
        Contender::H2load => BY_H2LOAD.contains(&key.workload) && key.server == ServerKind::Responder,
        Contender::Bare => BARE.contains(&key.workload),
        _ => true,
    };
    served && asked
}

/// The order for one cell.
pub(super) fn order(key: Key, server: SocketAddr, cores: &Cores, warm_up: Extent, measured: Extent) -> Order {
    let (threads, deadline) = match key.workload.shape() {
        Shape::Unary { threads, .. } => (threads, DEADLINE),
        Shape::Flood { .. } => (1, DEADLINE),
        Shape::IdleStreams { .. } | Shape::IdleConnections { .. } => (1, IDLE_DEADLINE),
    };
    let time = |extent| match extent {
        Extent::For(time) => time,
        Extent::Calls(_) => Duration::ZERO,
    };
    Order {
        contender: key.contender,
        workload: key.workload,
        server,
        cores: cores.clients(threads),
        workers: cores.workers,
        warm_up,
        measured,
        deadline,
        patience: PATIENCE + time(warm_up) + time(measured),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::Arguments;

    fn cells_of(line: &str) -> Vec<Key> {
        match Arguments::parse(line.split_whitespace().map(str::to_owned)) {
            Ok(Arguments::Measure(settings)) => cells(&settings),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn h2load_does_only_what_it_can() {
        let cells = cells_of("--contender h2load");
        assert_eq!(cells.len(), BY_H2LOAD.len());
        assert!(cells.iter().all(|key| key.server == ServerKind::Responder));
    }

    #[test]
    fn contenders_of_a_workload_stand_together() {
        let cells = cells_of("--only w2,w3 --server responder");
        let workloads: Vec<_> = cells.iter().map(|key| key.workload).collect();
        assert!(workloads.is_sorted_by_key(|workload| *workload == Workload::Thousand), "{workloads:?}");
    }
}
