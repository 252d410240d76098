//! nghttp2's load generator, where it is installed. It sends one request again and again and compares no
//! reply, so what it does is less than what the other contenders do.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::machine::usage;
use crate::sample::Sample;
use crate::workload::{Shape, Workload};

use super::cores::Cores;
use super::process::{ProcessError, ServerProcess, said};

/// A file with one framed message, which goes away with this.
pub(super) struct H2load {
    body: PathBuf,
}

impl H2load {
    /// `None` if the body cannot be written.
    pub(super) fn new() -> Option<Self> {
        let body = std::env::temp_dir().join(format!("trunkline-bench-{}.body", std::process::id()));
        fs::write(&body, framed()).ok()?;
        Some(Self { body })
    }

    pub(super) fn measure(
        &self,
        workload: Workload,
        server: &ServerProcess,
        cores: &Cores,
        time: Duration,
    ) -> Result<Sample, ProcessError> {
        let Shape::Unary { in_flight, .. } = workload.shape() else {
            return Ok(Sample::failed("h2load does unary calls only"));
        };
        let mut command = Command::new("h2load");
        command
            .args(["-c1", "-t1", &format!("-m{in_flight}"), &format!("-D{}ms", time.as_millis())])
            .arg("-d")
            .arg(&self.body)
            .args(["-H", "te: trailers", "-H", "content-type: application/grpc", "-H", "grpc-timeout: 1S"])
            .arg(format!("http://{}/bench.v1.Echo/Say", server.address()));
        let (began, cpu) = (Instant::now(), usage::cpu_seconds_of_children());
        let text = cores.on_client(|| said(&mut command))?;
        let cpu_seconds = usage::cpu_seconds_of_children() - cpu;
        parse(&text, cpu_seconds).ok_or_else(|| {
            let text = format!("after {:?}: {text}", began.elapsed());
            ProcessError::Output { program: "h2load".into(), text }
        })
    }
}

impl Drop for H2load {
    fn drop(&mut self) {
        // A file too many in the folder for temporary files harms nobody.
        let _left = fs::remove_file(&self.body);
    }
}

/// The message that the other contenders send with the number 0.
fn framed() -> Vec<u8> {
    let mut framed = vec![0, 0, 0, 0, 34, 0x0a, 32];
    framed.extend_from_slice(&[0; 8]);
    framed.extend_from_slice(&[b'.'; 24]);
    framed
}

fn parse(text: &str, cpu_seconds: f64) -> Option<Sample> {
    let find = |start: &str| text.lines().find_map(|line| line.strip_prefix(start));
    let rate: f64 = find("finished in ")?.split(", ").nth(1)?.strip_suffix(" req/s")?.parse().ok()?;
    let requests = find("requests: ")?;
    let count = |what: &str| {
        let part = requests.split(", ").find(|part| part.split(' ').nth(1) == Some(what))?;
        part.split(' ').next()?.parse::<u64>().ok()
    };
    let (calls, failures) = (count("succeeded")?, count("failed")?);
    let first_failure = (failures > 0).then(|| "h2load counts failures".to_owned());
    Some(Sample {
        calls,
        failures,
        first_failure,
        seconds: calls as f64 / rate,
        cpu_seconds,
        ..Sample::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_h2load_says_is_understood() {
        let text = "\
starting benchmark...
finished in 1.50s, 200000.00 req/s, 13.21MB/s
requests: 300000 total, 300100 started, 300000 done, 300000 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 300000 2xx, 0 3xx, 0 4xx, 0 5xx
";
        let sample = parse(text, 1.5).unwrap();
        assert_eq!((sample.calls, sample.failures, sample.seconds), (300_000, 0, 1.5));
        assert_eq!(sample.cpu_micros(), 5.0);
    }
}
