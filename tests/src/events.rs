//! What the library says through `tracing`, kept for the tests that ask for it.

use std::{
    fmt::{self, Write as _},
    sync::{Mutex, Once},
    time::{Duration, Instant},
};

use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

static WARNINGS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Begins to listen, for the whole process: the library speaks from a thread of its own.
///
/// # Panics
/// If somebody else listens already.
pub fn listen() {
    static LISTENING: Once = Once::new();
    LISTENING.call_once(|| tracing::subscriber::set_global_default(Listener).unwrap());
}

/// The warnings and errors so far that contain a text, such as the port of a test's own server.
pub fn warnings(about: &str) -> Vec<String> {
    WARNINGS.lock().unwrap().iter().filter(|text| text.contains(about)).cloned().collect()
}

/// Waits for a warning.
pub fn warning_within(limit: Duration, about: &str) -> Option<String> {
    let begin = Instant::now();
    loop {
        let found = warnings(about).pop();
        if found.is_some() || begin.elapsed() > limit {
            return found;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

struct Listener;

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = Text(event.metadata().level().to_string());
        event.record(&mut text);
        WARNINGS.lock().unwrap().push(text.0);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string cannot fail.
        let _ = write!(self.0, " {}={value:?}", field.name());
    }
}
