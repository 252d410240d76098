//! How a story is told: short, and without a word that differs when the same seed is played again.

use trunkline_proto::ConnectivityState::TransientFailure;

use crate::control::{Action, DialId, DialNews, Event};

pub(super) fn event(event: &Event<DialId>) -> String {
    match event {
        Event::Resolved(Ok(resolution)) => {
            let addresses: Vec<_> =
                resolution.endpoints.iter().flat_map(|endpoint| endpoint.addresses()).collect();
            let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
            format!("resolved to {}", addresses.join(" "))
        }
        Event::Resolved(Err(error)) => format!("the resolver fails: {error}"),
        Event::Dial(id, DialNews::Connected(_)) => format!("{id:?} is connected"),
        Event::Dial(id, DialNews::Failed(error)) => format!("{id:?} fails: {error}"),
        Event::Dial(id, DialNews::Draining { usage, .. }) => {
            format!("{id:?} drains, answered: {}, used: {}", usage.answered, usage.last_used.is_some())
        }
        Event::Dial(id, DialNews::Lost { cause, usage }) => {
            format!("{id:?} is lost: {cause}, answered: {}", usage.answered)
        }
        Event::Demand { version, address } => format!("a call of {version} demands {address}"),
        Event::Wake => "wake".to_owned(),
        Event::Activity(activity) => format!("{} calls", activity.in_flight),
        Event::ResetBackoff => "the backoff is reset".to_owned(),
        Event::Configure(config) => format!("{config:?}"),
        Event::RuntimeLost => "the runtime is lost".to_owned(),
        Event::Close { deadline } => format!("close, within a time: {}", deadline.is_some()),
    }
}

pub(super) fn action(action: &Action<DialId>) -> String {
    match action {
        Action::Dial { id, address, .. } => format!("  dial {address} as {id:?}"),
        Action::HangUp(id) => format!("  hang up {id:?}"),
        Action::Abort(id) => format!("  abort {id:?}"),
        Action::Publish(snapshot) => {
            let connected = snapshot.entries.iter().filter_map(|(at, entry)| Some((at, entry.connection?)));
            let connected: Vec<_> = connected.map(|(at, id)| format!("{at}={id:?}")).collect();
            let picker = match snapshot.connectivity {
                TransientFailure => String::new(),
                _ => format!("{:?}", snapshot.picker),
            };
            let (version, state) = (snapshot.version, snapshot.connectivity);
            format!("  publish {version}: {state} {picker} with {}", connected.join(" "))
        }
        Action::Note(note) => {
            let address = note.address.as_ref().map_or_else(|| "channel".to_owned(), ToString::to_string);
            format!("  note {address}: {} -> {}", note.from, note.to)
        }
        other => format!("  {other:?}"),
    }
}
