//! How the response of a call begins: what its head means, and what becomes of the rest of the request then.

use std::mem;
use std::task::{Context, Poll, ready};

use tokio::time::Instant;
use trunkline_proto::wire::Code;

use super::Upload;
use super::ending::Failed;
use super::machine::{DirectCall, Foreign, Stage, Step};
use super::pump::Pump;
use super::report::Sent;
use super::response::{Response, missing_status};
use crate::transport::StreamEvent;

impl DirectCall {
    /// Moves the request on and takes what came back.
    pub(super) fn poll_answer(&mut self, cx: &mut Context<'_>) -> Step<()> {
        let (Stage::Sent { sender }, Some(attempt)) = (&mut self.stage, self.exchange.attempt_mut()) else {
            unreachable!("only what was sent is answered")
        };
        if let Some(half) = sender {
            match self.upload.poll_pump(half, cx) {
                Poll::Ready(Ok(())) => *sender = None,
                Poll::Ready(Err(status)) => return Poll::Ready(Err(Failed::request(status))),
                Poll::Pending => {}
            }
        }
        Poll::Ready(match ready!(attempt.stream.poll_event(cx)) {
            StreamEvent::Head(head) => self.begin(Response::read(head)),
            StreamEvent::Failed(error) => self.look_elsewhere(error),
            StreamEvent::Data(_) | StreamEvent::Trailers(_) | StreamEvent::End => {
                Err(self.exchange.answered_with(missing_status()))
            }
        })
    }

    /// The response has begun: from here on nothing is sent again.
    fn begin(&mut self, response: Response) -> Result<(), Failed> {
        match response {
            // A head that is the end has no body to wait for.
            Response::Foreign(response) => match response.status() {
                Some(status) => Err(self.exchange.answered_with(status)),
                None => {
                    let sender = match mem::replace(&mut self.stage, Stage::Begun) {
                        Stage::Sent { sender } => sender,
                        _ => None,
                    };
                    self.stage = Stage::Foreign(Box::new(Foreign { response: *response, _sender: sender }));
                    Ok(())
                }
            },
            Response::Status(status, headers) if status.code == Code::Ok => {
                self.exchange.headers = Some(headers);
                self.end(Code::Ok, Instant::now());
                Ok(())
            }
            Response::Status(status, headers) => Err(self
                .expired_by(status.code)
                .unwrap_or_else(|| Failed::server(status, headers.into_map()))),
            Response::Messages(headers) => {
                self.exchange.headers = Some(headers);
                self.upload.commit();
                self.hand_rest_over()
            }
        }
    }

    /// The rest of a streamed request goes on by itself, since the application may send without reading.
    fn hand_rest_over(&mut self) -> Result<(), Failed> {
        let stage = mem::replace(&mut self.stage, Stage::Begun);
        if let Stage::Sent { sender: Some(sender) } = stage
            && let Some(rest) = mem::replace(&mut self.upload, Upload::spent()).into_rest()
        {
            let runtime = self.exchange.core().runtime().map_err(|error| error.problem(Sent::Yes))?;
            let _entered = runtime.enter();
            let pump = Pump::begin(rest, sender, runtime.clone());
            if let Some(attempt) = self.exchange.attempt_mut() {
                attempt.pump = Some(pump);
            }
        }
        Ok(())
    }

    /// Reads what is not gRPC's for the text of a status.
    pub(super) fn poll_foreign(&mut self, cx: &mut Context<'_>) -> Step<()> {
        let (Stage::Foreign(foreign), Some(attempt)) = (&mut self.stage, self.exchange.attempt_mut()) else {
            unreachable!("only a foreign response is read so");
        };
        let response = &mut foreign.response;
        let status = loop {
            let data = match ready!(attempt.stream.poll_event(cx)) {
                StreamEvent::Data(data) => data,
                _ => break response.status_now(),
            };
            response.push(&data);
            if let Some(status) = response.status() {
                break status;
            }
        };
        Poll::Ready(Err(self.exchange.answered_with(status)))
    }
}
