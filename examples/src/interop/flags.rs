//! The flags of the interop client, as all implementations have them. Read by hand: they are a dozen of one
//! form (`--name=value`), and a library for that would be the largest dependency of the examples.

use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use trunkline::connect::{Roots, Tls};
use trunkline::metadata::{AsciiMetadataKey, MetadataMap};
use trunkline::{Channel, ChannelBuilder, Transport};

use super::{Case, Connect, Soak, UnknownCase};

/// What the interop client is told.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Flags {
    /// The cases to run, in order: `--test_case`, names with commas between them, or `all`.
    pub cases: Vec<Case>,
    /// Whether to call by the stub that tonic generates: `--stub=tonic`.
    pub tonic_stub: bool,
    /// The HTTP/2 engine of every channel: `--transport=h2` or `--transport=trunkline`.
    pub transport: Transport,
    /// Metadata of every call: `--additional_metadata=key:value;key:value`.
    pub metadata: MetadataMap,
    /// The settings of the soak cases: `--soak_..`.
    pub soak: Soak,
    host: String,
    port: u16,
    host_override: Option<String>,
    use_tls: bool,
    use_test_ca: bool,
    ca_file: PathBuf,
}

/// What is wrong with a flag.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FlagError {
    /// It is no flag at all.
    #[error("`{0}` is not of the form --name=value")]
    Form(String),
    /// There is none of that name.
    #[error("there is no flag `--{0}`")]
    Unknown(String),
    /// It has no value, or one that makes no sense.
    #[error("`--{name}={value}`: {reason}")]
    Value {
        /// The flag.
        name: String,
        /// What it was given.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The case is not here.
    #[error(transparent)]
    Case(#[from] UnknownCase),
}

impl Flags {
    /// Reads the flags. `--name value` is the same as `--name=value`.
    ///
    /// # Errors
    /// What is wrong with the first one that is.
    pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, FlagError> {
        let mut flags = Self::default();
        let mut overall_timeout = None;
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let name = argument.strip_prefix("--").ok_or_else(|| FlagError::Form(argument.clone()))?;
            let (name, value) = match name.split_once('=') {
                Some((name, value)) => (name, value.to_owned()),
                None => (name, arguments.next().ok_or_else(|| FlagError::Form(argument.clone()))?),
            };
            if name == "soak_overall_timeout_seconds" {
                overall_timeout = Some(seconds(name, &value)?);
            } else {
                flags.set(name, value)?;
            }
        }
        // gRPC's default: as if every call took as long as it may.
        let by_calls = flags.soak.max_latency.saturating_mul(flags.soak.iterations);
        flags.soak.overall_timeout = overall_timeout.unwrap_or(by_calls);
        Ok(flags)
    }

    fn set(&mut self, name: &str, value: String) -> Result<(), FlagError> {
        match name {
            "server_host" => self.host = value,
            "server_port" => self.port = read(name, &value)?,
            "server_host_override" => self.host_override = Some(value).filter(|value| !value.is_empty()),
            "test_case" => self.cases = read_cases(&value)?,
            "use_tls" => self.use_tls = read(name, &value)?,
            "use_test_ca" => self.use_test_ca = read(name, &value)?,
            "ca_file" => self.ca_file = value.into(),
            "additional_metadata" => self.metadata = read_metadata(name, &value)?,
            "stub" => self.tonic_stub = read_stub(name, &value)?,
            "transport" => self.transport = read_transport(name, &value)?,
            "soak_iterations" => self.soak.iterations = read(name, &value)?,
            "soak_num_threads" => self.soak.threads = read::<u32>(name, &value)?.max(1),
            "soak_max_failures" => self.soak.max_failures = read(name, &value)?,
            "soak_per_iteration_max_acceptable_latency_ms" => {
                self.soak.max_latency = milliseconds(name, &value)?
            }
            "soak_min_time_ms_between_rpcs" => self.soak.min_interval = milliseconds(name, &value)?,
            "soak_request_size" => self.soak.request_size = read(name, &value)?,
            "soak_response_size" => self.soak.response_size = read(name, &value)?,
            // Test drivers give these to every client, empty where they do not apply.
            "default_service_account"
            | "oauth_scope"
            | "service_account_key_file"
            | "service_config_json"
                if value.is_empty() => {}
            "default_service_account" | "oauth_scope" | "service_account_key_file" => {
                return Err(wrong(name, &value, "is for cases that need Google's cloud"));
            }
            "service_config_json" => return Err(wrong(name, &value, "no case that is here needs one")),
            _ => return Err(FlagError::Unknown(name.to_owned())),
        }
        Ok(())
    }

    /// Where the server is.
    pub fn target(&self) -> String {
        let host = match self.host.parse::<Ipv6Addr>() {
            Ok(address) => format!("[{address}]"),
            Err(_) => self.host.clone(),
        };
        format!("dns:///{host}:{}", self.port)
    }

    /// How channels to it are made.
    pub fn connect(&self) -> Connect {
        let flags = self.clone();
        Arc::new(move || flags.channel_builder())
    }

    fn channel_builder(&self) -> ChannelBuilder {
        let mut builder = Channel::builder(self.target()).transport(self.transport);
        if let Some(name) = &self.host_override {
            builder = builder.authority(name);
        }
        match (self.use_tls, self.use_test_ca) {
            (false, _) => builder.plaintext(),
            (true, false) => builder.tls(Tls::new()),
            (true, true) => builder.tls(Tls::new().roots(Roots::pem_file(&self.ca_file))),
        }
    }
}

impl Default for Flags {
    fn default() -> Self {
        Self {
            cases: vec![Case::LargeUnary],
            tonic_stub: false,
            transport: Transport::default(),
            metadata: MetadataMap::new(),
            soak: Soak::default(),
            host: "localhost".to_owned(),
            port: 8080,
            host_override: None,
            use_tls: false,
            use_test_ca: false,
            ca_file: "ca.pem".into(),
        }
    }
}

fn read_cases(names: &str) -> Result<Vec<Case>, FlagError> {
    if names == "all" {
        return Ok(Case::ALL.to_vec());
    }
    names.split(',').map(|name| Ok(name.parse()?)).collect()
}

fn read_stub(name: &str, value: &str) -> Result<bool, FlagError> {
    match value {
        "own" => Ok(false),
        "tonic" => Ok(true),
        _ => Err(wrong(name, value, "is `own` or `tonic`")),
    }
}

fn read_transport(name: &str, value: &str) -> Result<Transport, FlagError> {
    match value {
        "h2" => Ok(Transport::H2),
        "trunkline" => Ok(Transport::Trunkline),
        _ => Err(wrong(name, value, "is `h2` or `trunkline`")),
    }
}

/// Keys and values; a colon in a value is part of it.
fn read_metadata(name: &str, value: &str) -> Result<MetadataMap, FlagError> {
    let mut metadata = MetadataMap::new();
    for entry in value.split(';').filter(|entry| !entry.is_empty()) {
        let (key, text) =
            entry.split_once(':').ok_or_else(|| wrong(name, value, "an entry is `key:value`"))?;
        let key = AsciiMetadataKey::from_str(key).map_err(|error| wrong(name, value, &error.to_string()))?;
        metadata.append(key, read(name, text)?);
    }
    Ok(metadata)
}

fn milliseconds(name: &str, value: &str) -> Result<Duration, FlagError> {
    read(name, value).map(Duration::from_millis)
}

fn seconds(name: &str, value: &str) -> Result<Duration, FlagError> {
    read(name, value).map(Duration::from_secs)
}

fn read<T: FromStr<Err: ToString>>(name: &str, value: &str) -> Result<T, FlagError> {
    value.parse().map_err(|error: T::Err| wrong(name, value, &error.to_string()))
}

fn wrong(name: &str, value: &str, reason: &str) -> FlagError {
    FlagError::Value { name: name.to_owned(), value: value.to_owned(), reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Flags, FlagError> {
        Flags::parse(arguments.iter().map(|&argument| argument.to_owned()))
    }

    #[test]
    fn both_forms_of_a_flag_are_read() {
        let flags = parse(&["--server_host=::1", "--server_port", "9000", "--test_case=all"]).unwrap();
        assert_eq!(flags.target(), "dns:///[::1]:9000");
        assert_eq!(flags.cases, Case::ALL);
    }

    #[test]
    fn metadata_of_every_call_may_have_colons() {
        let flags = parse(&["--additional_metadata=a:b:c;d:e"]).unwrap();
        assert_eq!(flags.metadata.get("a").unwrap(), "b:c");
        assert_eq!(flags.metadata.get("d").unwrap(), "e");
    }

    #[test]
    fn a_soak_may_take_as_long_as_all_its_calls_unless_it_is_told() {
        let slow = "--soak_per_iteration_max_acceptable_latency_ms=500";
        assert_eq!(parse(&[slow]).unwrap().soak.overall_timeout, Duration::from_secs(5));
        let told = parse(&["--soak_overall_timeout_seconds=7", slow]).unwrap();
        assert_eq!(told.soak.overall_timeout, Duration::from_secs(7));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let text = |arguments: &[&str]| parse(arguments).unwrap_err().to_string();
        assert!(text(&["--server_port=many"]).contains("--server_port=many"));
        assert!(text(&["--sever_port=1"]).contains("no flag `--sever_port`"));
        assert!(text(&["server_port"]).contains("form"));
        assert!(text(&["--use_tls"]).contains("form"));
        assert!(text(&["--test_case=large_unary,nothing"]).contains("nothing"));
        assert!(text(&["--oauth_scope=x"]).contains("cloud"));
        assert!(parse(&["--oauth_scope="]).is_ok());
    }
}
