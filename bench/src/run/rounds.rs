//! Times, in interleaved rounds: the host's speed moves within seconds, so what is to be compared is measured
//! side by side and again and again.

use std::time::{Duration, Instant};

use crate::arguments::Settings;
use crate::contender::Contender;
use crate::report::{Key, Report};
use crate::sample::{Extent, Sample};

use super::cores::Cores;
use super::h2load::H2load;
use super::plan;
use super::process::{self, ProcessError, ServerProcess};

/// A run under way.
pub(super) struct Bench<'a> {
    pub(super) settings: &'a Settings,
    pub(super) cores: &'a Cores,
    /// Nothing is begun after this.
    pub(super) until: Option<Instant>,
    pub(super) report: Report,
}

impl Bench<'_> {
    /// Measures all cells in rounds. Memory is not a matter of luck and is measured once.
    pub(super) fn rounds(&mut self) -> Result<(), ProcessError> {
        let h2load = process::is_installed("h2load").then(H2load::new).flatten();
        let mut cells = plan::cells(self.settings);
        cells.retain(|key| h2load.is_some() || key.contender != Contender::H2load);
        for round in 0..self.settings.rounds {
            for key in &cells {
                if self.is_over() || (round > 0 && !key.workload.is_timed()) {
                    continue;
                }
                eprint!("\rround {} of {}: {:60}", round + 1, self.settings.rounds, key.to_string());
                let sample = self.one(*key, h2load.as_ref())?;
                self.report.cell(*key).rounds.push(sample);
            }
            // Whoever came first comes later in the next round.
            rotate(&mut cells);
        }
        eprintln!("\r{:80}", "");
        Ok(())
    }

    pub(super) fn is_over(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }

    fn one(&self, key: Key, h2load: Option<&H2load>) -> Result<Sample, ProcessError> {
        let server = ServerProcess::start(key.server, self.cores.server())?;
        let (began, before) = (Instant::now(), server.cpu_seconds());
        let mut sample = self.beside(&server, key, h2load);
        let busy = server.cpu_seconds().zip(before).map(|(now, before)| now - before);
        sample.server_busy = busy.map(|seconds| seconds / began.elapsed().as_secs_f64());
        Ok(sample)
    }

    fn beside(&self, server: &ServerProcess, key: Key, h2load: Option<&H2load>) -> Sample {
        let measured = self.settings.measured;
        if key.contender == Contender::H2load {
            let Some(h2load) = h2load else { return Sample::failed("h2load is not installed") };
            let measured = h2load.measure(key.workload, server, self.cores, measured);
            return measured.unwrap_or_else(Sample::failed);
        }
        let warm_up = (measured / 3).min(Duration::from_millis(500));
        let (warm_up, measured) = (Extent::For(warm_up), Extent::For(measured));
        let order = plan::order(key, server.address(), self.cores, warm_up, measured);
        process::client(&order).unwrap_or_else(Sample::failed)
    }
}

/// Within each workload, the first contender becomes the last.
fn rotate(cells: &mut [Key]) {
    for group in cells.chunk_by_mut(|a, b| (a.workload, a.server) == (b.workload, b.server)) {
        group.rotate_left(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::ServerKind;
    use crate::workload::Workload;

    #[test]
    fn the_first_contender_of_each_workload_is_the_last_of_the_next_round() {
        let key = |workload, contender| Key { workload, server: ServerKind::Responder, contender };
        let all = [Contender::Own, Contender::Tonic, Contender::RawH2];
        let mut cells: Vec<Key> = all.map(|contender| key(Workload::Hundred, contender)).to_vec();
        cells.extend(all.map(|contender| key(Workload::Thousand, contender)));
        rotate(&mut cells);
        let order: Vec<_> = cells.iter().map(|key| key.contender).collect();
        let rotated = [Contender::Tonic, Contender::RawH2, Contender::Own];
        assert_eq!(order, [rotated, rotated].concat());
    }
}
