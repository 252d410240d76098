//! A greeter that does what a test says, and remembers what it was asked.

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::greeter::greeter_server::Greeter;
use crate::greeter::{HelloReply, HelloRequest, RecordReply, WatchRequest};
use tokio_stream::{Stream, StreamExt};
use tonic::metadata::MetadataMap;
use tonic::{Code, Request, Response, Status, Streaming};

/// Most calls that a greeter remembers; it counts those beyond, too.
const REMEMBERED: usize = 20_000;

/// A greeter, whose clones are one. Each call names somebody, and the greeter's `answering` function says
/// what that name gets:
///
/// - `say_hello`: the answer, after its delay;
/// - `watch`: greetings as the request says, once the delay has passed;
/// - `record`: how many came, once all have;
/// - `chat`: a greeting for each who comes. Its headers come with the first of them.
#[derive(Clone)]
pub struct TestGreeter {
    name: Arc<str>,
    answering: Arc<dyn Fn(&str) -> Answer + Send + Sync>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    heard: Mutex<Vec<Heard>>,
    started: AtomicUsize,
    finished: AtomicUsize,
    in_flight: AtomicUsize,
}

/// What somebody gets, and when.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    delay: Duration,
    error: Option<Status>,
}

/// One call that came.
#[derive(Clone, Debug)]
pub struct Heard {
    /// Who was to be greeted; empty where that came later than the call.
    pub name: String,
    /// What came with the call.
    pub metadata: MetadataMap,
}

impl Answer {
    /// A greeting after `delay`.
    pub fn after(delay: Duration) -> Self {
        Self { delay, error: None }
    }

    /// This status.
    pub fn error(code: Code, message: impl Into<String>) -> Self {
        Self { delay: Duration::ZERO, error: Some(Status::new(code, message)) }
    }
}

impl TestGreeter {
    /// A greeter that says `name` in its replies and answers at once.
    pub fn new(name: &str) -> Self {
        Self { name: name.into(), answering: Arc::new(|_| Answer::default()), counts: Arc::default() }
    }

    /// The same greeter, which answers as `answering` says for each name.
    #[must_use]
    pub fn answering(self, answering: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        Self { answering: Arc::new(answering), ..self }
    }

    /// The same greeter, which takes so long for each answer.
    #[must_use]
    pub fn slow(self, delay: Duration) -> Self {
        self.answering(move |_| Answer::after(delay))
    }

    /// The calls that came so far, as far as they are remembered.
    pub fn heard(&self) -> Vec<Heard> {
        self.counts.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The number of calls that came so far.
    pub fn started(&self) -> usize {
        self.counts.started.load(Relaxed)
    }

    /// The number of calls that were answered; of streams, of those that were streamed to their end.
    pub fn finished(&self) -> usize {
        self.counts.finished.load(Relaxed)
    }

    /// The number of calls that came and were neither answered nor cancelled yet.
    pub fn in_flight(&self) -> usize {
        self.counts.in_flight.load(Relaxed)
    }

    fn begin(&self, name: &str, metadata: &MetadataMap) -> InFlight {
        self.counts.started.fetch_add(1, Relaxed);
        self.counts.in_flight.fetch_add(1, Relaxed);
        let mut heard = self.counts.heard.lock().unwrap_or_else(PoisonError::into_inner);
        if heard.len() < REMEMBERED {
            heard.push(Heard { name: name.to_owned(), metadata: metadata.clone() });
        }
        InFlight(Arc::clone(&self.counts))
    }

    async fn answer(&self, name: &str) -> Result<(), Status> {
        let Answer { delay, error } = (self.answering)(name);
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        error.map_or(Ok(()), Err)
    }

    fn hello(&self, name: &str) -> HelloReply {
        HelloReply { message: format!("Hello, {name}!"), server: self.name.to_string() }
    }
}

/// Counts one call until it ends, however it does.
struct InFlight(Arc<Counts>);

impl InFlight {
    fn finished(&self) {
        self.0.finished.fetch_add(1, Relaxed);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

/// Greetings, one after the other.
type Replies = Pin<Box<dyn Stream<Item = Result<HelloReply, Status>> + Send>>;

#[tonic::async_trait]
impl Greeter for TestGreeter {
    type WatchStream = Replies;
    type ChatStream = Replies;

    async fn say_hello(&self, request: Request<HelloRequest>) -> Result<Response<HelloReply>, Status> {
        let name = &request.get_ref().name;
        let call = self.begin(name, request.metadata());
        self.answer(name).await?;
        call.finished();
        Ok(Response::new(self.hello(name)))
    }

    async fn watch(&self, request: Request<WatchRequest>) -> Result<Response<Replies>, Status> {
        let call = self.begin(&request.get_ref().name, request.metadata());
        let WatchRequest { name, count, interval_ms } = request.into_inner();
        self.answer(&name).await?;
        let count = if count == 0 { usize::MAX } else { count as usize };
        let ticks = tokio::time::interval(Duration::from_millis(u64::from(interval_ms.max(1))));
        let greeting = self.hello(&name);
        let greetings = tokio_stream::wrappers::IntervalStream::new(ticks)
            .map(move |_| Ok(greeting.clone()))
            .take(count)
            .chain(tokio_stream::once(()).filter_map(move |()| {
                call.finished();
                None
            }));
        Ok(Response::new(Box::pin(greetings)))
    }

    async fn record(
        &self,
        request: Request<Streaming<HelloRequest>>,
    ) -> Result<Response<RecordReply>, Status> {
        let call = self.begin("", request.metadata());
        let mut people = request.into_inner();
        let mut names = Vec::new();
        while let Some(person) = people.message().await? {
            self.answer(&person.name).await?;
            names.push(person.name);
        }
        call.finished();
        let count = u32::try_from(names.len()).unwrap_or(u32::MAX);
        Ok(Response::new(RecordReply { count, names }))
    }

    async fn chat(&self, request: Request<Streaming<HelloRequest>>) -> Result<Response<Replies>, Status> {
        let call = self.begin("", request.metadata());
        let mut people = request.into_inner();
        let first = people.message().await?;
        let greeter = self.clone();
        let rest = people.map(move |person| person.map(|person| greeter.hello(&person.name)));
        let first = first.map(|person| Ok(self.hello(&person.name)));
        let replies =
            tokio_stream::iter(first).chain(rest).chain(tokio_stream::once(()).filter_map(move |()| {
                call.finished();
                None
            }));
        Ok(Response::new(Box::pin(replies)))
    }
}

impl fmt::Debug for TestGreeter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestGreeter")
            .field("name", &self.name)
            .field("started", &self.started())
            .finish_non_exhaustive()
    }
}
