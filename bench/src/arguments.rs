//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use crate::contender::Contender;
use crate::sample::Order;
use crate::server::ServerKind;
use crate::workload::Workload;

pub(crate) const HELP: &str = "\
cargo run --release -p bench -- [options]
  --short               everything in a minute, in less detail
  --rounds <n>          interleaved rounds (default 5; short 1)
  --millis <n>          measured per round and cell (default 1500; short 250)
  --only <list>         workloads: w1 w2 w3 w4-packed w4-framed w5 w5-eight w2-threads w6-streams
                        w6-connections; `w4` and `w6` are both of each
  --contender <list>    own own-h2 stub stub-h2 tonic h2 bare h2load
  --server <list>       responder tonic-server
  --workers <n>         clients run on tokio's multi-thread runtime with so many workers, as under
                        #[tokio::main], and are not pinned (default: current-thread, pinned)
  --no-counts           times and memory only: no allocations, system calls, instructions
  --out <folder>        where <name>.json and <name>.svg go (default bench/results)
  --name <name>         default `latest`; `short` with --short";

/// What the command line says.
#[derive(Debug)]
pub(crate) enum Arguments {
    Help,
    Measure(Settings),
    /// A process of the bench's own.
    Play(Role),
}

#[derive(Debug)]
pub(crate) enum Role {
    Client(Box<Order>),
    Server(ServerKind, Option<usize>),
}

/// What is measured, and how long.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) short: bool,
    pub(crate) rounds: usize,
    pub(crate) measured: Duration,
    pub(crate) workloads: Vec<Workload>,
    pub(crate) contenders: Vec<Contender>,
    pub(crate) servers: Vec<ServerKind>,
    /// Of the clients' runtimes, if they are multi-threaded.
    pub(crate) workers: Option<usize>,
    pub(crate) counts: bool,
    pub(crate) out: PathBuf,
    pub(crate) name: String,
}

/// What is wrong with it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ArgumentError {
    #[error("`{0}` is unknown\n{HELP}")]
    Unknown(String),
    #[error("`{0}` lacks its value")]
    Incomplete(String),
    #[error("`{0}` is not a number above zero")]
    Number(String),
    #[error("an order that cannot be read: {0}")]
    Order(String),
}

impl Arguments {
    pub(crate) fn parse(words: impl IntoIterator<Item = String>) -> Result<Self, ArgumentError> {
        let words: Vec<String> = words.into_iter().collect();
        match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["--help" | "-h", ..] => Ok(Self::Help),
            ["client", order] => {
                let order = serde_json::from_str(order);
                let order = order.map_err(|error| ArgumentError::Order(error.to_string()))?;
                Ok(Self::Play(Role::Client(Box::new(order))))
            }
            ["server", kind, core] => {
                let kind = named(kind, &ServerKind::ALL, ServerKind::name)?;
                let kind = *kind.first().ok_or_else(|| ArgumentError::Unknown("server".into()))?;
                Ok(Self::Play(Role::Server(kind, core.parse().ok())))
            }
            options => Settings::parse(options).map(Self::Measure),
        }
    }
}

impl Settings {
    fn parse(options: &[&str]) -> Result<Self, ArgumentError> {
        let short = options.contains(&"--short");
        let mut settings = Self {
            short,
            rounds: if short { 1 } else { 5 },
            measured: Duration::from_millis(if short { 250 } else { 1500 }),
            workloads: Workload::ALL.to_vec(),
            contenders: Contender::ALL.to_vec(),
            servers: ServerKind::ALL.to_vec(),
            workers: None,
            counts: true,
            out: PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/results")),
            name: if short { "short" } else { "latest" }.to_owned(),
        };
        let mut options = options.iter();
        while let Some(&option) = options.next() {
            let mut value =
                || options.next().copied().ok_or_else(|| ArgumentError::Incomplete(option.into()));
            match option {
                "--short" => {}
                "--no-counts" => settings.counts = false,
                "--rounds" => settings.rounds = number(value()?)? as usize,
                "--millis" => settings.measured = Duration::from_millis(number(value()?)?),
                "--only" => settings.workloads = named(value()?, &Workload::ALL, Workload::name)?,
                "--contender" => settings.contenders = named(value()?, &Contender::ALL, Contender::name)?,
                "--server" => settings.servers = named(value()?, &ServerKind::ALL, ServerKind::name)?,
                "--workers" => settings.workers = Some(number(value()?)? as usize),
                "--out" => settings.out = value()?.into(),
                "--name" => settings.name = value()?.to_owned(),
                unknown => return Err(ArgumentError::Unknown(unknown.into())),
            }
        }
        Ok(settings)
    }
}

/// Those with the names of a list, in their own order. A word that is nobody's name stands for all that begin
/// with it.
fn named<T: Copy>(list: &str, all: &[T], name: fn(T) -> &'static str) -> Result<Vec<T>, ArgumentError> {
    let words: Vec<&str> = list.split(',').collect();
    let stands_for = |word: &str, one: T| {
        let is_a_name = all.iter().any(|other| name(*other) == word);
        if is_a_name { name(one) == word } else { name(one).starts_with(word) }
    };
    let unknown = words.iter().find(|word| !all.iter().any(|one| stands_for(word, *one)));
    if let Some(unknown) = unknown {
        return Err(ArgumentError::Unknown((*unknown).into()));
    }
    let is_named = |one: &T| words.iter().any(|word| stands_for(word, *one));
    Ok(all.iter().copied().filter(is_named).collect())
}

fn number(text: &str) -> Result<u64, ArgumentError> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| ArgumentError::Number(text.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(line: &str) -> Result<Settings, ArgumentError> {
        match Arguments::parse(line.split_whitespace().map(str::to_owned))? {
            Arguments::Measure(settings) => Ok(settings),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_name_is_itself_and_a_beginning_is_all_that_begin_with_it() {
        let settings = settings("--only w4,w2 --contender own --rounds 3").unwrap();
        assert_eq!(settings.workloads, [Workload::Hundred, Workload::FloodPacked, Workload::FloodFramed]);
        assert_eq!(settings.contenders, [Contender::Own]);
        assert_eq!((settings.rounds, settings.workers), (3, None));
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(settings("--fast").unwrap_err(), ArgumentError::Unknown("--fast".into()));
        assert_eq!(settings("--only w9").unwrap_err(), ArgumentError::Unknown("w9".into()));
        assert_eq!(settings("--rounds 0").unwrap_err(), ArgumentError::Number("0".into()));
        assert_eq!(settings("--out").unwrap_err(), ArgumentError::Incomplete("--out".into()));
    }
}
